#include "edge/source_http.h"
#include "edge/http_config.h"
#include "edge/http_metrics.h"
#include "edge/http_rules.h"
#include "edge/line_batch.h"
#include "proto/producer.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

enum {
	/* All bodies together: sixteen of the largest. */
	BODIES_SIZE_MAX = 16 * FRAME_SIZE_MAX,
	RETRY_AFTER_MS = 1000,
	ENDPOINT_TEXT_SIZE = 320,
	REPLY_SIZE_MAX = 4096, /* of a refusal */
};

/* A request between its last byte and its answer: each connection has at most one. */
struct turn {
	struct http_request *request; /* NULL: free */
	STAILQ_ENTRY(turn) next;
};
STAILQ_HEAD(turn_list, turn);

struct source_http {
	struct source_options options;
	const struct http_config *config;
	struct additions additions;
	struct http_route route;
	struct http_server *server;
	struct http_metrics *metrics;
	struct line_batch *batch; /* of the request at hand */
	struct turn *turns; /* owned */
	struct turn_list idle;
	struct turn_list waiting; /* for room at the desk */
	unsigned open_count;
	bool is_stopping;
	int failure; /* of the desk, to be passed up */
	char endpoint[ENDPOINT_TEXT_SIZE];
	const char *endpoints[2];
};

/* What one request says around its events. */
struct reading {
	struct slice body;
	enum http_format format;
	bool wants_msgpack;
	char key[REQUEST_KEY_SIZE_MAX + 1];
	struct event_addition additions[ADDITIONS_MAX + 1];
	size_t addition_count;
};

/* ---- refusing */

/* Codes as a producer over ZeroMQ hears them. */
static enum reason reason_of(unsigned status)
{
	switch (status) {
	case 400:
		return REASON_BAD_FRAME;
	case 401:
		return REASON_FORBIDDEN;
	case 408:
		return REASON_TIMEOUT;
	case 413:
		return REASON_TOO_LARGE;
	case 500:
		return REASON_INTERNAL;
	case 503:
		return REASON_NOT_READY;
	default:
		return REASON_BAD_REQUEST;
	}
}

static void write_refusal(void *owner, unsigned status, const char *words, FILE *out)
{
	struct source_http *source = owner;
	struct reply reply = {.retry_after_ms = status == 503 ? RETRY_AFTER_MS : 0};
	struct buffer buffer;
	enum reason reason =
		source->is_stopping && status == 503 ? REASON_SHUTTING_DOWN : reason_of(status);

	complaint_set(&reply.refusal, reason, "", "%s", words);
	buffer_init(&buffer, REPLY_SIZE_MAX);
	reply_encode(&reply, ENCODING_JSON, &buffer);
	fwrite(buffer.bytes, 1, buffer.size, out);
	buffer_deinit(&buffer);
}

/* ---- a request's head */

static const char *find_kind(const struct http_request *request)
{
	return http_request_argument(request, "kind");
}

static bool kind_is_known(const char *name)
{
	enum kind kind;
	return kind_from_name(slice_of_text(name), &kind) && !kind_is_dead_letter(kind);
}

/* NULL: nothing is wrong with them. */
static const char *judge_names(const struct source_http *source, const struct http_request *request)
{
	const char *key = http_request_header(request, "Idempotency-Key");
	const char *kind = find_kind(request);
	const struct event_addition *set = additions_find(&source->additions, "kind");
	char text[REQUEST_KEY_SIZE_MAX + 1];

	if (key != NULL && !http_key_read(key, text)) {
		return "an Idempotency-Key has 1 to 255 bytes, and within quotes \\ only before \" "
		       "and \\";
	}
	if (kind != NULL && !kind_is_known(kind)) {
		return "?kind= is none of order, cart, view";
	}
	if (kind != NULL && set != NULL && !slice_equals_text(set->value, kind)) {
		return "?kind= is another kind than this address takes";
	}
	return NULL;
}

