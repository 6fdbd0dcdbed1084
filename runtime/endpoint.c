#include "runtime/endpoint.h"
#include <arpa/inet.h>
#include <string.h>

enum {
	HOST_SIZE_MAX = 64
}; /* longer than any literal address; names other than localhost are foreign */

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Cuts "host" out of "host:port", "[host]:port" or "host". */
static bool cut_host(const char *address, char host[HOST_SIZE_MAX])
{
	const char *start = address;
	const char *end = NULL;

	if (*start == '[') {
		start++;
		end = strchr(start, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
			return false;
		}
	} else {
		end = strrchr(start, ':');
		if (end == NULL) {
			end = start + strlen(start);
		}
	}
	size_t size = (size_t)(end - start);
	if (size == 0 || size >= HOST_SIZE_MAX) {
		return false;
	}
	memcpy(host, start, size);
	host[size] = '\0';
	return true;
}

static bool host_is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (strcmp(host, "localhost") == 0) {
		return true;
	}
	if (inet_pton(AF_INET, host, &v4) == 1) {
		return ntohl(v4.s_addr) >> 24 == 127;
	}
	if (inet_pton(AF_INET6, host, &v6) == 1) {
		return IN6_IS_ADDR_LOOPBACK(&v6) ||
		       (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
	}
	return false;
}

bool endpoint_is_local(const char *endpoint)
{
	char host[HOST_SIZE_MAX];

	if (starts_with(endpoint, "ipc://") || starts_with(endpoint, "inproc://")) {
		return true;
	}
	if (starts_with(endpoint, "tcp://")) {
		endpoint += strlen("tcp://");
	}
	return cut_host(endpoint, host) && host_is_loopback(host);
}
