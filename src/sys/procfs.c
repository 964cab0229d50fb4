/*
 * procfs - what /proc says about a process.
 */
#include "sys/procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/defs.h"

#define WAL_DIGITS 24

/* Reads the beginning of /proc/PID/NAME; the text is terminated.  -1: no such process. */
static ssize_t
procfs_read(pid_t pid, const char *name, char *out, size_t size)
{
	char path[64];
	AUTO(close) int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	return n;
}

bool
procfs_stat_parse(const char *text, struct procfs_stat *out)
{
	const char *after = strrchr(text, ')');
	unsigned long long user, sys;
	int parent;

	/* state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime */
	if (!after || sscanf(after + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
			      &out->state, &parent, &user, &sys) != 4)
		return false;
	out->parent = parent;
	out->cpu_ticks = user + sys;
	return true;
}

bool
procfs_stat(pid_t pid, struct procfs_stat *out)
{
	char text[512];

	return procfs_read(pid, "stat", text, sizeof(text)) > 0 && procfs_stat_parse(text, out);
}

int64_t
procfs_rss_bytes(pid_t pid)
{
	char text[128];
	long long pages;

	if (procfs_read(pid, "statm", text, sizeof(text)) <= 0 ||
		sscanf(text, "%*d %lld", &pages) != 1)
		return 0;
	return pages * sysconf(_SC_PAGESIZE);
}

/* ---- the startup process ---- */

/* A session of a user called "startup" has a title that looks alike up to a point: what follows
 * the word must be nothing, or an activity with the name of a segment. */
bool
procfs_startup_parse(const char *title, struct procfs_startup *out)
{
	static const char mark[] = ": startup";
	const char *at = strncmp(title, "postgres: ", 10) == 0 ? title : NULL, *next = at;

	while (next && (next = strstr(next + 1, mark)))
		at = next;
	if (!at || !(at = strstr(at, mark)))
		return false;
	at += strlen(mark);
	*out = (struct procfs_startup){.waiting = strncmp(at, " waiting for ", 13) == 0};
	at += out->waiting ? 13 : strncmp(at, " recovering ", 12) == 0 ? 12 : strspn(at, " ");
	if (*at == '\0')
		return !out->waiting;
	if (strspn(at, "0123456789ABCDEF") != WAL_DIGITS ||
		at[WAL_DIGITS + strspn(at + WAL_DIGITS, " ")])
		return false;
	memcpy(out->wal, at, WAL_DIGITS);
	return true;
}

static bool
procfs_startup_is(pid_t pid, struct procfs_startup *out)
{
	char title[256];

	if (procfs_read(pid, "cmdline", title, sizeof(title)) <= 0 ||
		!procfs_startup_parse(title, out))
		return false;
	out->pid = pid;
	return true;
}

/* Kernels without the list of children: look at every process. */
static bool
procfs_startup_scan(pid_t postmaster, struct procfs_startup *out)
{
	DIR *dir = opendir("/proc");
	const struct dirent *d;
	bool found = false;

	while (dir && !found && (d = readdir(dir))) {
		struct procfs_stat st;
		pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);

		found = pid > 0 && procfs_stat(pid, &st) && st.parent == postmaster &&
			procfs_startup_is(pid, out);
	}
	if (dir)
		closedir(dir);
	return found;
}

bool
procfs_startup(pid_t postmaster, struct procfs_startup *out)
{
	char name[48], text[4096], *at = text, *end;

	snprintf(name, sizeof(name), "task/%d/children", (int)postmaster);
	if (procfs_read(postmaster, name, text, sizeof(text)) < 0)
		return procfs_startup_scan(postmaster, out);
	for (;; at = end) {
		long pid = strtol(at, &end, 10);

		if (end == at || pid <= 0)
			return false;
		if (procfs_startup_is((pid_t)pid, out))
			return true;
	}
}
