/*
 * spec_rules_backup - what contradicts what in the archive's part of a manifest.
 *
 * Sources: CloudNativePG's API reference ("BackupConfiguration", "BarmanObjectStoreConfiguration",
 * "BootstrapRecovery", "RecoveryTarget") and PostgreSQL, chapter "Recovery Target".
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/duration.h"
#include "base/quantity.h"
#include "core/archive_name.h"
#include "core/lineage.h"
#include "core/retention.h"
#include "core/schedule.h"
#include "core/spec_reader.h"
#include "core/when.h"

#define LEAST_CONTINUOUS_MS 100
#define MOST_SERVER_NAME 200

/* ---- stores ---- */

static bool
bucket_ok(const char *s, size_t len)
{
	size_t good = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				".-_:");

	return len && good >= len && isalnum((unsigned char)*s);
}

/* A component ".." or "." in a path could be another folder than it says. */
static bool
path_ok(const char *s)
{
	size_t n;

	for (; *s; s += n) {
		s += strspn(s, "/");
		n = strcspn(s, "/");
		if ((n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
			return false;
	}
	return true;
}

static bool
destination_ok(const char *s)
{
	if (strncmp(s, "s3://", 5) == 0)
		return bucket_ok(s + 5, strcspn(s + 5, "/")) && path_ok(s + 5);
	return strncmp(s, "file:///", 8) == 0 && s[8 + strspn(s + 8, "/")] && path_ok(s + 8);
}

static bool
endpoint_ok(const char *s)
{
	const char *host = strncasecmp(s, "https://", 8) == 0  ? s + 8
			   : strncasecmp(s, "http://", 7) == 0 ? s + 7
							       : NULL;
	size_t len = host ? strcspn(host, "/") : 0;
	const char *end = host ? host + len : NULL, *port = end;
	long n;

	if (!len || end[strspn(end, "/")])
		return false;
	if (strcspn(host, "@?#% \t") < len)
		return false;
	while (port > host && isdigit((unsigned char)port[-1]))
		port--;
	if (port == host || port[-1] != ':')
		return *host == '[' ? end[-1] == ']' : !memchr(host, ':', len);
	n = port < end && end - port < 6 ? strtol(port, NULL, 10) : 0;
	return port - 1 > host && n >= 1 && n <= 65535;
}

static void
rule_credentials(struct spec_reader *r, const struct yaml *n)
{
	const struct yaml *s3 = yaml_get(n, "s3Credentials");
	bool id = yaml_given(yaml_get(s3, "accessKeyId")),
	     secret = yaml_given(yaml_get(s3, "secretAccessKey")),
	     role = yaml_true(s3, "inheritFromIAMRole");

	if (!id && !secret && !role)
		spec_info(r, n->key,
			"without s3Credentials the environment says who podgres is: "
			"AWS_ACCESS_KEY_ID, or a web identity");
	else if (id != secret)
		spec_error_at(r, "s3Credentials", s3->key, "%s is missing, the keys come together",
			id ? "secretAccessKey" : "accessKeyId");
	else if (id && role)
		spec_error_at(r, "s3Credentials.inheritFromIAMRole",
			yaml_get(s3, "inheritFromIAMRole"), "contradicts accessKeyId");
}

static void
rule_server_name(struct spec_reader *r, const struct yaml *n)
{
	const struct yaml *server = yaml_get(n, "serverName");
	const char *s = yaml_text(server);

	if (*s && (strchr(s, '/') || !path_ok(s) || strlen(s) > MOST_SERVER_NAME))
		spec_error_at(r, "serverName", server, "\"%.60s\" is no name of one folder", s);
}

/* Keys that somebody wrote into a URL must not go on into the log. */
static const char *
without_keys(const char *url)
{
	return strchr(url, '@') ? "(a URL with credentials)" : url;
}

static void
rule_store(struct spec_reader *r, const struct yaml *n)
{
	static const char *const foreign[] = {"azureCredentials", "googleCredentials"};
	const struct yaml *to = yaml_get(n, "destinationPath"), *url = yaml_get(n, "endpointURL");
	bool s3 = strncmp(yaml_text(to), "s3://", 5) == 0, strange = false;

	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		if (!yaml_given(yaml_get(n, foreign[i])))
			continue;
		spec_error_at(r, foreign[i], yaml_get(n, foreign[i])->key,
			"podgres stores to S3 or a directory, expected s3Credentials or a "
			"destinationPath of file:///");
		strange = true;
	}
	if (*yaml_text(to) && !strange && !destination_ok(yaml_text(to)))
		spec_error_at(r, "destinationPath", to,
			"\"%.100s\" is no destination, expected s3://BUCKET[/PATH] or file:///PATH",
			without_keys(yaml_text(to)));
	else if (s3 && !strange)
		rule_credentials(r, n);
	if (*yaml_text(url) && !endpoint_ok(yaml_text(url)))
		spec_error_at(r, "endpointURL", url,
			"\"%.100s\" is no endpoint, expected http(s)://HOST[:PORT]",
			without_keys(yaml_text(url)));
	rule_server_name(r, n);
}

static void
rule_stores(struct spec_reader *r, const struct yaml *spec)
{
	const struct yaml *own = yaml_path(spec, "backup.barmanObjectStore"),
			  *list = yaml_get(spec, "externalClusters"), *n;
	size_t was = spec_push(r, "backup.barmanObjectStore"), deeper, i = 0;

	if (yaml_given(own))
		rule_store(r, own);
	spec_pop(r, was);
	was = spec_push(r, "externalClusters");
	for (n = list && list->kind == YAML_LIST ? list->first : NULL; n; n = n->next, i++) {
		if (!yaml_given(yaml_get(n, "barmanObjectStore")))
			continue;
		deeper = spec_push_index(r, i);
		spec_push(r, "barmanObjectStore");
		rule_store(r, yaml_get(n, "barmanObjectStore"));
		spec_pop(r, deeper);
	}
	spec_pop(r, was);
}

/* ---- spec.backup ---- */

static void
rule_continuous(struct spec_reader *r, const struct yaml *n)
{
	const struct yaml *often = yaml_get(n, "continuous");
	struct err e = {0};
	int64_t ms;

	if (*yaml_text(often) && duration_parse(yaml_text(often), &ms, &e) == 0 && ms != 0 &&
		ms < LEAST_CONTINUOUS_MS)
		spec_error_at(r, "backup.continuous", often,
			"%.40s is too often, expected at least %d ms, or 0 for never",
			yaml_text(often), LEAST_CONTINUOUS_MS);
}

static void
rule_drop(struct spec_reader *r, const struct yaml *n)
{
	const struct yaml *above = yaml_get(n, "dropAbove"), *when = yaml_get(n, "whenStoreFails");
	struct err e = {0};
	int64_t bytes;

	if (!*yaml_text(above))
		return;
	if (quantity_bytes(yaml_text(above), &bytes, &e))
		spec_error_at(r, "backup.dropAbove", above, "%s", e.msg);
	else if (strcmp(yaml_text(when), "drop-with-gap") != 0)
		spec_error_at(r, "backup.dropAbove", above,
			"contradicts whenStoreFails, which is not drop-with-gap");
}

static void
rule_backup(struct spec_reader *r, const struct yaml *spec)
{
	static const char *const need[] = {"retentionPolicy", "continuous", "whenStoreFails"};
	const struct yaml *n = yaml_get(spec, "backup"), *f, *policy;
	struct retention_policy parsed;
	struct err e = {0};
	size_t was;

	rule_continuous(r, n);
	rule_drop(r, n);
	policy = yaml_get(n, "retentionPolicy");
	if (*yaml_text(policy) && yaml_type(policy) == YAML_IS_STRING &&
		retention_parse(&parsed, yaml_text(policy), &e))
		spec_error_at(r, "backup.retentionPolicy", policy, "%s", e.msg);
	for (size_t i = 0; i < ARRAY_LEN(need); i++) {
		f = yaml_get(n, need[i]);
		if (!yaml_given(f) || yaml_given(yaml_get(n, "barmanObjectStore")) ||
			yaml_given(yaml_get(n, "volumeSnapshot")))
			continue;
		was = spec_push(r, "backup");
		spec_error_at(r, need[i], f,
			"needs a destination, but spec.backup.barmanObjectStore is missing");
		spec_pop(r, was);
	}
}

/* ---- bootstrap.recovery ---- */

static void
rule_timeline(struct spec_reader *r, const struct yaml *n)
{
	const char *s = yaml_text(n);
	size_t digits = strspn(s, "0123456789");

	if (!*s || strcmp(s, "latest") == 0 || strcmp(s, "current") == 0)
		return;
	if (s[digits] || digits > 10 || strtoull(s, NULL, 10) < 1 ||
		strtoull(s, NULL, 10) > UINT32_MAX)
		spec_error_at(r, "targetTLI", n,
			"\"%.60s\" is no timeline, expected latest or a number from 1", s);
}

/* What PostgreSQL alone understands is left to it. */
static void
rule_time(struct spec_reader *r, const struct yaml *n)
{
	int64_t wall_us;

	if (yaml_given(n) && when_parse(yaml_text(n), &wall_us, NULL) == WHEN_WRONG)
		spec_error_at(r, "targetTime", n,
			"\"%.60s\" is no point in time, expected one like 2026-11-20T13:41:00Z",
			yaml_text(n));
}

static void
rule_target(struct spec_reader *r, const struct yaml *n)
{
	static const char *const targets[] = {
		"targetXID", "targetName", "targetLSN", "targetTime", "targetImmediate", NULL};
	const struct yaml *xid = yaml_get(n, "targetXID"), *lsn = yaml_get(n, "targetLSN"),
			  *id = yaml_get(n, "backupID"), *name = yaml_get(n, "targetName");
	const char *digits = yaml_text(xid);
	uint64_t at;

	spec_at_most_one(r, n, targets, "recovery has one target");
	rule_timeline(r, yaml_get(n, "targetTLI"));
	if (*digits && (digits[strspn(digits, "0123456789")] || strlen(digits) > 20))
		spec_error_at(r, "targetXID", xid,
			"\"%.60s\" is no transaction ID, expected a number", digits);
	if (*yaml_text(lsn) && !lineage_lsn_parse(yaml_text(lsn), &at))
		spec_error_at(r, "targetLSN", lsn,
			"\"%.60s\" is no WAL location, expected one like 0/3000148",
			yaml_text(lsn));
	rule_time(r, yaml_get(n, "targetTime"));
	if (strlen(yaml_text(name)) > 63)
		spec_error_at(r, "targetName", name,
			"longer than the 63 characters that "
			"PostgreSQL gives a restore point");
	if (*yaml_text(id) && !backup_id_ok(yaml_text(id)))
		spec_error_at(r, "backupID", id,
			"\"%.60s\" is no backup's ID, expected one like 20261120T153805",
			yaml_text(id));
}

static const struct yaml *
external_of(const struct yaml *spec, const char *name)
{
	const struct yaml *list = yaml_get(spec, "externalClusters"), *n;

	for (n = list ? list->first : NULL; n; n = n->next)
		if (strcmp(yaml_text(yaml_get(n, "name")), name) == 0)
			return n;
	return NULL;
}

/* Equal but for slashes at the end and doubled ones. */
static bool
same_path(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a == '/' && (a[1] == '/' || !a[1]))
			a++;
		while (*b == '/' && (b[1] == '/' || !b[1]))
			b++;
		if (*a != *b)
			return false;
		if (!*a)
			return true;
	}
}

