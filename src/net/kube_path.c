/*
 * kube_path - paths of the few kinds of objects that podgres touches.
 */
#include "net/kube.h"

#include <string.h>

/* A DNS subdomain (RFC 1123), as Kubernetes asks of names: nothing in it needs encoding. */
static int
check_name(const char *name, struct err *e)
{
	size_t n = strlen(name);

	if (n == 0 || n >= KUBE_NAME_SIZE ||
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") != n ||
		strchr("-.", name[0]) || strchr("-.", name[n - 1]) || strstr(name, ".."))
		return err_set(e, ERR_INVALID, "%.253s is no name of Kubernetes (RFC 1123)", name);
	return 0;
}

static int
object_path(struct buf *out, const char *const part[2], const char *const at[2], struct err *e)
{
	if (check_name(at[0], e) < 0 || (at[1] && check_name(at[1], e) < 0))
		return -1;
	buf_printf(out, "%s/namespaces/%s/%s", part[0], at[0], part[1]);
	if (at[1])
		buf_printf(out, "/%s", at[1]);
	return buf_check(out, e);
}

int
kube_path_lease(struct buf *out, const char *ns, const char *name, struct err *e)
{
	const char *const part[2] = {"/apis/coordination.k8s.io/v1", "leases"};
	const char *const at[2] = {ns, name};

	return object_path(out, part, at, e);
}

int
kube_path_pod(struct buf *out, const char *ns, const char *name, struct err *e)
{
	const char *const part[2] = {"/api/v1", "pods"};
	const char *const at[2] = {ns, name};

	return object_path(out, part, at, e);
}

void
kube_path_query(struct buf *out, const char *key, const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";

	buf_printf(out, "%c%s=", strchr(buf_str(out), '?') ? '&' : '?', key);
	for (const char *p = value; *p; p++)
		if (strchr(plain, *p))
			buf_putc(out, *p);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)*p);
}
