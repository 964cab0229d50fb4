/*
 * archive_catalog_parts - how far the segments that are not whole yet go.
 *
 * Process: workers of the archiver, jobs and commands.  Parts go when their segment is whole, so
 * there are few: the list is kept, and grouped by segment in the order of its keys.
 */
#include <stdlib.h>
#include <string.h>

#include "core/parts.h"
#include "service/archive_catalog.h"

struct listed {
	char segment[LINEAGE_NAME_SIZE];
	struct part part;
	int64_t stored_us;
};

struct tails {
	struct listed *item; /* owned */
	size_t n, room;
	size_t skip; /* length of the prefix */
	uint32_t segment_bytes;
};

static void
tails_deinit_auto(struct tails *t)
{
	free(t->item);
}

static int
tails_each(void *arg, const struct store_object *o, struct err *e)
{
	struct tails *t = arg;
	struct listed item = {.stored_us = o->modified_us}, *grown;
	const char *rest = o->key + t->skip, *slash = strchr(rest, '/');

	if (!slash || slash - rest != LINEAGE_NAME_SIZE - 1 || !part_parse(slash + 1, &item.part))
		return 0;
	item.part.extension = "";
	memcpy(item.segment, rest, LINEAGE_NAME_SIZE - 1);
	if (!lineage_name_ok(item.segment))
		return 0;
	if (t->n == t->room) {
		t->room = t->room ? t->room * 2 : 64;
		grown = reallocarray(t->item, t->room, sizeof(*grown));
		if (!grown)
			return err_sys(e, "remember parts of segments");
		t->item = grown;
	}
	t->item[t->n++] = item;
	return 0;
}

/* When the part that ends the chain was stored. */
static int64_t
stored_at(const struct listed *item, size_t n, const struct part *last)
{
	for (; n; n--, item++)
		if (item->part.run == last->run && item->part.from == last->from &&
			item->part.to == last->to)
			return item->stored_us;
	return 0;
}

/* One segment's parts.  False: none begins at its first byte. */
static bool
tail_of(const struct tails *t, const struct listed *item, size_t n, struct part *scratch,
	struct catalog_tail *out)
{
	uint64_t lsn;
	size_t chain;

	for (size_t i = 0; i < n; i++)
		scratch[i] = item[i].part;
	chain = parts_chain(scratch, n);
	if (!chain || !lineage_name_parse(item->segment, t->segment_bytes, &out->timeline, &lsn))
		return false;
	out->segment = lsn / t->segment_bytes;
	out->end_lsn = lsn + scratch[chain - 1].to;
	out->stored_us = stored_at(item, n, &scratch[chain - 1]);
	return scratch[chain - 1].to <= t->segment_bytes;
}

int
archive_catalog_tails(struct archive *a, uint32_t segment_bytes, struct catalog_tail **out,
	size_t *n, struct err *e)
{
	AUTO(tails_deinit) struct tails t = {.segment_bytes = segment_bytes};
	AUTO(free) struct part *scratch = NULL;
	char prefix[ARCHIVE_KEY_SIZE];
	struct store_list list = {.prefix = prefix, .each = tails_each, .arg = &t};

	*out = NULL;
	*n = 0;
	if (archive_key(prefix, e, "%s/podgres/continuous/", a->server) < 0)
		return -1;
	t.skip = strlen(prefix);
	if (!segment_bytes)
		return 0;
	if (store_list(a->store, &list, e) < 0)
		return -1;
	scratch = calloc(t.n + 1, sizeof(*scratch));
	*out = calloc(t.n + 1, sizeof(**out));
	if (!scratch || !*out)
		return err_sys(e, "remember parts of segments");
	for (size_t i = 0, end; i < t.n; i = end) {
		for (end = i; end < t.n && strcmp(t.item[end].segment, t.item[i].segment) == 0;)
			end++;
		*n += tail_of(&t, &t.item[i], end - i, scratch, &(*out)[*n]);
	}
	return 0;
}
