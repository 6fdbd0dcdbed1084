/* listener.h - listening TCP sockets from addresses as people write them. */
#pragma once

enum { LISTENER_ADDRESS_SIZE = 128 };

/* "127.0.0.1:9170", "[::1]:0", "localhost:80", ":9170" or "*:9170" (every interface); port 0 or * picks one. The socket
 * is non-blocking and the caller's; `ret_address` is what was bound, in numbers. -EINVAL: no address of this form. */
int listener_open(const char *address, int *ret_fd, char ret_address[LISTENER_ADDRESS_SIZE]);
