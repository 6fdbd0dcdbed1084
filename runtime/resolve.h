/* resolve.h - one look-up of a host's addresses that never stops the loop. A numeric address is answered without a
 * thread; a name by a thread of its own, which ends with the look-up.
 *
 * A thread, because getaddrinfo_a is glibc's only, starts threads all the same, and can't take back a request that is
 * under way: whoever gives up would have to wait for it. Here the thread holds what it works on as long as it needs. */
#pragma once
#include <stddef.h>

struct addrinfo;
struct resolve;

enum {
	RESOLVE_E_AGAIN = 1, /* not yet known */
	RESOLVE_E_FAILED, /* there is no such host, or nobody could be asked: resolve_error says */
	RESOLVE_LOOKUPS_MAX =
		16, /* under way in one process; a resolver that hangs lets go in time */
};

/* `port` is a number as text. 0 or -errno; what the resolver says comes later. */
int resolve_new(const char *host, const char *port, struct resolve **ret_resolve);
/* Takes NULL; a look-up under way is left to end by itself. */
struct resolve *resolve_free(struct resolve *resolve);
int resolve_fd(const struct resolve *resolve); /* readable when the answer is there */
/* The addresses stay the resolve's. 0 or RESOLVE_E_*. */
int resolve_result(struct resolve *resolve, const struct addrinfo **ret_addresses);
const char *resolve_error(const struct resolve *resolve);
