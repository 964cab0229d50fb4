/*
 * fuzz_s3_xml - an answer of S3 of any bytes: elements stay within their bounds, and what a
 * document says does not depend on the document that was read before.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "net/s3_creds_impl.h"
#include "net/s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
note(void *arg, const char *path, char *text, struct err *e)
{
	uint32_t *crc = arg;

	(void)e;
	must(strlen(path) < S3_XML_PATH && strlen(text) < S3_XML_TEXT && path[0]);
	*crc = crc32c(*crc, path, strlen(path) + 1);
	*crc = crc32c(*crc, text, strlen(text) + 1);
	(void)s3_xml_url_decode(text);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf b = {(char *)(uintptr_t)data, size, size, 0, false};
	struct s3_keys keys = {0};
	struct s3_xml_error x;
	uint32_t one = 0, two = 0;
	struct err e;
	int rc = s3_xml_read((const char *)data, size, note, &one, &e);

	must(rc == s3_xml_read((const char *)data, size, note, &two, &e) && one == two);
	(void)(s3_xml_error(&x, (const char *)data, size) == 0);
	if (s3_creds_of_xml(&b, &keys, &e) == 0)
		must(keys.expires_us > 0);
	s3_keys_wipe(&keys);
	if (s3_creds_of_json(&b, &keys, &e) == 0)
		must(keys.expires_us > 0);
	s3_keys_wipe(&keys);
	return 0;
}
