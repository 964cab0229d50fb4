/*
 * restore_base - a base backup, or a chain of them, from the store into WRAP/data.
 *
 * Process: whoever restores.  Each object (data.tar, data_0001.tar, OID.tar, with any extension of
 * Barman's) is unpacked by a forked child; at most data.jobs of them live at once.  What a child
 * has to say stands in shared memory.  An object that is done is in the journal and not fetched
 * again.
 */
#include <ctype.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/restore.h"
#include "sys/mount.h"

#define BASE_OBJECTS 512
#define BASE_LOOK_MS 500

struct base {
	struct restore *r;
	struct restore_object *object; /* BASE_OBJECTS */
	size_t n, next;
	int64_t total, before; /* bytes in the store; those of objects that were done before */
	int jobs;
	struct {
		pid_t pid; /* 0: idle */
		int pidfd;
		const struct restore_object *o;
	} child[RESTORE_WORKERS];
};

/* ---- which objects ---- */

/* "data", "data_0001", "16384", "16384_0002", each with .tar and perhaps an extension. */
static bool
base_name(const char *name, uint32_t *oid)
{
	char stem[64];
	size_t len;
	char *at;

	codec_of_name(name, &len);
	if (len < 5 || len >= sizeof(stem) || strncmp(name + len - 4, ".tar", 4) != 0)
		return false;
	snprintf(stem, sizeof(stem), "%.*s", (int)len - 4, name);
	at = strchr(stem, '_');
	if (at) {
		*at++ = '\0';
		if (strlen(at) != strspn(at, "0123456789") || !*at)
			return false;
	}
	*oid = 0;
	if (strcmp(stem, "data") == 0)
		return true;
	*oid = (uint32_t)strtoul(stem, &at, 10);
	return isdigit((unsigned char)stem[0]) && !*at && *oid;
}

struct base_listing {
	struct base *b;
	const struct backup_info *info;
	const char *data; /* folder */
	const struct restore_digests *digests;
	bool has_data;
	bool has_oid[BACKUP_TABLESPACES];
};

static int
base_tablespace_dir(struct base_listing *l, uint32_t oid, char out[FILE_PATH_MAX], struct err *e)
{
	const struct restore *r = l->b->r;
	int n;

	for (size_t i = 0; i < l->info->tablespaces; i++)
		if (l->info->tablespace[i].oid == oid)
			l->has_oid[i] = true;
	for (size_t i = 0; i < r->places; i++) {
		if (r->place[i].oid != oid)
			continue;
		if (r->chains > 1)
			n = snprintf(out, FILE_PATH_MAX, "%s.%u", l->data, oid);
		else
			n = snprintf(out, FILE_PATH_MAX, "%s", r->place[i].path);
		return n < 0 || n >= FILE_PATH_MAX ? err_set(e, ERR_CONFIG, "path too long") : 0;
	}
	/* Dropped between this backup and the chosen one: nobody will look at it. */
	n = snprintf(out, FILE_PATH_MAX, "%s.%u", l->data, oid);
	return n < 0 || n >= FILE_PATH_MAX ? err_set(e, ERR_CONFIG, "path too long") : 0;
}

static int
base_each(void *arg, const struct store_object *so, struct err *e)
{
	struct base_listing *l = arg;
	struct base *b = l->b;
	struct restore_object *o;
	char line[ARCHIVE_KEY_SIZE + 8];
	uint32_t oid;

	if (so->bytes < 0 || !base_name(file_base(so->key), &oid))
		return 0;
	if (b->n == BASE_OBJECTS)
		return err_set(e, ERR_CORRUPT, "backup %s has more than %d objects", l->info->id,
			BASE_OBJECTS);
	o = &b->object[b->n];
	*o = (struct restore_object){.bytes = so->bytes, .oid = oid, .digests = l->digests};
	snprintf(o->key, sizeof(o->key), "%s", so->key);
	if (oid ? base_tablespace_dir(l, oid, o->dir, e) < 0
		: snprintf(o->dir, sizeof(o->dir), "%s", l->data) < 0)
		return -1;
	l->has_data = l->has_data || !oid;
	b->total += so->bytes;
	snprintf(line, sizeof(line), "object %s", o->key);
	if (journal_has(b->r, line))
		b->before += so->bytes;
	else
		b->n++;
	return file_make_dirs(o->dir, 0700, e);
}

