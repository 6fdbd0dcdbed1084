#include "bridge/post.h"
#include "bridge/credit.h"
#include "bridge/reports.h"
#include "runtime/metrics.h"
#include "runtime/socket.h"

enum { POST_FRAME_SIZE_MAX = 64 * 1024 }; /* an ACK with all its ranges has about 20 KiB */

void post_init(struct post *post, struct socket *router, const struct sessions *sessions,
	struct bridge_metrics *metrics)
{
	*post = (struct post){.router = router, .sessions = sessions, .metrics = metrics};
	buffer_init(&post->frame, POST_FRAME_SIZE_MAX);
}

void post_deinit(struct post *post)
{
	buffer_deinit(&post->frame);
}

static int send_frame(struct post *post, struct slice peer, const struct wire_message *message)
{
	buffer_clear(&post->frame);
	wire_encode(message, &post->frame);
	if (post->frame.error < 0) {
		return post->frame.error;
	}
	const struct iovec frames[] = {
		{(void *)(uintptr_t)peer.bytes, peer.size},
		{post->frame.bytes, post->frame.size},
	};
	int r = socket_send(post->router, frames, 2);
	switch (r) {
	case SOCKET_E_AGAIN:
		return POST_E_LATER;
	case SOCKET_E_UNREACHABLE:
		return POST_E_GONE;
	default:
		return r;
	}
}

static void fill_credit(const struct post *post, uint64_t credit[LANE_COUNT])
{
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		credit[lane] = credit_share((enum kind)lane, sessions_count(post->sessions));
	}
}

int post_welcome(
	struct post *post, struct session *session, const char *cluster_id, uint64_t topics_hash)
{
	struct wire_message message = {
		.type = WIRE_WELCOME,
		.session = session->id,
		.welcome = {.version = WIRE_VERSION,
			.cluster_id = slice_of_text(cluster_id),
			.topics_hash = topics_hash,
			.batch_size_max = BATCH_SIZE_MAX,
			.codec = session->codec,
			.report_ms = session->may_report ? REPORTS_MS : 0,
			.takes_ages = session->says_ages},
	};
	fill_credit(post, message.welcome.credit);
	return send_frame(post, session_peer(session), &message);
}

int post_bye(struct post *post, struct slice peer, uint64_t session_id, enum bye_code code,
	const char *words)
{
	const struct wire_message message = {
		.type = WIRE_BYE,
		.session = session_id,
		.bye = {.code = code, .words = slice_of_text(words)},
	};
	return send_frame(post, peer, &message);
}

/* ACK when code is 0. */
static int send_ranges(struct post *post, struct session *session, int code, uint32_t count)
{
	struct outbox *outbox = &session->outbox;
	struct wire_message message = {
		.type = code == 0 ? WIRE_ACK : WIRE_NACK,
		.session = session->id,
		.ack = {.ranges = outbox->done[code].items,
			.range_count = count,
			.code = (enum nack_code)code,
			.retry_after_ms = outbox->retry_after_ms[code]},
	};
	fill_credit(post, message.ack.credit);
	return send_frame(post, session_peer(session), &message);
}

static int post_code(struct post *post, struct session *session, int code)
{
	struct ranges *done = &session->outbox.done[code];
	while (done->count > 0) {
		uint32_t count =
			done->count < WIRE_RANGES_MAX ? (uint32_t)done->count : WIRE_RANGES_MAX;
		int r = send_ranges(post, session, code, count);
		if (r != 0) {
			return r;
		}
		ranges_drop(done, count);
	}
	session->outbox.retry_after_ms[code] = 0;
	return 0;
}

int post_news(struct post *post, struct session *session, int64_t now_ms)
{
	for (int code = post->holds_acks ? 1 : 0; code < NACK_CODE_COUNT; code++) {
		int r = post_code(post, session, code);
		if (r == POST_E_LATER) {
			metric_add(post->metrics->acks_deferred, 1);
		}
		if (r != 0) {
			return r;
		}
	}
	session->told_ms = now_ms;
	return 0;
}

int post_credit(struct post *post, struct session *session, int64_t now_ms)
{
	int r = send_ranges(post, session, 0, 0);
	if (r == 0) {
		session->told_ms = now_ms;
	}
	return r;
}

int post_state(struct post *post, struct session *session, const struct lane lanes[LANE_COUNT],
	int64_t now_ms)
{
	struct wire_message message = {.type = WIRE_STATE, .session = session->id};
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		message.state[lane] = lane_state(&lanes[lane], now_ms);
	}
	int r = send_frame(post, session_peer(session), &message);
	if (r == 0) {
		session->told_ms = now_ms;
	}
	return r;
}
