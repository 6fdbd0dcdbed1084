#include "runtime/listener.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 128 };

/* Cuts "127.0.0.1:9170", "[::1]:0", ":9170" or "*:9170" into host ("" is any) and port. */
static int cut_address(const char *address, char host[LISTENER_ADDRESS_SIZE], const char **ret_port)
{
	const char *colon = strrchr(address, ':');
	size_t size = colon != NULL ? (size_t)(colon - address) : 0;

	if (colon == NULL || size >= LISTENER_ADDRESS_SIZE || colon[1] == '\0') {
		return -EINVAL;
	}
	memcpy(host, address, size);
	host[size] = '\0';
	if (size >= 2 && host[0] == '[' && host[size - 1] == ']') {
		memmove(host, host + 1, size - 2);
		host[size - 2] = '\0';
	} else if (strchr(host, ':') != NULL) {
		return -EINVAL; /* IPv6 without brackets: where would the port begin? */
	}
	if (strcmp(host, "*") == 0) {
		host[0] = '\0';
	}
	*ret_port = strcmp(colon + 1, "*") == 0 ? "0" : colon + 1;
	return 0;
}

static int resolve(const char *address, struct addrinfo **ret_info)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	char host[LISTENER_ADDRESS_SIZE];
	const char *port = NULL;

	int r = cut_address(address, host, &port);
	if (r < 0) {
		return r;
	}
	r = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, ret_info);
	if (r == EAI_SYSTEM) {
		return -errno;
	}
	return r == 0 ? 0 : -EADDRNOTAVAIL;
}

static int open_listener(const struct addrinfo *info, int *ret_fd)
{
	int on = 1;

	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int listen_at(const char *address, int *ret_fd)
{
	struct addrinfo *info = NULL;

	int r = resolve(address, &info);
	if (r < 0) {
		return r;
	}
	r = -EADDRNOTAVAIL;
	for (const struct addrinfo *at = info; at != NULL && r < 0; at = at->ai_next) {
		r = open_listener(at, ret_fd);
	}
	freeaddrinfo(info);
	return r;
}

static int name_address(int fd, char address[LISTENER_ADDRESS_SIZE])
{
	struct sockaddr_storage bound;
	socklen_t size = sizeof bound;
	char host[LISTENER_ADDRESS_SIZE - 16], port[8];

	if (getsockname(fd, (struct sockaddr *)&bound, &size) < 0) {
		return -errno;
	}
	if (getnameinfo((struct sockaddr *)&bound, size, host, sizeof host, port, sizeof port,
		    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		return -EINVAL;
	}
	bool brackets = strchr(host, ':') != NULL;
	snprintf(address, LISTENER_ADDRESS_SIZE, "%s%s%s:%s", brackets ? "[" : "", host,
		brackets ? "]" : "", port);
	return 0;
}

int listener_open(const char *address, int *ret_fd, char ret_address[LISTENER_ADDRESS_SIZE])
{
	int fd = -1;

	int r = listen_at(address, &fd);
	if (r < 0) {
		return r;
	}
	r = name_address(fd, ret_address);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}
