#include "aggregator/desk/queries.h"
#include "aggregator/view/view_suggest.h"
#include "runtime/clock.h"
#include <errno.h>
#include <stdlib.h>

enum {
	/* A reply is at most ANSWER_SIZE_MAX of rows, and a row's columns beside it. */
	REPLY_SIZE_MAX = ANSWER_SIZE_MAX + 1024 * 1024,
	ENVELOPE_SIZE_MAX = 16 * 1024,
	/* When one that is busy may come again: what has grown again in less time is gone with the first query that asks for it;
	 * and while others of its own wait, who are gone after a second unless they asked for more. */
	RETRY_AFTER_MS_MIN = 100,
	WAITING_RETRY_MS = 1000,
	LOOK_RETRY_MS = 300, /* a look takes about so long where Kafka is well */
};

struct queries {
	struct queries_options options;
	struct document document;
	struct query query;
	struct buffer reply;
	struct buffer envelope;
	struct waiting *waiting;
	struct peer_limits *limits;
	int64_t now_ms;
	int error; /* of a front, while waiting queries are walked */
	bool is_stopping;
};

/* Whom to answer. */
struct envelope {
	const struct query_front *front;
	struct asker asker;
	struct slice address;
};

static void count(
	const struct queries *queries, const char *type, enum reason reason, int64_t took_us)
{
	queries->options.answered(queries->options.owner, type,
		reason == REASON_NONE ? "ok" : reason_code(reason), took_us);
}

static int send_reply(
	struct queries *queries, const struct envelope *envelope, struct query_reply reply)
{
	if (queries->reply.error != 0) {
		return queries->reply.error;
	}
	reply.bytes = buffer_slice(&queries->reply);
	return envelope->front->reply(envelope->front->owner, envelope->address, &reply);
}

static int refuse(struct queries *queries, const struct envelope *envelope, enum encoding encoding,
	const struct complaint *complaint)
{
	buffer_clear(&queries->reply);
	query_encode_error(complaint, encoding, &queries->reply);
	return send_reply(queries, envelope,
		(struct query_reply){.encoding = encoding, .reason = complaint->reason});
}

/* Fills the reply. */
static enum reason make_answer(struct queries *queries, const struct asker *asker)
{
	buffer_clear(&queries->reply);
	int r = queries->options.answer(
		queries->options.owner, asker, &queries->query, &queries->reply);
	if (r < 0 || queries->reply.error != 0) {
		struct complaint complaint;
		complaint_set(&complaint, REASON_INTERNAL, "", "the answer could not be made: %s",
			strerror(r < 0 ? -r : -queries->reply.error));
		buffer_clear(&queries->reply);
		query_encode_error(&complaint, queries->query.encoding, &queries->reply);
	}
	return query_reply_reason(buffer_slice(&queries->reply));
}

static int answer(struct queries *queries, const struct envelope *envelope, int64_t start_us)
{
	enum reason reason = make_answer(queries, &envelope->asker);
	count(queries, query_type_name(queries->query.type), reason,
		clock_monotonic_us() - start_us);
	peer_limits_spend(queries->limits, &envelope->asker.peer, QUERY_ANSWER_BYTES,
		(int64_t)queries->reply.size, queries->now_ms);
	return send_reply(queries, envelope,
		(struct query_reply){.encoding = queries->query.encoding, .reason = reason});
}

static struct wish wish_of(const struct query *query, const struct asker *asker)
{
	return (struct wish){
		.is_exempt = query->type == QUERY_STATUS || query->type == QUERY_VITALS ||
			     query->type == QUERY_BRIDGES || query->type == QUERY_VIEWS ||
			     query->type == QUERY_TABLES || query_looks_up(query->type) ||
			     query_needs_admin(query->type),
		.is_staged = query->is_staged,
		.view = query->view,
		.max_lag = query->max_lag,
		.after = query->after,
		.after_count = query->after_count,
		.look = query->look,
		.asker = asker,
		.replay = query->type == QUERY_REPLAY ? &query->replay : NULL,
	};
}

static int permit(struct queries *queries, const struct asker *asker, struct complaint *complaint)
{
	int r = queries->options.permit(queries->options.owner, asker, &queries->query, complaint);
	if (r != 0) {
		count(queries, query_type_name(queries->query.type), complaint->reason, 0);
	}
	return r;
}

