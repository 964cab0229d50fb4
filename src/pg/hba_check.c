/*
 * hba_check - would PostgreSQL take this line?
 *
 * The checks are those of parse_hba_line() and parse_ident_line() in PostgreSQL's hba.c, in that
 * order; the vocabulary is include/tbl/hba.h.
 */
#include "pg/hba.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>

#define HBA_LOCAL 1
#define HBA_HOST 2
#define HBA_TLS 4

#define MAX_LINE_13 8190 /* MAX_LINE of version 13 */
#define MAX_TOKEN 255    /* MAX_TOKEN up to version 15 */

struct check {
	const struct hba_line *line;
	int major;
	bool file_ok;
	struct buf *why;
	unsigned where; /* HBA_* of the type */
	const char *type, *method;
	int field; /* the next one */
};

static const struct {
	const char *text;
	int min;
	unsigned where;
} types[] = {
#define HBA_TYPE(text, min, where) {text, min, where},
#include "tbl/hba.h"
#undef HBA_TYPE
};

static const struct {
	const char *text;
	int min, max;
	unsigned where;
} methods[] = {
#define HBA_METHOD(text, min, max, where) {text, min, max, where},
#include "tbl/hba.h"
#undef HBA_METHOD
};

static const struct {
	const char *text;
	int min;
	const char *methods;
} options[] = {
#define HBA_OPTION(text, min, methods) {text, min, methods},
#include "tbl/hba.h"
#undef HBA_OPTION
};

static int bad(struct buf *why, const char *fmt, ...) PRINTF(2, 3);

static int
bad(struct buf *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(why, fmt, ap);
	va_end(ap);
	return -1;
}

/* The only word of the next field. */
static const char *
single(struct check *c, const char *what)
{
	int count;
	const struct hba_token *t = hba_field(c->line, c->field, &count);

	if (!t) {
		bad(c->why, "the line ends before the %s", what);
		return NULL;
	}
	if (count > 1) {
		bad(c->why, "the %s is a list, expected one", what);
		return NULL;
	}
	c->field++;
	return t->text;
}

static int
check_type(struct check *c)
{
	c->type = single(c, "connection type");
	if (!c->type)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(types[i].text, c->type) == 0) {
			c->where = types[i].where;
			return 0;
		}
	return bad(c->why,
		"connection type \"%s\", expected local, host, hostssl, hostnossl, "
		"hostgssenc or hostnogssenc",
		c->type);
}

/* Bytes of the bracket expression at p, "[" included; 0 when it has no end. */
static size_t
bracket(const char *p)
{
	size_t i = p[1] == '^' ? 2 : 1;

	for (i += p[i] == ']'; p[i] && p[i] != ']'; i++)
		if (p[i] == '[' && strchr(":.=", p[i + 1]) && p[i + 1]) {
			const char closing[] = {p[i + 1], ']', '\0'};
			const char *end = strstr(p + i + 2, closing);

			if (!end)
				return 0;
			i = (size_t)(end - p) + 1;
		}
	return p[i] ? i + 1 : 0;
}

/* The mistakes people make.  Compiling it would need PostgreSQL's own library, and the one at hand
 * takes gigabytes for expressions that repeat repetitions. */
static int
check_regex(const char *text, struct buf *why)
{
	const char *p = text;
	size_t n;
	int open = 0;

	if (strchr("*+?{", *p) && *p)
		return bad(why, "regular expression \"%s\" begins with a repetition", text);
	while (*p && open >= 0) {
		n = *p == '[' ? bracket(p) : *p == '\\' && p[1] ? 2 : *p == '\\' ? 0 : 1;
		if (n == 0)
			return bad(why, "regular expression \"%s\" ends in the middle", text);
		open += n == 1 ? (*p == '(') - (*p == ')') : 0;
		p += n;
	}
	return open ? bad(why, "regular expression \"%s\": parentheses do not match", text) : 0;
}

