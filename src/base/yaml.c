/*
 * yaml - YAML 1.1 text as a small tree that remembers where everything stood.
 *
 * libyaml delivers events; a stack of open lists and maps, at most YAML_MAX_DEPTH high, makes nodes
 * of them.  All memory comes from one chain of blocks, so that freeing is one loop.
 */
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#define BLOCK_BYTES 16384

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(16) char data[];
};

struct yaml_tree {
	struct yaml *docs;
	struct block *blocks;
	size_t nodes;
};

struct anchor {
	const char *name;
	struct yaml *node;
	bool open; /* still being read: an alias to it would be endless */
};

struct level {
	struct yaml *node;
	struct yaml *last; /* newest child */
	struct yaml *key;  /* of a map: waits for its value */
	int keys;
	int anchor; /* index, or -1 */
};

struct reader {
	yaml_parser_t parser;
	struct yaml_tree *tree;
	struct yaml *docs, *last_doc;
	struct level level[YAML_MAX_DEPTH];
	int depth;
	struct anchor *anchor; /* owned */
	int anchors;
	struct yaml_mark at;
};

/* ---- memory ---- */

static void *
tree_alloc(struct yaml_tree *t, size_t n, struct err *e)
{
	struct block *b = t->blocks;
	size_t size;
	void *p;

	n = (n + 15) & ~(size_t)15;
	if (!b || b->size - b->used < n) {
		size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
		b = malloc(sizeof(*b) + size);
		if (!b) {
			err_sys(e, "out of memory");
			return NULL;
		}
		*b = (struct block){.next = t->blocks, .size = size};
		t->blocks = b;
	}
	p = b->data + b->used;
	b->used += n;
	return p;
}

