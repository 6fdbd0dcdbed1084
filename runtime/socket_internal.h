/* socket_internal.h - private to runtime/: what the loop polls and what a monitor hangs on. */
#pragma once
#include <stdbool.h>

struct context;

struct socket {
	struct context *context; /* borrowed */
	void *handle; /* libzmq's */
	bool monitored;
	bool is_read_out; /* a read found nothing, since the guard looked last */
};

/* Opens a bare socket of libzmq's type `code`. */
int socket_open(struct context *context, int code, struct socket **ret_socket);
/* Negative errno for zmq_errno's value: libzmq's own codes end here. */
int socket_error(int code);
