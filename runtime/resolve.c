#include "runtime/resolve.h"
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* Shared by the asker and the thread; the last one to let go frees it. The thread writes code and addresses, then the
 * eventfd; the asker reads them only after that. */
struct resolve {
	atomic_int holders;
	int event_fd;
	bool done; /* the asker's own: it has read the eventfd */
	int code; /* of getaddrinfo */
	int error; /* errno, with EAI_SYSTEM */
	struct addrinfo *addresses;
	char *host;
	char *port;
};

static atomic_int lookups_under_way;

static void let_go(struct resolve *resolve)
{
	if (atomic_fetch_sub(&resolve->holders, 1) > 1) {
		return;
	}
	if (resolve->event_fd >= 0) {
		close(resolve->event_fd);
	}
	if (resolve->addresses != NULL) {
		freeaddrinfo(resolve->addresses);
	}
	free(resolve->host);
	free(resolve->port);
	free(resolve);
}

static void look_up(struct resolve *resolve, int flags)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICSERV | flags, .ai_socktype = SOCK_STREAM};

	resolve->code = getaddrinfo(resolve->host, resolve->port, &hints, &resolve->addresses);
	resolve->error = resolve->code == EAI_SYSTEM ? errno : 0;
}

/* An eventfd takes a first 1 always. */
static void tell(const struct resolve *resolve)
{
	uint64_t one = 1;
	ssize_t written = write(resolve->event_fd, &one, sizeof one);
	(void)written;
}

static void *run(void *argument)
{
	struct resolve *resolve = argument;

	look_up(resolve, 0); /* all addresses: whoever can't be reached is passed over quickly */
	atomic_fetch_sub(&lookups_under_way, 1);
	tell(resolve);
	let_go(resolve);
	return NULL;
}

static int start_thread(struct resolve *resolve)
{
	pthread_attr_t attributes;
	pthread_t thread;

	if (atomic_fetch_add(&lookups_under_way, 1) >= RESOLVE_LOOKUPS_MAX) {
		atomic_fetch_sub(&lookups_under_way, 1);
		return EAGAIN;
	}
	atomic_fetch_add(&resolve->holders, 1);
	int r = pthread_attr_init(&attributes);
	if (r == 0) {
		(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
		r = pthread_create(&thread, &attributes, run, resolve);
		pthread_attr_destroy(&attributes);
	}
	if (r != 0) {
		atomic_fetch_sub(&lookups_under_way, 1);
		let_go(resolve);
	}
	return r;
}

static void start(struct resolve *resolve)
{
	look_up(resolve, AI_NUMERICHOST);
	if (resolve->code == EAI_NONAME) {
		int r = start_thread(resolve);
		if (r == 0) {
			return;
		}
		resolve->code = EAI_SYSTEM;
		resolve->error = r;
	}
	tell(resolve);
}

int resolve_new(const char *host, const char *port, struct resolve **ret_resolve)
{
	struct resolve *resolve = calloc(1, sizeof *resolve);
	if (resolve == NULL) {
		return -ENOMEM;
	}
	atomic_init(&resolve->holders, 1);
	resolve->host = strdup(host);
	resolve->port = strdup(port);
	resolve->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (resolve->host == NULL || resolve->port == NULL || resolve->event_fd < 0) {
		int r = resolve->event_fd < 0 ? -errno : -ENOMEM;
		let_go(resolve);
		return r;
	}
	start(resolve);
	*ret_resolve = resolve;
	return 0;
}

struct resolve *resolve_free(struct resolve *resolve)
{
	if (resolve != NULL) {
		let_go(resolve);
	}
	return NULL;
}

int resolve_fd(const struct resolve *resolve)
{
	return resolve->event_fd;
}

int resolve_result(struct resolve *resolve, const struct addrinfo **ret_addresses)
{
	uint64_t count = 0;

	if (!resolve->done && read(resolve->event_fd, &count, sizeof count) != sizeof count) {
		return RESOLVE_E_AGAIN;
	}
	resolve->done = true;
	if (resolve->code != 0) {
		return RESOLVE_E_FAILED;
	}
	*ret_addresses = resolve->addresses;
	return 0;
}

const char *resolve_error(const struct resolve *resolve)
{
	return resolve->code == EAI_SYSTEM ? strerror(resolve->error) : gai_strerror(resolve->code);
}
