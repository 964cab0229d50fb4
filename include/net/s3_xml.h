/*
 * s3_xml - the XML of S3's answers (Amazon S3 API Reference; STS API Reference), read strictly and
 * in bounded memory.
 *
 * What they use is elements, text, the five entities and character references, one declaration,
 * attributes that mean nothing here.  A document type, a CDATA section or anything not well formed
 * is ERR_CORRUPT: S3 sends none, so it is not S3 that speaks.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define S3_XML_DEPTH 8
#define S3_XML_PATH 256
#define S3_XML_TEXT 8192

/* At each end of an element: its path without name spaces ("ListBucketResult/Contents/Key") and
 * the text directly in it before the end, "" where it has children.  Both gone after the call. */
typedef int s3_xml_fn(void *arg, const char *path, char *text, struct err *e);

int s3_xml_read(const char *xml, size_t n, s3_xml_fn *fn, void *arg, struct err *e) MUSTCHECK;

/* The code and message of <Error> (or of STS, <ErrorResponse>), and what helps to explain it. */
struct s3_xml_error {
	char code[64];
	char message[160];
	char region[64];
	char endpoint[128];
};
/* 0: it is one. */
int s3_xml_error(struct s3_xml_error *out, const char *xml, size_t n);

/* Undoes encoding-type=url in place; -1: a bad sequence or a NUL. */
int s3_xml_url_decode(char *s);
