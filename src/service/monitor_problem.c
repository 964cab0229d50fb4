/*
 * monitor_problem - what is wrong with postgres, in one line for a person.
 *
 * Pure.  The first that applies wins: what explains the others comes first.
 */
#include "service/monitor.h"

#include <stdio.h>
#include <string.h>

#define FLUSH_LATE_MS 5000
#define BLOCKED_LOOKS 2
#define WAL_LOW_BYTES (INT64_C(16) << 20)

struct words {
	char *problem, *hint;
	size_t problem_size, hint_size;
};

#define say(w, ...) snprintf((w)->problem, (w)->problem_size, __VA_ARGS__)
#define advise(w, ...) snprintf((w)->hint, (w)->hint_size, __VA_ARGS__)

static bool
process_problem(const struct monitor_signs *s, struct words *w)
{
	if (s->state == 'T' || s->state == 't') {
		say(w, "postgres (pid %d) is stopped by a signal and takes no new connections",
			s->pid);
		advise(w, "kill -CONT %d, or order a restart", s->pid);
		return true;
	}
	if (s->state == 'Z' || s->state == 'X') {
		say(w, "postgres (pid %d) is dead and waits to be collected", s->pid);
		return true;
	}
	if (s->state == 'D' && s->blocked >= BLOCKED_LOOKS) {
		say(w, "postgres (pid %d) has been waiting for a disk for %d s", s->pid,
			s->blocked);
		advise(w, "look at the volumes of PGDATA and pg_wal");
		return true;
	}
	return false;
}

static bool
refusal_problem(const struct monitor_signs *s, struct words *w)
{
	bool first = s->refused[0] != '\0';
	const char *text = first ? s->refused : s->probe;
	const char *state = first ? s->refused_sqlstate : s->probe_sqlstate;

	if (text[0] == '\0')
		return false;
	if (strcmp(state, "53300") == 0) {
		say(w, "postgres is out of connections, even of those reserved for superusers: %s",
			text);
		advise(w, "end idle sessions or raise max_connections");
	} else if (strncmp(state, "28", 2) == 0) {
		say(w, "postgres does not let podgres in: %s", text);
		advise(w, "pg_hba must let the user who runs postgres in over the unix socket");
	} else {
		say(w, "postgres does not take a new connection: %s", text);
	}
	return true;
}

static bool
start_problem(const struct monitor_signs *s, struct words *w)
{
	if (s->accept == PG_ACCEPT_STOPPING) {
		say(w, "postgres is shutting down");
		return true;
	}
	if (s->pidfile == PIDFILE_STANDBY) {
		say(w, "postgres is in recovery and takes no connections because hot_standby is "
		       "off");
		advise(w, "set hot_standby to on");
		return true;
	}
	if (s->accept != PG_ACCEPT_STARTING)
		return false;
	if (s->redo && s->redo_progress >= 0)
		say(w, "postgres is starting: it replays WAL, segment %s, %.0f %% done",
			s->redo_wal, (double)s->redo_progress * 100);
	else if (s->redo && s->redo_wal[0])
		say(w, "postgres is starting: it replays WAL, segment %s", s->redo_wal);
	else
		say(w, "postgres is starting and takes no connections yet");
	return true;
}

static bool
answer_problem(const struct monitor_signs *s, struct words *w)
{
	if (s->overdue_ms > 0) {
		say(w, "postgres does not answer: a query waits for %lld.%lld s",
			(long long)s->overdue_ms / 1000, (long long)s->overdue_ms % 1000 / 100);
		advise(w, "look for a stopped process, a hanging volume or an overloaded node");
		return true;
	}
	if (refusal_problem(s, w))
		return true;
	if (s->query_error[0]) {
		say(w, "postgres refuses to be looked at: %s", s->query_error);
		return true;
	}
	return false;
}

static bool
resource_problem(const struct monitor_signs *s, struct words *w)
{
	int32_t usable = s->max_connections - s->reserved;

	if (!s->known)
		return false;
	if (s->flush_age_ms > FLUSH_LATE_MS) {
		say(w, "WAL has not been flushed for %lld s: commits hang",
			(long long)s->flush_age_ms / 1000);
		advise(w, "look at the volume of pg_wal");
		return true;
	}
	if (s->max_connections > 0 && s->connections >= usable) {
		say(w, "postgres is out of connections: %d in use, clients may have %d of %d",
			s->connections, usable, s->max_connections);
		advise(w, "end idle sessions, use a pooler or raise max_connections");
		return true;
	}
	return false;
}

void
monitor_problem(const struct monitor_signs *s, char *problem, size_t problem_size, char *hint,
	size_t hint_size)
{
	struct words w = {problem, hint, problem_size, hint_size};

	problem[0] = hint[0] = '\0';
	if (s->gone[0]) {
		say(&w, "%s", s->gone);
		advise(&w, "postgres must not go on writing; look at the volume, then restore");
		return;
	}
	if (s->pid && (process_problem(s, &w) || start_problem(s, &w) || answer_problem(s, &w) ||
			      resource_problem(s, &w)))
		return;
	if (s->wal_free_bytes >= 0 && s->wal_free_bytes < WAL_LOW_BYTES) {
		say(&w, "the volume of pg_wal is full: %lld kB are free",
			(long long)s->wal_free_bytes / 1024);
		advise(&w, "make the volume larger or remove what does not belong there");
	}
}
