/*
 * s3_creds - the choice of a source, files and environment, and when to ask again.
 */
#include "net/s3_creds.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/hash.h"
#include "net/s3_creds_impl.h"
#include "sys/file.h"

#define EARLY_US (5 * 60 * SEC_US)

static const char *
env(const char *name)
{
	const char *v = getenv(name);

	return v ? v : "";
}

struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

struct source {
	const char *name;
	bool (*there)(const struct s3_creds_config *config);
	int (*read)(const struct s3_creds_config *config, struct s3_keys *out, struct err *e);
	bool local; /* can be read while opening */
};

struct s3_creds {
	struct s3_creds_config config;
	const struct source *source;
	struct s3_keys keys;
	struct stamp stamp[S3_PARTS];
	int64_t next_try_ms; /* after a failure, boot time */
};

/* ---- secrets ---- */

static void
wipe_text(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void
s3_keys_wipe(struct s3_keys *k)
{
	for (int i = 0; i < S3_PARTS; i++)
		wipe_text(take(k->part[i]));
	k->expires_us = 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int
s3_keys_set(struct s3_keys *k, enum s3_keys_part part, const char *text, size_t n)
{
	while (n > 0 && is_blank(text[n - 1]))
		n--;
	while (n > 0 && is_blank(*text))
		text++, n--;
	wipe_text(take(k->part[part]));
	k->part[part] = strndup(text, n);
	return k->part[part] ? 0 : -1;
}

void
s3_creds_wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	buf_deinit(b);
}

int
s3_creds_file(struct buf *out, const char *path, const char *what, struct err *e)
{
	/* Room at once: growing would leave copies behind. */
	buf_init_max(out, S3_CREDS_MAX + 1);
	for (size_t i = 0; i < 64; i++)
		buf_puts(out, "                                                                ");
	buf_reset(out);
	if (file_read(out, path, S3_CREDS_MAX, e) == 0)
		return 0;
	e->kind = ERR_CONFIG;
	return err_add(e, "%s", what);
}

/* ---- files ---- */

static bool
files_there(const struct s3_creds_config *config)
{
	return !config->inherit && (config->access_key_file[0] || config->secret_key_file[0]);
}

static const char *
file_of(const struct s3_creds_config *config, enum s3_keys_part part)
{
	return part == S3_ACCESS   ? config->access_key_file
	       : part == S3_SECRET ? config->secret_key_file
				   : config->session_token_file;
}

static int
files_read(const struct s3_creds_config *config, struct s3_keys *out, struct err *e)
{
	static const char *const what[] = {"access key id", "secret access key", "session token"};

	for (int i = 0; i < S3_PARTS; i++) {
		AUTO(s3_creds_wipe) struct buf b = {0};
		const char *path = file_of(config, (enum s3_keys_part)i);

		if (!path[0] && i == S3_TOKEN)
			continue;
		if (!path[0])
			return err_set(e, ERR_CONFIG, "%s: no file is given", what[i]);
		if (s3_creds_file(&b, path, what[i], e))
			return -1;
		if (s3_keys_set(out, (enum s3_keys_part)i, buf_str(&b), b.len))
			return err_set(e, ERR_SYS, "%s: no memory", what[i]);
		if (!out->part[i][0])
			return err_set(e, ERR_CONFIG, "%s: %s is empty", what[i], path);
	}
	return 0;
}

static void
take_stamp(struct stamp *out, const char *path)
{
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (!path[0] || stat(path, &st))
		return;
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	out->size = st.st_size;
	out->mtime = st.st_mtim;
	out->ctime = st.st_ctim;
}

/* Whether other files stand there than those last tried; remembers them. */
static bool
files_changed(struct s3_creds *c)
{
	bool changed = false;

	for (int i = 0; i < S3_PARTS; i++) {
		struct stamp now;

		take_stamp(&now, file_of(&c->config, (enum s3_keys_part)i));
		changed |= memcmp(&now, &c->stamp[i], sizeof(now)) != 0;
		c->stamp[i] = now;
	}
	return changed;
}

/* ---- environment ---- */

static bool
environment_there(const struct s3_creds_config *config)
{
	(void)config;
	return env("AWS_ACCESS_KEY_ID")[0] && env("AWS_SECRET_ACCESS_KEY")[0];
}

static int
environment_read(const struct s3_creds_config *config, struct s3_keys *out, struct err *e)
{
	static const char *const name[] = {
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"};

	(void)config;
	for (int i = 0; i < S3_PARTS; i++)
		if (s3_keys_set(out, (enum s3_keys_part)i, env(name[i]), strlen(env(name[i]))))
			return err_set(e, ERR_SYS, "%s: no memory", name[i]);
	return 0;
}

/* ---- the choice ---- */

static bool
web_identity_there(const struct s3_creds_config *config)
{
	(void)config;
	return env("AWS_WEB_IDENTITY_TOKEN_FILE")[0] && env("AWS_ROLE_ARN")[0];
}

static bool
container_there(const struct s3_creds_config *config)
{
	(void)config;
	return env("AWS_CONTAINER_CREDENTIALS_FULL_URI")[0] ||
	       env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")[0];
}

static bool
machine_there(const struct s3_creds_config *config)
{
	return config->inherit && strcasecmp(env("AWS_EC2_METADATA_DISABLED"), "true") != 0;
}

static const struct source sources[] = {
	{"files", files_there, files_read, true},
	{"environment", environment_there, environment_read, true},
	{"web identity", web_identity_there, s3_creds_web_identity, false},
	{"container", container_there, s3_creds_container, false},
	{"machine's role", machine_there, s3_creds_machine, false},
};

static int
read_keys(struct s3_creds *c, struct err *e)
{
	struct s3_keys fresh = {0};

	if (c->source->read(&c->config, &fresh, e)) {
		s3_keys_wipe(&fresh);
		return err_add(e, "credentials from %s", c->source->name);
	}
	s3_keys_wipe(&c->keys);
	c->keys = fresh;
	return 0;
}

int
s3_creds_open(struct s3_creds **out, const struct s3_creds_config *config, struct err *e)
{
	AUTO(s3_creds_free) struct s3_creds *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return err_sys(e, "credentials");
	c->config = *config;
	for (size_t i = 0; i < ARRAY_LEN(sources) && !c->source; i++)
		if (sources[i].there(config))
			c->source = &sources[i];
	if (!c->source)
		return err_set(e, ERR_CONFIG,
			"there are no credentials: neither files nor "
			"AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE or "
			"AWS_CONTAINER_CREDENTIALS_FULL_URI in the environment");
	(void)files_changed(c);
	if (c->source->local && read_keys(c, e))
		return -1;
	*out = take(c);
	return 0;
}

struct s3_creds *
s3_creds_free(struct s3_creds *c)
{
	if (!c)
		return NULL;
	s3_keys_wipe(&c->keys);
	free(c);
	return NULL;
}

/* ---- asking ---- */

static bool
valid(const struct s3_creds *c, int64_t margin_us)
{
	return c->keys.part[S3_ACCESS] &&
	       (c->keys.expires_us == 0 || clock_wall_us() + margin_us < c->keys.expires_us);
}

/* Files that change half way are read again at the next call; what was good is kept so long. */
static int
renew(struct s3_creds *c, struct err *e)
{
	bool stale = c->source->read == files_read ? files_changed(c) : !valid(c, EARLY_US);

	if (!stale && valid(c, 0))
		return 0;
	if (valid(c, 0) && clock_boot_ms() < c->next_try_ms)
		return 0;
	if (read_keys(c, e) == 0)
		return 0;
	c->next_try_ms = clock_boot_ms() + 10000;
	memset(c->stamp, 0, sizeof(c->stamp));
	return valid(c, 0) ? 0 : -1;
}

int
s3_creds_get(struct s3_creds *c, struct sigv4_key *out, struct err *e)
{
	if (renew(c, e))
		return -1;
	out->access = c->keys.part[S3_ACCESS];
	out->secret = c->keys.part[S3_SECRET];
	out->token = c->keys.part[S3_TOKEN] ? c->keys.part[S3_TOKEN] : "";
	return 0;
}

static uint32_t
print_of(const struct s3_keys *k)
{
	uint32_t crc = 0;

	for (int i = 0; i < S3_PARTS; i++)
		if (k->part[i])
			crc = crc32c(crc, k->part[i], strlen(k->part[i]) + 1);
	return crc;
}

int
s3_creds_again(struct s3_creds *c, bool *changed, struct err *e)
{
	uint32_t before = print_of(&c->keys);

	*changed = false;
	if (read_keys(c, e))
		return -1;
	*changed = print_of(&c->keys) != before;
	return 0;
}

const char *
s3_creds_source(const struct s3_creds *c)
{
	return c->source->name;
}
