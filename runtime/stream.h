/* stream.h - one outgoing connection on the loop: name look-up, TCP, and TLS if asked. Nothing here waits.
 *
 * Reading: when `ready` is called, stream_read until it says STREAM_E_AGAIN, or stop earlier: what is left is told
 * again. stream_pause stops reading from the socket, so that the peer's sends come to a halt: back-pressure.
 * Writing: stream_write puts into a bounded buffer, stream_poll sends it. One thread; time comes in. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct stream;
struct tls;

enum {
	STREAM_E_AGAIN = 1, /* nothing to read now */
	STREAM_E_ENDED, /* the peer closed, or it failed: stream_error says */
	STREAM_E_FULL, /* the write buffer has no room: nothing was taken */
};

enum stream_state {
	STREAM_CONNECTING,
	STREAM_OPEN,
	STREAM_ENDED, /* for good; make a new one */
};

struct stream_options {
	struct loop *loop; /* borrowed, as the next three are, until stream_free */
	const char *host;
	const char *port; /* a number */
	struct tls *tls; /* NULL: plain TCP */
	int64_t connect_timeout_ms; /* look-up, connection and handshake together */
	size_t write_max; /* bytes that may wait to be sent */
	/* It opened, can be read, or ended. 0 or a negative errno that ends the loop. Not called from within stream_*
	 * but for stream_poll. May free the stream. */
	int (*ready)(void *owner);
	void *owner;
};

/* Starts to connect. 0 or -errno. */
int stream_new(const struct stream_options *options, int64_t now_ms, struct stream **ret_stream);
/* Closes at once. */
struct stream *stream_free(struct stream *stream);
enum stream_state stream_state(const struct stream *stream);
const char *stream_error(const struct stream *stream); /* "" while there is none */

/* At least one byte with 0. STREAM_E_AGAIN, STREAM_E_ENDED. */
int stream_read(struct stream *stream, void *bytes, size_t size, size_t *ret_size);
/* All or nothing. STREAM_E_FULL; STREAM_E_ENDED: it can't be sent any more. */
int stream_write(struct stream *stream, const void *bytes, size_t size);
size_t stream_write_room(const struct stream *stream);
void stream_pause(struct stream *stream, bool paused);
/* Sends what was written and then says the end. The peer's own end shows as STREAM_ENDED. */
void stream_finish(struct stream *stream);
/* After each round: sends, gives up what takes too long, tells what libssl holds decrypted. May call `ready`. */
int stream_poll(struct stream *stream, int64_t now_ms, int64_t *ret_wait_ms);
