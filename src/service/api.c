/*
 * api - the service that answers HTTP on 8000, 9187 and the unix socket.
 *
 * Process: api, unprivileged, killed and restarted at any time: the listening sockets belong to the
 * supervisor, the operations to the board, and whoever waits for one asks again.
 */
#include "service/api.h"
#include "service/metrics.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "base/hash.h"
#include "base/log.h"

static const unsigned max_connections[API_LISTENERS] = {
	[API_HTTP] = 256,
	[API_METRICS] = 128,
	[API_CONTROL] = 64,
};

static const struct httpd_ops ops = {.head = api_head, .request = api_request, .gone = api_gone};

/* ---- what never changes ---- */

static int
api_hash_self(char out[SHA256_HEX_SIZE], struct err *e)
{
	AUTO(close) int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct sha256 s;
	char block[16384];
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "open our own program");
	sha256_init(&s);
	while ((n = read(fd, block, sizeof(block))) > 0)
		sha256_put(&s, block, (size_t)n);
	if (n < 0)
		return err_sys(e, "read our own program");
	sha256_end_hex(&s, out);
	return 0;
}

/* Not before somebody asks or the start is over: it is milliseconds of work. */
const char *
api_hash(struct api *a)
{
	struct err e;

	if (!*a->executable_hash && api_hash_self(a->executable_hash, &e) < 0)
		log_debug("no hash of our own program", F_STR("error", e.msg));
	return a->executable_hash;
}

/* As Go calls it, which CloudNativePG shows. */
static void
api_arch(char out[16])
{
	struct utsname u;

	if (uname(&u) < 0)
		return;
	if (strcmp(u.machine, "x86_64") == 0)
		snprintf(out, 16, "amd64");
	else if (strcmp(u.machine, "aarch64") == 0)
		snprintf(out, 16, "arm64");
	else
		snprintf(out, 16, "%.15s", u.machine);
}

/* ---- certificates ---- */

static void
api_tls_failed(struct api *a, const struct err *e)
{
	snprintf(a->facts.tls_error, sizeof(a->facts.tls_error), "%.250s", e->msg);
	log_error("TLS certificates are of no use", F_STR("error", e->msg),
		F_STR("hint", httpd_tls_ready(a->tls)
				      ? "the earlier ones stay in use"
				      : "nothing is served on TCP until they are repaired"));
}

static void
api_tls_refresh(struct api *a)
{
	struct err e;
	int rc;

	if (!a->tls)
		return;
	rc = httpd_tls_refresh(a->tls, &e);
	if (rc < 0)
		api_tls_failed(a, &e);
	if (rc <= 0)
		return;
	for (int i = 0; i < API_LISTENERS; i++)
		if (i != API_CONTROL && a->port[i].server &&
			httpd_reload(a->port[i].server, &e) < 0) {
			api_tls_failed(a, &e);
			return;
		}
	a->facts.tls_error[0] = '\0';
	a->facts.cert_expires_wall_us = httpd_tls_expires_us(a->tls);
	log_info("TLS certificates loaded", F_STR("certificate", a->opt->tls_cert));
}

static int
api_tls_new(struct api *a, struct err *e)
{
	const struct run_options *opt = a->opt;

	if (!*opt->tls_cert && !*opt->tls_key) {
		if (*opt->tls_client_ca)
			log_warning("a client CA without a certificate of our own has no effect");
		return 0;
	}
	if (httpd_tls_new(&a->tls, opt->tls_cert, opt->tls_key, opt->tls_client_ca, e) < 0)
		return -1;
	api_tls_refresh(a);
	return 0;
}

/* ---- the service ---- */

static void
api_publish(struct api *a)
{
	if (memcmp(&a->facts, &a->published, sizeof(a->facts)) == 0)
		return;
	shared_write(a->s->board, SEC_API, &a->facts);
	a->published = a->facts;
}

static void
api_on_wait_timer(struct loop_timer *t, void *arg)
{
	(void)t;
	api_waits_check(arg);
}

/* A listener that is off leaves its number to whatever was opened since. */
static bool
api_is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

static int
api_listen(struct api *a, enum api_listener which, int fd, struct err *e)
{
	struct api_port *port = &a->port[which];

	*port = (struct api_port){.api = a, .which = which};
	if (!api_is_listening(fd))
		return 0;
	return httpd_new(&port->server,
		&(struct httpd_spec){
			.loop = a->s->loop,
			.listen_fd = fd,
			.ops = &ops,
			.arg = port,
			.max_connections = max_connections[which],
			.tls = which == API_CONTROL ? NULL : a->tls,
		},
		e);
}

int
api_new(struct api **out, const struct api_spec *spec, struct err *e)
{
	AUTO(api_free) struct api *a = calloc(1, sizeof(*a));

	if (!a)
		return err_sys(e, "make the api");
	a->s = spec->s;
	a->opt = spec->s->opt;
	a->view.board = spec->s->board;
	LIST_INIT(&a->waits);
	api_failsafe_init(a);
	api_follow_init(a);
	loop_timer_init(&a->wait_timer, api_on_wait_timer, a);
	api_arch(a->arch);
	if (api_tls_new(a, e) < 0)
		return -1;
	api_token_refresh(a);
	for (int i = 0; i < API_LISTENERS; i++)
		if (api_listen(a, (enum api_listener)i, spec->listen_fd[i], e) < 0)
			return -1;
	*out = take(a);
	return 0;
}

struct api *
api_free(struct api *a)
{
	if (!a)
		return NULL;
	for (int i = 0; i < API_LISTENERS; i++)
		a->port[i].server = httpd_free(a->port[i].server);
	loop_timer_off(&a->wait_timer);
	loop_timer_off(&a->follow_timer);
	a->tls = httpd_tls_free(a->tls);
	buf_deinit(&a->scratch);
	a->metrics = metrics_view_free(a->metrics);
	explicit_bzero(a->token, sizeof(a->token));
	free(a);
	return NULL;
}

void
api_on_tick(struct api *a)
{
	if (++a->ticks > 3)
		(void)api_hash(a);
	api_token_refresh(a);
	api_tls_refresh(a);
	api_waits_check(a);
	api_publish(a);
}
