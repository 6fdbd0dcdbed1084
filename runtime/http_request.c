#include "runtime/clock.h"
#include "runtime/http_internal.h"
#include "runtime/loop.h"
#include <assert.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { METHODS_SIZE = 128, WORDS_SIZE = 512 };

struct http_request {
	struct connection *connection;
	const struct http_route *route; /* NULL: refused */
	const char *method;
	const char *path;
	uint8_t *body;
	size_t body_size;
	size_t body_capacity;
	size_t discarded_size; /* of a body that nobody takes */
	int64_t began_us;
	struct answer answer;
	struct http_stream stream; /* pull NULL: none */
	bool is_over; /* the stream */
	bool is_whole;
	bool is_suspended;
	bool is_dropped;
	bool is_gone; /* its client */
};

/* ---- routes */

static bool answers_method(const struct http_route *route, const char *method)
{
	return strcmp(route->method, method) == 0 ||
	       (strcmp(route->method, MHD_HTTP_METHOD_GET) == 0 &&
		       strcmp(method, MHD_HTTP_METHOD_HEAD) == 0);
}

/* *ret_allowed: "GET, HEAD": what the path does answer to; "" when there is no such path. */
static const struct http_route *find_route(const struct http_server_options *options,
	const char *method, const char *path, char ret_allowed[METHODS_SIZE])
{
	size_t size = 0;

	ret_allowed[0] = '\0';
	for (size_t i = 0; i < options->route_count; i++) {
		const struct http_route *route = &options->routes[i];
		if (strcmp(route->path, path) != 0) {
			continue;
		}
		if (answers_method(route, method)) {
			return route;
		}
		bool reads = strcmp(route->method, MHD_HTTP_METHOD_GET) == 0;
		int n = snprintf(ret_allowed + size, METHODS_SIZE - size, "%s%s%s",
			size > 0 ? ", " : "", route->method, reads ? ", HEAD" : "");
		size += (size_t)n < METHODS_SIZE - size ? (size_t)n : 0;
	}
	return NULL;
}

/* "/metrics, /livez and /readyz" */
static void list_paths(const struct http_server_options *options, char list[WORDS_SIZE])
{
	size_t size = 0, left = 0;

	list[0] = '\0';
	for (size_t i = 0; i < options->route_count; i++) {
		left += !options->routes[i].is_unlisted;
	}
	for (size_t i = 0; i < options->route_count; i++) {
		if (options->routes[i].is_unlisted) {
			continue;
		}
		const char *before = size == 0 ? "" : left == 1 ? " and " : ", ";
		left--;
		int n = snprintf(
			list + size, WORDS_SIZE - size, "%s%s", before, options->routes[i].path);
		size += (size_t)n < WORDS_SIZE - size ? (size_t)n : 0;
	}
}

/* ---- refusing */

static void refuse(struct http_request *request, unsigned status, const char *words)
{
	if (!answer_is_set(&request->answer)) {
		answer_refuse(&request->answer, &request->connection->server->options, status,
			words, NULL);
		request->is_dropped = !answer_is_set(&request->answer);
	}
}

static void refuse_route(struct http_request *request, const char *allowed)
{
	const struct http_server_options *options = &request->connection->server->options;
	char words[WORDS_SIZE + 32], list[WORDS_SIZE];

	if (*allowed == '\0') {
		list_paths(options, list);
		snprintf(words, sizeof words, "not found; there is %s", list);
		refuse(request, MHD_HTTP_NOT_FOUND, words);
		return;
	}
	bool reads = strcmp(allowed, "GET, HEAD") == 0;
	snprintf(words, sizeof words, "only %s here", reads ? "GET and HEAD" : allowed);
	const struct http_header allow = {MHD_HTTP_HEADER_ALLOW, allowed};
	answer_refuse(&request->answer, options, MHD_HTTP_METHOD_NOT_ALLOWED, words, &allow);
}

/* ---- the body's border */

struct framing_headers {
	unsigned lengths;
	unsigned encodings;
	const char *length;
	const char *encoding;
};

static enum MHD_Result look_at_header(
	void *owner, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct framing_headers *seen = owner;
	(void)kind;

	if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
		seen->lengths++;
		seen->length = value;
	} else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		seen->encodings++;
		seen->encoding = value;
	}
	return MHD_YES;
}

