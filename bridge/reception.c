#include "bridge/reception.h"
#include "runtime/keyring.h"
#include "runtime/log.h"
#include "runtime/metrics.h"
#include "runtime/socket.h"
#include <errno.h>

void reception_forget(struct reception *reception, struct session *session)
{
	if (reception->limits != NULL) {
		peer_limits_release(reception->limits, &session->holder);
	}
	sessions_close(reception->sessions, reception->tracker, session);
}

void reception_end(
	struct reception *reception, struct session *session, enum bye_code code, const char *words)
{
	post_bye(reception->post, session_peer(session), session->id, code, words);
	reception_forget(reception, session);
}

/* Which edges a peer may speak for: without keys, any. With CURVE the key decides, and what stands in its file now: a
 * connection outlives a right that was taken away. */
static bool may_speak_for(const struct reception *reception, const char *user_id, struct slice edge)
{
	const struct key_holder *holder = keyring_holder(reception->keyring, user_id);
	return holder != NULL && key_list_has(holder->edges, edge.bytes, edge.size);
}

static void note_forbidden(
	const struct reception *reception, const char *user_id, struct slice edge)
{
	const struct key_holder *holder = keyring_holder(reception->keyring, user_id);
	const char *name = holder != NULL ? holder->name : "";
	char quoted[3][2 * EDGE_ID_SIZE_MAX];
	metric_add(reception->metrics->sessions_forbidden, 1);
	log_line(LOG_WARNING, "a key may not be this edge", "edge=%s name=%s key=%s",
		log_quote(edge.bytes, edge.size, quoted[0], sizeof quoted[0]),
		log_quote(name, strlen(name), quoted[1], sizeof quoted[1]),
		log_quote(user_id, strlen(user_id), quoted[2], sizeof quoted[2]));
}

static void end_forbidden(struct reception *reception, struct session *session)
{
	note_forbidden(reception, session->key, session_edge(session));
	reception_end(reception, session, BYE_FORBIDDEN, "the key may not be this edge any more");
}

void reception_review(struct reception *reception)
{
	struct session *next = NULL;
	for (struct session *session = sessions_first(reception->sessions); session != NULL;
		session = next) {
		next = sessions_next(session);
		if (!may_speak_for(reception, session->key, session_edge(session))) {
			end_forbidden(reception, session);
		}
	}
}

static bool is_alive(struct reception *reception, struct session *session)
{
	return post_credit(reception->post, session, reception->pipeline->now_ms) != POST_E_GONE;
}

static void raise_conflict(struct reception *reception, struct slice edge)
{
	char quoted[2 * EDGE_ID_SIZE_MAX];
	metric_add(reception->metrics->edge_id_conflicts, 1);
	log_line(LOG_WARNING, "two live runs of one edge id: is a machine cloned?", "edge=%s",
		log_quote(edge.bytes, edge.size, quoted, sizeof quoted));
}

/* The same connection or the same run begins anew; another run of the same edge lives on beside it. */
static void make_room(struct reception *reception, const struct session_start *start)
{
	struct session *session = sessions_of_peer(reception->sessions, start->peer);
	if (session != NULL) {
		reception_forget(reception, session);
	}
	session = sessions_of_run(reception->sessions, start->edge, start->run);
	if (session != NULL) {
		reception_end(reception, session, BYE_REPLACED, "the same run said HELLO again");
	}
	session = sessions_of_other_run(reception->sessions, start->edge, start->run);
	if (session == NULL) {
		return;
	}
	if (is_alive(reception, session)) {
		raise_conflict(reception, start->edge);
	} else {
		reception_forget(reception, session);
	}
}

/* As sessions_open; the session is counted for whoever holds it. */
static int open_counted(struct reception *reception, const struct session_start *start,
	struct session **ret_session)
{
	if (reception->limits == NULL) {
		return sessions_open(reception->sessions, start, ret_session);
	}
	if (peer_limits_hold(reception->limits, &start->holder, start->now_ms) != 0) {
		metric_add(reception->metrics->sessions_limited, 1);
		return SESSIONS_E_FULL;
	}
	int r = sessions_open(reception->sessions, start, ret_session);
	if (r != 0) {
		peer_limits_release(reception->limits, &start->holder);
	}
	return r;
}

