/*
 * s3_creds_remote - credentials that another machine gives: STS, the container's agent, the
 * machine's metadata service.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/jsonscan.h"
#include "net/s3_creds_impl.h"
#include "net/s3_xml.h"

#define WAIT_MS 10000
#define ANSWER_MAX ((size_t)64 << 10)
#define CONTAINER_HOST "http://169.254.170.2"
#define MACHINE_HOST "http://169.254.169.254"

static const char *
env(const char *name)
{
	const char *v = getenv(name);

	return v ? v : "";
}

/* ---- one request ---- */

struct ask {
	const char *method;
	const char *url;
	struct buf *lines; /* NULL: none */
	const struct buf *body;
	struct buf *out;
	bool direct; /* an address of this machine: by no proxy */
};

static int
once(struct http *h, const struct ask *a, struct err *e)
{
	AUTO(http_end) struct http_call *c = NULL;
	struct s3_xml_error x;
	struct http_request r = {
		.method = a->method,
		.url = a->url,
		.lines = a->lines,
		.body = a->body ? a->body->data : NULL,
		.len = a->body ? a->body->len : 0,
		.send_body = a->body != NULL,
		.direct = a->direct,
		.text = a->out,
		.text_max = ANSWER_MAX,
	};
	int status;

	s3_creds_wipe(a->out);
	buf_init_max(a->out, 2 * ANSWER_MAX);
	if (http_begin(h, &r, &c, e) || http_wait(c, clock_boot_ms() + WAIT_MS, e))
		return -1;
	status = http_answer(c)->status;
	if (status == 200)
		return 0;
	if (s3_xml_error(&x, buf_str(a->out), a->out->len) == 0)
		return err_raise(e, status >= 500 ? ERR_REMOTE : ERR_DENIED, status, ERR_HERE,
			"HTTP %d, %s: %s", status, x.code, x.message);
	return err_raise(e, status >= 500 || status == 429 ? ERR_REMOTE : ERR_DENIED, status,
		ERR_HERE, "HTTP %d", status);
}

static int
ask(struct http *h, const struct ask *a, struct err *e)
{
	if (once(h, a, e) == 0)
		return 0;
	if (!err_retryable(e) || once(h, a, e))
		return err_add(e, "%s %.150s", a->method, a->url);
	return 0;
}

/* ---- what they answer ---- */

static int
complete(struct s3_keys *k, struct err *e)
{
	if (k->part[S3_ACCESS] && k->part[S3_ACCESS][0] && k->part[S3_SECRET] &&
		k->part[S3_SECRET][0] && k->expires_us > 0)
		return 0;
	return err_set(e, ERR_REMOTE, "the answer has no credentials that expire");
}

static int
take_xml(void *arg, const char *path, char *text, struct err *e)
{
	static const char above[] =
		"AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/";
	static const char *const name[] = {"AccessKeyId", "SecretAccessKey", "SessionToken"};
	struct s3_keys *k = arg;

	if (strncmp(path, above, strlen(above)) != 0)
		return 0;
	path += strlen(above);
	if (strcmp(path, "Expiration") == 0)
		k->expires_us = http_iso_date(text);
	for (int i = 0; i < S3_PARTS; i++)
		if (strcmp(path, name[i]) == 0 &&
			s3_keys_set(k, (enum s3_keys_part)i, text, strlen(text)))
			return err_set(e, ERR_SYS, "no memory");
	return 0;
}

int
s3_creds_of_xml(const struct buf *xml, struct s3_keys *out, struct err *e)
{
	if (s3_xml_read(buf_str(xml), xml->len, take_xml, out, e))
		return -1;
	return complete(out, e);
}

static int
take_json(struct s3_keys *k, const struct jsonscan_span *key, struct jsonscan_span *v)
{
	static const char *const name[] = {"AccessKeyId", "SecretAccessKey", "Token"};
	char when[40];

	if (!v->string || v->escaped)
		return 0;
	if (key->len == 10 && memcmp(key->at, "Expiration", 10) == 0) {
		snprintf(when, sizeof(when), "%.*s", (int)(v->len < 39 ? v->len : 39), v->at);
		k->expires_us = http_iso_date(when);
	}
	for (int i = 0; i < S3_PARTS; i++)
		if (strlen(name[i]) == key->len && memcmp(key->at, name[i], key->len) == 0)
			return s3_keys_set(k, (enum s3_keys_part)i, v->at, v->len);
	return 0;
}

int
s3_creds_of_json(const struct buf *json, struct s3_keys *out, struct err *e)
{
	struct jsonscan s = {.at = buf_str(json), .end = buf_str(json) + json->len};
	struct jsonscan_span key, value;

	if (!jsonscan_take(&s, '{'))
		return err_set(e, ERR_REMOTE, "the answer is no JSON object");
	do {
		if (!jsonscan_string(&s, &key) || !jsonscan_take(&s, ':') ||
			!jsonscan_value(&s, &value))
			return err_set(e, ERR_REMOTE, "the answer is not valid JSON");
		if (take_json(out, &key, &value))
			return err_set(e, ERR_SYS, "no memory");
	} while (jsonscan_take(&s, ','));
	return complete(out, e);
}

/* ---- STS ---- */

static void
put_form(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "&%s=", name);
	sigv4_encode(b, value, false);
}

