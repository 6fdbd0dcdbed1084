/* context.h - private to runtime/: libzmq's context and how many sockets it has. */
#pragma once

struct guard;

struct context {
	void *handle;
	unsigned socket_count;
	unsigned monitor_count; /* ever made: the name of the next one */
	struct guard *guard; /* borrowed; NULL: nobody looks at our peers */
};
