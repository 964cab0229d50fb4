/*
 * job_hot_backup - holds a backup open while somebody else copies the volumes (snapshots).
 *
 * Process: the job `hot-backup`.  pg_backup_start and pg_backup_stop belong to one session, which
 * this process keeps: SIGUSR1 asks it to stop the backup, SIGTERM to give it up, and it gives it up
 * by itself when the agreed time is over or the server goes.  What it knows stands in
 * RUN_DIR/hot-backup.json, as CloudNativePG's /pg/mode/backup says it; the API hands that out.
 */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "pg/sql.h"
#include "service/hot_backup.h"
#include "service/service.h"
#include "sys/file.h"

#define SQL_MS (30 * SEC_MS)
#define START_MS (3600 * SEC_MS) /* a spread checkpoint takes its time */
#define STOP_MS (3600 * SEC_MS)  /* with the wait for the archive */
#define PING_MS (10 * SEC_MS)

struct hot {
	struct job *j;
	const char *name, *slot;
	bool fast, wait;
	int64_t lasts_ms;
	struct plan plan;
	struct pq pq;
	struct sql *sql;
	int signals;
	char begin[24], end[24];
};

/* ---- what others see ---- */

static void
base64(struct json *j, const char *key, const char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	AUTO(buf_deinit) struct buf out = {0};
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (i + k < n ? (unsigned char)text[i + k] : 0);
		buf_putc(&out, digits[v >> 18 & 63]);
		buf_putc(&out, digits[v >> 12 & 63]);
		buf_putc(&out, i + 1 < n ? digits[v >> 6 & 63] : '=');
		buf_putc(&out, i + 2 < n ? digits[v & 63] : '=');
	}
	json_kstr(j, key, buf_str(&out));
}

static int
hot_tell(struct hot *h, const char *phase, const char *label, const char *map, struct err *e)
{
	AUTO(buf_deinit) struct buf out = {0};
	char path[PATH_LEN + 32];
	struct json j;

	json_init(&j, &out);
	json_obj(&j);
	json_kstr(&j, "backupName", h->name);
	json_kstr(&j, "phase", phase);
	if (*h->begin)
		json_kstr(&j, "beginLSN", h->begin);
	if (*h->end)
		json_kstr(&j, "endLSN", h->end);
	if (label)
		base64(&j, "labelFile", label);
	if (map)
		base64(&j, "spcmapFile", map);
	json_end_obj(&j);
	snprintf(path, sizeof(path), "%s/" HOT_BACKUP_FILE, h->j->opt->run_dir);
	if (buf_check(&out, e) < 0 || file_write(path, buf_str(&out), out.len, 0600, e) < 0)
		return -1;
	job_phase(h->j, phase, -1);
	return 0;
}

/* ---- the session ---- */

static int PRINTF(4, 5) hot_ask(struct hot *h, int64_t ms, struct err *e, const char *fmt, ...)
{
	AUTO(buf_deinit) struct buf text = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	if (buf_check(&text, e) < 0)
		return -1;
	return sql_ask(h->sql, buf_str(&text), clock_boot_ns() + ms * MS_NS, e);
}

static int
hot_connect(struct hot *h, struct err *e)
{
	const struct sql_spec spec = {.host = h->plan.socket_dir,
		.port = h->plan.port,
		.user = h->plan.superuser,
		.database = "postgres",
		.application = "podgres hot backup",
		.settings = h->plan.major >= 14
				    ? "-c statement_timeout=0 -c idle_session_timeout=0 "
				      "-c search_path=pg_catalog"
				    : "-c statement_timeout=0 -c search_path=pg_catalog"};

	if (pq_load(&h->pq, e) < 0 ||
		sql_open(&h->sql, &h->pq, &spec, clock_boot_ns() + SQL_MS * MS_NS, e) < 0)
		return -1;
	return sql_wait(h->sql, e) < 0 ? err_add(e, "connect") : 0;
}

