/*
 * channel - fixed-size typed messages between the supervisor and a service.
 */
#include "sys/channel.h"

#include <string.h>
#include <sys/socket.h>

#define CHANNEL_HEAD offsetof(struct channel_msg, body)

int
channel_pair(int fds[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return err_sys(e, "make a channel");
	return 0;
}

int
channel_send(int fd, const struct channel_msg *msg, struct err *e)
{
	size_t size = CHANNEL_HEAD + msg->size;
	ssize_t n;

	must(msg->size <= CHANNEL_BODY_MAX);
	n = send(fd, msg, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == (ssize_t)size)
		return 0;
	if (n >= 0 || errno == EAGAIN || errno == EWOULDBLOCK)
		return err_set(e, ERR_BUSY, "the channel is full");
	if (errno == EPIPE || errno == ECONNRESET)
		return err_set(e, ERR_REMOTE, "the other side of the channel is gone");
	return err_sys(e, "send on a channel");
}

int
channel_recv(int fd, struct channel_msg *msg, struct err *e)
{
	ssize_t n = recv(fd, msg, sizeof(*msg), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return 0;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return err_set(e, ERR_REMOTE, "the other side of the channel is gone");
	if (n < 0)
		return err_sys(e, "receive on a channel");
	if ((size_t)n < CHANNEL_HEAD || (size_t)n != CHANNEL_HEAD + msg->size)
		return err_set(e, ERR_CORRUPT, "a channel message of %zd bytes", n);
	return 1;
}

bool
channel_body(const struct channel_msg *msg, void *out, size_t size)
{
	if (msg->size != size)
		return false;
	memcpy(out, msg->body, size);
	return true;
}

void
channel_msg_init(struct channel_msg *msg, uint32_t type, uint64_t id, const void *body, size_t size)
{
	must(size <= CHANNEL_BODY_MAX);
	*msg = (struct channel_msg){.type = type, .size = (uint32_t)size, .id = id};
	if (size)
		memcpy(msg->body, body, size);
}
