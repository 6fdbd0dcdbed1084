#include "runtime/stream.h"
#include "runtime/dial.h"
#include "runtime/loop.h"
#include "runtime/tls.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ERROR_SIZE = 360,
	DISCARD_SIZE = 16 * 1024,
};

struct stream {
	struct stream_options options;
	enum stream_state state;
	struct dial *dial; /* while it connects */
	int fd; /* from then on */
	struct tls_session *session; /* NULL: plain */
	int64_t until_ms; /* connecting ends then */
	bool paused;
	bool finishing; /* the end is to be said, or was */
	bool end_said;
	bool broken; /* can't be written any more; what came in before may still be read */
	/* libssl may have to write in order to read, and the other way round. */
	bool read_wants_write;
	bool write_wants_read;
	uint8_t *out; /* write_max bytes; waiting are out_sent … out_size */
	size_t out_sent;
	size_t out_size;
	char error[ERROR_SIZE];
};

/* ---- bytes, plain or TLS. Results are TLS_E_*, which mean the same for both. */

static int judge_plain(ssize_t result, int wants, struct tls_error *error)
{
	if (result > 0) {
		return 0;
	}
	if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
		return wants;
	}
	snprintf(error->text, sizeof error->text, "%s",
		result == 0 ? "the peer closed the connection" : strerror(errno));
	return result == 0 ? TLS_E_ENDED : TLS_E_FAILED;
}

static int receive(
	struct stream *stream, void *bytes, size_t size, size_t *ret_size, struct tls_error *error)
{
	if (stream->session != NULL) {
		return tls_session_read(stream->session, bytes, size, ret_size, error);
	}
	ssize_t got = recv(stream->fd, bytes, size, 0);
	int r = judge_plain(got, TLS_E_WANTS_READ, error);
	if (r == 0) {
		*ret_size = (size_t)got;
	}
	return r;
}

static int deliver(struct stream *stream, const void *bytes, size_t size, size_t *ret_size,
	struct tls_error *error)
{
	if (stream->session != NULL) {
		return tls_session_write(stream->session, bytes, size, ret_size, error);
	}
	ssize_t sent = send(stream->fd, bytes, size, MSG_NOSIGNAL);
	int r = judge_plain(sent, TLS_E_WANTS_WRITE, error);
	if (r == 0) {
		*ret_size = (size_t)sent;
	}
	return r;
}

/* ---- state */

static bool has_output(const struct stream *stream)
{
	return stream->out_size > stream->out_sent || (stream->finishing && !stream->end_said);
}

static void watch(struct stream *stream)
{
	bool reads = !stream->paused && !stream->read_wants_write;
	bool writes = has_output(stream) && !stream->write_wants_read && !stream->broken;

	if (stream->fd >= 0 && stream->state == STREAM_OPEN) {
		loop_set_fd_interest(stream->options.loop, stream->fd,
			reads || stream->write_wants_read, writes || stream->read_wants_write);
	}
}

static void disconnect(struct stream *stream)
{
	stream->session = tls_session_free(stream->session);
	if (stream->fd >= 0) {
		loop_remove_fd(stream->options.loop, stream->fd);
		close(stream->fd);
		stream->fd = -1;
	}
	stream->dial = dial_free(stream->dial);
}

static void note_error(struct stream *stream, const char *words)
{
	if (stream->error[0] == '\0') { /* the first is the cause of the others */
		snprintf(stream->error, sizeof stream->error, "%s", words);
	}
}

static void end(struct stream *stream, const char *words)
{
	note_error(stream, words);
	stream->state = STREAM_ENDED;
	disconnect(stream);
}

/* ---- writing */

static void say_end(struct stream *stream)
{
	struct tls_error error;
	int r = 0;

	if (stream->session != NULL) {
		r = tls_session_finish(stream->session, &error);
	}
	if (r == TLS_E_WANTS_WRITE) {
		return;
	}
	stream->end_said = true;
	(void)shutdown(stream->fd, SHUT_WR);
}