/* Refuses what the key may not ask. 0: it may; 1: it was refused; -errno. */
static int check_rights(struct queries *queries, const struct envelope *envelope)
{
	struct complaint complaint;
	if (permit(queries, &envelope->asker, &complaint) == 0) {
		return 0;
	}
	int r = refuse(queries, envelope, queries->query.encoding, &complaint);
	return r < 0 ? r : 1;
}

static int refuse_busy(struct queries *queries, const struct envelope *envelope,
	enum encoding encoding, int64_t wait_ms, const char *words)
{
	const struct query_reply reply = {
		.encoding = encoding, .reason = REASON_BUSY, .retry_after_ms = (uint64_t)wait_ms};
	count(queries, "", REASON_BUSY, 0);
	buffer_clear(&queries->reply);
	query_encode_busy(words, reply.retry_after_ms, encoding, &queries->reply);
	return send_reply(queries, envelope, reply);
}

int64_t queries_charge(struct queries *queries, const struct asker *asker, int64_t now_ms)
{
	static const int64_t costs[PEER_RATES_MAX] = {[QUERY_COUNT] = 1};
	int64_t wait_ms = peer_limits_take(queries->limits, &asker->peer, costs, now_ms);
	return wait_ms > 0 && wait_ms < RETRY_AFTER_MS_MIN ? RETRY_AFTER_MS_MIN : wait_ms;
}

static void pack_envelope(struct queries *queries, const struct envelope *envelope)
{
	const char *user_id = envelope->asker.user_id;
	buffer_clear(&queries->envelope);
	buffer_append(&queries->envelope, envelope, sizeof *envelope);
	buffer_append(&queries->envelope, user_id, strlen(user_id) + 1);
	buffer_append(&queries->envelope, envelope->address.bytes, envelope->address.size);
}

static void unpack_envelope(struct slice packed, struct envelope *ret_envelope)
{
	size_t at = sizeof *ret_envelope;
	memcpy(ret_envelope, packed.bytes, at);
	ret_envelope->asker.user_id = (const char *)packed.bytes + at;
	at += strlen(ret_envelope->asker.user_id) + 1;
	ret_envelope->address = slice_of(packed.bytes + at, packed.size - at);
}