static int welcome(struct reception *reception, const struct session_start *start)
{
	struct session *session = NULL;
	make_room(reception, start);
	int r = open_counted(reception, start, &session);
	if (r == SESSIONS_E_FULL) {
		post_bye(reception->post, start->peer, start->id, BYE_NOT_READY,
			"this bridge has as many edges as it takes");
		return 0;
	}
	if (r < 0) {
		return r;
	}
	metric_add(reception->metrics->sessions_total, 1);
	r = post_welcome(reception->post, session, reception->cluster_id, reception->topics_hash);
	if (r != 0) {
		reception_forget(reception, session); /* it will say HELLO again */
	}
	return r < 0 ? r : 0;
}

static enum wire_codec choose_codec(const struct reception *reception, uint32_t codecs)
{
	bool has_zstd = (codecs >> CODEC_ZSTD & 1) != 0;
	return reception->may_compress && has_zstd ? CODEC_ZSTD : CODEC_NONE;
}

static bool may_report(const struct reception *reception, uint32_t codecs)
{
	return (codecs & WIRE_REPORTS) != 0 && reception->reports != NULL &&
	       reception->reports->sink != NULL;
}

static int on_hello(struct reception *reception, const struct message *message,
	const struct wire_message *hello)
{
	struct slice peer = slice_of(message->frames[0].iov_base, message->frames[0].iov_len);
	struct session_start start = {
		.peer = peer,
		.edge = hello->hello.edge,
		.run = hello->hello.run,
		.id = hello->session,
		.key = message->user_id,
		.codec = choose_codec(reception, hello->hello.codecs),
		.may_report = may_report(reception, hello->hello.codecs),
		.says_ages = (hello->hello.codecs & WIRE_AGES) != 0,
		.holder = peer_name_of(message),
		.now_ms = reception->pipeline->now_ms,
	};
	if (hello->hello.version != WIRE_VERSION) {
		post_bye(reception->post, peer, hello->session, BYE_WRONG_VERSION,
			"this bridge speaks version 1");
		return 0;
	}
	if (!may_speak_for(reception, message->user_id, hello->hello.edge)) {
		note_forbidden(reception, message->user_id, hello->hello.edge);
		post_bye(reception->post, peer, hello->session, BYE_FORBIDDEN,
			"the key does not own this edge id");
		return 0;
	}
	if (reception->is_stopping) {
		post_bye(reception->post, peer, hello->session, BYE_SHUTTING_DOWN, "stopping");
		return 0;
	}
	if (reception->cluster_id[0] == '\0') {
		post_bye(reception->post, peer, hello->session, BYE_NOT_READY,
			"Kafka was not reached yet");
		return 0;
	}
	if (reception->is_kafka_away) {
		post_bye(reception->post, peer, hello->session, BYE_NOT_READY,
			"Kafka can not be reached");
		return 0;
	}
	token_bucket_init(&start.reports, 1000 / REPORTS_MS, REPORTS_BURST, start.now_ms);
	return welcome(reception, &start);
}

static void on_bad_frame(struct reception *reception, struct slice peer, const char *words)
{
	char quoted[2 * COMPLAINT_SIZE_MAX];
	struct session *session = sessions_of_peer(reception->sessions, peer);
	metric_add(reception->metrics->frames_bad, 1);
	log_line(LOG_WARNING, "a frame breaks the protocol", "why=%s",
		log_quote(words, strlen(words), quoted, sizeof quoted));
	if (session == NULL) {
		post_bye(reception->post, peer, 0, BYE_BAD_FRAME, words);
	} else {
		reception_end(reception, session, BYE_BAD_FRAME, words);
	}
}

/* The edge sends it again, uncompressed. */
static void on_bad_compression(
	struct reception *reception, struct session *session, const char *words)
{
	metric_add(reception->metrics->compressed_bad, 1);
	on_bad_frame(reception, session_peer(session), words);
}

/* As of now: what it took on its way longer than the fastest did is a part of it. */
static int64_t age_here(
	struct reception *reception, struct session *session, const struct wire_message *message)
{
	return message->batch.age_ms + edge_clock_hear(&session->clock, message->batch.sent_ms,
					       reception->pipeline->now_ms);
}

