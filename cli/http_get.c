#include "cli/http_get.h"

#include "runtime/clock.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HOST_SIZE = 256, PORT_SIZE = 16, HEAD_SIZE_MAX = 8 * 1024 };

struct target {
	char host[HOST_SIZE];
	char port[PORT_SIZE];
};

static int split(const char *address, struct target *target)
{
	const char *start = strncmp(address, "http://", 7) == 0 ? address + 7 : address;
	const char *colon = strrchr(start, ':');

	if (colon == NULL || colon == start) {
		return -EINVAL;
	}
	const char *host_end = colon;
	if (*start == '[' && colon[-1] == ']') {
		start++;
		host_end--;
	}
	size_t port_size = strcspn(colon + 1, "/");
	if ((size_t)(host_end - start) >= HOST_SIZE || port_size == 0 || port_size >= PORT_SIZE) {
		return -EINVAL;
	}
	snprintf(target->host, HOST_SIZE, "%.*s", (int)(host_end - start), start);
	snprintf(target->port, PORT_SIZE, "%.*s", (int)port_size, colon + 1);
	return 0;
}

static int wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd item = {.fd = fd, .events = events};
	int64_t left_ms = deadline_ms - clock_monotonic_ms();

	int ready = poll(&item, 1, left_ms > 0 ? (int)left_ms : 0);
	if (ready < 0) {
		return -errno;
	}
	return ready == 0 ? -ETIMEDOUT : 0;
}

static int connect_to(const struct addrinfo *info, int64_t deadline_ms, int *ret_fd)
{
	int error = 0;
	socklen_t size = sizeof error;

	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	int r = connect(fd, info->ai_addr, info->ai_addrlen) < 0 ? -errno : 0;
	if (r == -EINPROGRESS) {
		r = wait_for(fd, POLLOUT, deadline_ms);
		if (r == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0) {
			r = -error;
		}
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int open_connection(const struct target *target, int64_t deadline_ms, int *ret_fd)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int r = -EHOSTUNREACH;

	if (getaddrinfo(target->host, target->port, &hints, &list) != 0) {
		return -EINVAL;
	}
	for (const struct addrinfo *info = list; info != NULL && r != 0; info = info->ai_next) {
		r = connect_to(info, deadline_ms, ret_fd);
	}
	freeaddrinfo(list);
	return r;
}

static int read_all(int fd, int64_t deadline_ms, char *bytes, size_t size_max, size_t *ret_size)
{
	size_t size = 0;

	while (size < size_max) {
		int r = wait_for(fd, POLLIN, deadline_ms);
		if (r < 0) {
			return r;
		}
		ssize_t got = read(fd, bytes + size, size_max - size);
		if (got < 0 && errno != EAGAIN && errno != EINTR) {
			return -errno;
		}
		if (got == 0) {
			break;
		}
		size += got > 0 ? (size_t)got : 0;
	}
	*ret_size = size;
	return 0;
}

static int parse(const char *bytes, size_t size, struct http_answer *ret_answer)
{
	int status = 0;
	const char *body = strstr(bytes, "\r\n\r\n");

	if (body == NULL || sscanf(bytes, "HTTP/1.%*d %d", &status) != 1) {
		return -EPROTO;
	}
	body += 4;
	ret_answer->status = status;
	ret_answer->size = size - (size_t)(body - bytes);
	if (ret_answer->size > HTTP_BODY_SIZE_MAX) {
		ret_answer->size = HTTP_BODY_SIZE_MAX;
	}
	memcpy(ret_answer->body, body, ret_answer->size);
	ret_answer->body[ret_answer->size] = '\0';
	return 0;
}

int http_get(
	const char *address, const char *path, int64_t timeout_ms, struct http_answer *ret_answer)
{
	int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	char bytes[HEAD_SIZE_MAX + HTTP_BODY_SIZE_MAX + 1];
	char request[512];
	struct target target;
	size_t size = 0;
	int fd = -1;

	int r = split(address, &target);
	if (r == 0) {
		r = open_connection(&target, deadline_ms, &fd);
	}
	if (r < 0) {
		return r;
	}
	int length = snprintf(request, sizeof request,
		"GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n", path, target.host);
	if (length < 0 || (size_t)length >= sizeof request ||
		send(fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
		r = -EIO; /* so small a request fits into an empty socket buffer */
	}
	if (r == 0) {
		r = read_all(fd, deadline_ms, bytes, sizeof bytes - 1, &size);
	}
	close(fd);
	bytes[size] = '\0';
	return r == 0 ? parse(bytes, size, ret_answer) : r;
}
