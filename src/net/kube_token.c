/*
 * kube_token - the bearer token and the CA file, read again when they change.
 *
 * A projected volume swaps a symlink, so that another inode stands behind the path.  A file system
 * may not tell, therefore the token is read each minute all the same.
 */
#include "net/kube_impl.h"

#include <string.h>

#include "base/clock.h"
#include "sys/file.h"

#define TOKEN_MAX ((size_t)32 << 10)
#define ANEW_NS (60 * SEC_MS * MS_NS)

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       same_time(&a->st_mtim, &b->st_mtim) && same_time(&a->st_ctim, &b->st_ctim);
}

bool
kube_file_due(struct kube_file *f, int64_t now_ns, bool *changed)
{
	struct stat st;
	bool first = f->read_ns == 0;

	*changed = false;
	if (!f->path[0])
		return false;
	if (stat(f->path, &st) < 0)
		memset(&st, 0, sizeof(st));
	*changed = first || !same_file(&st, &f->seen);
	if (!*changed && now_ns - f->read_ns < ANEW_NS)
		return false;
	f->seen = st;
	f->read_ns = now_ns;
	return true;
}

/* It goes into a header line: what would end that line is no token. */
static int
check(struct buf *b, const char *path, struct err *e)
{
	while (b->len > 0 && strchr(" \t\r\n", b->data[b->len - 1]))
		b->data[--b->len] = '\0';
	if (b->len == 0)
		return err_set(e, ERR_CONFIG, "token file %s is empty", path);
	for (size_t i = 0; i < b->len; i++)
		if (b->data[i] <= ' ' || b->data[i] > '~')
			return err_set(e, ERR_CONFIG, "token file %s holds no token", path);
	return 0;
}

static void
wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_deinit(b);
}

int
kube_token_refresh(struct kube_token *t, bool now, struct err *e)
{
	struct buf fresh;
	bool changed;

	if (now)
		t->file.read_ns = 0;
	if (!kube_file_due(&t->file, clock_boot_ns(), &changed))
		return 0;
	buf_init_max(&fresh, TOKEN_MAX);
	if (file_read(&fresh, t->file.path, TOKEN_MAX, e) < 0 ||
		check(&fresh, t->file.path, e) < 0) {
		wipe(&fresh);
		t->file.read_ns = 0; /* the next request tries again */
		return t->text.len > 0 ? 0 : -1;
	}
	if (fresh.len != t->text.len || memcmp(fresh.data, buf_str(&t->text), fresh.len) != 0)
		t->serial++;
	wipe(&t->text);
	t->text = fresh;
	return 0;
}

void
kube_token_wipe(struct kube_token *t)
{
	wipe(&t->text);
}
