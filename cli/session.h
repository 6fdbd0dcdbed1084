/* session.h - what every command that talks over ZeroMQ needs: the loop and the context; and how it says that
 * something went wrong. One a process. */
#pragma once
#include "client/query_client.h"
#include "runtime/loop.h"
#include "runtime/socket.h"

#define AGGREGATOR_DEFAULT "tcp://127.0.0.1:7172"

/* What --key and --server-key said. */
struct key_files {
	const char *own; /* NULL: the environment's TILL_KEY */
	const char *server; /* NULL: TILL_SERVER_KEY */
};

/* Rows of a command's table of options. */
#define KEY_OPTIONS(files)                                                                         \
	{"--key", 0, OPTION_TEXT, &(files)->own, "FILE",                                           \
		"our secret key, for servers that want one; default TILL_KEY", 0, 0},              \
	{                                                                                          \
		"--server-key", 0, OPTION_TEXT, &(files)->server, "FILE",                          \
			"the server's public key; default TILL_SERVER_KEY", 0, 0                   \
	}

struct session {
	struct loop *loop;
	struct context *context;
	struct client_keys keys;
	bool has_keys;
};

/* 0 or -errno; close it all the same. SIGHUP, when the terminal is closed, ends the loop. The session must not move. */
int session_open(struct session *session);
void session_close(struct session *session);
/* Reads the keys, if there are any. -1 to go on, else the exit code, the reason said. */
int session_read_keys(struct session *session, const char *command, const struct key_files *files);
/* NULL: none were given. */
const struct client_keys *session_keys(const struct session *session);

/* "till send: message" on stderr. */
void say(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The endpoint with "tcp://" in front where no transport is named; borrowed from `text` or written to `out`. */
const char *endpoint_complete(const char *text, char out[ENDPOINT_SIZE]);

/* Whether an argument is one, and no view or edge: it names a transport. */
bool is_address(const char *text);
/* Says it of a command line that ends with an endpoint; the exit code. */
int say_no_view(const char *command, const char *endpoint);
/* Says what is wrong with an endpoint that was refused with -EPROTONOSUPPORT or -EINVAL, and what it looks like; the exit code. */
int say_no_address(const char *command, const char *endpoint, int r, const char *like);
/* Prints why a question has no answer and returns the exit code: not reached, refused, failed. `r` is what
 * query_client_ask returned, or 0 with an answer that is not ok. */
int say_no_answer(
	const char *command, const char *endpoint, int r, const struct answer_view *answer);
