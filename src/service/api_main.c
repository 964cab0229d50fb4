/*
 * api_main - the api in its frame: descriptors in, messages and ticks on.
 *
 * Process: api.
 */
#include "base/log.h"
#include "service/api.h"
#include "service/frame.h"

static void
main_on_msg(struct service *s, const struct channel_msg *msg)
{
	api_on_msg(s->arg, msg);
}

static void
main_on_tick(struct service *s)
{
	api_on_tick(s->arg);
}

int
service_api_main(struct service *s)
{
	struct api_spec spec = {.s = s,
		.listen_fd = {
			[API_HTTP] = FD_LISTEN_HTTP,
			[API_METRICS] = FD_LISTEN_METRICS,
			[API_CONTROL] = FD_LISTEN_CONTROL,
		}};
	AUTO(api_free) struct api *a = NULL;
	struct err e;

	if (api_new(&a, &spec, &e) < 0)
		return frame_fail("api", &e);
	s->arg = a;
	s->on_msg = main_on_msg;
	s->on_tick = main_on_tick;
	if (service_run(s, &e) < 0)
		return frame_fail("api", &e);
	return 0;
}
