/*
 * channel - fixed-size typed messages between the supervisor and a service.
 *
 * A SOCK_SEQPACKET pair: a message arrives whole or not at all, in order, with a request id that an
 * answer repeats.  Nothing waits: a full channel is ERR_BUSY, an empty one says so, a closed one is
 * ERR_REMOTE.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CHANNEL_BODY_MAX 1024

struct channel_msg {
	uint32_t type;
	uint32_t size; /* bytes of body in use, at most CHANNEL_BODY_MAX */
	uint64_t id;   /* request id; an answer repeats it */
	char body[CHANNEL_BODY_MAX];
};

int channel_pair(int fds[2], struct err *e) MUSTCHECK; /* both O_CLOEXEC | O_NONBLOCK */
int channel_send(int fd, const struct channel_msg *msg, struct err *e) MUSTCHECK;
/* Returns 1 with a message, 0 when there is none now, -1 on error or when the other side is gone.
 */
int channel_recv(int fd, struct channel_msg *msg, struct err *e) MUSTCHECK;
/* Copies a body of exactly size bytes; false when the message has another size. */
bool channel_body(const struct channel_msg *msg, void *out, size_t size);
void channel_msg_init(
	struct channel_msg *msg, uint32_t type, uint64_t id, const void *body, size_t size);
