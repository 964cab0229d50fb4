/*
 * haclient - one client that writes rows and retries every 10 ms, for times of failover.
 *
 *     haclient HOST,HOST,... CONNINFO TABLE
 *
 * It knows the addresses of all members, tries those without a connection every 10 ms, all at once,
 * takes the first that is writable (the parameter in_hot_standby, which PostgreSQL 14 and later
 * report when they let one in) and inserts one row after another.  What fails or is not answered
 * within a second is dropped.  Each acknowledgement is a line: when it came, in nanoseconds of
 * CLOCK_MONOTONIC, from whom, and the row.  Ends with its standard input.
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MEMBERS 8
#define RETRY_MS 10
#define CONNECT_MS 1000
#define ANSWER_MS 1000

struct member {
	char host[64];
	PGconn *conn;
	PostgresPollingStatusType wants;
	int64_t began_ns, again_ns;
};

struct client {
	struct member member[MEMBERS];
	int members;
	const char *conninfo, *table;
	long row;
};

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* The standard input has ended. */
static bool
over(void)
{
	struct pollfd p = {.fd = 0, .events = POLLIN};
	char c;

	return poll(&p, 1, 0) > 0 && read(0, &c, 1) <= 0;
}

static void
member_drop(struct member *m)
{
	PQfinish(m->conn);
	m->conn = NULL;
	m->again_ns = m->began_ns + RETRY_MS * INT64_C(1000000);
}

static void
member_try(struct client *c, struct member *m)
{
	char text[512];

	if (m->conn || now_ns() < m->again_ns)
		return;
	snprintf(text, sizeof(text), "host=%s %s", m->host, c->conninfo);
	m->began_ns = now_ns();
	m->conn = PQconnectStart(text);
	m->wants = PGRES_POLLING_WRITING;
	if (!m->conn || PQstatus(m->conn) == CONNECTION_BAD)
		member_drop(m);
}

static bool
writable(PGconn *conn)
{
	const char *standby = PQparameterStatus(conn, "in_hot_standby");
	const char *only = PQparameterStatus(conn, "default_transaction_read_only");

	return standby && strcmp(standby, "off") == 0 && (!only || strcmp(only, "off") == 0);
}

/* True: this one is writable. */
static bool
member_step(struct member *m, short ready)
{
	if (!m->conn)
		return false;
	if (ready)
		m->wants = PQconnectPoll(m->conn);
	if (m->wants == PGRES_POLLING_OK && writable(m->conn))
		return true;
	if (m->wants == PGRES_POLLING_OK || m->wants == PGRES_POLLING_FAILED ||
		now_ns() - m->began_ns > CONNECT_MS * INT64_C(1000000))
		member_drop(m);
	return false;
}

/* The first that is writable; the others are let go.  NULL: the input ended. */
static struct member *
client_connect(struct client *c)
{
	struct member *found = NULL;

	while (!found && !over()) {
		struct pollfd p[MEMBERS];

		for (int i = 0; i < c->members; i++) {
			struct member *m = &c->member[i];

			member_try(c, m);
			p[i] = (struct pollfd){.fd = m->conn ? PQsocket(m->conn) : -1,
				.events = m->wants == PGRES_POLLING_READING ? POLLIN : POLLOUT};
		}
		poll(p, (nfds_t)c->members, 2);
		for (int i = 0; i < c->members && !found; i++)
			if (member_step(&c->member[i], p[i].revents))
				found = &c->member[i];
	}
	for (int i = 0; i < c->members; i++)
		if (&c->member[i] != found && c->member[i].conn)
			member_drop(&c->member[i]);
	return found;
}

static bool
answered(PGconn *conn)
{
	int64_t until = now_ns() + ANSWER_MS * INT64_C(1000000);
	bool good = true;
	PGresult *r;

	while (PQisBusy(conn)) {
		struct pollfd p = {.fd = PQsocket(conn), .events = POLLIN};
		int64_t left = (until - now_ns()) / 1000000;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0 || !PQconsumeInput(conn))
			return false;
	}
	while ((r = PQgetResult(conn))) {
		good = good && PQresultStatus(r) == PGRES_COMMAND_OK;
		PQclear(r);
	}
	return good;
}

static bool
client_write(struct client *c, const struct member *m)
{
	char sql[256];

	snprintf(
		sql, sizeof(sql), "INSERT INTO %s (n, client) VALUES (%ld, 0)", c->table, ++c->row);
	if (!PQsendQuery(m->conn, sql) || !answered(m->conn))
		return false;
	printf("%" PRId64 " %s %ld\n", now_ns(), m->host, c->row);
	fflush(stdout);
	return true;
}

int
main(int argc, char **argv)
{
	struct client c = {0};
	char *host, *at;

	if (argc != 4)
		return 64;
	c.conninfo = argv[2];
	c.table = argv[3];
	for (host = strtok_r(argv[1], ",", &at); host && c.members < MEMBERS;
		host = strtok_r(NULL, ",", &at))
		snprintf(c.member[c.members++].host, sizeof(c.member[0].host), "%s", host);
	while (!over()) {
		struct member *m = client_connect(&c);

		while (m && client_write(&c, m) && !over())
			usleep(500);
		if (m)
			member_drop(m);
	}
	return 0;
}
