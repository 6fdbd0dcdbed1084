#include "aggregator/server.h"
#include "aggregator/view_suggest.h"
#include "runtime/clock.h"
#include "runtime/config.h"
#include "runtime/loop.h"
#include "runtime/security.h"
#include "runtime/socket.h"
#include <errno.h>
#include <stdlib.h>

enum {
	/* Requests of one round, so that records come in between however many ask. */
	REQUESTS_PER_ROUND = 64,
	ROUND_MS = 10,
	ENDPOINTS_MAX = 8,
	/* A reply is at most ANSWER_SIZE_MAX of rows, and a row's columns beside it. */
	REPLY_SIZE_MAX = ANSWER_SIZE_MAX + 1024 * 1024,
	ENVELOPE_SIZE_MAX = 16 * 1024,
	/* When one that is busy may come again: not before anything has grown, and while others of its own wait, who are gone
	 * after a second unless they asked for more. */
	RETRY_AFTER_MS_MIN = 100,
	WAITING_RETRY_MS = 1000,
};

struct server {
	struct server_options options;
	struct socket *socket;
	struct message message;
	struct document document;
	struct query query;
	struct buffer reply;
	struct buffer envelope;
	struct waiting *waiting;
	struct peer_limits *limits;
	char endpoints[ENDPOINTS_MAX][ENDPOINT_SIZE];
	const char *endpoint_list[ENDPOINTS_MAX + 1];
	int64_t now_ms;
	int error; /* of a handler, while waiting queries are walked */
	bool is_stopping;
};

/* Whom to answer: his key, and the frames before the request. */
struct envelope {
	const char *user_id; /* the key that the request came with; "": none */
	struct peer_name peer;
	struct iovec frames[SOCKET_FRAMES_MAX];
	size_t count;
};

static int send_reply(struct server *server, const struct envelope *envelope)
{
	struct iovec frames[SOCKET_FRAMES_MAX];
	memcpy(frames, envelope->frames, envelope->count * sizeof *frames);
	frames[envelope->count] = (struct iovec){server->reply.bytes, server->reply.size};
	int r = socket_send(server->socket, frames, envelope->count + 1);
	if (r > 0) {
		server->options.lost(server->options.owner); /* it went away, or reads nothing */
	}
	return r < 0 ? r : 0;
}

static int refuse(struct server *server, const struct envelope *envelope, enum encoding encoding,
	const struct complaint *complaint)
{
	buffer_clear(&server->reply);
	query_encode_error(complaint, encoding, &server->reply);
	return server->reply.error != 0 ? server->reply.error : send_reply(server, envelope);
}

/* "ok", or the code of the error that the reply holds: errors are short, their code follows "code". */
static const char *code_of(const struct buffer *reply, char code[32])
{
	static const char key[] = "code";
	size_t end = reply->size < 256 ? reply->size : 256;
	for (size_t i = 0; i + sizeof key + 3 < end; i++) {
		if (memcmp(reply->bytes + i, "error", 5) == 0) {
			const uint8_t *found = memmem(reply->bytes + i, end - i, key, 4);
			size_t length = 0;
			found = found == NULL ? reply->bytes + end : found + 4;
			while (found < reply->bytes + end && (*found < 'a' || *found > 'z')) {
				found++;
			}
			while (found < reply->bytes + end && length < 31 &&
				((*found >= 'a' && *found <= 'z') || *found == '_')) {
				code[length++] = (char)*found++;
			}
			code[length] = '\0';
			return code;
		}
	}
	return "ok";
}

static int answer(struct server *server, const struct envelope *envelope, int64_t start_us)
{
	char code[32];
	buffer_clear(&server->reply);
	int r = server->options.answer(
		server->options.owner, envelope->user_id, &server->query, &server->reply);
	if (r < 0 || server->reply.error != 0) {
		struct complaint complaint;
		complaint_set(&complaint, REASON_INTERNAL, "", "the answer could not be made: %s",
			strerror(r < 0 ? -r : -server->reply.error));
		buffer_clear(&server->reply);
		query_encode_error(&complaint, server->query.encoding, &server->reply);
	}
	server->options.answered(server->options.owner, query_type_name(server->query.type),
		code_of(&server->reply, code), clock_monotonic_us() - start_us);
	peer_limits_spend(server->limits, &envelope->peer, QUERY_ANSWER_BYTES,
		(int64_t)server->reply.size, server->now_ms);
	return send_reply(server, envelope);
}

