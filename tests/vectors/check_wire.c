/* edge to bridge */
#include "vectors.h"

#include "proto/compression.h"
#include "proto/wire.h"

static const char *const type_names[] = {
	[WIRE_HELLO] = "hello",
	[WIRE_WELCOME] = "welcome",
	[WIRE_BATCH] = "batch",
	[WIRE_ACK] = "ack",
	[WIRE_NACK] = "nack",
	[WIRE_STATE] = "state",
	[WIRE_BYE] = "bye",
	[WIRE_REPORT] = "report",
};

static void check_number(
	struct check *check, const struct node *wanted, const char *key, uint64_t number)
{
	check_equal_number(check, key, vector_integer(check, wanted, key), (int64_t)number);
}

static void check_text(
	struct check *check, const struct node *wanted, const char *key, struct slice text)
{
	check_equal_text(check, key, vector_text(wanted, key), text);
}

static void check_credit(
	struct check *check, const struct node *wanted, const uint64_t credit[LANE_COUNT])
{
	const struct node *node = node_first(node_find(wanted, "credit"));

	for (int lane = 0; lane < LANE_COUNT; lane++) {
		int64_t bytes = -1;
		node_integer(node, &bytes);
		check_equal_number(check, "credit", bytes, (int64_t)credit[lane]);
		node = node_next(node);
	}
}

static void check_ranges(
	struct check *check, const struct node *wanted, const struct wire_message *message)
{
	const struct node *list = node_find(wanted, "ranges");
	const struct node *node = node_first(list);

	check_equal_number(check, "ranges", list->count, 2 * message->ack.range_count);
	for (uint32_t i = 0; i < message->ack.range_count; i++) {
		int64_t first = 0, last = 0;
		node_integer(node, &first);
		node_integer(node_next(node), &last);
		check_equal_number(check, "first", first, (int64_t)message->ack.ranges[i].first);
		check_equal_number(check, "last", last, (int64_t)message->ack.ranges[i].last);
		node = node_next(node_next(node));
	}
}

static void check_lanes(
	struct check *check, const struct node *wanted, const struct wire_message *message)
{
	const struct node *node = node_first(node_find(wanted, "lanes"));

	for (int lane = 0; lane < LANE_COUNT; lane++) {
		const struct wire_lane_state *state = &message->state[lane];
		const struct node *waiting_ms = node_first(node);
		int64_t number = -1;
		if (node->type == NODE_NIL) {
			check_equal_number(check, "ok", -1, state->waiting_ms);
		} else {
			node_integer(waiting_ms, &number);
			check_equal_number(check, "waiting_ms", number, state->waiting_ms);
			node_integer(node_next(waiting_ms), &number);
			check_equal_number(check, "since_ms", number, state->since_ms);
			check_equal_text(
				check, "why", node_next(node_next(waiting_ms))->text, state->why);
		}
		node = node_next(node);
	}
}

static void check_session(
	struct check *check, const struct node *wanted, const struct wire_message *message)
{
	if (vector_unsigned(check, wanted, "session") != message->session) {
		check_fail(check, "another session");
	}
}

static void check_hello(
	struct check *check, const struct node *wanted, const struct wire_message *message)
{
	check_number(check, wanted, "version", message->hello.version);
	if (message->hello.version != WIRE_VERSION) {
		return;
	}
	check_session(check, wanted, message);
	check_text(check, wanted, "edge", message->hello.edge);
	check_number(check, wanted, "run", message->hello.run);
	check_text(check, wanted, "program", message->hello.program);
	check_equal_number(check, "codecs",
		(vector_has(wanted, "codecs") ? 1u << CODEC_ZSTD : 0) |
			(vector_has(wanted, "reports") ? WIRE_REPORTS : 0) |
			(vector_has(wanted, "ages") ? WIRE_AGES : 0),
		message->hello.codecs);
}

static void check_welcome(
	struct check *check, const struct node *wanted, const struct wire_message *message)
{
	check_session(check, wanted, message);
	check_number(check, wanted, "version", message->welcome.version);
	check_text(check, wanted, "cluster", message->welcome.cluster_id);
	if (vector_unsigned(check, wanted, "topics_hash") != message->welcome.topics_hash) {
		check_fail(check, "another hash of topics");
	}
	check_credit(check, wanted, message->welcome.credit);
	check_number(check, wanted, "batch_size_max", message->welcome.batch_size_max);
	check_equal_number(check, "codec", vector_has(wanted, "codec") ? CODEC_ZSTD : CODEC_NONE,
		message->welcome.codec);
	check_equal_number(check, "report_ms",
		vector_has(wanted, "report_ms") ? vector_integer(check, wanted, "report_ms") : 0,
		message->welcome.report_ms);
	check_equal_number(check, "ages", vector_has(wanted, "ages"), message->welcome.takes_ages);
}

