/*
 * service - the frame every long-lived process below the supervisor runs in.
 *
 * Process: each service.  One loop, one channel, one beat a second.
 */
#include "service/service.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "service/exec_postgres.h"
#include "service/frame.h"
#include "service/sv_upgrade.h"
#include "service/logger_out.h"
#include "sys/channel.h"

#define SERVICE_TICK_MS 1000

enum service_user { RUN, KEEP };

static const enum service_user users[SERVICES] = {
#define SERVICE(name, text, user, hung_ms, does) [SERVICE_##name] = user,
#include "tbl/services.h"
#undef SERVICE
};

static int (*const mains[SERVICES])(struct service *s) = {
	[SERVICE_LOGGER] = service_logger_main,
	[SERVICE_FENCER] = service_fencer_main,
	[SERVICE_MONITOR] = service_monitor_main,
	[SERVICE_API] = service_api_main,
	[SERVICE_COLLECTOR] = service_collector_main,
	[SERVICE_ARCHIVER] = service_archiver_main,
	[SERVICE_ELECTOR] = service_elector_main,
};

static void
service_on_tick(struct loop_timer *t, void *arg)
{
	struct service *s = arg;

	board_beat(s->board, (int)s->id);
	loop_timer_in(s->loop, t, SERVICE_TICK_MS);
	if (s->on_tick)
		s->on_tick(s);
}

static void
service_on_channel(struct loop_fd *src, uint32_t events, void *arg)
{
	struct service *s = arg;
	struct channel_msg msg;
	struct err e;
	int n;

	(void)events;
	while ((n = channel_recv(src->fd, &msg, &e)) > 0)
		if (s->on_msg)
			s->on_msg(s, &msg);
	if (n < 0)
		s->stop = true; /* the supervisor is gone, or has given us up */
}

void
service_poke(struct service *s)
{
	struct channel_msg msg;
	struct err e;

	channel_msg_init(&msg, MSG_POKE, 0, NULL, 0);
	if (channel_send(s->channel.fd, &msg, &e) < 0)
		log_debug("poke not sent", F_STR("error", e.msg));
}

int
service_run(struct service *s, struct err *e)
{
	loop_timer_init(&s->tick, service_on_tick, s);
	service_on_tick(&s->tick, s);
	while (!s->stop)
		if (loop_turn(s->loop, SERVICE_TICK_MS, e) < 0)
			return -1;
	return 0;
}

static enum service_id
service_find(const char *name)
{
	for (int i = SERVICE_SUPERVISOR + 1; i < SERVICES; i++)
		if (strcmp(service_text((enum service_id)i), name) == 0)
			return (enum service_id)i;
	return SERVICES;
}

static int
service_start(struct service *s, struct err *e)
{
	if (s->id == SERVICE_LOGGER)
		logger_out_claim(FD_LOG_OUT); /* whoever made our stdout may be root alone */
	if (users[s->id] == RUN && frame_give_up_root(s->opt, e) < 0)
		return -1;
	if (fcntl(FD_CHANNEL, F_SETFD, FD_CLOEXEC) < 0)
		return err_sys(e, "use the channel");
	if (loop_new(&s->loop, e) < 0)
		return -1;
	board_beat(s->board, (int)s->id);
	return loop_add(
		s->loop, loop_fd_init(&s->channel, service_on_channel, s), FD_CHANNEL, EPOLLIN, e);
}

int
service_main(int argc, char **argv)
{
	enum service_id id = argc == 2 ? service_find(argv[1]) : SERVICES;
	struct service s = {.id = id};
	struct frame f = {.log_fd = -1};
	struct err e;
	int code;

	if (argc == 2 && strcmp(argv[1], "postgres") == 0)
		return exec_postgres_main();
	if (argc == 3 && strcmp(argv[1], "baton") == 0)
		return sv_baton_ask(argv[2]);
	if (id == SERVICES) {
		fprintf(stderr, "podgres service: started by `podgres run` and by nothing else\n");
		return 64;
	}
	if (frame_attach(&f, service_text(id), &e) < 0) {
		fprintf(stderr, "podgres %s: %s\n", service_text(id), e.msg);
		return err_exit(&e);
	}
	s.board = f.board;
	s.opt = &f.opt;
	code = service_start(&s, &e) < 0 ? frame_fail("service", &e) : mains[id](&s);
	s.loop = loop_free(s.loop);
	frame_detach(&f);
	return code;
}
