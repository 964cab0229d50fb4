/*
 * health - what the probes say, decided from what is known; and why.
 *
 * Pure.  live: is a restart of the container the remedy?  ready: may clients be sent here?
 * startup: has the start come to something, or is it at least getting on?  (interface, "HTTP").
 * Ages are milliseconds, negative for never.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/fsm.h"

enum health_postgres {
	HEALTH_PG_DOWN,
	HEALTH_PG_STARTING,
	HEALTH_PG_ACCEPTING,
	HEALTH_PG_STOPPING,
};

enum health_accept {
	HEALTH_ACCEPT_UNKNOWN,
	HEALTH_ACCEPT_NO,
	HEALTH_ACCEPT_STARTING,
	HEALTH_ACCEPT_YES,
	HEALTH_ACCEPT_STOPPING,
};

#define HEALTH_SERVICES 16

struct health_service {
	const char *name;
	bool running;
	int64_t silent_ms; /* since its last heartbeat or its start, whichever is later */
	int64_t hung_ms;   /* the supervisor kills it after so much silence */
};

struct health_in {
	enum fsm_state state;
	const char *reason;  /* why it is in that state; "" or NULL: none */
	int64_t beat_age_ms; /* of the supervisor's heartbeat */
	int64_t watchdog_ms; /* 0: none */
	struct health_service service[HEALTH_SERVICES];
	int services;
	bool stopping, fenced, paused;
	const char *fence_reason;
	enum health_postgres postgres;
	/* from the monitor */
	bool seen; /* what follows is about the postmaster that runs now */
	enum health_accept accept;
	const char *problem;     /* "" or NULL: none */
	int64_t observed_age_ms; /* of all that follows */
	int64_t connect_age_ms, query_age_ms;
	int64_t heard_age_ms; /* since a new connection worked or was refused with a reason */
	int64_t up_ms;        /* since the postmaster was started */
	bool known;           /* a query was answered: the next three are true of this postmaster */
	bool in_recovery;
	bool receiver_active;  /* the WAL receiver streams */
	bool has_primary;      /* primary_conninfo is set */
	bool needs_streaming;  /* by the manifest: following the archive is not enough */
	int64_t lag_bytes;     /* known to exist but not replayed; negative: unknown */
	int64_t max_lag_bytes; /* negative: no limit */
	/* of the start */
	int64_t moved_age_ms;   /* since the start last got on: job, replay, new state */
	int64_t start_delay_ms; /* 0: no limit */
};

struct health {
	bool ok;
	char reason[640]; /* one line, never empty */
};

/* Silence of a component that the supervisor should have ended long ago. */
#define HEALTH_HUNG_FACTOR 3
/* Neither a new connection nor a query worked for so long while postgres claims to run. */
#define HEALTH_WEDGED_MS INT64_C(600000)
/* Older observations are no ground to send clients here. */
#define HEALTH_OBSERVED_MS INT64_C(30000)
/* New connections are tried every ten seconds; a postmaster that hangs answers none. */
#define HEALTH_HEARD_MS INT64_C(20000)

void health_live(const struct health_in *in, struct health *out);
void health_ready(const struct health_in *in, struct health *out);
void health_startup(const struct health_in *in, struct health *out);

/* For Patroni's role checks: postgres runs, takes connections, and has that role. */
void health_running(const struct health_in *in, struct health *out);
void health_primary(const struct health_in *in, struct health *out);
/* max_lag_bytes < 0: any.  streaming: following the archive is not enough. */
void health_replica(
	const struct health_in *in, int64_t max_lag_bytes, bool streaming, struct health *out);
