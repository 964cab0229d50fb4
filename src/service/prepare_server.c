/*
 * prepare_server - a postgres that only this job can reach, to fill a new cluster.
 *
 * Process: the job `prepare`.  No TCP; the socket lies in a folder of mode 0700 of our own, so that
 * whoever gets there is us, and pg_hba may trust.  fsync is off: all is fsynced at once when the
 * cluster is complete, and a crash before that throws it away.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/prepare_init.h"

#define SERVER_START_MS (5 * 60 * SEC_MS)
#define SERVER_STOP_MS (10 * 60 * SEC_MS)
#define SERVER_LOOK_MS 10
#define SOCKET_DIR_MAX 80 /* sockaddr_un has 108 */

/* ---- start ---- */

int
server_folder(struct init *in, struct err *e)
{
	static const char hba[] = "local all all trust\nlocal replication all trust\n";
	char path[FILE_PATH_MAX];

	if (file_join(in->socket_dir, sizeof(in->socket_dir), in->p->opt->run_dir, "init", e) < 0)
		return -1;
	if (strlen(in->socket_dir) > SOCKET_DIR_MAX)
		return err_set(e, ERR_CONFIG, "the run folder's name is too long for a socket: %s",
			in->p->opt->run_dir);
	if (file_remove_tree(in->socket_dir, e) < 0 || file_make_dirs(in->socket_dir, 0700, e) < 0)
		return -1;
	if (file_join(path, sizeof(path), in->socket_dir, "hba.conf", e) < 0)
		return -1;
	return file_write(path, hba, sizeof(hba) - 1, 0600, e);
}

int
server_set(struct words *w, const char *name, const char *value, struct err *e)
{
	return words_add(w, "-c", e) < 0 || words_addf(w, e, "%s=%s", name, value) < 0 ? -1 : 0;
}

/* What the manifest wants the server to be, so that extensions of the bootstrap find themselves. */
int
server_user_settings(struct words *w, const struct spec *s, struct err *e)
{
	AUTO(buf_deinit) struct buf preload = {0};

	for (size_t i = 0; i < s->params; i++)
		if (server_set(w, s->param[i].name, s->param[i].value, e) < 0)
			return -1;
	for (size_t i = 0; i < s->preload.n; i++)
		buf_printf(&preload, "%s%s", i ? "," : "", s->preload.item[i].text);
	if (buf_check(&preload, e) < 0)
		return -1;
	return preload.len ? server_set(w, "shared_preload_libraries", buf_str(&preload), e) : 0;
}

