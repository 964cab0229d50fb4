/*
 * zone - how far a time zone of this machine's database is ahead of UTC.
 */
#include "service/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/defs.h"

#define ZONES "/usr/share/zoneinfo"

/* The C library takes what it does not know for UTC: look before asking. */
static bool
exists(const char *zone)
{
	const char *dir = getenv("TZDIR");
	char path[512];

	if (!*zone || *zone == '/' || strstr(zone, ".."))
		return false;
	snprintf(path, sizeof(path), "%s/%s", dir && *dir ? dir : ZONES, zone);
	return access(path, R_OK) == 0;
}

bool
zone_offset(void *arg, const char *zone, int64_t at_s, int32_t *offset_s)
{
	const char *set = getenv("TZ");
	AUTO(free) char *was = set ? strdup(set) : NULL;
	time_t t = (time_t)at_s;
	char name[80];
	struct tm tm;
	bool ok;

	(void)arg;
	if (!exists(zone) || (set && !was))
		return false;
	snprintf(name, sizeof(name), ":%s", zone);
	setenv("TZ", name, 1);
	tzset();
	ok = localtime_r(&t, &tm) != NULL;
	if (was)
		setenv("TZ", was, 1);
	else
		unsetenv("TZ");
	tzset();
	if (ok)
		*offset_s = (int32_t)tm.tm_gmtoff;
	return ok;
}
