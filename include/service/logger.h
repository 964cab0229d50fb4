/*
 * logger - drains what postgres and everybody else in the pod writes, and writes it to stdout.
 *
 * Whatever becomes of stdout, the inputs are read: postgres never waits for whoever reads the log.
 */
#pragma once

#include "base/linebuf.h"
#include "core/logrec.h"
#include "service/logger_out.h"
#include "service/service.h"

#define LOGGER_LINE_MAX ((size_t)1 << 20)
#define LOGGER_CHUNK ((size_t)64 << 10)

struct logger;

enum logger_form {
	LOGGER_RAW,   /* our own lines and those of any program */
	LOGGER_JSON,  /* jsonlog */
	LOGGER_CSV,   /* csvlog */
	LOGGER_PLAIN, /* what postgres' logging collector writes before those are open */
	LOGGER_FORMS
};

struct logger_input {
	struct logger *logger;
	enum logger_form form;
	struct linebuf lines;
	bool moved; /* a line has ended in this read */
	struct loop_fd watch;
	struct loop_timer deadline; /* a line that has begun must have ended by then */
};

struct logger {
	struct service *s;
	struct logger_out out;
	struct logger_input in[LOGGER_FORMS];
	struct logrec rec;
	struct logrec_style style;
	struct buf pod;  /* its name, escaped */
	struct buf line; /* the one being made */
	uint64_t records, truncated, last;
	bool urgent;                                    /* publish without delay */
	char last_line[LOG_LAST_LINES][LOG_LAST_BYTES]; /* slot = last % LOG_LAST_LINES */
	struct log_facts facts;                         /* as published */
	struct loop_timer publish;
	struct loop_fd term;
	char chunk[LOGGER_CHUNK];
};

int logger_new(struct logger **out, struct service *s, struct err *e) MUSTCHECK;
/* Reads what is there, writes what stdout takes soon, publishes, lets go. */
struct logger *logger_free(struct logger *l);
DEFINE_AUTO(struct logger *, logger_free)

/* A line of an input (struct logger_input *arg) becomes a line on stdout; a linebuf_fn. */
void logger_line(char *line, size_t n, bool cut, void *arg);

/* ---- the board ---- */

void logger_board_load(struct logger *l); /* what an earlier logger knew */
void logger_board_record(struct logger *l);
void logger_board_touch(struct logger *l); /* publishes soon, or now when urgent */
void logger_board_publish(struct logger *l);