static int
check_name(const struct check *c, const struct hba_token *t, const char *what)
{
	if (!t->quoted && t->text[0] == '@' && t->text[1] && !c->file_ok)
		return bad(c->why, "the %s \"%s\" names a file, expected the names themselves",
			what, t->text);
	if (c->major < 16 && strlen(t->text) > MAX_TOKEN)
		return bad(c->why, "the %s is longer than %d bytes", what, MAX_TOKEN);
	if (c->major >= 16 && !t->quoted && t->text[0] == '/')
		return check_regex(t->text + 1, c->why);
	return 0;
}

static int
check_names(struct check *c, const char *what)
{
	bool any = false;

	for (int i = 0; i < c->line->n; i++) {
		if (c->line->token[i].field != c->field)
			continue;
		any = true;
		if (check_name(c, &c->line->token[i], what))
			return -1;
	}
	if (!any)
		return bad(c->why, "the line ends before the %s", what);
	c->field++;
	return 0;
}

/* AF_INET or AF_INET6 of n bytes of text, 0 for neither. */
static int
family_of(const char *text, size_t n)
{
	char ip[INET6_ADDRSTRLEN + 1];
	unsigned char raw[16];
	size_t scope = strcspn(text, "%");

	if (scope < n)
		n = scope;
	if (n >= sizeof(ip))
		return 0;
	memcpy(ip, text, n);
	ip[n] = '\0';
	return inet_pton(AF_INET, ip, raw) == 1    ? AF_INET
	       : inet_pton(AF_INET6, ip, raw) == 1 ? AF_INET6
						   : 0;
}

static int
check_cidr(const struct check *c, const char *text)
{
	const char *slash = strchr(text, '/');
	int family = family_of(text, (size_t)(slash - text));
	int max = family == AF_INET ? 32 : 128;
	char *end;
	long bits;

	if (!family)
		return bad(c->why, "\"%s\" has a mask but is no IP address", text);
	bits = strtol(slash + 1, &end, 10);
	if (slash[1] < '0' || slash[1] > '9' || *end || bits > max)
		return bad(c->why, "\"%s\" has a wrong mask, expected 0 to %d", text, max);
	return 0;
}

static int
check_mask(struct check *c, int family)
{
	const char *mask = single(c, "mask of the IP address (or write ADDRESS/BITS)");

	if (!mask)
		return -1;
	if (family_of(mask, strlen(mask)) != family)
		return bad(c->why,
			"\"%s\" is no mask for this address, expected one like "
			"255.255.255.0, or ADDRESS/BITS",
			mask);
	return 0;
}

static int
check_host_name(const struct check *c, const char *text)
{
	if (strncmp(text, "${", 2) == 0)
		return bad(c->why,
			"\"%s\" needs Kubernetes to find the pods, which this version does "
			"not ask; expected addresses",
			text);
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x80 && !strchr("-._", *p) && !(*p >= '0' && *p <= '9') &&
			!((*p | 32) >= 'a' && (*p | 32) <= 'z'))
			return bad(c->why,
				"\"%s\" is no address, expected ADDRESS/BITS, a host name, "
				"all, samehost or samenet",
				text);
	if (!*text)
		return bad(c->why, "the address is empty");
	return 0;
}

static int
check_address(struct check *c)
{
	const char *text;
	int family;

	if (c->where == HBA_LOCAL)
		return 0;
	text = single(c, "address");
	if (!text)
		return -1;
	if (strchr(text, '/') && strncmp(text, "${", 2) != 0)
		return check_cidr(c, text);
	family = family_of(text, strlen(text));
	return family ? check_mask(c, family) : check_host_name(c, text);
}

static int
check_method_here(const struct check *c, size_t i)
{
	if (c->major < methods[i].min)
		return bad(
			c->why, "method \"%s\" came with PostgreSQL %d", c->method, methods[i].min);
	if (methods[i].max && c->major > methods[i].max)
		return bad(c->why, "method \"%s\" went after PostgreSQL %d", c->method,
			methods[i].max);
	if (!methods[i].where)
		return bad(c->why, "method \"%s\" is not in PostgreSQL for Linux", c->method);
	if (!(methods[i].where & c->where))
		return bad(c->why, "method \"%s\" does not go with \"%s\"", c->method, c->type);
	return 0;
}