/* A new cluster that writes where its source's backups are would mix two histories. */
static void
rule_not_into_source(struct spec_reader *r, const struct yaml *doc, const struct yaml *external)
{
	const struct yaml *own = yaml_path(doc, "spec.backup.barmanObjectStore"),
			  *from = yaml_get(external, "barmanObjectStore");
	const char *ours = yaml_text(yaml_get(own, "serverName")),
		   *theirs = yaml_text(yaml_get(from, "serverName"));

	if (!*ours)
		ours = yaml_text(yaml_path(doc, "metadata.name"));
	if (!*theirs)
		theirs = yaml_text(yaml_get(external, "name"));
	if (!yaml_given(own) || strcmp(ours, theirs) != 0 ||
		!same_path(yaml_text(yaml_get(own, "destinationPath")),
			yaml_text(yaml_get(from, "destinationPath"))) ||
		!same_path(yaml_text(yaml_get(own, "endpointURL")),
			yaml_text(yaml_get(from, "endpointURL"))))
		return;
	spec_error_at(r, "source", yaml_path(doc, "spec.bootstrap.recovery.source"),
		"spec.backup writes into this cluster's own archive (%.80s, serverName %.60s), "
		"expected another serverName in spec.backup.barmanObjectStore",
		yaml_text(yaml_get(own, "destinationPath")), ours);
}

