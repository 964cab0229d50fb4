/*
 * docs_metrics - the families of metrics, for the manual.
 */
#pragma once

#include "base/buf.h"

/* roff for podgres-metrics(7): include/tbl/metrics_live.h and include/tbl/metric_queries.h. */
void docs_metrics_man(struct buf *out);