static void send_output(struct stream *stream)
{
	struct tls_error error;
	int r = 0;

	stream->write_wants_read = false;
	while (r == 0 && !stream->broken && stream->out_sent < stream->out_size) {
		size_t sent = 0;
		r = deliver(stream, stream->out + stream->out_sent,
			stream->out_size - stream->out_sent, &sent, &error);
		stream->out_sent += sent;
	}
	if (r == TLS_E_ENDED || r == TLS_E_FAILED) {
		note_error(stream, error.text);
		stream->broken = true;
	}
	if (stream->broken || stream->out_sent == stream->out_size) {
		stream->out_sent = 0;
		stream->out_size = 0;
	}
	stream->write_wants_read = r == TLS_E_WANTS_READ;
	if (stream->finishing && !stream->end_said && !stream->broken && stream->out_size == 0) {
		say_end(stream);
	}
	watch(stream);
}

size_t stream_write_room(const struct stream *stream)
{
	return stream->options.write_max - (stream->out_size - stream->out_sent);
}

int stream_write(struct stream *stream, const void *bytes, size_t size)
{
	if (stream->state == STREAM_ENDED || stream->broken || stream->finishing) {
		return STREAM_E_ENDED;
	}
	if (size > stream_write_room(stream)) {
		return STREAM_E_FULL;
	}
	if (size > stream->options.write_max - stream->out_size) {
		memmove(stream->out, stream->out + stream->out_sent,
			stream->out_size - stream->out_sent);
		stream->out_size -= stream->out_sent;
		stream->out_sent = 0;
	}
	if (size > 0) {
		memcpy(stream->out + stream->out_size, bytes, size);
		stream->out_size += size;
	}
	watch(stream);
	return 0;
}

/* ---- reading */

int stream_read(struct stream *stream, void *bytes, size_t size, size_t *ret_size)
{
	struct tls_error error;

	if (stream->state != STREAM_OPEN) {
		return stream->state == STREAM_ENDED ? STREAM_E_ENDED : STREAM_E_AGAIN;
	}
	int r = receive(stream, bytes, size, ret_size, &error);
	stream->read_wants_write = r == TLS_E_WANTS_WRITE;
	if (r == TLS_E_ENDED || r == TLS_E_FAILED) {
		end(stream, error.text);
		return STREAM_E_ENDED;
	}
	if (r != 0 && stream->broken) {
		end(stream, "the connection can't be written to");
		return STREAM_E_ENDED;
	}
	watch(stream);
	return r == 0 ? 0 : STREAM_E_AGAIN;
}

void stream_pause(struct stream *stream, bool paused)
{
	stream->paused = paused;
	watch(stream);
}

/* After our own end nobody reads what still comes; unread bytes would turn the close into a reset, which can take our
 * last words with it. */
static void discard(struct stream *stream)
{
	uint8_t bytes[DISCARD_SIZE];
	size_t size = 0;

	(void)stream_read(stream, bytes, sizeof bytes, &size);
}

static int on_ready(void *owner)
{
	struct stream *stream = owner;

	send_output(stream);
	if (stream->finishing) {
		discard(stream);
		if (stream->state != STREAM_ENDED) {
			return 0;
		}
	}
	bool tells = !stream->paused || stream->broken || stream->state == STREAM_ENDED;
	if (stream->paused && stream->broken) {
		end(stream, "the connection can't be written to");
	}
	return tells ? stream->options.ready(stream->options.owner) : 0;
}

/* ---- connecting */

static int open_now(struct stream *stream)
{
	stream->state = STREAM_OPEN;
	stream->dial = dial_free(stream->dial);
	int r = loop_add_fd(stream->options.loop, stream->fd, on_ready, stream);
	if (r < 0) {
		return r;
	}
	watch(stream);
	return stream->options.ready(stream->options.owner);
}

static int on_handshake(void *owner)
{
	struct stream *stream = owner;
	struct tls_error error;

	int r = tls_session_shake_hands(stream->session, &error);
	if (r == 0) {
		loop_remove_fd(stream->options.loop, stream->fd);
		return open_now(stream);
	}
	if (r == TLS_E_ENDED || r == TLS_E_FAILED) {
		end(stream, error.text);
		return stream->options.ready(stream->options.owner);
	}
	loop_set_fd_interest(
		stream->options.loop, stream->fd, r == TLS_E_WANTS_READ, r == TLS_E_WANTS_WRITE);
	return 0;
}