static void
rule_source(struct spec_reader *r, const struct yaml *doc, const struct yaml *n)
{
	const struct yaml *spec = yaml_get(doc, "spec"), *source = yaml_get(n, "source");
	const struct yaml *x = external_of(spec, yaml_text(source));

	if (!*yaml_text(source)) {
		if (yaml_given(yaml_get(n, "volumeSnapshots")))
			return;
		if (!yaml_given(yaml_get(n, "backup")))
			spec_error(r, n->key, "neither source nor backup, expected one of them");
		else if (!yaml_given(yaml_path(spec, "backup.barmanObjectStore")))
			spec_error_at(r, "backup", yaml_get(n, "backup")->key,
				"a Backup is looked for in spec.backup.barmanObjectStore, which is "
				"missing");
		return;
	}
	if (!x)
		spec_error_at(r, "source", source,
			"no external cluster is named \"%.60s\", expected a name of "
			"spec.externalClusters",
			yaml_text(source));
	else if (!yaml_given(yaml_get(x, "barmanObjectStore")))
		spec_error_at(r, "source", source,
			"external cluster \"%.60s\" has no barmanObjectStore to recover from",
			yaml_text(source));
	else
		rule_not_into_source(r, doc, x);
}

static void
rule_recovery(struct spec_reader *r, const struct yaml *doc, const struct yaml *n)
{
	static const char *const by_source[] = {"backup", "source", NULL};
	static const char *const by_volume[] = {"backup", "volumeSnapshots", NULL};
	size_t was = spec_push(r, "bootstrap.recovery"), deeper;

	spec_at_most_one(r, n, by_source, "recovery starts from one base backup");
	spec_at_most_one(r, n, by_volume, "recovery starts from one base backup");
	rule_source(r, doc, n);
	deeper = spec_push(r, "recoveryTarget");
	rule_target(r, yaml_get(n, "recoveryTarget"));
	spec_pop(r, deeper);
	spec_pop(r, was);
}