static int
base_list(struct base_listing *l, struct err *e)
{
	struct archive *a = l->b->r->archive;
	char prefix[ARCHIVE_KEY_SIZE];
	const struct store_list list = {.prefix = prefix, .after = "", .each = base_each, .arg = l};

	if (archive_key(prefix, e, "%s/base/%s/", a->server, l->info->id) < 0 ||
		store_list(a->store, &list, e) < 0)
		return -1;
	if (!l->has_data)
		return err_set(e, ERR_CORRUPT, "backup %s has no data.tar: it is not complete",
			l->info->id);
	for (size_t i = 0; i < l->info->tablespaces; i++)
		if (!l->has_oid[i])
			return err_set(e, ERR_CORRUPT,
				"backup %s: the tar of tablespace \"%s\" (%u.tar) is missing",
				l->info->id, l->info->tablespace[i].name,
				l->info->tablespace[i].oid);
	return 0;
}

/* The largest first, so that none is left alone at the end. */
static int
base_order(const void *a, const void *b)
{
	int64_t x = ((const struct restore_object *)a)->bytes;
	int64_t y = ((const struct restore_object *)b)->bytes;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* ---- children ---- */

static void
base_say(struct base *b)
{
	struct restore *r = b->r;
	struct job_report *report = &r->in->p->j->report;
	int64_t stored = b->before, written = 0;

	for (int i = 0; i < RESTORE_WORKERS; i++) {
		stored += r->shared->worker[i].stored;
		written += r->shared->worker[i].written;
	}
	if (r->result.stored_bytes == stored && report->total_bytes == b->total)
		return; /* only what moves is said */
	r->result.bytes = written;
	r->result.stored_bytes = stored;
	report->done_bytes = stored;
	report->total_bytes = b->total;
	job_phase(r->in->p->j, "downloading the base backup",
		b->total ? (float)((double)stored / (double)b->total) : -1);
}

static int
base_start(struct base *b, int slot, struct err *e)
{
	struct restore_counts *counts = &b->r->shared->worker[slot];
	struct restore_object *o = &b->object[b->next++];
	pid_t parent = getpid(), pid;

	o->parallel = b->jobs / (b->n < (size_t)b->jobs ? (int)b->n : b->jobs);
	pid = fork();
	if (pid < 0)
		return err_sys(e, "fork for %s", o->key);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		_exit(restore_object(b->r, o, counts, &counts->e) < 0);
	}
	b->child[slot].pid = pid;
	b->child[slot].o = o;
	b->child[slot].pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return 0;
}

static int
base_ended(struct base *b, int slot, struct err *e)
{
	const struct restore_object *o = b->child[slot].o;
	int status = 0;
	pid_t pid = b->child[slot].pid;

	if (waitpid(pid, &status, WNOHANG) == 0)
		return 0;
	if (b->child[slot].pidfd >= 0)
		close(b->child[slot].pidfd);
	b->child[slot].pid = 0;
	if (WIFSIGNALED(status))
		return err_set(e, ERR_FAILED,
			"%s: the process that fetched it was ended by signal %d", file_base(o->key),
			WTERMSIG(status));
	if (WEXITSTATUS(status) != 0) {
		*e = b->r->shared->worker[slot].e;
		return -1;
	}
	log_info("object restored", F_STR("object", file_base(o->key)), F_INT("bytes", o->bytes));
	return journal_add(b->r, e, "object %s", o->key);
}

static void
base_kill(struct base *b)
{
	for (int i = 0; i < RESTORE_WORKERS; i++) {
		if (!b->child[i].pid)
			continue;
		kill(b->child[i].pid, SIGKILL);
		waitpid(b->child[i].pid, NULL, 0);
		if (b->child[i].pidfd >= 0)
			close(b->child[i].pidfd);
		b->child[i].pid = 0;
	}
}

/* One turn: starts what can be started, waits a moment.  Returns how many are at work, or -1. */
static int
base_turn(struct base *b, struct err *e)
{
	struct pollfd p[RESTORE_WORKERS];
	int busy = 0;

	for (int i = 0; i < b->jobs; i++) {
		if (b->child[i].pid && base_ended(b, i, e) < 0)
			return -1;
		if (!b->child[i].pid && b->next < b->n && base_start(b, i, e) < 0)
			return -1;
		if (b->child[i].pid)
			p[busy++] = (struct pollfd){.fd = b->child[i].pidfd, .events = POLLIN};
	}
	if (busy)
		poll(p, (nfds_t)busy, BASE_LOOK_MS);
	base_say(b);
	return busy;
}

static int
base_fetch(struct base *b, struct err *e)
{
	int busy = 1;

	b->jobs = b->r->archive->data_jobs;
	b->jobs = b->jobs < 1 ? 1 : b->jobs > RESTORE_WORKERS ? RESTORE_WORKERS : b->jobs;
	if (b->n)
		qsort(b->object, b->n, sizeof(*b->object), base_order);
	while (busy > 0)
		busy = base_turn(b, e);
	if (busy < 0)
		base_kill(b);
	return busy;
}

