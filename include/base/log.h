/*
 * log - one JSON object a line (interface: "Log"), never waiting for the reader.
 *
 * Every process of the pod writes its lines to one pipe that the logger drains; a line the pipe has
 * no room for is dropped and counted, because nobody here may wait for whoever reads our stdout.
 * Messages are constant and in lower case; what varies goes into fields; what to do about it goes
 * into the field "hint".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_TRACE };

struct log_field {
	const char *key;
	const char *str; /* NULL: num */
	int64_t num;
};

static inline const char *
log_text(const char *s)
{
	return s ? s : "";
}

#define F_STR(key, value) ((struct log_field){key, log_text(value), 0})
#define F_INT(key, value) ((struct log_field){key, NULL, (int64_t)(value)})

struct log_config {
	const char *logger; /* name of the process, borrowed for ever */
	const char *pod;    /* borrowed for ever */
	enum log_level level;
	bool text; /* for a terminal instead of JSON */
	int fd;    /* where lines go; -1: stderr */
};

void log_init(const struct log_config *config);
enum log_level log_get_level(void);
uint64_t log_dropped(void); /* lines this process could not write */
const char *log_level_name(enum log_level level);

struct log_line {
	enum log_level level;
	const char *msg;
	const struct log_field *fields;
	size_t n;
};

/* Renders without writing; returns the length, at most size - 1, newline included. */
size_t log_render(char *out, size_t size, const struct log_line *line);

void log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n);

#define log_at(level, msg, ...)                                             \
	do {                                                                \
		const struct log_field fields_[] = {{0}, ##__VA_ARGS__};    \
		log_write(level, msg, fields_ + 1, ARRAY_LEN(fields_) - 1); \
	} while (0)
#define log_error(msg, ...) log_at(LOG_ERROR, msg, ##__VA_ARGS__)
#define log_warning(msg, ...) log_at(LOG_WARNING, msg, ##__VA_ARGS__)
#define log_info(msg, ...) log_at(LOG_INFO, msg, ##__VA_ARGS__)
#define log_debug(msg, ...) log_at(LOG_DEBUG, msg, ##__VA_ARGS__)
