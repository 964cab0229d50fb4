/*
 * jsonscan - read JSON where it lies: no tree, no memory.
 *
 * For the hot path of foreign text (RFC 8259), where cJSON's allocation per value would cost more
 * than all the rest.  Values are spans of the input; a string is its text between the quotes, still
 * escaped, and jsonscan_unescape() decodes it in place.  Bytes from 0x80 on are taken as they are:
 * whoever writes them out again repairs what is not UTF-8.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define JSONSCAN_MAX_DEPTH 64 /* managedFields of a pod: about 20 */

struct jsonscan {
	const char *at;
	const char *end;
	bool cut; /* the text may end early: the end closes whatever is open */
};

struct jsonscan_span {
	const char *at;
	size_t len;
	bool string;  /* text between quotes, else the text of the value */
	bool escaped; /* the string holds a backslash */
};

/* Skips white space; true when nothing is left. */
bool jsonscan_end(struct jsonscan *s);
/* Skips white space and takes c if it comes next. */
bool jsonscan_take(struct jsonscan *s, char c);
bool jsonscan_string(struct jsonscan *s, struct jsonscan_span *out);
bool jsonscan_value(struct jsonscan *s, struct jsonscan_span *out);
/* Decodes in place; never longer.  What is no character becomes U+FFFD.  Returns the new length. */
size_t jsonscan_unescape(char *p, size_t n);
/* One JSON value and nothing else? */
bool jsonscan_valid(const char *p, size_t n);
