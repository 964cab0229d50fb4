/*
 * fuzz_backup_info - backup.info of any bytes; what is read is written and read again.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/backup_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_deinit) struct buf one = {0}, two = {0};
	struct backup_info b, again;
	struct err e;

	if (backup_info_parse(&b, (const char *)data, size, &e))
		return 0;
	backup_info_print(&b, &one);
	must(backup_info_parse(&again, one.data, one.len, &e) == 0);
	must(again.begin_lsn == b.begin_lsn && again.end_lsn == b.end_lsn);
	must(again.status == b.status && again.tablespaces == b.tablespaces);
	backup_info_print(&again, &two);
	must(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
	backup_info_deinit(&b);
	backup_info_deinit(&again);
	return 0;
}