/* Before a byte of the body is kept. */
static void on_admit(void *owner, struct http_request *request)
{
	static const struct http_header challenge = {"WWW-Authenticate", "Bearer realm=\"till\""};
	static const struct http_header types = {
		"Accept-Post", "application/json, application/x-ndjson, application/msgpack"};
	static const struct http_header codings = {"Accept-Encoding", "identity"};
	const struct source_http *source = owner;
	const char *token = http_request_header(request, "Authorization");
	const char *type = http_request_header(request, "Content-Type");
	const char *words = judge_names(source, request);
	enum http_format format;

	if (source->is_stopping) {
		http_request_refuse(
			request, 503, "this edge is shutting down: send it again later", NULL);
	} else if (source->config->token != NULL && !http_token_is(token, source->config->token)) {
		http_request_refuse(request, 401,
			token == NULL ? "a token is needed: Authorization: Bearer …"
				      : "this is not the token",
			&challenge);
	} else if (!http_coding_is_plain(http_request_header(request, "Content-Encoding"))) {
		http_request_refuse(request, 415,
			"a body with a Content-Encoding is not taken: send it plain", &codings);
	} else if (!http_format_read(type, &format)) {
		http_request_refuse(request, 415,
			"Content-Type: application/json, application/x-ndjson or "
			"application/msgpack, in UTF-8",
			&types);
	} else if (words != NULL) {
		http_request_refuse(request, 400, words, NULL);
	}
}

/* ---- a request's events */

static void read_additions(const struct source_http *source, const struct http_request *request,
	struct reading *reading)
{
	const struct additions *set = &source->additions;
	const char *kind = find_kind(request);

	memcpy(reading->additions, set->of, set->count * sizeof set->of[0]);
	reading->addition_count = set->count;
	if (kind != NULL && additions_find(set, "kind") == NULL) {
		reading->additions[reading->addition_count++] =
			(struct event_addition){slice_of_text("kind"), slice_of_text(kind)};
	}
}

static void read_request(const struct source_http *source, const struct http_request *request,
	struct reading *reading)
{
	const char *key = http_request_header(request, "Idempotency-Key");

	reading->body.bytes = http_request_body(request, &reading->body.size);
	(void)http_format_read(http_request_header(request, "Content-Type"), &reading->format);
	if (reading->format == HTTP_FORMAT_ANY) {
		reading->format = encoding_of(reading->body) == ENCODING_JSON ? HTTP_FORMAT_JSON
									      : HTTP_FORMAT_MSGPACK;
	}
	reading->wants_msgpack = http_wants_msgpack(
		http_request_header(request, "Accept"), reading->format == HTTP_FORMAT_MSGPACK);
	if (key == NULL || !http_key_read(key, reading->key)) {
		reading->key[0] = '\0';
	}
	read_additions(source, request, reading);
}

/* Cuts all lines into the batch. 0, -errno, or 1: more events than a frame may have. */
static int cut_lines(struct line_batch *batch, struct slice rest)
{
	struct line_cut cut = {0};
	uint64_t line = 0;

	line_batch_begin(batch);
	while (rest.size > 0) {
		int r = line_batch_cut(batch, rest, true, line, &cut);
		if (r < 0) {
			return r;
		}
		line += cut.lines;
		rest = slice_of(rest.bytes + cut.size, rest.size - cut.size);
		if (cut.stop == LINE_STOP_FULL) {
			return 1;
		}
		if (cut.stop == LINE_STOP_TOO_LONG) {
			const uint8_t *end = memchr(rest.bytes, '\n', rest.size);
			size_t size = end != NULL ? (size_t)(end - rest.bytes) + 1 : rest.size;
			line_batch_add_long(
				batch, slice_of(rest.bytes, LINE_SAMPLE_SIZE), size, line++);
			rest = slice_of(rest.bytes + size, rest.size - size);
		}
	}
	return 0;
}

/* *ret_words: why the body is none, NULL: it is one. 0 or -errno. */
static int judge_body(
	struct source_http *source, const struct reading *reading, const char **ret_words)
{
	bool is_json = encoding_of(reading->body) == ENCODING_JSON;
	int r = 0;

