/*
 * spec_rig - reading a manifest in a test, and what is expected of its notes.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/spec.h"

/* Six lines; what a test adds begins in line 7, inside spec. */
#define HEAD                                  \
	"apiVersion: postgresql.cnpg.io/v1\n" \
	"kind: Cluster\n"                     \
	"metadata:\n"                         \
	"  name: pg\n"                        \
	"spec:\n"                             \
	"  instances: 3\n"

struct rig {
	struct spec *s;
	struct spec_notes notes;
	struct err e;
	int rc;
};

static inline void
rig_deinit_auto(struct rig *f)
{
	f->s = spec_free(f->s);
	spec_notes_deinit(&f->notes);
}

static inline void
rig_read(struct rig *f, const char *text)
{
	f->rc = spec_parse(&f->s, text, strlen(text), "c.yaml", &f->notes, &f->e);
}

static inline void
rig_ok(struct rig *f, const char *text)
{
	rig_read(f, text);
	if (f->rc)
		fail_msg("%s", f->e.msg);
}

/* The first error begins with this, "c.yaml:LINE:COL: " and the path included. */
static inline void
expect_error(const char *text, const char *message)
{
	AUTO(rig_deinit) struct rig f = {0};
	bool found = false;

	rig_read(&f, text);
	if (f.rc == 0)
		fail_msg("no error, expected %s", message);
	assert_int_equal(f.e.kind, ERR_CONFIG);
	if (strncmp(f.e.msg, message, strlen(message)) != 0)
		assert_string_equal(f.e.msg, message);
	assert_null(f.s);
	for (size_t i = 0; i < f.notes.n; i++)
		found = found || f.notes.item[i].error;
	assert_true(found);
}

/* A warning, as "LINE:COL: TEXT", begins with this, and there is no error. */
static inline void
expect_warning(const char *text, const char *message)
{
	AUTO(rig_deinit) struct rig f = {0};
	char line[400];

	rig_ok(&f, text);
	for (size_t i = 0; i < f.notes.n; i++) {
		snprintf(line, sizeof(line), "%d:%d: %s", f.notes.item[i].at.line,
			f.notes.item[i].at.col, f.notes.item[i].text);
		if (!f.notes.item[i].info && strncmp(line, message, strlen(message)) == 0)
			return;
		print_error("%s\n", line);
	}
	fail_msg("no warning begins with: %s", message);
}

static inline size_t
rig_warnings(const struct rig *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->notes.n; i++)
		n += !f->notes.item[i].info && !f->notes.item[i].error;
	return n;
}
