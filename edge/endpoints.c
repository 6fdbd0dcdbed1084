#include "edge/endpoints.h"
#include "runtime/config.h"
#include <errno.h>
#include <string.h>

int endpoints_bind(struct endpoints *endpoints, struct socket *socket, const char *list,
	struct source_error *error)
{
	char endpoint[ENDPOINT_SIZE];
	size_t count = 0;

	while (config_list_next(&list, endpoint, sizeof endpoint)) {
		int r = count == ENDPOINTS_MAX
				? -E2BIG
				: socket_bind(socket, endpoint, endpoints->bound[count]);
		if (r < 0) {
			snprintf(error->text, sizeof error->text, "can't bind %.150s: %s", endpoint,
				strerror(-r));
			return r;
		}
		endpoints->names[count] = endpoints->bound[count];
		count++;
	}
	return 0;
}
