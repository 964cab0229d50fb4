/*
 * quantity - amounts as Kubernetes and PostgreSQL write them, exactly.
 *
 * Kubernetes (resource.Quantity): 1.5Gi, 500m, 16M (16,000,000) and 16Mi (16,777,216), 1e3, .5.
 * Kept in billionths, which is as fine as Kubernetes goes; what is finer is rounded away from zero.
 * PostgreSQL (chapter "Setting Parameters"): a number, perhaps a fraction, and a unit whose letter
 * case matters: B kB MB GB TB; us ms s min h d.  No floating point anywhere.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

struct quantity {
	__int128 nano;
};

/* ERR_CONFIG when the text is no quantity or its amount exceeds 2^63-1. */
int quantity_parse(const char *text, struct quantity *out, struct err *e) MUSTCHECK;
int64_t quantity_value(struct quantity q); /* whole units, rounded away from zero */
int64_t quantity_milli(struct quantity q); /* thousandths, likewise; saturates at INT64_MAX */
int quantity_cmp(struct quantity a, struct quantity b); /* <0, 0, >0 */
/* Whole, not negative: "16Mi" -> 16777216. */
int quantity_bytes(const char *text, int64_t *out, struct err *e) MUSTCHECK;

#define QUANTITY_SIZE 16
/* For people, in powers of 1000: "350 B", "1.2 GB"; three digits at most.  Returns out. */
const char *quantity_text(double bytes, char out[QUANTITY_SIZE]);

/* A size as PostgreSQL reads it.  unit_bytes is the parameter's own unit, which a bare number
 * counts in and the result is rounded to (the nearest, as PostgreSQL does): shared_buffers has
 * 8192. */
int quantity_pg_bytes(const char *text, int64_t unit_bytes, int64_t *out, struct err *e) MUSTCHECK;
/* A time, in microseconds; unit_us likewise: checkpoint_timeout has 1000000. */
int quantity_pg_us(const char *text, int64_t unit_us, int64_t *out, struct err *e) MUSTCHECK;
/* A plain number of PostgreSQL: decimal, 0x, octal by a leading 0; a fraction is rounded. */
int quantity_pg_int(const char *text, int64_t *out, struct err *e) MUSTCHECK;
/* on off true false yes no 1 0 and their unambiguous beginnings, any letter case. */
int quantity_pg_bool(const char *text, int *out, struct err *e) MUSTCHECK;