static struct wish wish_of(const struct query *query)
{
	return (struct wish){
		.is_exempt = query->type == QUERY_STATUS || query->type == QUERY_VITALS ||
			     query->type == QUERY_VIEWS || query->type == QUERY_TABLES ||
			     query_needs_admin(query->type),
		.is_staged = query->is_staged,
		.view = query->view,
		.max_lag = query->max_lag,
		.after = query->after,
		.after_count = query->after_count,
	};
}

/* Refuses what the key may not ask. 0: it may; 1: it was refused; -errno. */
static int check_rights(struct server *server, const struct envelope *envelope)
{
	struct complaint complaint;
	int r = server->options.permit(
		server->options.owner, envelope->user_id, &server->query, &complaint);
	if (r == 0) {
		return 0;
	}
	server->options.answered(server->options.owner, query_type_name(server->query.type),
		reason_code(complaint.reason), 0);
	r = refuse(server, envelope, server->query.encoding, &complaint);
	return r < 0 ? r : 1;
}

/* What has grown again in less time is gone with the first query that asks for it. */
static uint64_t retry_after(int64_t wait_ms)
{
	return wait_ms > RETRY_AFTER_MS_MIN ? (uint64_t)wait_ms : RETRY_AFTER_MS_MIN;
}

static int refuse_busy(struct server *server, const struct envelope *envelope,
	enum encoding encoding, int64_t wait_ms, const char *words)
{
	server->options.answered(server->options.owner, "", reason_code(REASON_BUSY), 0);
	buffer_clear(&server->reply);
	query_encode_busy(words, retry_after(wait_ms), encoding, &server->reply);
	return server->reply.error != 0 ? server->reply.error : send_reply(server, envelope);
}

/* How long it should wait before it asks again; 0: it may ask now. */
static int64_t charge_query(struct server *server, const struct envelope *envelope)
{
	static const int64_t costs[PEER_RATES_MAX] = {[QUERY_COUNT] = 1};
	return peer_limits_take(server->limits, &envelope->peer, costs, server->now_ms);
}

static void pack_envelope(struct server *server, const struct envelope *envelope)
{
	buffer_clear(&server->envelope);
	buffer_append(&server->envelope, envelope->user_id, strlen(envelope->user_id) + 1);
	buffer_append(&server->envelope, &envelope->peer, sizeof envelope->peer);
	for (size_t i = 0; i < envelope->count; i++) {
		uint32_t size = (uint32_t)envelope->frames[i].iov_len;
		buffer_append(&server->envelope, &size, sizeof size);
		buffer_append(&server->envelope, envelope->frames[i].iov_base, size);
	}
}

static void unpack_envelope(struct slice packed, struct envelope *ret_envelope)
{
	size_t at = strlen((const char *)packed.bytes) + 1;
	ret_envelope->user_id = (const char *)packed.bytes;
	ret_envelope->count = 0;
	memcpy(&ret_envelope->peer, packed.bytes + at, sizeof ret_envelope->peer);
	at += sizeof ret_envelope->peer;
	while (at < packed.size) {
		uint32_t size;
		memcpy(&size, packed.bytes + at, sizeof size);
		ret_envelope->frames[ret_envelope->count++] =
			(struct iovec){(void *)(packed.bytes + at + sizeof size), size};
		at += sizeof size + size;
	}
}

/* What the question waited for. */
static void complain_of_time(const struct query *query, struct complaint *complaint)
{
	long long took_ms = query->timeout_ms;

	if (query->after_count == 0) {
		complaint_set(complaint, REASON_TIMEOUT, "",
			"after %lld ms more than max_lag = %lld records were still to be counted",
			took_ms, (long long)query->max_lag);
	} else if (query->max_lag < 0) {
		complaint_set(complaint, REASON_TIMEOUT, "",
			"after %lld ms an event of \"after\" was neither counted nor rejected: "
			"trace says where it is",
			took_ms);
	} else {
		complaint_set(complaint, REASON_TIMEOUT, "",
			"max_lag = %lld and \"after\" were not both reached in %lld ms",
			(long long)query->max_lag, took_ms);
	}
}

