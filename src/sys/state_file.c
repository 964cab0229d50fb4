/*
 * state_file - what a manager must remember though the disk is full.
 *
 * On disk, all in the machine's byte order: struct slot at 0 and at SLOT_BYTES, struct driven at
 * DRIVEN_AT behind each, zeros when there was never a token.
 */
#include "sys/state_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hash.h"
#include "sys/file.h"

#define STATE_MAGIC UINT32_C(0x50474D53)
#define STATE_LAYOUT 1
#define SLOT_BYTES 4096
#define SLOTS 2
#define DRIVEN_AT 2048

struct slot {
	uint32_t magic, layout;
	uint64_t sequence;
	uint64_t incarnation;
	int64_t fence_wall_us, promoted_wall_us, written_wall_us;
	uint32_t fenced, pad;
	char fence_reason[STATE_REASON];
	char fence_by[STATE_BY];
	uint32_t crc; /* of all above */
};

struct driven {
	uint32_t magic, leads;
	uint64_t token;
	char order[STATE_ORDER];
	char primary[STATE_PRIMARY];
	uint32_t pad, crc; /* of all above */
};

_Static_assert(sizeof(struct slot) <= DRIVEN_AT, "a slot and what is behind it are one page");
_Static_assert(DRIVEN_AT + sizeof(struct driven) <= SLOT_BYTES, "a slot is one page");

static uint32_t
slot_crc(const struct slot *s)
{
	return crc32c(0, s, offsetof(struct slot, crc));
}

static uint32_t
driven_crc(const struct driven *d)
{
	return crc32c(0, d, offsetof(struct driven, crc));
}

/* Of a token that cannot be read nobody knows how high it was. */
static bool
slot_valid(const struct slot *s, const struct driven *d)
{
	return s->magic == STATE_MAGIC && s->layout == STATE_LAYOUT && s->crc == slot_crc(s) &&
	       ((!d->magic && !d->token) || (d->magic == STATE_MAGIC && d->crc == driven_crc(d)));
}

static void
slot_decode(const struct slot *s, const struct driven *d, struct state_record *out)
{
	*out = (struct state_record){
		.sequence = s->sequence,
		.fenced = s->fenced != 0,
		.fence_wall_us = s->fence_wall_us,
		.incarnation = s->incarnation,
		.promoted_wall_us = s->promoted_wall_us,
		.written_wall_us = s->written_wall_us,
		.token = d->token,
		.token_leads = d->leads != 0,
	};
	snprintf(out->fence_reason, sizeof(out->fence_reason), "%.*s", STATE_REASON - 1,
		s->fence_reason);
	snprintf(out->fence_by, sizeof(out->fence_by), "%.*s", STATE_BY - 1, s->fence_by);
	snprintf(out->token_order, sizeof(out->token_order), "%.*s", STATE_ORDER - 1, d->order);
	snprintf(out->token_primary, sizeof(out->token_primary), "%.*s", STATE_PRIMARY - 1,
		d->primary);
}

static void
driven_encode(const struct state_record *rec, struct driven *d)
{
	memset(d, 0, sizeof(*d));
	if (!rec->token)
		return;
	d->magic = STATE_MAGIC;
	d->token = rec->token;
	d->leads = rec->token_leads;
	snprintf(d->order, sizeof(d->order), "%s", rec->token_order);
	snprintf(d->primary, sizeof(d->primary), "%s", rec->token_primary);
	d->crc = driven_crc(d);
}

static void
slot_encode(const struct state_record *rec, struct slot *s)
{
	memset(s, 0, sizeof(*s));
	s->magic = STATE_MAGIC;
	s->layout = STATE_LAYOUT;
	s->sequence = rec->sequence;
	s->incarnation = rec->incarnation;
	s->fence_wall_us = rec->fence_wall_us;
	s->promoted_wall_us = rec->promoted_wall_us;
	s->written_wall_us = rec->written_wall_us;
	s->fenced = rec->fenced;
	snprintf(s->fence_reason, sizeof(s->fence_reason), "%s", rec->fence_reason);
	snprintf(s->fence_by, sizeof(s->fence_by), "%s", rec->fence_by);
	s->crc = slot_crc(s);
}

