/*
 * pending - settings that wait for a restart: what one means for the standbys.
 *
 * A standby stops replay when the primary allows for more than it does itself, so that of the five
 * settings WAL carries an increase goes to the standbys first and a decrease to the primary first
 * (PostgreSQL manual, section 27.4.3).
 */
#pragma once

#include <stdbool.h>

/* One of the five that a standby must not have lower than its primary. */
bool pending_is_sensitive(const char *name);
/* A sensitive setting that gets smaller.  Values are as PostgreSQL reads integers; one that is no
 * number is no decrease. */
bool pending_is_decrease(const char *name, const char *old_value, const char *new_value);