/* Where two readers could see two ends of one body, a proxy's idea of who sent what differs from ours. */
static bool has_clear_border(const struct framing_headers *seen)
{
	if (seen->lengths + seen->encodings > 1) {
		return false;
	}
	return seen->encodings == 0 ||
	       (seen->encoding != NULL && strcasecmp(seen->encoding, "chunked") == 0);
}

static uint64_t announced_size(const struct framing_headers *seen)
{
	return seen->lengths > 0 && seen->length != NULL ? strtoull(seen->length, NULL, 10) : 0;
}

static bool waits_for_continue(const struct http_request *request)
{
	const char *expected = http_request_header(request, MHD_HTTP_HEADER_EXPECT);
	return expected != NULL && strcasecmp(expected, "100-continue") == 0;
}

/* ---- the head */

static void report(const struct http_request *request)
{
	const struct http_server_options *options = &request->connection->server->options;

	if (options->answered != NULL && answer_is_set(&request->answer)) {
		options->answered(options->owner,
			&(struct http_exchange){
				.path = request->route != NULL ? request->route->path : "",
				.status = request->answer.status,
				.body_size = request->body_size + request->discarded_size,
				.duration_us = clock_monotonic_us() - request->began_us,
			});
	}
}

/* Past libmicrohttpd, which takes no answer while a body comes in. */
static void tell_now(struct http_request *request)
{
	report(request);
	connection_tell(request->connection, &request->answer);
}

static enum MHD_Result queue_answer(struct http_request *request)
{
	struct connection *connection = request->connection;
	struct http_server *server = connection->server;

	if (!answer_is_set(&request->answer)) {
		return MHD_NO; /* without memory the connection ends */
	}
	if (server->is_quiescing) {
		(void)MHD_add_response_header(
			request->answer.response, MHD_HTTP_HEADER_CONNECTION, "close");
	}
	connection_hurry(connection);
	report(request);
	return MHD_queue_response(
		connection->mhd, request->answer.status, request->answer.response);
}

static void judge_head(struct http_request *request, const struct framing_headers *seen)
{
	const struct http_server_options *options = &request->connection->server->options;
	char allowed[METHODS_SIZE];

	request->route = find_route(options, request->method, request->path, allowed);
	if (request->route == NULL) {
		refuse_route(request, allowed);
	} else if (request->route->body_max > 0 &&
		   announced_size(seen) > request->route->body_max) {
		char words[96];
		snprintf(words, sizeof words, "the body is larger than %zu bytes",
			request->route->body_max);
		refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, words);
	} else if (request->route->admit != NULL) {
		request->route->admit(request->route->owner, request);
	}
}

/* Libmicrohttpd ends a connection whose request is answered before its body: only where the body would not be waited
 * for. Else the answer is for the end of the body, and the connection is kept. */
static enum MHD_Result begin(struct http_request *request)
{
	struct framing_headers seen = {0};

	connection_hurry(request->connection);
	(void)MHD_get_connection_values(
		request->connection->mhd, MHD_HEADER_KIND, look_at_header, &seen);
	if (!has_clear_border(&seen)) {
		refuse(request, MHD_HTTP_BAD_REQUEST,
			"a body has one Content-Length, or Transfer-Encoding: chunked");
		return queue_answer(request);
	}
	judge_head(request, &seen);
	if (!answer_is_set(&request->answer)) {
		return MHD_YES;
	}
	bool has_body = seen.encodings > 0 || announced_size(&seen) > 0;
	if (has_body && waits_for_continue(request)) {
		return queue_answer(request);
	}
	if (announced_size(&seen) > HTTP_DISCARD_SIZE_MAX) {
		tell_now(request);
	}
	return MHD_YES;
}

static struct http_request *request_new(
	struct connection *connection, const char *method, const char *path)
{
	struct http_request *request = calloc(1, sizeof *request);
	if (request != NULL) {
		request->connection = connection;
		request->method = method;
		request->path = path;
		request->began_us = clock_monotonic_us();
		connection->request = request;
	}
	return request;
}

static void note_gone(struct http_request *request)
{
	if (!request->is_gone) {
		request->is_gone = true;
		request->connection->server->counts.gone++;
	}
}