	*ret_words = NULL;
	if (reading->body.size == 0) {
		*ret_words = "no events: the body is empty";
	} else if (reading->format == HTTP_FORMAT_NDJSON) {
		r = cut_lines(source->batch, reading->body);
		*ret_words = r > 0 ? "more than 10000 lines: send them in several requests"
			     : line_batch_count(source->batch) == 0
				     ? "no events: every line is empty"
				     : NULL;
	} else if (reading->format == HTTP_FORMAT_JSON && !is_json) {
		*ret_words = "Content-Type says JSON, and the body is none";
	} else if (reading->format == HTTP_FORMAT_MSGPACK && is_json) {
		*ret_words = "Content-Type says msgpack, and the body is no map and no array of it";
	}
	return r < 0 ? r : 0;
}

static void end_turn(struct source_http *source, struct turn *turn)
{
	turn->request = NULL;
	STAILQ_INSERT_HEAD(&source->idle, turn, next);
	source->open_count--;
}

static int submit(struct source_http *source, struct turn *turn)
{
	struct reading reading;
	const char *words = NULL;

	read_request(source, turn->request, &reading);
	int r = judge_body(source, &reading, &words);
	if (r < 0) {
		return r;
	}
	if (words != NULL) {
		http_request_refuse(turn->request, 400, words, NULL);
		end_turn(source, turn);
		return 0;
	}
	bool has_lines = reading.format == HTTP_FORMAT_NDJSON;
	const struct submission submission = {
		.events = reading.body,
		.items = has_lines ? line_batch_items(source->batch) : NULL,
		.item_count = has_lines ? line_batch_count(source->batch) : 0,
		.additions = reading.additions,
		.addition_count = reading.addition_count,
		.request_key = slice_of_text(reading.key),
		.detail = slice_of_text(http_request_peer(turn->request)),
		.reply = reading.wants_msgpack ? SUBMISSION_REPLY_MSGPACK : SUBMISSION_REPLY_JSON,
		.ticket = (uint64_t)(turn - source->turns),
	};
	return port_submit(source->options.port, &submission, clock_wall_ms());
}

static int submit_waiting(struct source_http *source)
{
	int r = 0;

	while (r == 0 && !STAILQ_EMPTY(&source->waiting) && port_takes_more(source->options.port)) {
		struct turn *turn = STAILQ_FIRST(&source->waiting);
		STAILQ_REMOVE_HEAD(&source->waiting, next);
		r = submit(source, turn);
		loop_wake(source->options.loop); /* the desk has work */
	}
	return r;
}

static void on_request(void *owner, struct http_request *request)
{
	struct source_http *source = owner;
	struct turn *turn = STAILQ_FIRST(&source->idle);

	assert(turn != NULL); /* as many as connections */
	STAILQ_REMOVE_HEAD(&source->idle, next);
	turn->request = request;
	source->open_count++;
	STAILQ_INSERT_TAIL(&source->waiting, turn, next);
	if (source->failure == 0) {
		source->failure = submit_waiting(source);
	}
}

static void acknowledge(void *owner, uint64_t ticket, const struct submission_result *result)
{
	static const struct http_header later = {"Retry-After", "1"};
	struct source_http *source = owner;
	struct turn *turn = &source->turns[ticket];
	struct reading reading;
	unsigned status = http_status_of(result);
	bool passes = status == 429 || status == 503;

	read_request(source, turn->request, &reading);
	http_request_answer(turn->request,
		&(struct http_response){
			.status = status,
			.type = reading.wants_msgpack ? "application/msgpack" : "application/json",
			.headers = &later,
			.header_count = passes ? 1 : 0,
			.body = result->reply.bytes,
			.body_size = result->reply.size,
		});
	end_turn(source, turn);
}

static void on_answered(void *owner, const struct http_exchange *exchange)
{
	struct source_http *source = owner;
	http_metrics_add(source->metrics, exchange);
}

/* ---- making */

static int make_turns(struct source_http *source)
{
	size_t count = (size_t)source->config->connections_max;

	STAILQ_INIT(&source->idle);
	STAILQ_INIT(&source->waiting);
	source->turns = calloc(count, sizeof *source->turns);
	if (source->turns == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		STAILQ_INSERT_TAIL(&source->idle, &source->turns[i], next);
	}
	return 0;
}

