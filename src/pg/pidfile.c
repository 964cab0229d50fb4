/*
 * pidfile - postmaster.pid, which the postmaster rewrites as it comes up and goes down.
 */
#include "pg/pidfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/defs.h"

enum pidfile_line { LINE_PID = 1, LINE_PORT = 4, LINE_SOCKET_DIR = 5, LINE_STATUS = 8 };

static const struct {
	const char *word;
	enum pidfile_status status;
} words[] = {
	{"starting", PIDFILE_STARTING},
	{"ready", PIDFILE_READY},
	{"standby", PIDFILE_STANDBY},
	{"stopping", PIDFILE_STOPPING},
};

static enum pidfile_status
pidfile_status(const char *s)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strncmp(s, words[i].word, strlen(words[i].word)) == 0)
			return words[i].status;
	return PIDFILE_NONE;
}

bool
pidfile_parse(const char *text, struct pidfile *out)
{
	*out = (struct pidfile){0};
	for (int line = LINE_PID; line <= LINE_STATUS && *text; line++) {
		size_t n = strcspn(text, "\n");

		if (line == LINE_PID)
			out->pid = (int32_t)strtol(text, NULL, 10);
		else if (line == LINE_PORT)
			out->port = (int32_t)strtol(text, NULL, 10);
		else if (line == LINE_SOCKET_DIR)
			snprintf(out->socket_dir, sizeof(out->socket_dir), "%.*s", (int)n, text);
		else if (line == LINE_STATUS)
			out->status = pidfile_status(text);
		text += n + (text[n] == '\n');
	}
	return out->pid != 0;
}

bool
pidfile_read(const char *pgdata, struct pidfile *out)
{
	char path[600], text[2048];
	AUTO(close) int fd = -1;
	ssize_t n;

	*out = (struct pidfile){0};
	snprintf(path, sizeof(path), "%s/postmaster.pid", pgdata);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return pidfile_parse(text, out);
}
