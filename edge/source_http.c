#include "edge/source_http.h"
#include "edge/http_config.h"
#include "edge/http_metrics.h"
#include "edge/http_reading.h"
#include "edge/http_rules.h"
#include "edge/line_batch.h"
#include "proto/producer.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/resource.h>

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
	enum submission_reply reply;
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

/* ---- reading */

static struct http_said said_by(const struct http_request *request)
{
	return (struct http_said){
		.authorization = http_request_header(request, "Authorization"),
		.type = http_request_header(request, "Content-Type"),
		.coding = http_request_header(request, "Content-Encoding"),
		.accept = http_request_header(request, "Accept"),
		.key = http_request_header(request, "Idempotency-Key"),
		.kind = http_request_argument(request, "kind"),
	};
}

/* Before a byte of the body is kept. */
static void on_admit(void *owner, struct http_request *request)
{
	const struct source_http *source = owner;
	const struct http_said said = said_by(request);
	struct http_refusal refusal;

	if (source->is_stopping) {
		http_request_refuse(
			request, 503, "this edge is shutting down: send it again later", NULL);
	} else if (!http_head_is_taken(
			   &said, source->config->token, &source->additions, &refusal)) {
		const struct http_header header = {refusal.header, refusal.header_value};
		http_request_refuse(request, refusal.status, refusal.words,
			refusal.header != NULL ? &header : NULL);
	}
}

static void end_turn(struct source_http *source, struct turn *turn)
{
	turn->request = NULL;
	STAILQ_INSERT_HEAD(&source->idle, turn, next);
	source->open_count--;
}

static int submit(struct source_http *source, struct turn *turn)
{
	const struct http_said said = said_by(turn->request);
	const struct http_reader reader = {&source->additions, source->batch};
	struct http_reading reading;
	struct slice body;
	const char *words = NULL;

	body.bytes = http_request_body(turn->request, &body.size);
	int r = http_reading_make(&reader, &said, body, &reading, &words);
	if (r == HTTP_E_REFUSED) {
		http_request_refuse(turn->request, 400, words, NULL);
		end_turn(source, turn);
		return 0;
	}
	if (r < 0) {
		return r;
	}
	turn->reply = reading.submission.reply;
	reading.submission.detail = slice_of_text(http_request_peer(turn->request));
	reading.submission.ticket = (uint64_t)(turn - source->turns);
	r = port_submit(source->options.port, &reading.submission, clock_wall_ms());
	http_request_drop_body(turn->request);
	return r;
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
	unsigned status = http_status_of(result);
	bool passes = status == 429 || status == 503;
	bool is_msgpack = turn->reply == SUBMISSION_REPLY_MSGPACK;

	http_request_answer(turn->request,
		&(struct http_response){
			.status = status,
			.type = is_msgpack ? "application/msgpack" : "application/json",
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

/* libzmq ends the program when it finds no file descriptor for a socket: clients may have half of them. */
static int check_descriptors(const struct source_http *source, struct source_error *error)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
		return -errno;
	}
	if ((rlim_t)source->config->connections_max <= limit.rlim_cur / 2) {
		return 0;
	}
	snprintf(error->text, sizeof error->text,
		"connections_max: this process may open %llu files: at most half as many, or raise "
		"the limit (ulimit -n, LimitNOFILE=)",
		(unsigned long long)limit.rlim_cur);
	return -EMFILE;
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
		r = check_descriptors(source, error);
	}
	if (r == 0) {
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