static int begin_handshake(struct stream *stream)
{
	int r = tls_session_new(
		stream->options.tls, stream->fd, stream->options.host, &stream->session);
	if (r == 0) {
		r = loop_add_fd(stream->options.loop, stream->fd, on_handshake, stream);
	}
	if (r < 0) {
		return r;
	}
	loop_set_fd_interest(
		stream->options.loop, stream->fd, false, true); /* ours is the first word */
	return 0;
}

static int on_dialled(void *owner)
{
	struct stream *stream = owner;

	if (dial_state(stream->dial) == DIAL_FAILED) {
		end(stream, dial_error(stream->dial));
		return stream->options.ready(stream->options.owner);
	}
	stream->fd = dial_take_fd(stream->dial);
	return stream->options.tls != NULL ? begin_handshake(stream) : open_now(stream);
}

int stream_new(const struct stream_options *options, int64_t now_ms, struct stream **ret_stream)
{
	struct stream *stream = calloc(1, sizeof *stream);
	if (stream == NULL) {
		return -ENOMEM;
	}
	stream->options = *options;
	stream->fd = -1;
	stream->until_ms = now_ms + options->connect_timeout_ms;
	struct dial_options dial = {
		.loop = options->loop,
		.host = options->host,
		.port = options->port,
		.timeout_ms = options->connect_timeout_ms,
		.ready = on_dialled,
		.owner = stream,
	};
	stream->out = malloc(options->write_max);
	int r = stream->out == NULL ? -ENOMEM : dial_new(&dial, now_ms, &stream->dial);
	if (r < 0) {
		stream_free(stream);
		return r;
	}
	*ret_stream = stream;
	return 0;
}

struct stream *stream_free(struct stream *stream)
{
	if (stream == NULL) {
		return NULL;
	}
	disconnect(stream);
	free(stream->out);
	free(stream);
	return NULL;
}

enum stream_state stream_state(const struct stream *stream)
{
	return stream->state;
}

const char *stream_error(const struct stream *stream)
{
	return stream->error;
}

void stream_finish(struct stream *stream)
{
	if (stream->state == STREAM_CONNECTING) {
		end(stream, "closed before it was open");
		return;
	}
	stream->finishing = true;
	stream->paused = false;
	if (stream->state == STREAM_OPEN) {
		send_output(stream);
	}
}

static int poll_connecting(struct stream *stream, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t dial_wait_ms = stream->until_ms - now_ms;
	int r = 0;

	if (stream->fd < 0) {
		r = dial_poll(stream->dial, now_ms, &dial_wait_ms);
	}
	if (r < 0) {
		return r;
	}
	if (stream->fd < 0 && dial_state(stream->dial) == DIAL_FAILED) {
		end(stream, dial_error(stream->dial));
	} else if (now_ms >= stream->until_ms) {
		end(stream, "no answer to the TLS handshake in time");
	}
	if (stream->state == STREAM_ENDED) {
		return stream->options.ready(stream->options.owner);
	}
	*ret_wait_ms = dial_wait_ms;
	return 0;
}

int stream_poll(struct stream *stream, int64_t now_ms, int64_t *ret_wait_ms)
{
	*ret_wait_ms = INT64_MAX;
	if (stream->state == STREAM_CONNECTING) {
		return poll_connecting(stream, now_ms, ret_wait_ms);
	}
	if (stream->state == STREAM_ENDED) {
		return 0;
	}
	if (has_output(stream)) {
		send_output(stream);
	}
	bool pending = stream->session != NULL && !stream->paused &&
		       tls_session_has_pending(stream->session);
	if (!pending && !stream->broken) {
		return 0;
	}
	*ret_wait_ms = 0; /* unless all is taken now; the next round finds out */
	return on_ready(stream);
}
