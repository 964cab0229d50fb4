/*
 * sv_upgrade - the supervisor replaces its own program and keeps postgres.
 *
 * SIGUSR2: the program file is executed anew in this process (execve keeps the pid, the children
 * and the descriptors), so PID 1 stays PID 1, postgres stays its child, the volume stays locked and
 * the listening sockets stay open.  The services are started again from the new file.  What the new
 * program must know travels in a memfd, the baton; a program that would not understand it is asked
 * first and refuses.
 */
#pragma once

#include "service/sv.h"

/* Begins; logs why not when postgres is not running calmly. */
void sv_upgrade(struct sv *sv);
/* At the start of a supervisor: 1 when there was a baton and it was taken, 0 when there was none.
 */
int sv_baton_take(struct sv *sv, struct err *e) MUSTCHECK;
/* After a baton: the plan and what came behind it, onto the new board. */
void sv_baton_board(struct sv *sv);
/* After a baton: take postgres over as it runs. */
int sv_baton_resume(struct sv *sv, struct err *e) MUSTCHECK;
/* `podgres service baton LAYOUT`: exit code 0 when this program takes such a baton. */
int sv_baton_ask(const char *layout);