static void drop_body(struct http_request *request)
{
	request->connection->server->bodies_size -= request->body_capacity;
	free(request->body);
	request->body = NULL;
	request->body_capacity = 0;
}

void request_free(struct http_request *request, bool is_answered)
{
	struct connection *connection = request->connection;

	bool streams = request->stream.pull != NULL;
	if (request->is_whole && !is_answered && !request->is_dropped && !streams) {
		note_gone(request);
	}
	if (streams) { /* who looks on goes when he has seen enough */
		request->stream.ended(request->stream.owner);
	}
	if (request->is_whole || is_answered) {
		connection_renew(connection);
	}
	drop_body(request);
	answer_clear(&request->answer);
	connection->request = NULL;
	free(request);
}

/* ---- the body */

static bool make_room(struct http_request *request, size_t size)
{
	struct http_server *server = request->connection->server;
	size_t capacity = request->body_capacity;

	if (size <= capacity) {
		return true;
	}
	capacity = capacity > 0 ? capacity : HTTP_BODY_SIZE_MIN;
	while (capacity < size) {
		capacity *= 2;
	}
	if (server->bodies_size - request->body_capacity + capacity >
		server->options.bodies_size_max) {
		return false;
	}
	uint8_t *body = realloc(request->body, capacity);
	if (body == NULL) {
		return false;
	}
	server->bodies_size += capacity - request->body_capacity;
	request->body = body;
	request->body_capacity = capacity;
	return true;
}

static void keep_body(struct http_request *request, const char *bytes, size_t size)
{
	char words[96];

	if (request->route->body_max == 0) {
		request->discarded_size += size;
	} else if (size > request->route->body_max - request->body_size) {
		snprintf(words, sizeof words, "the body is larger than %zu bytes",
			request->route->body_max);
		refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, words);
	} else if (!make_room(request, request->body_size + size)) {
		refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE,
			"too many large bodies at once: send it again later");
	} else {
		memcpy(request->body + request->body_size, bytes, size);
		request->body_size += size;
	}
}

/* Neither refused, nor, where there was no memory to say so, dropped. */
static bool is_taken(const struct http_request *request)
{
	return !answer_is_set(&request->answer) && !request->is_dropped;
}

static void take_body(struct http_request *request, const char *bytes, size_t size)
{
	if (is_taken(request)) {
		keep_body(request, bytes, size);
	} else {
		request->discarded_size += size;
	}
	if (!is_taken(request)) {
		drop_body(request);
	}
	if (request->discarded_size <= HTTP_DISCARD_SIZE_MAX) {
		return;
	}
	refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "no body is expected here");
	tell_now(request);
}

bool request_expire(struct http_request *request)
{
	if (request == NULL || request->is_whole) {
		return false;
	}
	refuse(request, MHD_HTTP_REQUEST_TIMEOUT, "the request's body took too long to come in");
	drop_body(request);
	tell_now(request);
	return true;
}

/* ---- the whole of it */

/* Libmicrohttpd calls this again after the connection was resumed. */
static enum MHD_Result finish(struct http_request *request)
{
	if (!request->is_whole) {
		request->is_whole = true;
		connection_rest(request->connection);
		if (request->connection->server->is_ending) {
			request->is_dropped = true;
		} else if (is_taken(request)) {
			request->route->handle(request->route->owner, request);
		}
	}
	if (!is_taken(request)) {
		if (connection_is_hung_up(request->connection)) {
			note_gone(request);
		}
		return queue_answer(request);
	}
	request->is_suspended = true;
	MHD_suspend_connection(request->connection->mhd);
	return MHD_YES;
}

int request_step(struct connection *connection, const struct request_step *step, void **request)
{
	if (connection == NULL) {
		return MHD_NO; /* it came when there was no memory */
	}
	if (connection->is_over) {
		return *step->size > 0 ? (*step->size = 0, MHD_YES) : MHD_NO;
	}
	if (*request == NULL) {
		*request = request_new(connection, step->method, step->path);
		return *request != NULL ? begin(*request) : MHD_NO;
	}
	if (*step->size > 0) {
		connection->server->read_size += *step->size;
		take_body(*request, step->bytes, *step->size);
		*step->size = 0;
		return MHD_YES;
	}
	return finish(*request);
}

