/* endpoint.h - what an address means for safety: loopback and ipc need no keys, everything else does, unless
 * `[security] insecure = yes`. Pure. */
#pragma once
#include <stdbool.h>

/* tcp://127.0.0.0/8, tcp://[::1], tcp://localhost, ipc://, inproc://; "127.0.0.1:9170" without scheme too. */
bool endpoint_is_local(const char *endpoint);