static int make_parts(struct source_http *source)
{
	const struct http_config *config = source->config;
	const struct line_rules rules = {
		.format = LINE_NDJSON, .delimiter = ',', .events_max = FRAME_EVENTS_MAX};
	struct pairs_error unused;
	struct config_error checked;

	int r = additions_read(&source->additions, config->kind, config->set, &checked);
	if (r == 0) {
		r = make_turns(source);
	}
	if (r == 0) {
		r = line_batch_new(&rules, &source->batch, &unused);
	}
	return r == 0 ? http_metrics_new(
				source->options.metrics, source->options.name, &source->metrics)
		      : r;
}

static int listen_for_requests(struct source_http *source, struct source_error *error)
{
	const struct http_config *config = source->config;
	const struct http_tls_files tls = {
		config->tls_cert, config->tls_key, config->tls_client_ca};
	const unsigned connections_max = (unsigned)config->connections_max;
	struct http_server_error why = {{0}};
	const struct http_server_options options = {
		.listen = config->listen,
		.loop = source->options.loop,
		.routes = &source->route,
		.route_count = 1,
		.tls = config->tls_cert != NULL ? &tls : NULL,
		.connections_max = connections_max,
		.connections_per_address_max = connections_max / 2 + 1,
		.request_ms_max = config->timeout_ms,
		.bodies_size_max = BODIES_SIZE_MAX,
		.refusal_type = "application/json",
		.write_refusal = write_refusal,
		.answered = on_answered,
		.owner = source,
	};

	source->route = (struct http_route){
		.method = "POST",
		.path = config->path,
		.body_max = (size_t)config->body_max,
		.admit = on_admit,
		.handle = on_request,
		.owner = source,
	};
	int r = http_server_new(&options, &source->server, &why);
	if (r < 0) {
		snprintf(error->text, sizeof error->text, "%.250s", why.text);
		return r;
	}
	snprintf(source->endpoint, sizeof source->endpoint, "%s://%s%s",
		options.tls != NULL ? "https" : "http", http_server_address(source->server),
		config->path);
	source->endpoints[0] = source->endpoint;
	return 0;
}

static void *source_close(void *owner)
{
	struct source_http *source = owner;

	if (source == NULL) {
		return NULL;
	}
	http_server_free(source->server);
	http_metrics_free(source->metrics);
	line_batch_free(source->batch);
	free(source->turns);
	free(source);
	return NULL;
}

static int source_open(
	const struct source_options *options, void **ret_source, struct source_error *error)
{
	struct source_http *source = calloc(1, sizeof *source);
	if (source == NULL) {
		return -ENOMEM;
	}
	source->options = *options;
	source->config = options->config;
	int r = make_parts(source);
	if (r < 0) {
		snprintf(error->text, sizeof error->text, "%s", strerror(-r));
	} else {
		r = listen_for_requests(source, error);
	}
	if (r < 0) {
		source_close(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

static int source_poll(void *owner, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms)
{
	struct source_http *source = owner;
	const struct http_server_counts counts = http_server_counts(source->server);
	(void)now_ms;
	(void)wall_ms;
	(void)ret_wait_ms;

	http_metrics_set(source->metrics, &counts);
	if (source->failure == 0) {
		source->failure = submit_waiting(source);
	}
	return source->failure;
}

static void source_stop(void *owner)
{
	struct source_http *source = owner;
	source->is_stopping = true;
	http_server_quiesce(source->server);
}

static bool source_is_stopped(const void *owner)
{
	const struct source_http *source = owner;
	return source->open_count == 0;
}

static const char *const *source_endpoints(const void *owner)
{
	const struct source_http *source = owner;
	return source->endpoints;
}

const struct source_type source_http_type = {
	.name = "http",
	.schema = &http_config_schema,
	.check = http_config_check,
	.open = source_open,
	.poll = source_poll,
	.acknowledge = acknowledge,
	.stop = source_stop,
	.is_stopped = source_is_stopped,
	.close = source_close,
	.endpoints = source_endpoints,
};
