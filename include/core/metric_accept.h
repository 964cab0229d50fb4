/*
 * metric_accept - which format a client wants (RFC 9110, 12.5.1 and 12.5.3).
 */
#pragma once

#include "core/metric_text.h"

/* OpenMetrics only where it is asked for by name, in version 1.0.0 or any, and not less than text;
 * NULL: no such header. */
enum metric_format metric_accept(const char *accept);
bool metric_accept_gzip(const char *accept_encoding);
const char *metric_content_type(enum metric_format format);