static void resume(struct http_request *request)
{
	if (request->is_suspended) {
		request->is_suspended = false;
		MHD_resume_connection(request->connection->mhd);
		request->connection->server->has_resumed = true;
		loop_wake(request->connection->server->options.loop);
	}
}

void requests_drop(struct http_server *server)
{
	struct connection *connection;

	server->is_ending = true;
	LIST_FOREACH(connection, &server->connections, siblings)
	{
		struct http_request *request = connection->request;
		if (request != NULL && request->is_suspended) {
			request->is_dropped = true;
			request->is_over = true;
			resume(request);
		}
	}
}

/* ---- for handlers */

const char *http_request_method(const struct http_request *request)
{
	return request->method;
}

const char *http_request_path(const struct http_request *request)
{
	return request->path;
}

const char *http_request_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection->mhd, MHD_HEADER_KIND, name);
}

const char *http_request_argument(const struct http_request *request, const char *name)
{
	const char *value = NULL;
	enum MHD_Result found = MHD_lookup_connection_value_n(
		request->connection->mhd, MHD_GET_ARGUMENT_KIND, name, strlen(name), &value, NULL);

	if (found != MHD_YES) {
		return NULL;
	}
	return value != NULL ? value : "";
}

struct arguments {
	const char *name;
	const char **values;
	size_t count, max;
};

static enum MHD_Result take_argument(
	void *owner, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct arguments *arguments = owner;
	(void)kind;

	if (strcmp(name, arguments->name) == 0) {
		if (arguments->count < arguments->max) {
			arguments->values[arguments->count] = value != NULL ? value : "";
		}
		arguments->count++;
	}
	return MHD_YES;
}

size_t http_request_arguments(
	const struct http_request *request, const char *name, const char **ret_values, size_t max)
{
	struct arguments arguments = {.name = name, .values = ret_values, .max = max};

	(void)MHD_get_connection_values(
		request->connection->mhd, MHD_GET_ARGUMENT_KIND, take_argument, &arguments);
	return arguments.count;
}

const void *http_request_body(const struct http_request *request, size_t *ret_size)
{
	*ret_size = request->body != NULL ? request->body_size : 0;
	return request->body;
}

void http_request_drop_body(struct http_request *request)
{
	drop_body(request);
}

const char *http_request_peer(const struct http_request *request)
{
	return request->connection->peer;
}

void http_request_answer(struct http_request *request, const struct http_response *response)
{
	assert(!answer_is_set(&request->answer));
	answer_set(&request->answer, response);
	request->is_dropped = !answer_is_set(&request->answer);
	resume(request);
}

void http_request_refuse(struct http_request *request, unsigned status, const char *words,
	const struct http_header *header)
{
	assert(!answer_is_set(&request->answer));
	answer_refuse(
		&request->answer, &request->connection->server->options, status, words, header);
	request->is_dropped = !answer_is_set(&request->answer);
	resume(request);
}

/* ---- streams */

/* Libmicrohttpd's. One that has nothing to say is laid aside: nothing is polled for it. */
static ssize_t read_stream(void *owner, uint64_t position, char *bytes, size_t size)
{
	struct http_request *request = owner;
	(void)position;

	if (request->is_over || request->connection->server->is_ending) {
		return MHD_CONTENT_READER_END_OF_STREAM;
	}
	size_t given = request->stream.pull(request->stream.owner, bytes, size);
	assert(given <= size);
	if (given > 0) {
		connection_hurry(request->connection);
		return (ssize_t)given;
	}
	connection_rest(request->connection);
	request->is_suspended = true;
	MHD_suspend_connection(request->connection->mhd);
	return 0;
}

void http_request_stream(struct http_request *request, const struct http_stream *stream)
{
	assert(!answer_is_set(&request->answer));
	assert(stream->pull != NULL && stream->ended != NULL);
	assert(!request->is_suspended);
	request->stream = *stream;
	answer_set_stream(&request->answer, stream, read_stream, request);
	request->is_dropped = !answer_is_set(&request->answer);
	connection_keep_short(request->connection);
}

void http_request_wake(struct http_request *request)
{
	if (request->is_suspended) {
		connection_hurry(request->connection);
		resume(request);
	}
}

void http_request_end(struct http_request *request)
{
	request->is_over = true;
	http_request_wake(request);
}
