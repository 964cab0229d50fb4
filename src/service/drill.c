/*
 * drill - a real restore into a scratch folder, and a look at every page of it.
 *
 * Process: the command backup verify --restore.  All WAL is replayed; then every table is read in
 * every database; pg_amcheck looks at the structure of heaps and B-trees where it is installed; and
 * pg_checksums reads the stopped cluster once more.
 */
#include "service/drill.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"

#define DRILL_DATABASES (1U << 20)

struct drill {
	struct drill_result *out;
	int64_t began_ms, checks_began_ms;
};

/* Reads all of every relation that has storage; what cannot be read raises an error. */
static const char drill_read_sql[] =
	"DO $podgres$\n"
	"DECLARE r record; n bigint; total bigint := 0; rels bigint := 0; bytes bigint := 0;\n"
	"BEGIN\n"
	"FOR r IN SELECT c.oid::regclass AS name, pg_relation_size(c.oid) AS size\n"
	" FROM pg_class c WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p'\n"
	" AND (c.relkind <> 'm' OR c.relispopulated) ORDER BY c.oid LOOP\n"
	" EXECUTE 'SELECT count(*) FROM ' || r.name INTO n;\n"
	" total := total + n; rels := rels + 1; bytes := bytes + r.size;\n"
	"END LOOP;\n"
	"RAISE NOTICE 'podgres-drill % % %', rels, total, bytes;\n"
	"END $podgres$;\n";

static void
drill_line(const char *name, const char *line, void *arg)
{
	struct drill *d = arg;
	const char *at = strstr(line, "podgres-drill ");
	long long rels, rows, bytes;

	if (at && sscanf(at, "podgres-drill %lld %lld %lld", &rels, &rows, &bytes) == 3) {
		d->out->relations += rels;
		d->out->rows += rows;
		d->out->pages_bytes += bytes;
		return;
	}
	log_info("output of a check", F_STR("program", name), F_STR("line", line));
}

struct drill_sql {
	const char *database, *sql;
	struct buf *out; /* NULL: lines go to drill_line() */
};

static int
drill_psql(struct drill *d, struct init *in, const struct drill_sql *q, struct err *e)
{
	char psql[FILE_PATH_MAX];
	const char *argv[] = {psql, "-X", "-q", "-w", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h",
		in->socket_dir, "-p", INIT_PORT, "-U", in->wish.superuser, "-d", q->database, "-f",
		"-", NULL};
	struct spawn_spec spec = {.name = "psql",
		.argv = argv,
		.envp = (const char *const *)in->env.item,
		.in = q->sql,
		.in_len = strlen(q->sql),
		.out = q->out,
		.on_line = drill_line,
		.arg = d};

	if (bindir_client(&in->bin, "psql", psql, e) < 0)
		return -1;
	return spawn_run(&spec, &in->server, e);
}

static int
drill_amcheck(struct drill *d, struct init *in, struct err *e)
{
	char program[FILE_PATH_MAX];
	const char *argv[] = {program, "--all", "--install-missing", "--heapallindexed", "-h",
		in->socket_dir, "-p", INIT_PORT, "-U", in->wish.superuser, NULL};
	struct spawn_spec spec = {.name = "pg_amcheck",
		.argv = argv,
		.envp = (const char *const *)in->env.item,
		.on_line = drill_line,
		.arg = d};
	struct err why = {0};

	if (bindir_program(&in->bin, "pg_amcheck", program, &why) < 0)
		return 0;
	if (spawn_run(&spec, &in->server, &why) == 0) {
		d->out->amcheck = true;
		return 0;
	}
	/* The extension may not be installed on this machine; that says nothing of the data. */
	if (strstr(why.msg, "could not open extension control file") ||
		strstr(why.msg, "extension \"amcheck\" is not available")) {
		log_info("pg_amcheck is left out", F_STR("error", why.msg));
		return 0;
	}
	return err_set(e, ERR_CORRUPT, "%s", why.msg);
}

static int
drill_database(struct drill *d, struct init *in, const char *name, struct err *e)
{
	const struct drill_sql q = {.database = name, .sql = drill_read_sql};

	if (drill_psql(d, in, &q, e) < 0) {
		e->kind = ERR_CORRUPT;
		return err_add(e, "database %s cannot be read", name);
	}
	d->out->databases++;
	return 0;
}

static int
drill_up(struct restore *r, void *arg, struct err *e)
{
	struct drill *d = arg;
	AUTO(buf_deinit) struct buf names = {0};
	const struct drill_sql list = {.database = "postgres",
		.sql = "SELECT datname FROM pg_database WHERE datallowconn ORDER BY oid;",
		.out = &names};
	char *line, *next;

	d->checks_began_ms = clock_boot_ms();
	d->out->rto_ms = d->checks_began_ms - d->began_ms;
	job_phase(r->in->p->j, "reading every relation", -1);
	buf_init_max(&names, DRILL_DATABASES);
	if (drill_psql(d, r->in, &list, e) < 0)
		return -1;
	for (line = names.data; line && *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (drill_database(d, r->in, line, e) < 0)
			return -1;
	}
	job_phase(r->in->p->j, "checking the structure of heaps and indexes", -1);
	return drill_amcheck(d, r->in, e);
}

static int
drill_down(struct restore *r, void *arg, struct err *e)
{
	struct drill *d = arg;
	struct init *in = r->in;
	char program[FILE_PATH_MAX];
	const char *argv[] = {program, "--check", "-D", in->place.data, NULL};
	struct spawn_spec spec = {.name = "pg_checksums",
		.argv = argv,
		.envp = (const char *const *)in->env.item,
		.on_line = drill_line,
		.arg = d};
	struct control c;

	if (control_read(&c, in->place.data, e) < 0)
		return -1;
	if (c.checksum_version) {
		job_phase(in->p->j, "checking every page's checksum", -1);
		if (bindir_program(&in->bin, "pg_checksums", program, e) < 0)
			return -1;
		if (spawn_run(&spec, NULL, e) < 0) {
			e->kind = ERR_CORRUPT;
			return -1;
		}
		d->out->checksums = true;
	}
	d->out->check_ms = clock_boot_ms() - d->checks_began_ms;
	return 0;
}

int
archive_drill(const struct archive_drill *spec, struct drill_result *out, struct err *e)
{
	struct drill d = {.out = out, .began_ms = clock_boot_ms()};
	char id[BACKUP_ID_SIZE] = "";
	const struct spec_recovery target = {.backup_id = id};
	AUTO(free) struct run_options *opt = malloc(sizeof(*opt));
	struct restore_run run = {.spec = spec->spec,
		.external = spec->external,
		.target = &target,
		.drill = true,
		.while_up = drill_up,
		.when_down = drill_down,
		.said = spec->said,
		.said_arg = spec->said_arg,
		.arg = &d};
	bool was_there = file_exists(spec->scratch);
	int rc;

	*out = (struct drill_result){0};
	if (!opt)
		return err_sys(e, "drill");
	*opt = *spec->opt;
	snprintf(opt->pgdata, sizeof(opt->pgdata), "%s", spec->scratch);
	snprintf(id, sizeof(id), "%s", spec->backup_id ? spec->backup_id : "");
	*opt->waldir = '\0';
	run.opt = opt;
	rc = restore_run(&run, &out->run, e);
	if (!was_there)
		rmdir(spec->scratch);
	return rc;
}
