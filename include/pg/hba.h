/*
 * hba - who may connect: podgres.pg_hba.conf and podgres.pg_ident.conf.
 *
 * Order of the records, the first match wins: local connections of the user postgres runs as, the
 * other members of the cluster, then the manifest's own lines, then everybody by password.  Without
 * a manifest the lines of PGDATA/pg_hba.conf take the middle, if it has any that initdb did not
 * write, and nothing follows. A line that PostgreSQL would not take would keep it from starting, so
 * every field of every line is checked here first.  Pure: a struct in, a buf out.
 */
#pragma once

#include "core/spec.h"
#include "pg/conf_read.h"

struct hba_input {
	int major;
	const char *os_user; /* postgres runs as; "": a uid without a name, which peer cannot use */
	const char *roles[4];    /* whom the user may be; NULL ends; from 16 on it may be all */
	const char *host_method; /* POSTGRES_HOST_AUTH_METHOD; "": by version */
	const char *member_role; /* what members replicate and rewind as; NULL: none */
	bool member_cert;        /* it shows a certificate, else a password */
	const struct spec *spec;
	const char *file;                            /* the manifest, for messages */
	const struct conf_text *own_hba, *own_ident; /* of PGDATA, without a manifest; else NULL */
};

int hba_render(struct buf *out, const struct hba_input *in, struct err *e) MUSTCHECK;
int hba_ident_render(struct buf *out, const struct hba_input *in, struct err *e) MUSTCHECK;
/* The file lets somebody in from further than this machine, or keeps somebody out: not initdb's. */
bool hba_is_own(const struct conf_text *hba);

/* One record, comment or empty line.  file_ok: it stands in a file of PGDATA and may name others.
 * Returns 0, or -1 with the reason in why. */
int hba_check_line(const char *line, int major, bool file_ok, struct buf *why) MUSTCHECK;
int hba_check_ident(const char *line, struct buf *why) MUSTCHECK;

/* ---- the words of a line ---- */

#define HBA_TOKENS 256

struct hba_token {
	const char *text; /* in the line's store */
	bool quoted;      /* begins with a double quote: no keyword */
	int field;        /* 0, 1, ...; words joined by commas share one */
};

struct hba_line {
	char *store; /* owned */
	struct hba_token token[HBA_TOKENS];
	int n, fields;
};

int hba_split(struct hba_line *out, const char *line, struct buf *why) MUSTCHECK;
void hba_line_deinit(struct hba_line *l);
static inline void
hba_line_deinit_auto(struct hba_line *l)
{
	hba_line_deinit(l);
}
/* First word of a field, NULL when there is none; *count: how many it has. */
const struct hba_token *hba_field(const struct hba_line *l, int field, int *count);
