/*
 * fuzz_lease_json - a Lease of any bytes: what could be read is read the same from its update, and
 * nothing that is not ours is lost.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "net/kube_json.h"
#include "net/lease_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
count(void *arg, const struct jsonscan_span *key, const struct jsonscan_span *value, struct err *e)
{
	(void)key;
	(void)value;
	(void)e;
	++*(size_t *)arg;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lease_object one, two;
	const char *text = (const char *)data;
	AUTO(buf_deinit) struct buf out = {0};
	size_t before = 0, after = 0;
	struct err e;
	int rc = lease_json_read(&one, text, size, &e);

	if (rc < 0)
		must(e.kind == ERR_CORRUPT && strlen(e.msg) > 0);
	if (lease_json_update(&out, &one, text, size, &e) < 0)
		return 0;
	must(jsonscan_valid(out.data, out.len));
	if (rc < 0)
		return 0;
	must(lease_json_read(&two, out.data, out.len, &e) == 0);
	must(strcmp(one.holder, two.holder) == 0 && strcmp(one.version, two.version) == 0);
	must(one.duration_s == two.duration_s && one.transitions == two.transitions);
	must(one.acquire_us == two.acquire_us && one.renew_us == two.renew_us);
	must(one.seq == two.seq && one.timeline == two.timeline && one.paused == two.paused);
	must(one.switch_lsn == two.switch_lsn && strcmp(one.members, two.members) == 0);
	must(kube_json_members(kube_json_span(text, size), count, &before, &e) == 0);
	must(kube_json_members(kube_json_span(out.data, out.len), count, &after, &e) == 0);
	must(after >= before);
	return 0;
}