static void check_batch(
	struct check *check, const struct node *wanted, const struct wire_message *message)
{
	check_session(check, wanted, message);
	check_number(check, wanted, "number", message->batch.number);
	check_number(check, wanted, "lane", message->batch.lane);
	check_number(check, wanted, "count", message->batch.count);
	check_number(check, wanted, "lane", message->batch.lane);
	check_equal_number(check, "size of events", (int64_t)vector_text(wanted, "events").size / 2,
		(int64_t)message->batch.events.size);
	if (vector_has(wanted, "plain_size")) {
		check_number(check, wanted, "plain_size", message->batch.plain_size);
	} else {
		check_equal_number(check, "plain_size", 0, message->batch.plain_size);
	}
	check_equal_number(check, "age", vector_has(wanted, "age_ms"), message->batch.has_age);
	if (message->batch.has_age) {
		check_number(check, wanted, "sent_ms", (uint64_t)message->batch.sent_ms);
		check_number(check, wanted, "age_ms", (uint64_t)message->batch.age_ms);
	}
}

static void check_equal_hex(
	struct check *check, const char *what, struct slice wanted, struct slice got)
{
	static const char digits[] = "0123456789abcdef";

	buffer_clear(&check->output);
	for (size_t i = 0; i < got.size; i++) {
		buffer_append_byte(&check->output, (uint8_t)digits[got.bytes[i] >> 4]);
		buffer_append_byte(&check->output, (uint8_t)digits[got.bytes[i] & 15]);
	}
	check_equal_text(check, what, wanted, buffer_slice(&check->output));
}

/* What was compressed must come out, and if it does not, the frame is as bad as any other. */
static int decode(struct check *check, const struct node *vector, struct wire_message *message,
	struct complaint *complaint)
{
	static struct wire_range ranges[WIRE_RANGES_MAX];
	struct decompressor *decompressor = NULL;
	struct slice plain;

	int r = wire_decode(buffer_slice(&check->bytes), ranges, message, complaint);
	if (r != 0 || message->type != WIRE_BATCH || message->batch.plain_size == 0) {
		return r;
	}
	if (decompressor_new(&decompressor) != 0) {
		check_fail(check, "out of memory");
		return 0;
	}
	r = decompressor_unpack(
		decompressor, message->batch.events, message->batch.plain_size, &plain, complaint);
	if (r == 0 && vector_has(vector, "plain")) {
		check_equal_hex(check, "plain", vector_text(vector, "plain"), plain);
	}
	decompressor_free(decompressor);
	return r;
}

static void check_meaning(
	struct check *check, const struct node *wanted, const struct wire_message *message)
{
	switch (message->type) {
	case WIRE_HELLO:
		check_hello(check, wanted, message);
		return;
	case WIRE_WELCOME:
		check_welcome(check, wanted, message);
		return;
	case WIRE_BATCH:
		check_batch(check, wanted, message);
		return;
	case WIRE_ACK:
		check_ranges(check, wanted, message);
		check_credit(check, wanted, message->ack.credit);
		break;
	case WIRE_NACK:
		check_ranges(check, wanted, message);
		check_text(check, wanted, "code", slice_of_text(nack_code_name(message->ack.code)));
		check_number(check, wanted, "retry_after_ms", message->ack.retry_after_ms);
		break;
	case WIRE_STATE:
		check_lanes(check, wanted, message);
		break;
	case WIRE_BYE:
		check_text(check, wanted, "code", slice_of_text(bye_code_name(message->bye.code)));
		check_text(check, wanted, "words", message->bye.words);
		break;
	case WIRE_REPORT:
		check_equal_number(check, "size of the report",
			(int64_t)vector_text(wanted, "report").size / 2,
			(int64_t)message->report.bytes.size);
		break;
	}
	check_session(check, wanted, message);
}

void check_wire(struct check *check, const struct node *vector)
{
	const struct node *wanted = node_find(vector, "message");
	struct complaint complaint;
	struct wire_message message;
	int r;

	vector_hex(check, vector, "hex");
	r = decode(check, vector, &message, &complaint);
	if (wanted == NULL) {
		check_refused(check, vector, r, &complaint);
		return;
	}
	if (r != 0) {
		check_fail(check, "refused: %s", complaint.message);
		return;
	}
	check_text(check, wanted, "type", slice_of_text(type_names[message.type]));
	check_meaning(check, wanted, &message);
	if (vector_has(vector, "only_decodes")) {
		return;
	}
	buffer_clear(&check->output);
	wire_encode(&message, &check->output);
	if (!slice_equal(buffer_slice(&check->output), buffer_slice(&check->bytes))) {
		check_fail(check, "encoded otherwise");
	}
}
