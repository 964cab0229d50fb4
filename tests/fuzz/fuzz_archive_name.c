/*
 * fuzz_archive_name - keys of an archive, names of files in pg_wal and IDs of backups of any bytes.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/archive_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
key_round_trips(const char *key)
{
	char name[ARCHIVE_NAME_SIZE], again[ARCHIVE_NAME_SIZE], made[ARCHIVE_KEY_SIZE];
	const char *extension, *same;
	struct err e;

	if (!archive_key_parse(key, name, &extension))
		return;
	must(archive_key_wal(made, "srv", name, extension, &e) == 0);
	must(archive_key_parse(made, again, &same));
	must(strcmp(name, again) == 0 && strcmp(extension, same) == 0);
}

static void
id_round_trips(const char *id)
{
	char again[BACKUP_ID_SIZE];
	int64_t us = backup_id_time(id);

	if (us <= 0 || strncmp(id + 13, "60", 2) == 0)
		return;
	backup_id_make(again, us);
	must(strcmp(id, again) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(free) char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	key_round_trips(text);
	id_round_trips(text);
	return 0;
}