static int
check_method(struct check *c)
{
	c->method = single(c, "authentication method");
	if (!c->method)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i].text, c->method) == 0)
			return check_method_here(c, i);
	return bad(c->why,
		"authentication method \"%s\", expected one like scram-sha-256, cert, peer, "
		"ldap, trust or reject",
		c->method);
}

/* ---- options ---- */

static bool
goes_with(const char *list, const char *method)
{
	size_t n = strlen(method);

	if (*list == '*')
		return true;
	for (const char *p = list; (p = strstr(p, method)); p += n)
		if (p > list && p[-1] == ' ' && p[n] == ' ')
			return true;
	return false;
}

static int
check_clientcert(const struct check *c, const char *value)
{
	bool full = strcmp(value, "verify-full") == 0, ca = strcmp(value, "verify-ca") == 0;
	bool old = c->major < 14 && (strcmp(value, "0") == 0 || strcmp(value, "1") == 0 ||
					    strcmp(value, "no-verify") == 0);

	if (!(c->where & HBA_TLS))
		return bad(c->why, "clientcert goes with hostssl only");
	if (!full && !ca && !old)
		return bad(c->why, "clientcert=%s, expected verify-ca or verify-full", value);
	if (ca && strcmp(c->method, "cert") == 0)
		return bad(c->why, "method \"cert\" goes with clientcert=verify-full only");
	return 0;
}

static int
check_value(const struct check *c, const char *name, const char *value)
{
	if (strcmp(name, "clientcert") == 0)
		return check_clientcert(c, value);
	if (strcmp(name, "clientname") == 0 && strcmp(value, "CN") != 0 && strcmp(value, "DN") != 0)
		return bad(c->why, "clientname=%s, expected CN or DN", value);
	if (strcmp(name, "clientname") == 0 && !(c->where & HBA_TLS))
		return bad(c->why, "clientname goes with hostssl only");
	if (strcmp(name, "ldapscheme") == 0 && strcmp(value, "ldap") != 0 &&
		strcmp(value, "ldaps") != 0)
		return bad(c->why, "ldapscheme=%s, expected ldap or ldaps", value);
	if (strcmp(name, "ldapport") == 0 && atoi(value) <= 0)
		return bad(c->why, "ldapport=%s, expected a port", value);
	if (strcmp(name, "ldapurl") == 0 && strncmp(value, "ldap://", 7) != 0 &&
		strncmp(value, "ldaps://", 8) != 0)
		return bad(c->why, "ldapurl=%s, expected ldap://HOST... or ldaps://HOST...", value);
	return 0;
}

static int
check_option(const struct check *c, const char *text)
{
	const char *eq = strchr(text, '=');
	char name[64];

	if (!eq || (size_t)(eq - text) >= sizeof(name))
		return bad(c->why, "\"%s\" is no option, expected NAME=VALUE", text);
	memcpy(name, text, (size_t)(eq - text));
	name[eq - text] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (strcmp(options[i].text, name) != 0)
			continue;
		if (c->major < options[i].min)
			return bad(c->why, "option \"%s\" came with PostgreSQL %d", name,
				options[i].min);
		if (!goes_with(options[i].methods, c->method))
			return bad(c->why, "option \"%s\" does not go with method \"%s\"", name,
				c->method);
		return check_value(c, name, eq + 1);
	}
	return bad(c->why, "PostgreSQL has no option \"%s\" here", name);
}

static bool
has_option(const struct check *c, const char *name)
{
	size_t n = strlen(name);

	for (int i = 0; i < c->line->n; i++)
		if (c->line->token[i].field >= c->field &&
			strncmp(c->line->token[i].text, name, n) == 0 &&
			c->line->token[i].text[n] == '=')
			return true;
	return false;
}