void
spec_rules_retrieval(struct spec_reader *r, const struct yaml *doc)
{
	const struct yaml *spec = yaml_get(doc, "spec"), *n;

	rule_stores(r, spec);
	rule_backup(r, spec);
	n = yaml_path(spec, "bootstrap.recovery");
	if (yaml_given(n))
		rule_recovery(r, doc, n);
}

/* ---- kind: ScheduledBackup, kind: Backup ---- */

/* Five fields are Unix cron's, and probably a slip. */
static void
rule_schedule(struct spec_reader *r, const struct yaml *n)
{
	const char *s = yaml_text(n);
	struct schedule schedule;
	struct err e = {0};
	size_t words = 0, len;

	if (*s && schedule_parse(&schedule, s, &e)) {
		spec_error(r, n, "%s", e.msg);
		return;
	}
	for (s += strspn(s, " \t"); *s && *s != '@'; s += len + strspn(s + len, " \t")) {
		len = strcspn(s, " \t");
		words += !memchr(s, '=', len); /* CRON_TZ=... */
	}
	if (words == 5)
		spec_warn(r, n,
			"five fields, so the seconds are missing, expected six like "
			"\"0 0 3 * * *\"");
}

void
spec_rules_backup(struct spec_reader *r, const struct yaml *doc, const char *kind)
{
	const struct yaml *schedule = yaml_path(doc, "spec.schedule"),
			  *method = yaml_path(doc, "spec.method");
	size_t was = spec_push(r, "spec.schedule");

	if (strcmp(kind, "ScheduledBackup") == 0 && yaml_given(schedule))
		rule_schedule(r, schedule);
	spec_pop(r, was);
	if (!spec_backup_is_ours(doc))
		spec_warn(r, method,
			"spec.method: %.20s: podgres does not take such backups, only "
			"barmanObjectStore",
			yaml_text(method));
}

/* Of backups that name the Cluster that is read: is there where they can go? */
void
spec_rules_schedules(struct spec_reader *r, const struct spec_docs *docs)
{
	const char *name = yaml_text(yaml_path(docs->cluster, "metadata.name"));
	const struct yaml *of;

	for (size_t i = 0; i < docs->n; i++) {
		of = yaml_path(docs->item[i], "spec.cluster.name");
		if (!of || !spec_backup_is_ours(docs->item[i]))
			continue;
		if (strcmp(yaml_text(of), name) != 0)
			spec_info(r, of, "spec.cluster.name: of Cluster %.60s, not of %.60s",
				yaml_text(of), name);
		else if (!yaml_given(yaml_path(docs->cluster, "spec.backup.barmanObjectStore")))
			spec_error(r, of,
				"spec.cluster.name: Cluster %.60s has no "
				"spec.backup.barmanObjectStore, so there is no destination",
				name);
	}
}