/* ---- read ---- */

/* A page of zeros is a slot that was never written. */
static bool
slot_blank(const unsigned char *page)
{
	for (size_t i = 0; i < SLOT_BYTES; i++)
		if (page[i])
			return false;
	return true;
}

struct slots {
	int newest; /* -1: none is valid */
	struct slot slot[SLOTS];
	struct driven driven[SLOTS];
	bool all_blank;
};

static int
slots_load(int fd, struct slots *out, struct err *e)
{
	unsigned char page[SLOT_BYTES];

	*out = (struct slots){.newest = -1, .all_blank = true};
	for (int i = 0; i < SLOTS; i++) {
		struct slot *s = &out->slot[i];
		ssize_t n;

		memset(page, 0, sizeof(page));
		n = pread(fd, page, sizeof(page), (off_t)i * SLOT_BYTES);
		if (n < 0)
			return file_err(e, "read");
		memcpy(s, page, sizeof(*s));
		memcpy(&out->driven[i], page + DRIVEN_AT, sizeof(out->driven[i]));
		out->all_blank = out->all_blank && slot_blank(page);
		if (!slot_valid(s, &out->driven[i]))
			continue;
		if (out->newest < 0 || s->sequence > out->slot[out->newest].sequence)
			out->newest = i;
	}
	return 0;
}

static int
slots_pick(const struct slots *s, struct state_record *out, struct err *e)
{
	*out = (struct state_record){0};
	if (s->newest >= 0) {
		slot_decode(&s->slot[s->newest], &s->driven[s->newest], out);
		return 0;
	}
	if (s->all_blank)
		return 0;
	return err_set(e, ERR_CORRUPT, "both records are damaged");
}

int
state_file_read(struct state_record *out, const char *path, struct err *e)
{
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct slots s;

	*out = (struct state_record){0};
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return file_err(e, "open %s", path);
	if (slots_load(fd, &s, e) < 0 || slots_pick(&s, out, e) < 0)
		return err_add(e, "%s", path);
	return 0;
}

/* ---- write ---- */

int
state_file_create(const char *path, struct err *e)
{
	static const unsigned char zeros[SLOTS * SLOT_BYTES];
	struct stat st;

	if (stat(path, &st) == 0 && st.st_size >= SLOTS * SLOT_BYTES)
		return 0;
	return file_write(path, zeros, sizeof(zeros), 0600, e);
}

int
state_file_lock(int *fd, const char *path, struct err *e)
{
	if (state_file_create(path, e) < 0)
		return -1;
	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return file_err(e, "open %s", path);
	while (flock(*fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return file_err(e, "lock %s", path);
	return 0;
}

static int
slot_write(int fd, int at, const struct slot *s, const struct driven *d, struct err *e)
{
	unsigned char page[SLOT_BYTES] = {0};

	memcpy(page, s, sizeof(*s));
	memcpy(page + DRIVEN_AT, d, sizeof(*d));
	if (pwrite(fd, page, sizeof(page), (off_t)at * SLOT_BYTES) != (ssize_t)sizeof(page))
		return file_err(e, "write");
	return fdatasync(fd) < 0 ? file_err(e, "fsync") : 0;
}

int
state_file_write(const char *path, const struct state_record *rec, struct err *e)
{
	struct state_record next = *rec;
	AUTO(close) int fd = -1;
	struct slots s;
	struct driven driven;
	struct slot slot;

	if (state_file_create(path, e) < 0)
		return -1;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return file_err(e, "open %s", path);
	if (slots_load(fd, &s, e) < 0)
		return err_add(e, "%s", path);
	next.sequence = s.newest >= 0 ? s.slot[s.newest].sequence + 1 : 1;
	next.written_wall_us = clock_wall_us();
	slot_encode(&next, &slot);
	driven_encode(&next, &driven);
	if (slot_write(fd, s.newest == 0 ? 1 : 0, &slot, &driven, e) < 0)
		return err_add(e, "%s", path);
	return 0;
}