static int on_batch(
	struct reception *reception, struct session *session, const struct wire_message *message)
{
	const struct pipeline_batch batch = {
		.number = message->batch.number,
		.lane = message->batch.lane,
		.count = message->batch.count,
		.events = message->batch.events,
		.plain_size = message->batch.plain_size,
		.has_age = message->batch.has_age,
		.age_ms = message->batch.has_age ? age_here(reception, session, message) : 0,
	};
	if (batch.has_age && !session->says_ages) {
		on_bad_frame(reception, session_peer(session), "nobody asked for its age");
		return 0;
	}
	if (batch.number != session->last_number + 1) {
		on_bad_frame(reception, session_peer(session), "the number is not the next one");
		return 0;
	}
	if (batch.plain_size > 0 && session->codec == CODEC_NONE) {
		on_bad_compression(reception, session, "it is compressed, and no codec was chosen");
		return 0;
	}
	session->last_number = batch.number;
	metric_add(reception->metrics->batches_received, 1);
	int r = pipeline_take(reception->pipeline, session, &batch);
	if (r == PIPELINE_E_COUNT) {
		on_bad_frame(reception, session_peer(session),
			"the batch has not as many events as it says");
		return 0;
	}
	if (r == PIPELINE_E_COMPRESSION) {
		on_bad_compression(reception, session, reception->pipeline->complaint.message);
		return 0;
	}
	if (r == -ENOMEM) {
		reception_end(reception, session, BYE_NOT_READY, "out of memory");
		return 0;
	}
	return r;
}

static int on_report(
	struct reception *reception, struct session *session, const struct wire_message *message)
{
	int r = REPORTS_E_BAD;

	if (reception->reports == NULL) {
		on_bad_frame(reception, session_peer(session), "no reports are taken here");
		return 0;
	}
	r = reports_take(
		reception->reports, session, message->report.bytes, reception->pipeline->now_ms);
	if (r == REPORTS_E_BAD) {
		on_bad_frame(
			reception, session_peer(session), reception->reports->complaint.message);
	}
	return r < 0 ? r : 0;
}

static int dispatch(struct reception *reception, const struct message *message,
	const struct wire_message *decoded)
{
	struct slice peer = slice_of(message->frames[0].iov_base, message->frames[0].iov_len);
	if (decoded->type == WIRE_HELLO) {
		return on_hello(reception, message, decoded);
	}
	struct session *session = sessions_of_peer(reception->sessions, peer);
	if (session == NULL || session->id != decoded->session) {
		if (decoded->type != WIRE_BYE) {
			post_bye(reception->post, peer, decoded->session, BYE_NO_SESSION,
				"say HELLO first");
		}
		return 0;
	}
	if (!may_speak_for(reception, message->user_id, session_edge(session))) {
		end_forbidden(reception, session);
		return 0;
	}
	session->heard_ms = reception->pipeline->now_ms;
	switch (decoded->type) {
	case WIRE_BATCH:
		return on_batch(reception, session, decoded);
	case WIRE_REPORT:
		return on_report(reception, session, decoded);
	case WIRE_BYE:
		reception_forget(reception, session);
		return 0;
	default:
		on_bad_frame(reception, peer, "an edge sends HELLO, BATCH, REPORT and BYE only");
		return 0;
	}
}

/* Who floods loses its session, and nothing else: what was not acknowledged is still its own. */
static bool is_flooding(struct reception *reception, const struct message *message)
{
	static const int64_t costs[PEER_RATES_MAX] = {[EDGE_FRAMES] = 1};
	struct slice peer = slice_of(message->frames[0].iov_base, message->frames[0].iov_len);
	struct peer_name name = peer_name_of(message);
	if (reception->limits == NULL || peer_limits_take(reception->limits, &name, costs,
						 reception->pipeline->now_ms) == 0) {
		return false;
	}
	struct session *session = sessions_of_peer(reception->sessions, peer);
	metric_add(reception->metrics->frames_limited, 1);
	if (session != NULL) {
		reception_end(reception, session, BYE_NOT_READY,
			"more frames in a second than this bridge takes from one peer");
	}
	return true;
}

int reception_take(struct reception *reception, const struct message *message)
{
	struct wire_message decoded;
	struct complaint complaint;
	struct slice peer = slice_of(message->frames[0].iov_base, message->frames[0].iov_len);

	if (message->frame_count != 2) {
		on_bad_frame(reception, peer, "a message is one frame");
		return 0;
	}
	if (is_flooding(reception, message)) {
		return 0;
	}
	struct slice frame = slice_of(message->frames[1].iov_base, message->frames[1].iov_len);
	if (wire_decode(frame, reception->ranges, &decoded, &complaint) != 0) {
		on_bad_frame(reception, peer, complaint.message);
		return 0;
	}
	return dispatch(reception, message, &decoded);
}
