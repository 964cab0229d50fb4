/*
 * pending - settings that wait for a restart.
 */
#include "core/pending.h"

#include <strings.h>

#include "base/quantity.h"

bool
pending_is_sensitive(const char *name)
{
	static const char *const five[] = {"max_connections", "max_worker_processes",
		"max_wal_senders", "max_prepared_transactions", "max_locks_per_transaction"};

	for (size_t i = 0; i < ARRAY_LEN(five); i++)
		if (strcasecmp(name, five[i]) == 0)
			return true;
	return false;
}

bool
pending_is_decrease(const char *name, const char *old_value, const char *new_value)
{
	struct err ignored = {0};
	int64_t was, will;

	return pending_is_sensitive(name) && quantity_pg_int(old_value, &was, &ignored) == 0 &&
	       quantity_pg_int(new_value, &will, &ignored) == 0 && will < was;
}
