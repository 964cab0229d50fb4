/*
 * lock - one manager a volume.
 */
#include "sys/lock.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "sys/file.h"

#define LOCK_RETRY_MS 20
#define LOCK_TEXT 200

static int
lock_open(const char *path, bool *folder, struct err *e)
{
	int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
	int fd;

	*folder = file_is_dir(path);
	fd = *folder ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : open(path, flags, 0600);
	if (fd < 0)
		return file_err(e, "open the lock %s", path);
	return fd;
}

/* What the holder wrote; untrusted, so only what prints is kept. */
static void
lock_holder(int fd, char out[LOCK_TEXT])
{
	ssize_t n = pread(fd, out, LOCK_TEXT - 1, 0);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	for (char *c = out; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static int
lock_busy(const char *path, int fd, struct err *e)
{
	char holder[LOCK_TEXT];

	lock_holder(fd, holder);
	if (holder[0] == '\0')
		return err_set(e, ERR_STATE, "%s is locked by another podgres", path);
	return err_set(e, ERR_STATE, "%s is locked by another podgres: %s", path, holder);
}

/* For people only; a full disk must not keep us from holding the lock. */
static void
lock_sign(int fd)
{
	char text[LOCK_TEXT], when[CLOCK_RFC3339_SIZE];
	struct utsname host = {0};
	int n;

	if (uname(&host) < 0)
		return;
	n = snprintf(text, sizeof(text), "pid %ld on %.64s since %s\n", (long)getpid(),
		host.nodename, clock_rfc3339_sec(clock_wall_us(), when));
	if (n > 0 && (size_t)n < sizeof(text) && pwrite(fd, text, (size_t)n, 0) == n)
		(void)!ftruncate(fd, n);
}

int
lock_take(int *fd_out, const char *path, int64_t wait_ms, struct err *e)
{
	int64_t until_ms = clock_boot_ms() + wait_ms;
	AUTO(close) int fd = -1;
	bool folder;

	*fd_out = -1;
	fd = lock_open(path, &folder, e);
	if (fd < 0)
		return -1;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return file_err(e, "lock %s", path);
		if (clock_boot_ms() >= until_ms)
			return lock_busy(path, fd, e);
		poll(NULL, 0, LOCK_RETRY_MS);
	}
	if (!folder)
		lock_sign(fd);
	*fd_out = fd;
	fd = -1;
	return 0;
}