int
server_own_settings(struct words *w, const struct init *in, struct err *e)
{
	static const char *const own[][2] = {{"listen_addresses", ""}, {"port", INIT_PORT},
		{"logging_collector", "off"}, {"log_destination", "stderr"}, {"ssl", "off"},
		{"archive_mode", "off"}, {"huge_pages", "off"}, {"fsync", "off"},
		{"log_statement", "none"}, {"log_min_error_statement", "panic"},
		{"log_min_duration_statement", "-1"}, {"log_parameter_max_length_on_error", "0"},
		{"restart_after_crash", "off"}, {"unix_socket_permissions", "0700"}};
	char hba[FILE_PATH_MAX], pid[FILE_PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (server_set(w, own[i][0], own[i][1], e) < 0)
			return -1;
	if (file_join(hba, sizeof(hba), in->socket_dir, "hba.conf", e) < 0 ||
		file_join(pid, sizeof(pid), in->socket_dir, "postgres.pid", e) < 0)
		return -1;
	/* Not empty: postgres would complain that it cannot write a file of no name. */
	if (server_set(w, "external_pid_file", pid, e) < 0)
		return -1;
	if (server_set(w, "unix_socket_directories", in->socket_dir, e) < 0)
		return -1;
	return server_set(w, "hba_file", hba, e);
}

/* postmaster.pid says in its eighth line what pg_ctl waits for. */
bool
server_ready(const struct init *in)
{
	AUTO(buf_deinit) struct buf b = {0};
	char path[FILE_PATH_MAX];
	const char *at;
	struct err e;

	if (file_join(path, sizeof(path), in->place.data, "postmaster.pid", &e) < 0 ||
		file_read(&b, path, 4096, &e) < 0)
		return false;
	at = buf_str(&b);
	for (int line = 1; line < 8 && at; line++) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	return at && strncmp(at, "ready", 5) == 0;
}

static int
server_await(struct init *in, struct err *e)
{
	int64_t until = clock_boot_ms() + SERVER_START_MS;

	while (!server_ready(in)) {
		if (in->server.ended)
			return spawn_check(&in->server, e) < 0
				       ? -1
				       : err_set(e, ERR_FAILED, "postgres ended at once");
		if (clock_boot_ms() > until)
			return err_set(e, ERR_TIMEOUT, "postgres did not become ready within %d s",
				(int)(SERVER_START_MS / SEC_MS));
		spawn_pump(&in->server, NULL, SERVER_LOOK_MS);
	}
	return 0;
}

int
server_start(struct init *in, struct err *e)
{
	AUTO(words_deinit) struct words w = {0};
	struct spawn_spec spec = {.name = "postgres",
		.envp = (const char *const *)in->env.item,
		.no_huge_pages = true,
		.on_line = init_line,
		.on_tick = init_tick,
		.arg = in};

	if (server_folder(in, e) < 0)
		return -1;
	if (words_add(&w, in->bin.postgres, e) < 0 || words_add(&w, "-D", e) < 0 ||
		words_add(&w, in->place.data, e) < 0)
		return -1;
	if (server_user_settings(&w, in->p->spec, e) < 0 || server_own_settings(&w, in, e) < 0)
		return -1;
	spec.argv = (const char *const *)w.item;
	if (spawn_start(&in->server, &spec, e) < 0)
		return -1;
	in->server.spec.argv = NULL; /* exec has it; ours goes with this function */
	return server_await(in, e);
}

/* ---- stop ---- */

static void
server_forget(struct init *in)
{
	char path[FILE_PATH_MAX];
	struct err e;

	if (*in->socket_dir && file_remove_tree(in->socket_dir, &e) < 0)
		log_debug("folder not removed", F_STR("error", e.msg));
	/* It names the folder the cluster was made in. */
	if (file_join(path, sizeof(path), in->place.data, "postmaster.opts", &e) == 0)
		unlink(path);
}

void
server_kill(struct init *in)
{
	spawn_deinit(&in->server);
	server_forget(in);
}

int
server_end(struct init *in, int64_t stop_ms, struct control *c, struct err *e)
{
	spawn_signal(&in->server, SIGINT);
	in->server.deadline_ns = clock_boot_ns() + stop_ms * MS_NS;
	in->server.spec.deadline_ms = stop_ms;
	if (spawn_wait(&in->server, NULL, e) < 0 || spawn_check(&in->server, e) < 0)
		return err_add(e, "stop");
	server_forget(in);
	return control_read(c, in->place.data, e);
}

int
server_stop(struct init *in, struct err *e)
{
	struct control c = {0};

	if (server_end(in, SERVER_STOP_MS, &c, e) < 0)
		return -1;
	if (c.state != CONTROL_SHUT_DOWN)
		return err_set(e, ERR_FAILED, "postgres ended, but pg_control says \"%s\"",
			control_state_text(c.state));
	return 0;
}

/* ---- SQL ---- */

int
server_sql(struct init *in, const struct server_sql *q, struct err *e)
{
	char psql[FILE_PATH_MAX];
	const char *argv[] = {psql, "-X", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-v",
		q->secret ? "VERBOSITY=terse" : "VERBOSITY=default", "-v",
		q->secret ? "SHOW_CONTEXT=never" : "SHOW_CONTEXT=errors", "-h", in->socket_dir,
		"-p", INIT_PORT, "-U", in->wish.superuser, "-d", q->database, "-f", "-", NULL};
	struct spawn_spec spec = {.name = q->what,
		.argv = argv,
		.envp = (const char *const *)in->env.item,
		.in = q->sql,
		.in_len = strlen(q->sql),
		.on_line = q->secret ? NULL : init_line,
		.on_tick = init_tick,
		.arg = in};

	if (bindir_client(&in->bin, "psql", psql, e) < 0)
		return -1;
	return spawn_run(&spec, &in->server, e);
}