/* Simple bind has prefix or suffix, search+bind has a base; one or the other. */
static int
check_ldap(const struct check *c)
{
	static const char *const search[] = {"ldapbasedn", "ldapbinddn", "ldapbindpasswd",
		"ldapsearchattribute", "ldapsearchfilter"};
	bool simple = has_option(c, "ldapprefix") || has_option(c, "ldapsuffix");

	if (!simple && !has_option(c, "ldapbasedn") && !has_option(c, "ldapurl"))
		return bad(c->why, "method \"ldap\" needs ldapbasedn, ldapprefix or ldapsuffix");
	for (size_t i = 0; simple && i < ARRAY_LEN(search); i++)
		if (has_option(c, search[i]))
			return bad(
				c->why, "%s does not go with ldapprefix and ldapsuffix", search[i]);
	if (has_option(c, "ldapsearchattribute") && has_option(c, "ldapsearchfilter"))
		return bad(c->why, "ldapsearchattribute and ldapsearchfilter exclude each other");
	return 0;
}

/* Options a method cannot do without. */
static int
check_needed(const struct check *c)
{
	if (strcmp(c->method, "ldap") == 0)
		return check_ldap(c);
	if (strcmp(c->method, "radius") == 0 &&
		(!has_option(c, "radiusservers") || !has_option(c, "radiussecrets")))
		return bad(c->why, "method \"radius\" needs radiusservers and radiussecrets");
	if (strcmp(c->method, "oauth") == 0 &&
		(!has_option(c, "issuer") || !has_option(c, "scope")))
		return bad(c->why, "method \"oauth\" needs issuer and scope");
	return 0;
}

static int
check_options(const struct check *c)
{
	for (int i = 0; i < c->line->n; i++)
		if (c->line->token[i].field >= c->field && check_option(c, c->line->token[i].text))
			return -1;
	return check_needed(c);
}

/* include, include_if_exists, include_dir: since version 16, and only in a file. */
static bool
is_include(const struct check *c)
{
	return c->major >= 16 && c->file_ok && c->line->fields == 2 && !c->line->token[0].quoted &&
	       strncmp(c->line->token[0].text, "include", 7) == 0;
}

int
hba_check_line(const char *line, int major, bool file_ok, struct buf *why)
{
	AUTO(hba_line_deinit) struct hba_line l = {0};
	struct check c = {.line = &l, .major = major, .file_ok = file_ok, .why = why};
	size_t n = strlen(line);

	if (hba_split(&l, line, why))
		return -1;
	if (n > 0 && line[n - 1] == '\\')
		return bad(why, "the line ends with a backslash, which would swallow the next one");
	if (major < 14 && n > MAX_LINE_13)
		return bad(why, "the line is longer than %d bytes", MAX_LINE_13);
	if (l.n == 0 || is_include(&c))
		return 0;
	if (check_type(&c) || check_names(&c, "database") || check_names(&c, "role") ||
		check_address(&c) || check_method(&c))
		return -1;
	return check_options(&c);
}

int
hba_check_ident(const char *line, struct buf *why)
{
	AUTO(hba_line_deinit) struct hba_line l = {0};
	struct check c = {.line = &l, .why = why};
	const char *system;
	size_t n = strlen(line);

	if (hba_split(&l, line, why))
		return -1;
	if (n > 0 && line[n - 1] == '\\')
		return bad(why, "the line ends with a backslash, which would swallow the next one");
	if (l.n == 0)
		return 0;
	if (!single(&c, "name of the map"))
		return -1;
	system = single(&c, "system user");
	if (!system || !single(&c, "database role"))
		return -1;
	if (l.fields > 3)
		return bad(why, "\"%s\" is too much, expected MAP SYSTEM-USER ROLE",
			hba_field(&l, 3, &(int){0})->text);
	return system[0] == '/' ? check_regex(system + 1, why) : 0;
}
