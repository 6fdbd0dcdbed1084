/* guard_internal.h - private to runtime/: what sockets tell the guard of their context. Each takes NULL. */
#pragma once
#include <stdint.h>

struct guard;
struct socket;

/* Listens at the port from now on, until guard_forget. */
void guard_watch(struct guard *guard, struct socket *socket, const char *endpoint);
void guard_forget(struct guard *guard, const struct socket *socket);
void guard_heard(struct guard *guard, int fd, uint64_t bytes);
