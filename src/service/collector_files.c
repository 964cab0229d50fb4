/*
 * collector_files - users' queries: the files that the manifest names.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/collector.h"

void
collector_files_look(struct collector *c)
{
	(void)c;
}
