/*
 * store_s3 - the place of the driver; it is being written.
 */
#include "store/driver.h"

static int
open_none(struct store *s, struct err *e)
{
	return err_set(e, ERR_NOTIMPL, "%s: this build has no driver for it", s->where);
}

static void
close_none(struct store *s)
{
	(void)s;
}

const struct store_driver store_driver_s3 = {
	.scheme = "s3", .open = open_none, .close = close_none};
