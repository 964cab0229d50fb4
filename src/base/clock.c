/*
 * clock - two clocks, never mixed.
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/defs.h"

static int64_t
clock_ns(clockid_t id)
{
	struct timespec ts;

	must(clock_gettime(id, &ts) == 0);
	return (int64_t)ts.tv_sec * 1000 * MS_NS + ts.tv_nsec;
}

int64_t
clock_boot_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

int64_t
clock_boot_ms(void)
{
	return clock_ns(CLOCK_BOOTTIME) / MS_NS;
}

int64_t
clock_wall_us(void)
{
	return clock_ns(CLOCK_REALTIME) / 1000;
}

static const char *
clock_format(int64_t wall_us, int digits, char out[CLOCK_RFC3339_SIZE])
{
	time_t sec = (time_t)(wall_us / SEC_US);
	char day[24];
	struct tm tm;

	out[0] = '\0';
	if (wall_us <= 0 || !gmtime_r(&sec, &tm))
		return out;
	if (strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return out;
	if (digits)
		snprintf(out, CLOCK_RFC3339_SIZE, "%s.%06dZ", day, (int)(wall_us % SEC_US));
	else
		snprintf(out, CLOCK_RFC3339_SIZE, "%sZ", day);
	return out;
}

const char *
clock_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_SIZE])
{
	return clock_format(wall_us, 6, out);
}

const char *
clock_rfc3339_sec(int64_t wall_us, char out[CLOCK_RFC3339_SIZE])
{
	return clock_format(wall_us, 0, out);
}
