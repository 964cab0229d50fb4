/*
 * fuzz_lineage - histories, WAL names, positions, postmaster.pid and titles of processes of any
 * bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/lineage.h"
#include "pg/pidfile.h"
#include "sys/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_history(const char *text, size_t size)
{
	struct lineage_entry entry[4];
	struct lineage_history h = {.entry = entry, .max = ARRAY_LEN(entry)};
	struct err e;

	if (lineage_history_parse(text, size, &h, &e) < 0)
		return;
	must(h.n <= h.max);
	for (size_t i = 1; i < h.n; i++)
		must(entry[i - 1].timeline < entry[i].timeline);
}

/* What is read is written as it was, but for leading zeros and the case of letters. */
static void
round_trips(const char *text)
{
	char lsn_text[LINEAGE_LSN_SIZE], name[LINEAGE_NAME_SIZE];
	uint64_t lsn, again;
	uint32_t timeline;

	if (lineage_lsn_parse(text, &lsn) && lsn)
		must(lineage_lsn_parse(lineage_lsn_text(lsn, lsn_text), &again) && again == lsn);
	if (lineage_name_parse(text, UINT32_C(16) << 20, &timeline, &lsn))
		must(strcmp(lineage_name(timeline, lsn, UINT32_C(16) << 20, name), text) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) char *text = malloc(size + 1);
	struct procfs_startup startup;
	struct procfs_stat stat;
	struct pidfile pidfile;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	read_history(text, size);
	round_trips(text);
	pidfile_parse(text, &pidfile);
	procfs_startup_parse(text, &startup);
	procfs_stat_parse(text, &stat);
	return 0;
}