static int
sts_form(struct buf *b, struct err *e)
{
	AUTO(s3_creds_wipe) struct buf token = {0};
	const char *session = env("AWS_ROLE_SESSION_NAME");

	if (s3_creds_file(&token, env("AWS_WEB_IDENTITY_TOKEN_FILE"), "web identity token", e))
		return -1;
	while (token.len > 0 && strchr(" \t\r\n", token.data[token.len - 1]))
		token.data[--token.len] = '\0';
	buf_init_max(b, 4 * S3_CREDS_MAX);
	buf_puts(b, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15");
	put_form(b, "RoleArn", env("AWS_ROLE_ARN"));
	put_form(b, "RoleSessionName", session[0] ? session : "podgres");
	put_form(b, "WebIdentityToken", buf_str(&token));
	return buf_check(b, e);
}

int
s3_creds_web_identity(const struct s3_creds_config *config, struct s3_keys *out, struct err *e)
{
	static const char type[] = "content-type: application/x-www-form-urlencoded";
	AUTO(s3_creds_wipe) struct buf form = {0}, answer = {0};
	AUTO(buf_deinit) struct buf lines = {0}, url = {0};
	struct ask a = {.method = "POST", .lines = &lines, .body = &form, .out = &answer};

	if (env("AWS_ENDPOINT_URL_STS")[0])
		buf_puts(&url, env("AWS_ENDPOINT_URL_STS"));
	else
		buf_printf(&url, "https://sts.%s.amazonaws.com%s/", config->region,
			strncmp(config->region, "cn-", 3) == 0 ? ".cn" : "");
	buf_put(&lines, type, sizeof(type));
	if (buf_check(&url, e) || buf_check(&lines, e) || sts_form(&form, e))
		return -1;
	a.url = buf_str(&url);
	if (ask(config->http, &a, e))
		return -1;
	return s3_creds_of_xml(&answer, out, e);
}

/* ---- the container's agent (ECS, Fargate, EKS Pod Identity) ---- */

static int
agent_lines(struct buf *lines, struct err *e)
{
	AUTO(s3_creds_wipe) struct buf token = {0};
	const char *path = env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *text = env("AWS_CONTAINER_AUTHORIZATION_TOKEN");

	buf_init_max(lines, 2 * S3_CREDS_MAX);
	if (path[0]) {
		if (s3_creds_file(&token, path, "container authorization token", e))
			return -1;
		text = buf_str(&token);
	}
	if (!text[0])
		return 0;
	buf_printf(lines, "authorization: %.*s", (int)strcspn(text, "\r\n"), text);
	buf_putc(lines, '\0');
	return buf_check(lines, e);
}

int
s3_creds_container(const struct s3_creds_config *config, struct s3_keys *out, struct err *e)
{
	AUTO(s3_creds_wipe) struct buf answer = {0}, lines = {0};
	AUTO(buf_deinit) struct buf url = {0};
	struct ask a = {.method = "GET", .lines = &lines, .out = &answer, .direct = true};

	if (env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")[0])
		buf_printf(
			&url, CONTAINER_HOST "%s", env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"));
	else
		buf_puts(&url, env("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
	if (buf_check(&url, e) || agent_lines(&lines, e))
		return -1;
	a.url = buf_str(&url);
	if (ask(config->http, &a, e))
		return -1;
	return s3_creds_of_json(&answer, out, e);
}

/* ---- the machine's metadata service, version 2 ---- */

static const char *
machine_host(void)
{
	const char *v = env("AWS_EC2_METADATA_SERVICE_ENDPOINT");

	return v[0] ? v : MACHINE_HOST;
}

static int
machine_session(struct http *h, struct buf *lines, struct err *e)
{
	static const char ttl[] = "x-aws-ec2-metadata-token-ttl-seconds: 300";
	AUTO(s3_creds_wipe) struct buf answer = {0};
	AUTO(buf_deinit) struct buf url = {0}, head = {0};
	struct buf none = {0};
	struct ask a = {
		.method = "PUT", .lines = &head, .body = &none, .out = &answer, .direct = true};

	buf_printf(&url, "%s/latest/api/token", machine_host());
	buf_put(&head, ttl, sizeof(ttl));
	if (buf_check(&url, e) || buf_check(&head, e))
		return -1;
	a.url = buf_str(&url);
	if (ask(h, &a, e))
		return -1;
	buf_printf(lines, "x-aws-ec2-metadata-token: %.*s", (int)strcspn(buf_str(&answer), "\r\n"),
		buf_str(&answer));
	buf_putc(lines, '\0');
	return buf_check(lines, e);
}

int
s3_creds_machine(const struct s3_creds_config *config, struct s3_keys *out, struct err *e)
{
	AUTO(s3_creds_wipe) struct buf lines = {0}, answer = {0};
	AUTO(buf_deinit) struct buf url = {0};
	struct ask a = {.method = "GET", .lines = &lines, .out = &answer, .direct = true};

	buf_printf(&url, "%s/latest/meta-data/iam/security-credentials/", machine_host());
	if (buf_check(&url, e) || machine_session(config->http, &lines, e))
		return -1;
	a.url = buf_str(&url);
	if (ask(config->http, &a, e))
		return -1;
	/* The first line is the name of the role. */
	buf_printf(&url, "%.*s", (int)strcspn(buf_str(&answer), "\r\n"), buf_str(&answer));
	if (buf_check(&url, e))
		return -1;
	a.url = buf_str(&url);
	if (ask(config->http, &a, e))
		return -1;
	return s3_creds_of_json(&answer, out, e);
}