/* Names and slots have neither quotes nor backslashes: order.c sees to it. */
static int
hot_start(struct hot *h, struct err *e)
{
	const char *fn = h->plan.major >= 15 ? "pg_backup_start('%s', %s)"
					     : "pg_start_backup('%s', %s, false)";
	char call[160];

	if (*h->slot && hot_ask(h, SQL_MS, e,
				"SELECT pg_create_physical_replication_slot('%s', true, true)",
				h->slot) < 0)
		return err_add(e, "make the slot %s", h->slot);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(call, sizeof(call), fn, h->name, h->fast ? "true" : "false");
#pragma GCC diagnostic pop
	if (hot_ask(h, START_MS, e, "SELECT %s", call) < 0)
		return err_add(e, "begin the backup");
	sql_copy(h->sql, 0, 0, h->begin, sizeof(h->begin));
	return hot_tell(h, HOT_STARTED, NULL, NULL, e);
}

static int
hot_stop(struct hot *h, struct err *e)
{
	const char *wait = h->wait ? "true" : "false";

	if (hot_tell(h, "closing", NULL, NULL, e) < 0)
		return -1;
	if (hot_ask(h, STOP_MS, e, "SELECT lsn, labelfile, spcmapfile FROM %s%s)",
		    h->plan.major >= 15 ? "pg_backup_stop(" : "pg_stop_backup(false, ", wait) < 0)
		return err_add(e, "end the backup");
	sql_copy(h->sql, 0, 0, h->end, sizeof(h->end));
	return hot_tell(h, "completed", sql_text(h->sql, 0, 1), sql_text(h->sql, 0, 2), e);
}

/* ---- waiting ---- */

static int
hot_signals(struct hot *h, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(e, "watch for signals");
	h->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return h->signals < 0 ? err_sys(e, "watch for signals") : 0;
}

/* Returns 0 when it is to be stopped, -1 with why it is given up. */
static int
hot_hold(struct hot *h, struct err *e)
{
	int64_t until_ms = clock_boot_ms() + h->lasts_ms;
	struct pollfd p = {.fd = h->signals, .events = POLLIN};
	struct signalfd_siginfo si;

	for (;;) {
		int64_t left_ms = until_ms - clock_boot_ms();

		if (left_ms <= 0)
			return err_set(e, ERR_TIMEOUT,
				"nobody stopped the hot backup within %lld s",
				(long long)(h->lasts_ms / SEC_MS));
		(void)!poll(&p, 1, (int)(left_ms < PING_MS ? left_ms : PING_MS));
		if (read(h->signals, &si, sizeof(si)) == sizeof(si))
			return si.ssi_signo == SIGUSR1
				       ? 0
				       : err_set(e, ERR_STATE, "the hot backup was given up");
		if (hot_ask(h, SQL_MS, e, "SELECT 1") < 0)
			return err_add(e, "the session of the hot backup is lost");
	}
}

static int
hot_run(struct hot *h, struct err *e)
{
	if (hot_signals(h, e) < 0 || hot_tell(h, "starting", NULL, NULL, e) < 0 ||
		hot_connect(h, e) < 0 || hot_start(h, e) < 0)
		return -1;
	log_info("hot backup open", F_STR("name", h->name), F_STR("begin_lsn", h->begin));
	if (hot_hold(h, e) < 0 || hot_stop(h, e) < 0)
		return -1;
	log_info("hot backup done", F_STR("name", h->name), F_STR("end_lsn", h->end));
	return 0;
}

/* argv: NAME SLOT IMMEDIATE WAIT LASTS_MS */
int
job_hot_backup_main(struct job *j, struct err *e)
{
	struct hot h = {.j = j, .signals = -1};
	struct err ignored;
	int rc;

	if (j->argc != 5 || shared_read(j->board, SEC_PLAN, &h.plan) == 0)
		return err_set(e, ERR_INVALID, "job hot-backup: wrong number of arguments");
	h.name = j->argv[0];
	h.slot = j->argv[1];
	h.fast = strcmp(j->argv[2], "0") != 0;
	h.wait = strcmp(j->argv[3], "0") != 0;
	h.lasts_ms = strtoll(j->argv[4], NULL, 10);
	rc = hot_run(&h, e);
	if (rc < 0)
		(void)!hot_tell(&h, "failed", NULL, NULL, &ignored);
	j->report.clean = true; /* nothing of it is in the store */
	sql_close(h.sql);
	if (h.signals >= 0)
		close(h.signals);
	return rc;
}