/* Says why it can't be answered in time. */
static int give_up(struct server *server, const struct envelope *envelope, enum verdict verdict,
	enum encoding encoding, const char *type)
{
	struct complaint complaint;
	if (server->is_stopping) {
		complaint_set(
			&complaint, REASON_NOT_READY, "", "the aggregator is stopping; ask again");
	} else if (verdict == VERDICT_NOT_READY) {
		complaint_set(&complaint, REASON_NOT_READY, "",
			"still catching up with what the log held at start; try again");
	} else {
		complain_of_time(&server->query, &complaint);
	}
	server->options.answered(server->options.owner, type, reason_code(complaint.reason), 0);
	return refuse(server, envelope, encoding, &complaint);
}

static int wait_or_give_up(struct server *server, const struct envelope *envelope,
	struct slice request, const struct wish *wish, enum verdict verdict)
{
	pack_envelope(server, envelope);
	const struct waiting_query query = {
		.envelope = buffer_slice(&server->envelope),
		.request = request,
		.wish = *wish,
		.deadline_ms = server->now_ms + server->query.timeout_ms,
	};
	if (peer_limits_hold(server->limits, &envelope->peer, server->now_ms) != 0) {
		return refuse_busy(server, envelope, server->query.encoding, WAITING_RETRY_MS,
			"as many of your queries wait as may wait at once; ask again later");
	}
	int r = server->query.timeout_ms == 0 || server->envelope.error != 0 || server->is_stopping
			? -ENOSPC
			: waiting_add(server->waiting, &query);
	if (r != 0) {
		peer_limits_release(server->limits, &envelope->peer);
	}
	return r == 0 ? 0
		      : give_up(server, envelope, verdict, server->query.encoding,
				query_type_name(server->query.type));
}

/* A misspelt query is told with the one that was meant. */
static void suggest_query(const struct document *document, struct complaint *complaint)
{
	const char *names[QUERY_DROP_STAGED + 1];
	const struct node *word = node_find(document->nodes, "query");

	for (int type = 0; type <= QUERY_DROP_STAGED; type++) {
		names[type] = query_type_name((enum query_type)type);
	}
	const char *meant = suggest_word(word->text, names, QUERY_DROP_STAGED + 1);
	if (meant != NULL) {
		complaint_set(complaint, REASON_UNKNOWN_QUERY, "",
			"there is no query \"%.*s\"; did you mean \"%s\"?", (int)word->text.size,
			(const char *)word->text.bytes, meant);
	}
}

static int take_request(
	struct server *server, const struct envelope *envelope, struct slice request)
{
	struct complaint complaint;
	int64_t start_us = clock_monotonic_us();
	int64_t wait_ms = charge_query(server, envelope);
	if (wait_ms > 0) {
		return refuse_busy(server, envelope, encoding_of(request), wait_ms,
			"you ask for more than you may in a second; ask again later");
	}
	int r = query_decode(&server->document, request, &server->query, &complaint);
	if (r < 0) {
		return r;
	}
	if (r == REASON_UNKNOWN_QUERY) {
		suggest_query(&server->document, &complaint);
	}
	if (r > 0) {
		server->options.answered(
			server->options.owner, "", reason_code(complaint.reason), 0);
		return refuse(server, envelope, encoding_of(request), &complaint);
	}
	r = check_rights(server, envelope);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	struct wish wish = wish_of(&server->query);
	enum verdict verdict = server->options.judge(server->options.owner, &wish);
	return verdict == VERDICT_ANSWER
		       ? answer(server, envelope, start_us)
		       : wait_or_give_up(server, envelope, request, &wish, verdict);
}

/* Takes one message. 0, SOCKET_E_AGAIN when there is none, -errno. */
static int take_message(struct server *server)
{
	struct message *message = &server->message;
	struct envelope envelope = {.count = 0};
	int r = socket_receive(server->socket, message);
	if (r == SOCKET_E_TOO_MANY_FRAMES) {
		server->options.answered(server->options.owner, "", "bad_request", 0);
		return 0; /* nobody to answer: the frames that name him are cut */
	}
	if (r != 0) {
		return r;
	}
	if (message->frame_count < 2 || message->frame_count > SOCKET_FRAMES_MAX) {
		return 0;
	}
	envelope.user_id = message->user_id;
	envelope.peer = peer_name_of(message);
	envelope.count = message->frame_count - 1;
	memcpy(envelope.frames, message->frames, envelope.count * sizeof *envelope.frames);
	const struct iovec *last = &message->frames[envelope.count];
	return take_request(server, &envelope, slice_of(last->iov_base, last->iov_len));
}

