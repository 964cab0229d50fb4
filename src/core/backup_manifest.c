/*
 * backup_manifest - manifest.json: every file of a base backup with its SHA-256, and every object.
 *
 * Process: the job backup writes it; verify and restore read it.
 */
#include "core/backup_manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/jsonscan.h"

/* ---- writing ---- */

void
backup_manifest_begin(struct buf *out, const char *id, uint64_t system_id)
{
	buf_printf(out, "{\"version\":1,\"backupId\":\"%s\",\"systemId\":\"%llu\",\"files\":[\n",
		id, (unsigned long long)system_id);
}

void
backup_manifest_file(struct buf *out, const struct backup_file *f, bool first)
{
	buf_puts(out, first ? "{\"path\":\"" : ",{\"path\":\"");
	json_escape(out, f->path, strlen(f->path));
	buf_printf(out, "\",\"tar\":\"%s\",\"bytes\":%lld,\"sha256\":\"%s\"}\n", f->tar,
		(long long)f->bytes, f->sha256);
}

void
backup_manifest_objects(struct buf *out)
{
	buf_puts(out, "],\"objects\":[\n");
}

void
backup_manifest_object(struct buf *out, const struct backup_object *o, bool first)
{
	buf_printf(out,
		"%s{\"name\":\"%s\",\"bytes\":%lld,\"plainBytes\":%lld,\"sha256\":\"%s\"}\n",
		first ? "" : ",", o->name, (long long)o->bytes, (long long)o->plain_bytes,
		o->sha256);
}

void
backup_manifest_end(struct buf *out, const struct backup_totals *t)
{
	buf_printf(out,
		"],\"parent\":\"%s\",\"fileCount\":%lld,\"plainBytes\":%lld,\"storedBytes\":%lld}"
		"\n",
		t->parent, (long long)t->files, (long long)t->plain_bytes,
		(long long)t->stored_bytes);
}

/* ---- reading ---- */

/* Escaped, a text may be six times as long as it is. */
static int
line_text(const struct jsonscan_span *v, char *out, size_t size)
{
	char text[6 * BACKUP_PATH_SIZE];
	size_t n = v->len;

	if (!v->string || n > sizeof(text))
		return -1;
	memcpy(text, v->at, n);
	if (v->escaped)
		n = jsonscan_unescape(text, n);
	if (n >= size)
		return -1;
	memset(out, 0, size);
	memcpy(out, text, n);
	return strlen(out) == n ? 0 : -1;
}

static int
line_number(const struct jsonscan_span *v, int64_t *out)
{
	*out = 0;
	if (v->string || v->len == 0 || v->len > 18)
		return -1;
	for (size_t i = 0; i < v->len; i++) {
		if (v->at[i] < '0' || v->at[i] > '9')
			return -1;
		*out = *out * 10 + (v->at[i] - '0');
	}
	return 0;
}

static bool
key_is(const struct jsonscan_span *key, const char *name)
{
	return key->len == strlen(name) && memcmp(key->at, name, key->len) == 0;
}

static int
line_file(
	struct backup_line_value *out, const struct jsonscan_span *k, const struct jsonscan_span *v)
{
	if (key_is(k, "path"))
		return line_text(v, out->file.path, sizeof(out->file.path));
	if (key_is(k, "tar"))
		return line_text(v, out->file.tar, sizeof(out->file.tar));
	if (key_is(k, "bytes"))
		return line_number(v, &out->file.bytes);
	if (key_is(k, "sha256"))
		return line_text(v, out->file.sha256, sizeof(out->file.sha256));
	return 0;
}

static int
line_object(
	struct backup_line_value *out, const struct jsonscan_span *k, const struct jsonscan_span *v)
{
	if (key_is(k, "name"))
		return line_text(v, out->object.name, sizeof(out->object.name));
	if (key_is(k, "bytes"))
		return line_number(v, &out->object.bytes);
	if (key_is(k, "plainBytes"))
		return line_number(v, &out->object.plain_bytes);
	if (key_is(k, "sha256"))
		return line_text(v, out->object.sha256, sizeof(out->object.sha256));
	return 0;
}

static int
line_totals(
	struct backup_line_value *out, const struct jsonscan_span *k, const struct jsonscan_span *v)
{
	if (key_is(k, "parent"))
		return line_text(v, out->totals.parent, sizeof(out->totals.parent));
	if (key_is(k, "fileCount"))
		return line_number(v, &out->totals.files);
	if (key_is(k, "plainBytes"))
		return line_number(v, &out->totals.plain_bytes);
	if (key_is(k, "storedBytes"))
		return line_number(v, &out->totals.stored_bytes);
	return 0;
}

typedef int line_fn(struct backup_line_value *out, const struct jsonscan_span *k,
	const struct jsonscan_span *v);

/* The members after "{" or ","; up to "}". */
static int
line_members(struct jsonscan *s, line_fn *fn, struct backup_line_value *out)
{
	struct jsonscan_span k, v;

	do {
		if (!jsonscan_string(s, &k) || !jsonscan_take(s, ':') || !jsonscan_value(s, &v) ||
			fn(out, &k, &v) < 0)
			return -1;
	} while (jsonscan_take(s, ','));
	return jsonscan_take(s, '}') && jsonscan_end(s) ? 0 : -1;
}

static int
line_read(struct jsonscan *s, enum backup_line *kind, struct backup_line_value *out)
{
	struct jsonscan first;
	struct jsonscan_span k;

	if (jsonscan_take(s, ']')) {
		if (!jsonscan_take(s, ','))
			return -1;
		first = *s;
		if (!jsonscan_string(&first, &k))
			return -1;
		if (key_is(&k, "objects"))
			return 0;
		*kind = BACKUP_LINE_END;
		return line_members(s, line_totals, out);
	}
	(void)jsonscan_take(s, ',');
	if (!jsonscan_take(s, '{'))
		return -1;
	first = *s;
	if (!jsonscan_string(&first, &k))
		return -1;
	if (key_is(&k, "version"))
		return 0;
	*kind = key_is(&k, "path") ? BACKUP_LINE_FILE : BACKUP_LINE_OBJECT;
	return line_members(s, *kind == BACKUP_LINE_FILE ? line_file : line_object, out);
}

/* Names of objects become part of keys: nothing else than what the writer makes is one. */
static bool
name_plain(const char *name)
{
	return *name && *name != '.' &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "._-")] == '\0';
}

static bool
digest_plain(const char *hex)
{
	return strspn(hex, "0123456789abcdef") == SHA256_HEX_SIZE - 1 && !hex[SHA256_HEX_SIZE - 1];
}

static bool
line_complete(enum backup_line kind, const struct backup_line_value *v)
{
	if (kind == BACKUP_LINE_FILE)
		return *v->file.path && name_plain(v->file.tar) && digest_plain(v->file.sha256);
	if (kind == BACKUP_LINE_OBJECT)
		return name_plain(v->object.name) && digest_plain(v->object.sha256);
	return true;
}

int
backup_manifest_line(const char *line, size_t len, enum backup_line *kind,
	struct backup_line_value *out, struct err *e)
{
	struct jsonscan s = {.at = line, .end = line + len};

	memset(out, 0, sizeof(*out));
	*kind = BACKUP_LINE_OTHER;
	if (line_read(&s, kind, out) == 0 && line_complete(*kind, out))
		return 0;
	return err_set(e, ERR_CORRUPT, "a line of the manifest is damaged: %.*s",
		len < 80 ? (int)len : 80, line);
}