static const char *
tree_strdup(struct yaml_tree *t, const char *s, size_t n, struct err *e)
{
	char *p = tree_alloc(t, n + 1, e);

	if (!p)
		return NULL;
	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

static struct yaml *
tree_node(struct yaml_tree *t, struct yaml like, struct err *e)
{
	struct yaml *n;

	if (++t->nodes > YAML_MAX_NODES) {
		err_set(e, ERR_CONFIG, "more than %d values", YAML_MAX_NODES);
		return NULL;
	}
	n = tree_alloc(t, sizeof(*n), e);
	if (n)
		*n = like;
	return n;
}

struct yaml_tree *
yaml_tree_free(struct yaml_tree *t)
{
	struct block *b, *next;

	if (!t)
		return NULL;
	for (b = t->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	free(t);
	return NULL;
}

/* ---- building ---- */

static struct yaml *
copy_node(struct yaml_tree *t, const struct yaml *from, int depth, struct err *e)
{
	struct yaml like = *from;
	struct yaml *n, *child, **end;
	const struct yaml *c;

	if (depth >= YAML_MAX_DEPTH) {
		err_set(e, ERR_CONFIG, "nested deeper than %d", YAML_MAX_DEPTH);
		return NULL;
	}
	like.first = like.next = like.key = NULL;
	n = tree_node(t, like, e);
	if (!n)
		return NULL;
	end = &n->first;
	for (c = from->first; c; c = c->next) {
		child = copy_node(t, c, depth + 1, e);
		if (!child)
			return NULL;
		child->key = c->key;
		*end = child;
		end = &child->next;
	}
	return n;
}

static int
merge_map(struct reader *r, struct level *l, const struct yaml *from, struct err *e)
{
	const struct yaml *c;
	struct yaml *n;

	if (from->kind != YAML_MAP)
		return err_set(e, ERR_CONFIG, "a merge key << takes a map or a list of maps");
	for (c = from->first; c; c = c->next) {
		if (yaml_get(l->node, c->key->text))
			continue;
		if (++l->keys > YAML_MAX_KEYS)
			return err_set(e, ERR_CONFIG, "more than %d keys in a map", YAML_MAX_KEYS);
		n = copy_node(r->tree, c, r->depth, e);
		if (!n)
			return -1;
		n->key = c->key;
		*(l->last ? &l->last->next : &l->node->first) = n;
		l->last = n;
	}
	return 0;
}

/* Merge keys are resolved when their map closes, so that fields written after them win as well. */
static int
close_map(struct reader *r, struct level *l, struct err *e)
{
	struct yaml **at = &l->node->first, *merge = NULL, *n, *c;

	l->last = NULL;
	while ((n = *at)) {
		if (n->key->plain && strcmp(n->key->text, "<<") == 0) {
			*at = n->next;
			n->next = merge;
			merge = n;
			continue;
		}
		l->last = n;
		at = &n->next;
	}
	for (n = merge; n; n = n->next) {
		if (n->kind != YAML_LIST && merge_map(r, l, n, e))
			return -1;
		for (c = n->kind == YAML_LIST ? n->first : NULL; c; c = c->next)
			if (merge_map(r, l, c, e))
				return -1;
	}
	return 0;
}

static int
add_anchor(struct reader *r, const yaml_char_t *name, struct yaml *n, struct err *e)
{
	const char *text;
	struct anchor *grown;

	if (r->anchors == YAML_MAX_ANCHORS)
		return err_set(e, ERR_CONFIG, "more than %d anchors", YAML_MAX_ANCHORS);
	text = tree_strdup(r->tree, (const char *)name, strlen((const char *)name), e);
	if (!text)
		return -1;
	grown = reallocarray(r->anchor, (size_t)r->anchors + 1, sizeof(*grown));
	if (!grown)
		return err_sys(e, "out of memory");
	r->anchor = grown;
	grown[r->anchors++] = (struct anchor){text, n, n->kind != YAML_TEXT};
	return 0;
}

/* Puts a finished or just opened node where it belongs. */
static int
place(struct reader *r, struct yaml *n, struct err *e)
{
	struct level *l;

	if (r->depth == 0) {
		if (r->last_doc)
			r->last_doc->next = n;
		else
			r->docs = n;
		r->last_doc = n;
		return 0;
	}
	l = &r->level[r->depth - 1];
	if (l->node->kind == YAML_MAP && !l->key) {
		if (n->kind != YAML_TEXT)
			return err_set(
				e, ERR_CONFIG, "a key must be plain text, not %s", yaml_what(n));
		if (++l->keys > YAML_MAX_KEYS)
			return err_set(e, ERR_CONFIG, "more than %d keys in a map", YAML_MAX_KEYS);
		l->key = n;
		return 0;
	}
	n->key = take(l->key);
	*(l->last ? &l->last->next : &l->node->first) = n;
	l->last = n;
	return 0;
}

static int
on_alias(struct reader *r, const char *name, struct err *e)
{
	struct yaml *n;
	int i;

	for (i = r->anchors; i-- > 0;)
		if (strcmp(r->anchor[i].name, name) == 0)
			break;
	if (i < 0)
		return err_set(e, ERR_CONFIG, "alias *%.60s names no anchor above it", name);
	if (r->anchor[i].open)
		return err_set(e, ERR_CONFIG, "alias *%.60s contains itself", name);
	n = copy_node(r->tree, r->anchor[i].node, r->depth, e);
	return n ? place(r, n, e) : -1;
}

static bool
is_string_tag(const yaml_char_t *tag)
{
	const char *t = (const char *)tag;

	return t && (strcmp(t, "!") == 0 || strcmp(t, YAML_STR_TAG) == 0);
}

static int
on_scalar(struct reader *r, const yaml_event_t *ev, struct err *e)
{
	const char *value = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;
	struct yaml *n;
	struct yaml like = {
		.kind = YAML_TEXT, .plain = true, .line = r->at.line, .col = r->at.col, .text = ""};

	if (memchr(value, 0, len))
		return err_set(e, ERR_CONFIG, "a NUL byte is not allowed in text");
	if (ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || is_string_tag(ev->data.scalar.tag))
		like.plain = false;
	like.text = len ? tree_strdup(r->tree, value, len, e) : "";
	if (!like.text)
		return -1;
	n = tree_node(r->tree, like, e);
	if (!n || (ev->data.scalar.anchor && add_anchor(r, ev->data.scalar.anchor, n, e)))
		return -1;
	return place(r, n, e);
}

static int
on_open(struct reader *r, enum yaml_kind kind, const yaml_char_t *anchor, struct err *e)
{
	struct yaml like = {.kind = kind, .line = r->at.line, .col = r->at.col, .text = ""};
	struct yaml *n;

	if (r->depth == YAML_MAX_DEPTH)
		return err_set(e, ERR_CONFIG, "nested deeper than %d", YAML_MAX_DEPTH);
	n = tree_node(r->tree, like, e);
	if (!n || place(r, n, e))
		return -1;
	if (anchor && add_anchor(r, anchor, n, e))
		return -1;
	r->level[r->depth++] = (struct level){.node = n, .anchor = anchor ? r->anchors - 1 : -1};
	return 0;
}

static int
on_close(struct reader *r, struct err *e)
{
	struct level *l = &r->level[r->depth - 1];

	if (l->anchor >= 0)
		r->anchor[l->anchor].open = false;
	if (l->node->kind == YAML_MAP && close_map(r, l, e))
		return -1;
	r->depth--;
	return 0;
}

static int
on_event(struct reader *r, const yaml_event_t *ev, struct err *e)
{
	r->at.line = (int)ev->start_mark.line + 1;
	r->at.col = (int)ev->start_mark.column + 1;
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		r->anchors = 0;
		return 0;
	case YAML_SCALAR_EVENT:
		return on_scalar(r, ev, e);
	case YAML_ALIAS_EVENT:
		return on_alias(r, (const char *)ev->data.alias.anchor, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(r, YAML_LIST, ev->data.sequence_start.anchor, e);
	case YAML_MAPPING_START_EVENT:
		return on_open(r, YAML_MAP, ev->data.mapping_start.anchor, e);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_close(r, e);
	default:
		return 0;
	}
}

static int
not_yaml(struct reader *r, struct err *e)
{
	const yaml_parser_t *p = &r->parser;
	const char *what = p->problem ? p->problem : "out of memory";

	r->at.line = (int)p->problem_mark.line + 1;
	r->at.col = (int)p->problem_mark.column + 1;
	if (p->context)
		return err_set(e, ERR_CONFIG, "not YAML: %s, %s (line %zu)", what, p->context,
			p->context_mark.line + 1);
	return err_set(e, ERR_CONFIG, "not YAML: %s", what);
}

static int
read_events(struct reader *r, struct err *e)
{
	yaml_event_t ev;
	bool end = false;
	int rc = 0;

	while (!end && rc == 0) {
		if (!yaml_parser_parse(&r->parser, &ev))
			return not_yaml(r, e);
		end = ev.type == YAML_STREAM_END_EVENT;
		rc = on_event(r, &ev, e);
		yaml_event_delete(&ev);
	}
	return rc;
}

/* A document that is nothing ("---" alone) is left out. */
static void
drop_empty(struct yaml **at)
{
	while (*at) {
		if (yaml_is_null(*at))
			*at = (*at)->next;
		else
			at = &(*at)->next;
	}
}

struct yaml *
yaml_docs(const struct yaml_tree *t)
{
	return t->docs;
}

int
yaml_parse(
	struct yaml_tree **out, const char *text, size_t len, struct yaml_mark *at, struct err *e)
{
	AUTO(yaml_tree_free) struct yaml_tree *t = calloc(1, sizeof(*t));
	AUTO(free) struct reader *r = calloc(1, sizeof(*r));
	int rc;

	if (at)
		*at = (struct yaml_mark){0};
	if (len > YAML_MAX_BYTES)
		return err_set(e, ERR_CONFIG, "larger than %u bytes", YAML_MAX_BYTES);
	if (!t || !r || !yaml_parser_initialize(&r->parser))
		return err_sys(e, "out of memory");
	r->tree = t;
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, len);
	rc = read_events(r, e);
	yaml_parser_delete(&r->parser);
	free(r->anchor);
	if (rc) {
		if (at)
			*at = r->at;
		return -1;
	}
	drop_empty(&r->docs);
	t->docs = r->docs;
	*out = take(t);
	return 0;
}
