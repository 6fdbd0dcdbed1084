#include "runtime/notify.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int notify_send(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (path == NULL || (*path != '/' && *path != '@')) {
		return 0;
	}
	size_t size = strlen(path);
	if (size >= sizeof address.sun_path) {
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, size);
	if (*path == '@') {
		address.sun_path[0] = '\0'; /* Linux's abstract names */
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	socklen_t address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
	ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		(const struct sockaddr *)&address, address_size);
	int r = sent < 0 ? -errno : 0;
	close(fd);
	return r;
}

int64_t notify_watchdog_ms(void)
{
	const char *interval_us = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");

	if (interval_us == NULL || (pid != NULL && strtoll(pid, NULL, 10) != getpid())) {
		return 0;
	}
	long long value = strtoll(interval_us, NULL, 10);
	return value > 0 ? value / 1000 : 0;
}