/* What the question waited for. */
static void complain_of_time(const struct query *query, struct complaint *complaint)
{
	long long took_ms = query->timeout_ms;

	if (query->type == QUERY_REPLAY) {
		complaint_set(complaint, REASON_TIMEOUT, "",
			"it is not over after %lld ms, and nobody knows yet what became of the "
			"letters; ask again: each counts once",
			took_ms);
	} else if (query_looks_up(query->type)) {
		complaint_set(complaint, REASON_TIMEOUT, "", "Kafka did not answer within %lld ms",
			took_ms);
	} else if (query->after_count == 0) {
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

/* Why it can't be answered in time. */
static void complain_of_wait(
	const struct queries *queries, enum verdict verdict, struct complaint *complaint)
{
	if (queries->is_stopping) {
		complaint_set(
			complaint, REASON_NOT_READY, "", "the aggregator is stopping; ask again");
	} else if (verdict == VERDICT_NOT_READY) {
		complaint_set(complaint, REASON_NOT_READY, "",
			"still catching up with what the log held at start; try again");
	} else {
		complain_of_time(&queries->query, complaint);
	}
}

static int give_up(struct queries *queries, const struct envelope *envelope, enum verdict verdict)
{
	struct complaint complaint;
	complain_of_wait(queries, verdict, &complaint);
	count(queries, query_type_name(queries->query.type), complaint.reason, 0);
	return refuse(queries, envelope, queries->query.encoding, &complaint);
}

static int wait_or_give_up(struct queries *queries, const struct envelope *envelope,
	struct slice request, const struct wish *wish, enum verdict verdict)
{
	const struct peer_name *peer = &envelope->asker.peer;
	pack_envelope(queries, envelope);
	const struct waiting_query query = {
		.envelope = buffer_slice(&queries->envelope),
		.request = request,
		.wish = *wish,
		.deadline_ms = queries->now_ms + queries->query.timeout_ms,
	};
	if (peer_limits_hold(queries->limits, peer, queries->now_ms) != 0) {
		return refuse_busy(queries, envelope, queries->query.encoding, WAITING_RETRY_MS,
			"as many of your queries wait as may wait at once; ask again later");
	}
	int r = queries->query.timeout_ms == 0 || queries->envelope.error != 0 ||
				queries->is_stopping
			? -ENOSPC
			: waiting_add(queries->waiting, &query);
	if (r != 0) {
		peer_limits_release(queries->limits, peer);
	}
	return r == 0 ? 0 : give_up(queries, envelope, verdict);
}

/* A misspelt query is told with the one that was meant. */
static void suggest_query(const struct document *document, struct complaint *complaint)
{
	const char *names[QUERY_TYPE_COUNT];
	const struct node *word = node_find(document->nodes, "query");

	for (int type = 0; type < QUERY_TYPE_COUNT; type++) {
		names[type] = query_type_name((enum query_type)type);
	}
	const char *meant = suggest_word(word->text, names, QUERY_TYPE_COUNT);
	if (meant != NULL) {
		complaint_set(complaint, REASON_UNKNOWN_QUERY, "",
			"there is no query \"%.*s\"; did you mean \"%s\"?", (int)word->text.size,
			(const char *)word->text.bytes, meant);
	}
}

/* 0, a reason with the complaint, -errno. */
static int decode(struct queries *queries, struct slice request, struct complaint *complaint)
{
	int r = query_decode(&queries->document, request, &queries->query, complaint);
	if (r == REASON_UNKNOWN_QUERY) {
		suggest_query(&queries->document, complaint);
	}
	if (r > 0) {
		count(queries, "", complaint->reason, 0);
	}
	return r;
}

int queries_take(struct queries *queries, const struct asked *asked, int64_t now_ms)
{
	const struct envelope envelope = {asked->front, *asked->asker, asked->address};
	struct complaint complaint;
	int64_t start_us = clock_monotonic_us();
	queries->now_ms = now_ms;
	int64_t wait_ms = queries_charge(queries, asked->asker, now_ms);
	if (wait_ms > 0) {
		return refuse_busy(queries, &envelope, encoding_of(asked->request), wait_ms,
			"you ask for more than you may in a second; ask again later");
	}
	int r = decode(queries, asked->request, &complaint);
	if (r != 0) {
		return r < 0 ? r
			     : refuse(queries, &envelope, encoding_of(asked->request), &complaint);
	}
	r = check_rights(queries, &envelope);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	struct wish wish = wish_of(&queries->query, &envelope.asker);
	enum verdict verdict = queries->options.judge(queries->options.owner, &wish);
	if (verdict == VERDICT_BUSY) {
		return refuse_busy(queries, &envelope, queries->query.encoding, LOOK_RETRY_MS,
			queries->query.type == QUERY_REPLAY
				? "other letters are sent again right now; ask again"
				: "somebody else looks into Kafka's topics right now; ask again");
	}
	return verdict == VERDICT_ANSWER
		       ? answer(queries, &envelope, start_us)
		       : wait_or_give_up(queries, &envelope, asked->request, &wish, verdict);
}

void queries_note_unreadable(const struct queries *queries)
{
	count(queries, "", REASON_BAD_REQUEST, 0);
}

static enum reason answer_at_once(struct queries *queries, const struct asker *asker)
{
	struct complaint complaint;
	int64_t start_us = clock_monotonic_us();
	struct wish wish = wish_of(&queries->query, asker);
	enum verdict verdict = queries->options.judge(queries->options.owner, &wish);
	enum reason reason;
	if (verdict == VERDICT_ANSWER && !queries->is_stopping) {
		reason = make_answer(queries, asker);
	} else {
		complain_of_wait(queries, verdict, &complaint);
		reason = complaint.reason;
		query_encode_error(&complaint, queries->query.encoding, &queries->reply);
	}
	count(queries, query_type_name(queries->query.type), reason,
		clock_monotonic_us() - start_us);
	return reason;
}

int queries_ask(struct queries *queries, const struct asker *asker, struct slice request,
	struct query_reply *ret_reply)
{
	struct query_reply reply = {.encoding = encoding_of(request)};
	struct complaint complaint;
	buffer_clear(&queries->reply);
	int r = decode(queries, request, &complaint);
	if (r == 0 && query_needs_admin(queries->query.type)) {
		complaint_set(&complaint, REASON_FORBIDDEN, "",
			"\"%s\" is for administrators, who ask for it once",
			query_type_name(queries->query.type));
		count(queries, query_type_name(queries->query.type), complaint.reason, 0);
		r = REASON_FORBIDDEN;
	}
	if (r == 0) {
		r = permit(queries, asker, &complaint);
	}
	if (r < 0) {
		return r;
	}
	if (r > 0) {
		query_encode_error(&complaint, reply.encoding, &queries->reply);
		reply.reason = complaint.reason;
	} else {
		reply.reason = answer_at_once(queries, asker);
	}
	reply.bytes = buffer_slice(&queries->reply);
	*ret_reply = reply;
	return queries->reply.error;
}

int queries_new(const struct queries_options *options, struct queries **ret_queries)
{
	struct queries *queries = calloc(1, sizeof *queries);
	if (queries == NULL) {
		return -ENOMEM;
	}
	queries->options = *options;
	buffer_init(&queries->reply, REPLY_SIZE_MAX);
	buffer_init(&queries->envelope, ENVELOPE_SIZE_MAX);
	int r = document_init(&queries->document, QUERY_NODES_MAX);
	if (r == 0) {
		r = waiting_new(&queries->waiting);
	}
	if (r == 0) {
		r = peer_limits_new(&options->allowance, &queries->limits);
	}
	if (r < 0) {
		queries_free(queries);
		return r;
	}
	*ret_queries = queries;
	return 0;
}

struct queries *queries_free(struct queries *queries)
{
	if (queries == NULL) {
		return NULL;
	}
	peer_limits_free(queries->limits);
	waiting_free(queries->waiting);
	document_deinit(&queries->document);
	buffer_deinit(&queries->reply);
	buffer_deinit(&queries->envelope);
	free(queries);
	return NULL;
}

size_t queries_waiting(const struct queries *queries)
{
	return waiting_count(queries->waiting);
}

/* Answers, or gives up, whose time has come. */
static int settle(void *owner, struct waiting_query *waiting)
{
	struct queries *queries = owner;
	struct complaint complaint;
	struct envelope envelope;
	if (queries->error < 0) {
		return 0;
	}
	unpack_envelope(waiting->envelope, &envelope);
	waiting->wish.asker = &envelope.asker;
	waiting->wish.replay = NULL; /* it was begun, or it would not wait */
	enum verdict verdict = queries->options.judge(queries->options.owner, &waiting->wish);
	if (verdict != VERDICT_ANSWER && queries->now_ms < waiting->deadline_ms &&
		!queries->is_stopping) {
		return 0;
	}
	peer_limits_release(queries->limits, &envelope.asker.peer);
	/* It was read before, so it can be read again. */
	queries->error =
		query_decode(&queries->document, waiting->request, &queries->query, &complaint);
	if (queries->error == 0) { /* rights may have gone while it waited */
		queries->error = check_rights(queries, &envelope);
	}
	if (queries->error == 0) {
		queries->error = verdict == VERDICT_ANSWER
					 ? answer(queries, &envelope, clock_monotonic_us())
					 : give_up(queries, &envelope, verdict);
	}
	return 1;
}

int queries_wake(struct queries *queries, int64_t now_ms)
{
	queries->now_ms = now_ms;
	queries->error = 0;
	waiting_each(queries->waiting, settle, queries);
	return queries->error < 0 ? queries->error : 0;
}

int queries_stop(struct queries *queries, int64_t now_ms)
{
	queries->is_stopping = true;
	return queries_wake(queries, now_ms);
}

int queries_tick(struct queries *queries, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t next_ms = waiting_next_deadline(queries->waiting);
	if (next_ms == INT64_MAX) {
		return 0;
	}
	if (next_ms <= now_ms) {
		return queries_wake(queries, now_ms);
	}
	*ret_wait_ms = next_ms - now_ms < *ret_wait_ms ? next_ms - now_ms : *ret_wait_ms;
	return 0;
}
