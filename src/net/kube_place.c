/*
 * kube_place - where the Kubernetes API is, as a pod sees it or as it was given.
 */
#include "net/kube.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/file.h"

#define ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

static bool
given(const char *s)
{
	return s && *s;
}

static int
copy(char *out, size_t size, const char *value, const char *what, struct err *e)
{
	if ((size_t)snprintf(out, size, "%s", value) >= size)
		return err_set(e, ERR_CONFIG, "the %s of the Kubernetes API is too long", what);
	return 0;
}

static int
place_url(struct kube_place *p, const char *url, struct err *e)
{
	size_t n;

	if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
		return err_set(e, ERR_CONFIG, "%.200s is no http or https URL", url);
	if (strpbrk(url, " \t\r\n?#@"))
		return err_set(e, ERR_CONFIG,
			"the URL of the Kubernetes API holds more than a "
			"scheme, a host, a port and a path");
	if (copy(p->url, sizeof(p->url), url, "URL", e) < 0)
		return -1;
	for (n = strlen(p->url); n > 0 && p->url[n - 1] == '/'; n--)
		p->url[n - 1] = '\0';
	return 0;
}

/* An IPv6 address stands in brackets. */
static int
place_in_pod(struct kube_place *p, const struct kube_given *g, struct err *e)
{
	const char *host = given(g->host) ? g->host : getenv("KUBERNETES_SERVICE_HOST");
	const char *port = given(g->port) ? g->port : getenv("KUBERNETES_SERVICE_PORT");
	bool six = given(host) && strchr(host, ':') && host[0] != '[';
	char url[KUBE_URL_SIZE];
	int n;

	if (!given(host) || !given(port))
		return err_set(e, ERR_NOTFOUND,
			"this is no pod of Kubernetes "
			"(KUBERNETES_SERVICE_HOST and _PORT are not set)");
	if (strspn(port, "0123456789") != strlen(port) || strlen(port) > 5)
		return err_set(e, ERR_CONFIG, "KUBERNETES_SERVICE_PORT: %.40s is no port", port);
	if (strpbrk(host, "/ \t\r\n"))
		return err_set(e, ERR_CONFIG, "KUBERNETES_SERVICE_HOST: %.80s is no host", host);
	n = snprintf(
		url, sizeof(url), "https://%s%s%s:%s", six ? "[" : "", host, six ? "]" : "", port);
	if (n < 0 || (size_t)n >= sizeof(url))
		return err_set(e, ERR_CONFIG, "KUBERNETES_SERVICE_HOST is too long");
	return place_url(p, url, e);
}

static int
place_file(char *out, const char *file, const char *dir, const char *name, struct err *e)
{
	if (given(file))
		return copy(out, KUBE_FILE_SIZE, file, "path of a file", e);
	if (!dir)
		return 0;
	return file_join(out, KUBE_FILE_SIZE, dir, name, e);
}

static int
place_namespace(struct kube_place *p, const struct kube_given *g, const char *dir, struct err *e)
{
	char path[FILE_PATH_MAX];

	if (given(g->ns))
		return copy(p->ns, sizeof(p->ns), g->ns, "namespace", e);
	if (file_join(path, sizeof(path), dir, "namespace", e) < 0)
		return -1;
	if (!file_exists(path))
		return err_set(
			e, ERR_CONFIG, "the namespace is not given, and %s is not there", path);
	if (file_read_line(path, p->ns, sizeof(p->ns), e) < 0)
		return -1;
	return p->ns[0] ? 0 : err_set(e, ERR_CONFIG, "%s is empty", path);
}

int
kube_find(struct kube_place *out, const struct kube_given *g, struct err *e)
{
	const char *dir = given(g->account_dir) ? g->account_dir : ACCOUNT_DIR;
	bool own = given(g->url);
	const char *files = own ? NULL : dir;

	memset(out, 0, sizeof(*out));
	if (own ? place_url(out, g->url, e) : place_in_pod(out, g, e))
		return -1;
	if (place_file(out->token_file, g->token_file, files, "token", e) < 0 ||
		place_file(out->ca_file, g->ca_file, files, "ca.crt", e) < 0)
		return -1;
	if (!own && !file_exists(out->token_file))
		return err_set(e, ERR_CONFIG,
			"%s is not there: does the pod's service account "
			"mount its token?",
			out->token_file);
	return place_namespace(out, g, dir, e);
}
