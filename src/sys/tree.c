/*
 * tree - the processes below one process, found in /proc, and their end.
 *
 * Process: supervisor and fencer.  The table of processes is static memory: touched pages only cost
 * when there are that many processes, and nothing is allocated while everything burns.
 */
#include "sys/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define TREE_DEPTH 1024

struct proc_entry {
	pid_t pid;
	pid_t parent;
	char state;
	bool below;
};

struct kernel_dirent {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

struct proc_table {
	size_t n;
	struct proc_entry entry[TREE_MAX];
};

/* ---- one process ---- */

/* /proc/PID/stat: "pid (comm) state ppid ...", where comm may hold anything, ')' included. */
static bool
tree_read_stat(pid_t pid, struct proc_entry *p)
{
	char path[32], text[512];
	const char *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	end = strrchr(text, ')');
	if (!end || end[1] == '\0' || end[2] == '\0')
		return false;
	*p = (struct proc_entry){
		.pid = pid, .state = end[2], .parent = (pid_t)strtol(end + 4, NULL, 10)};
	return true;
}

char
tree_process_state(pid_t pid)
{
	struct proc_entry p;

	return pid > 0 && tree_read_stat(pid, &p) ? p.state : 0;
}

/* ---- all of them ---- */

static void
tree_add(struct proc_table *t, const char *name)
{
	struct proc_entry p;
	size_t at;

	if (name[0] < '1' || name[0] > '9' || t->n == TREE_MAX)
		return;
	if (!tree_read_stat((pid_t)strtol(name, NULL, 10), &p))
		return;
	/* By pid, as the kernel lists them; should it ever not, this puts them in order. */
	for (at = t->n++; at > 0 && t->entry[at - 1].pid > p.pid; at--)
		t->entry[at] = t->entry[at - 1];
	t->entry[at] = p;
}

static int
tree_read(struct proc_table *t, struct err *e)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(struct kernel_dirent) char raw[8192];
	long n;

	t->n = 0;
	if (fd < 0)
		return err_sys(e, "open /proc");
	while ((n = syscall(SYS_getdents64, fd, raw, sizeof(raw))) > 0) {
		for (long at = 0; at < n;) {
			const struct kernel_dirent *d = (const void *)(raw + at);

			tree_add(t, d->name);
			at += d->reclen;
		}
	}
	close(fd);
	if (n < 0)
		return err_sys(e, "read /proc");
	return 0;
}

static bool
tree_spared(const struct tree *t, pid_t pid)
{
	for (size_t i = 0; i < t->n_spare; i++)
		if (t->spare[i] == pid)
			return true;
	return false;
}

static struct proc_entry *
tree_find(struct proc_table *tab, pid_t pid)
{
	size_t lo = 0, hi = tab->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (tab->entry[mid].pid == pid)
			return &tab->entry[mid];
		if (tab->entry[mid].pid < pid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static bool
tree_below(const struct tree *t, struct proc_table *tab, struct proc_entry *p)
{
	for (int up = 0; p && up < TREE_DEPTH; up++) {
		pid_t parent = p->parent;
		struct proc_entry *next;

		if (p->pid == t->root || tree_spared(t, p->pid))
			return false;
		if (parent == t->root)
			return true;
		next = tree_find(tab, parent);
		/* Its parent may have ended while we were reading: it has another one by now. */
		if (!next && !tree_read_stat(p->pid, p))
			return false;
		if (next || p->parent == parent)
			p = next;
	}
	return false;
}

static void
tree_mark(const struct tree *t, struct proc_table *tab)
{
	for (size_t i = 0; i < tab->n; i++)
		tab->entry[i].below = tree_below(t, tab, &tab->entry[i]);
}

static struct proc_table table; /* one thread, used only within a call */

int
tree_count(const struct tree *t, struct err *e)
{
	int live = 0;

	if (tree_read(&table, e) < 0)
		return -1;
	if (table.n == TREE_MAX)
		return err_set(e, ERR_BUSY, "more than %d processes", TREE_MAX);
	tree_mark(t, &table);
	for (size_t i = 0; i < table.n; i++)
		if (table.entry[i].below && table.entry[i].state != 'Z' &&
			table.entry[i].state != 'X')
			live++;
	return live;
}

static int
tree_signal_all(const struct proc_table *tab, int sig)
{
	int live = 0;

	for (size_t i = 0; i < tab->n; i++) {
		const struct proc_entry *p = &tab->entry[i];

		if (!p->below || p->state == 'Z' || p->state == 'X')
			continue;
		/* Never ourselves, never a group, never everybody. */
		if (p->pid > 1 && p->pid != getpid() && kill(p->pid, sig) == 0)
			live++;
	}
	return live;
}

int
tree_kill(const struct tree *t, int sig, int rounds, struct err *e)
{
	int found = 0;

	for (int i = 0; i < rounds; i++) {
		int live;

		if (tree_read(&table, e) < 0)
			return -1;
		tree_mark(t, &table);
		if (sig == SIGKILL)
			tree_signal_all(&table, SIGSTOP);
		live = tree_signal_all(&table, sig);
		if (i == 0)
			found = live;
		if (live == 0 || sig != SIGKILL)
			break;
	}
	return found;
}

int
tree_kill_everything(struct err *e)
{
	if (getpid() != 1)
		return err_set(e, ERR_STATE, "kill(-1) is for PID 1, and this is process %d",
			(int)getpid());
	if (kill(-1, SIGKILL) < 0 && errno != ESRCH)
		return err_sys(e, "kill everything");
	return 0;
}

int
tree_check_proc(struct err *e)
{
	char text[32];
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	if (n < 0)
		return err_set(e, ERR_CONFIG,
			"/proc is not mounted: podgres finds the processes of "
			"postgres there");
	text[n] = '\0';
	if (strtol(text, NULL, 10) != getpid())
		return err_set(e, ERR_CONFIG,
			"/proc shows another PID namespace: mount a fresh one (unshare "
			"--mount-proc)");
	return 0;
}
