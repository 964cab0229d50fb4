/*
 * prepare_mark - STATE_DIR/rejoin: PGDATA is being rewound or replaced.
 *
 * One line each: state, holder, timeline, reason, stamp.  A file that cannot be read as that counts
 * as "clone": nobody knows in what state PGDATA is.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/prepare_member.h"

#define MARK_FILE "rejoin"
#define MARK_BYTES 1024

static const char *const states[] = {
	[MARK_NONE] = "none",
	[MARK_REWIND] = "rewind",
	[MARK_CLONE] = "clone",
	[MARK_SWAP] = "swap",
};

/* Takes the next line. */
static void
line(const char **at, char *out, size_t size)
{
	size_t n = strcspn(*at, "\n");

	snprintf(out, size, "%.*s", (int)n, *at);
	*at += n + ((*at)[n] == '\n');
}

static void
parse(struct member_mark *m, const char *text)
{
	char state[16], timeline[16];

	line(&text, state, sizeof(state));
	line(&text, m->holder, sizeof(m->holder));
	line(&text, timeline, sizeof(timeline));
	line(&text, m->reason, sizeof(m->reason));
	line(&text, m->stamp, sizeof(m->stamp));
	m->timeline = (uint32_t)strtoul(timeline, NULL, 10);
	m->state = MARK_CLONE;
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (strcmp(states[i], state) == 0)
			m->state = (enum mark_state)i;
}

int
mark_read(struct member *m, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {0};

	m->mark = (struct member_mark){0};
	if (file_read(&text, m->mark_file, MARK_BYTES, e) < 0)
		return e->kind == ERR_NOTFOUND ? 0 : -1;
	parse(&m->mark, buf_str(&text));
	log_info("rejoining was interrupted", F_STR("step", states[m->mark.state]),
		F_STR("reason", m->mark.reason + 0));
	return 0;
}

/* "20261121T081500Z", which can be part of a name. */
void
mark_stamp(char out[24])
{
	char text[CLOCK_RFC3339_SIZE];
	size_t n = 0;

	clock_rfc3339_sec(clock_wall_us(), text);
	for (const char *p = text; *p && n < 23; p++)
		if (*p != '-' && *p != ':')
			out[n++] = *p;
	out[n] = '\0';
}

int
mark_write(struct member *m, enum mark_state state, const char *reason, struct err *e)
{
	char text[MARK_BYTES];
	int n;

	m->mark.state = state;
	snprintf(m->mark.holder, sizeof(m->mark.holder), "%s", m->el.holder);
	m->mark.timeline = m->has_holder ? m->holder.sys.timeline : 0;
	if (reason)
		snprintf(m->mark.reason, sizeof(m->mark.reason), "%s", reason);
	if (!*m->mark.stamp)
		mark_stamp(m->mark.stamp);
	n = snprintf(text, sizeof(text), "%s\n%s\n%u\n%s\n%s\n", states[state], m->mark.holder,
		m->mark.timeline, m->mark.reason, m->mark.stamp);
	must(n > 0 && (size_t)n < sizeof(text));
	return file_write(m->mark_file, text, (size_t)n, 0600, e);
}

bool
mark_is_reinit(const struct member *m)
{
	return m->mark.state == MARK_CLONE && strcmp(m->mark.reason, MARK_REINIT) == 0;
}

bool
mark_is_gone(const struct member *m)
{
	return m->mark.state == MARK_CLONE && strcmp(m->mark.reason, MARK_GONE) == 0;
}

int
mark_clear(struct member *m, struct err *e)
{
	char parent[FILE_PATH_MAX];

	m->mark = (struct member_mark){0};
	if (file_remove(m->mark_file, e) < 0 ||
		file_parent(parent, sizeof(parent), m->mark_file, e) < 0)
		return -1;
	return file_sync(parent, e);
}