static int readable(void *owner)
{
	struct server *server = owner;
	int64_t end_ms = clock_monotonic_ms() + ROUND_MS;
	int r = 0;
	server->now_ms = loop_now_ms(server->options.loop);
	for (int i = 0; i < REQUESTS_PER_ROUND && r == 0 && clock_monotonic_ms() < end_ms; i++) {
		r = take_message(server);
	}
	return r < 0 ? r : 0;
}

static int bind_all(struct server *server)
{
	const char *cursor = server->options.listen;
	char endpoint[ENDPOINT_SIZE];
	size_t count = 0;
	while (config_list_next(&cursor, endpoint, sizeof endpoint)) {
		if (count == ENDPOINTS_MAX) {
			return -ENOSPC;
		}
		int r = socket_bind(server->socket, endpoint, server->endpoints[count]);
		if (r < 0) {
			return r;
		}
		server->endpoint_list[count] = server->endpoints[count];
		count++;
	}
	return 0;
}

int server_new(const struct server_options *options, struct server **ret_server)
{
	struct socket_options socket = {.frame_size_max = TRANSPORT_FRAME_SIZE_MAX};
	struct server *server = calloc(1, sizeof *server);
	if (server == NULL) {
		return -ENOMEM;
	}
	server->options = *options;
	security_guard(options->security, "queries", &socket);
	buffer_init(&server->reply, REPLY_SIZE_MAX);
	buffer_init(&server->envelope, ENVELOPE_SIZE_MAX);
	int r = document_init(&server->document, QUERY_NODES_MAX);
	if (r == 0) {
		r = waiting_new(&server->waiting);
	}
	if (r == 0) {
		r = peer_limits_new(&options->allowance, &server->limits);
	}
	if (r == 0) {
		r = socket_new(options->context, SOCKET_ROUTER, &socket, &server->socket);
	}
	if (r == 0) {
		r = bind_all(server);
	}
	if (r == 0) {
		r = loop_add_socket(options->loop, server->socket, readable, server);
	}
	if (r < 0) {
		server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

struct server *server_free(struct server *server)
{
	if (server == NULL) {
		return NULL;
	}
	if (server->socket != NULL) {
		loop_remove_socket(server->options.loop, server->socket);
	}
	message_clear(&server->message);
	socket_free(server->socket);
	peer_limits_free(server->limits);
	waiting_free(server->waiting);
	document_deinit(&server->document);
	buffer_deinit(&server->reply);
	buffer_deinit(&server->envelope);
	free(server);
	return NULL;
}

const char *const *server_endpoints(const struct server *server)
{
	return server->endpoint_list;
}

size_t server_waiting(const struct server *server)
{
	return waiting_count(server->waiting);
}

/* Answers, or gives up, whose time has come. */
static int settle(void *owner, struct waiting_query *waiting)
{
	struct server *server = owner;
	struct complaint complaint;
	struct envelope envelope;
	if (server->error < 0) {
		return 0;
	}
	enum verdict verdict = server->options.judge(server->options.owner, &waiting->wish);
	if (verdict != VERDICT_ANSWER && server->now_ms < waiting->deadline_ms &&
		!server->is_stopping) {
		return 0;
	}
	unpack_envelope(waiting->envelope, &envelope);
	peer_limits_release(server->limits, &envelope.peer);
	/* It was read before, so it can be read again. */
	server->error =
		query_decode(&server->document, waiting->request, &server->query, &complaint);
	if (server->error == 0) { /* rights may have gone while it waited */
		server->error = check_rights(server, &envelope);
	}
	if (server->error == 0) {
		server->error =
			verdict == VERDICT_ANSWER
				? answer(server, &envelope, clock_monotonic_us())
				: give_up(server, &envelope, verdict, server->query.encoding,
					  query_type_name(server->query.type));
	}
	return 1;
}

int server_wake(struct server *server)
{
	server->now_ms = loop_now_ms(server->options.loop);
	server->error = 0;
	waiting_each(server->waiting, settle, server);
	return server->error < 0 ? server->error : 0;
}

int server_stop(struct server *server)
{
	server->is_stopping = true;
	return server_wake(server);
}

int server_tick(struct server *server, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t next_ms = waiting_next_deadline(server->waiting);
	if (next_ms == INT64_MAX) {
		return 0;
	}
	if (next_ms <= now_ms) {
		return server_wake(server);
	}
	*ret_wait_ms = next_ms - now_ms < *ret_wait_ms ? next_ms - now_ms : *ret_wait_ms;
	return 0;
}