/* ---- backups ---- */

static int
base_room(const struct base *b, const struct backup_info *info, struct err *e)
{
	struct mount_room room;
	int64_t need = info->bytes > 0 ? info->bytes : b->total;

	if (b->before || mount_room(b->r->in->place.wrap, &room, e) < 0)
		return b->before ? 0 : -1;
	if (room.free_bytes >= need)
		return 0;
	return err_set(e, ERR_SPACE, "backup %s needs %lld MB, the volume of %s has %lld MB",
		info->id, (long long)(need >> 20), b->r->in->place.target,
		(long long)(room.free_bytes >> 20));
}

static int
base_one(struct restore *r, const struct backup_info *info, const char *data, struct err *e)
{
	AUTO(digests_free) struct restore_digests *digests = NULL;
	AUTO(free) struct restore_object *objects = calloc(BASE_OBJECTS, sizeof(*objects));
	struct base b = {.r = r, .object = objects};
	struct base_listing l = {.b = &b, .info = info, .data = data};

	if (!objects)
		return err_sys(e, "restore");
	if (digests_read(&digests, r->archive, info->id, e) < 0)
		return err_add(e, "backup %s", info->id);
	l.digests = digests;
	if (!digests)
		log_info("the backup has no manifest of ours: the checks of its tars have to do",
			F_STR("backup", info->id + 0));
	memset(r->shared->worker, 0, sizeof(r->shared->worker));
	if (base_list(&l, e) < 0 || base_room(&b, info, e) < 0)
		return -1;
	if (base_fetch(&b, e) < 0)
		return err_add(e, "backup %s", info->id);
	if (digests && !b.before) {
		uint64_t files = 0;

		for (int i = 0; i < RESTORE_WORKERS; i++)
			files += r->shared->worker[i].files;
		if (files != digests_files(digests))
			return err_set(e, ERR_CORRUPT,
				"backup %s: its tars have %llu files, its manifest %zu", info->id,
				(unsigned long long)files, digests_files(digests));
	}
	return 0;
}

static int
base_pg_wal(const struct restore *r, const char *data, struct err *e)
{
	const char *wal = r->in->p->opt->waldir;
	char to[FILE_PATH_MAX], link[FILE_PATH_MAX];

	if (file_make_dirs(data, 0700, e) < 0 ||
		file_join(link, sizeof(link), data, "pg_wal", e) < 0)
		return -1;
	if (!*wal || file_exists(link))
		return 0;
	if (file_join(to, sizeof(to), wal, PGDATA_OURS, e) < 0 || file_make_dirs(to, 0700, e) < 0)
		return -1;
	return symlink(to, link) < 0 ? file_err(e, "link %s", link) : 0;
}

static int
base_chain(struct restore *r, struct err *e)
{
	static const char fmt[] = "%s/chain.%zu";
	char dir[RESTORE_CHAIN][FILE_PATH_MAX / 8];
	const char *dirs[RESTORE_CHAIN + 1] = {NULL};

	for (size_t i = 0; i < r->chains; i++) {
		int n = snprintf(dir[i], sizeof(dir[i]), fmt, r->in->place.wrap, i);

		if (n < 0 || (size_t)n >= sizeof(dir[i]))
			return err_set(e, ERR_CONFIG, "path too long: %.200s", r->in->place.wrap);
		dirs[i] = dir[i];
		if (base_one(r, r->chain[i], dir[i], e) < 0)
			return -1;
	}
	return restore_combine(r, dirs, r->in->place.data, e);
}

int
restore_base(struct restore *r, struct err *e)
{
	int64_t began = clock_boot_ms();

	if (journal_has(r, "restored"))
		return 0;
	if (tblspc_choose(r, e) < 0)
		return -1;
	if (r->chains > 1) {
		if (base_chain(r, e) < 0)
			return -1;
	} else if (base_pg_wal(r, r->in->place.data, e) < 0 ||
		   base_one(r, r->chain[0], r->in->place.data, e) < 0) {
		return -1;
	}
	if (restore_files(r, e) < 0)
		return -1;
	job_phase(r->in->p->j, "writing the base backup to disk", -1);
	if (file_sync_tree(r->in->place.data, e) < 0)
		return -1;
	for (size_t i = 0; i < r->places; i++)
		if (file_sync_tree(r->place[i].path, e) < 0)
			return -1;
	r->result.base_ms = clock_boot_ms() - began;
	return journal_add(r, e, "restored");
}
