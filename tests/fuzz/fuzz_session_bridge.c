/* What any edges may say to a bridge, frame by frame (session.h, script.h), while Kafka, links and time do what they like. Held at each
 * step: what the bridge sends are frames; an ACK names only sendings of that very session, all of whose records, or the dead
 * letters and markers in their place, Kafka has. At the end nothing is left in the books.
 *
 * The first byte: bit 0 JSON records, bit 1 no compression. */
#include "bridge/rounds.h"
#include "proto/utf8.h"
#include "runtime/log.h"
#include "runtime/metrics.h"
#include "runtime/socket.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/session.h"

const struct structure fuzz_structure = {.mutate = mutate_session, .prefix_size = 1};

enum act {
	REPORT = SESSION_ACTS, /* u8: the how manieth record that waits was delivered; 255: all */
	FAIL, /* u8: error */
	STUFF_LINK, /* u8: enum of socket_send's results */
	LOSE_LINK,
	STUFF_SINK, /* u8: enum of sink_put's results */
	SHUT_LANE, /* u8: lane; or opens it */
	LOSE_CLUSTER, /* or finds it again */
	HOLD_ACKS, /* or no longer */
	FAIL_ALL, /* the producer is gone */
	STOP, /* or not */
};

enum { PEERS = 16, NOTES_MAX = 1024, RECORDS_MAX = 2048, ALL = 255, TENTH_MS = 100 };

/* One sending that came, and what Kafka has of it. */
struct note {
	uint64_t ticket;
	uint64_t life, number; /* of which session */
	uint32_t waiting; /* records without a report */
	bool is_lost; /* one failed for good */
};

struct record {
	struct note *note;
	enum kind lane;
	struct slice key, value; /* owned */
	bool waits, is_alone;
};

static struct {
	struct topics topics;
	struct tracker tracker;
	struct sessions *sessions;
	struct metrics *metrics;
	struct bridge_metrics numbers;
	struct lane lanes[LANE_COUNT];
	struct pipeline pipeline;
	struct post post;
	struct reception reception;
	struct rounds rounds;
} bridge;

static struct world {
	uint64_t lives[PEERS]; /* the session that each peer was last welcomed to */
	uint64_t life_count;
	int link[PEERS]; /* what socket_send gives */
	int sink; /* what sink_put gives */
	uint8_t speaker;
	uint64_t number; /* of the batch that is being taken */
	struct note notes[NOTES_MAX];
	size_t note_count;
	struct record records[RECORDS_MAX];
	size_t record_count;
	struct record *reported; /* while it is */
	bool lives_on; /* the record that is reported: it, or another in its place */
} world;

/* ---- Kafka */

static struct note *note_of(uint64_t ticket)
{
	for (size_t i = world.note_count; i-- > 0;) {
		if (world.notes[i].ticket == ticket) {
			return &world.notes[i];
		}
	}
	if (world.note_count == NOTES_MAX) {
		return NULL;
	}
	struct note *note = &world.notes[world.note_count++];
	*note = (struct note){
		.ticket = ticket, .life = world.lives[world.speaker], .number = world.number};
	return note;
}

int sink_put(struct sink *sink, const struct sink_record *record)
{
	struct note *note = world.sink == 0 ? note_of(record->ticket) : NULL;

	(void)sink;
	fuzz_require(
		(int)record->lane < LANE_COUNT && record->partition < bridge.topics.partitions);
	fuzz_require(edge_id_is_valid(record->key));
	if (world.sink != 0 || note == NULL || world.record_count == RECORDS_MAX) {
		return world.sink != 0 ? world.sink : SINK_E_FULL;
	}
	world.records[world.record_count++] = (struct record){
		.note = note,
		.lane = record->lane,
		.key = fuzz_copy(record->key.bytes, record->key.size),
		.value = fuzz_copy(record->value.bytes, record->value.size),
		.waits = true,
	};
	note->waiting++;
	world.lives_on = true;
	return 0;
}

const char *sink_error(const struct sink *sink)
{
	static const char *const names[] = {"MSG_SIZE_TOO_LARGE", "_UNKNOWN_TOPIC", "_FATAL"};

	(void)sink;
	return names[world.record_count % 3];
}

int sink_repeat(struct sink *sink, const struct sink_report *report)
{
	(void)sink;
	fuzz_require(world.reported != NULL && report->message == world.reported);
	if (world.sink != 0) {
		return world.sink;
	}
	world.reported->waits = world.reported->is_alone = true;
	world.reported->note->waiting++;
	world.lives_on = true;
	return 0;
}

static void report(struct record *record, const char *error)
{
	const struct sink_report what = {
		.lane = record->lane,
		.ticket = record->note->ticket,
		.error = error,
		.was_alone = record->is_alone,
		.key = record->key,
		.value = record->value,
		.message = record,
	};

	record->waits = false;
	record->note->waiting--;
	world.reported = record;
	world.lives_on = error == NULL;
	pipeline_reported(&bridge.pipeline, &what);
	world.reported = NULL;
	record->note->is_lost = record->note->is_lost || !world.lives_on;
}

static void report_some(uint8_t choice, const char *error)
{
	size_t count = world.record_count; /* what comes in their place waits */

	for (size_t i = 0; i < count; i++) {
		struct record *record = &world.records[i];
		if (record->waits && (choice == ALL || choice-- == 0)) {
			report(record, error);
			if (choice != ALL) {
				return;
			}
		}
	}
}

static void report_failure(uint8_t choice)
{
	static const char *const errors[] = {"_MSG_TIMED_OUT", "MSG_SIZE_TOO_LARGE",
		"_UNKNOWN_TOPIC", "TOPIC_AUTHORIZATION_FAILED", "_FATAL", "_OTHER_CLUSTER",
		"INVALID_RECORD", "never heard of"};

	report_some((uint8_t)(choice >> 3), errors[choice & 7]);
}

/* ---- the links */

static void check_ack(uint64_t life, uint64_t number)
{
	for (size_t i = world.note_count; i-- > 0;) {
		const struct note *note = &world.notes[i];
		if (note->life == life && note->number == number) {
			fuzz_require(note->waiting == 0 && !note->is_lost);
			return;
		}
	}
	fuzz_require(false); /* nothing of it ever went to Kafka */
}

static void check_acks(uint8_t peer, const struct wire_message *message)
{
	for (uint32_t i = 0; i < message->ack.range_count; i++) {
		const struct wire_range *range = &message->ack.ranges[i];
		for (uint64_t number = range->first; number <= range->last; number++) {
			check_ack(world.lives[peer], number);
		}
	}
}

int socket_send(struct socket *socket, const struct iovec *frames, size_t frame_count)
{
	static struct wire_range ranges[WIRE_RANGES_MAX];
	struct wire_message message;
	struct complaint complaint;

	(void)socket;
	fuzz_require(frame_count == 2 && frames[0].iov_len == 1);
	uint8_t peer = *(const uint8_t *)frames[0].iov_base;
	struct slice frame = slice_of(frames[1].iov_base, frames[1].iov_len);
	fuzz_require(wire_decode(frame, ranges, &message, &complaint) == 0);
	fuzz_require(message.type != WIRE_HELLO && message.type != WIRE_BATCH);
	if (world.link[peer] != 0) {
		return world.link[peer];
	}
	if (message.type == WIRE_WELCOME) {
		world.lives[peer] = ++world.life_count;
	} else if (message.type == WIRE_ACK) {
		check_acks(peer, &message);
	}
	return 0;
}

/* ---- steps */

static struct session *session_of(uint8_t peer)
{
	return sessions_of_peer(bridge.sessions, slice_of(&peer, 1));
}

static void take(uint8_t peer, struct slice frame)
{
	struct slice copy = fuzz_copy(frame.bytes, frame.size);
	struct session *session = session_of(peer);
	struct message message = {.frame_count = 2};

	world.speaker = peer;
	world.number = session != NULL ? session->last_number + 1 : 0;
	message.frames[0] = (struct iovec){&peer, 1};
	message.frames[1] = (struct iovec){(void *)(uintptr_t)copy.bytes, copy.size};
	fuzz_require(reception_take(&bridge.reception, &message) == 0);
	fuzz_free(copy);
}

/* With the session and the number that the bridge expects of this peer. */
static void take_fitting(uint8_t peer, struct slice frame)
{
	static struct wire_range ranges[WIRE_RANGES_MAX];
	const struct session *session = session_of(peer);
	struct wire_message message;
	struct complaint complaint;
	struct buffer buffer;

	if (session == NULL || wire_decode(frame, ranges, &message, &complaint) != 0 ||
		message.type == WIRE_HELLO || message.type == WIRE_WELCOME) {
		take(peer, frame);
		return;
	}
	message.session = session->id;
	if (message.type == WIRE_BATCH) {
		message.batch.number = session->last_number + 1;
	}
	buffer_init(&buffer, WIRE_FRAME_SIZE_MAX);
	wire_encode(&message, &buffer);
	take(peer, buffer_slice(&buffer));
	buffer_deinit(&buffer);
}

static void pass_time(uint8_t tenths)
{
	struct pipeline *pipeline = &bridge.pipeline;
	const struct lane_sight sight = {pipeline->now_ms, pipeline->wall_ms, true, false};

	pipeline->now_ms += tenths * TENTH_MS;
	pipeline->now_us = pipeline->now_ms * 1000;
	pipeline->wall_ms += tenths * TENTH_MS;
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		lane_look(&bridge.lanes[lane], &sight);
	}
	fuzz_require(rounds_post_beats(&bridge.rounds, pipeline->now_ms) == 0);
}

static void shut_lane(uint8_t choice)
{
	struct lane *lane = &bridge.lanes[choice % LANE_COUNT];

	if (lane->is_open) {
		lane_close(lane, "no rights");
	} else {
		lane_open(lane, bridge.pipeline.now_ms);
	}
}

static void lose_link(uint8_t peer)
{
	struct session *session = session_of(peer);

	if (session != NULL) {
		reception_forget(&bridge.reception, session);
	}
}

static void act(const struct script_step *step)
{
	struct reception *reception = &bridge.reception;
	uint8_t byte = script_byte(step, 0);

	switch ((int)step->act) {
	case SESSION_FRAME:
		take(step->whom, step->bytes);
		break;
	case SESSION_FITTING:
		take_fitting(step->whom, step->bytes);
		break;
	case SESSION_TIME:
		pass_time(byte);
		break;
	case REPORT:
		report_some(byte, NULL);
		break;
	case FAIL:
		report_failure(byte);
		break;
	case STUFF_LINK:
		world.link[step->whom] = byte % (SOCKET_E_UNREACHABLE + 1);
		break;
	case LOSE_LINK:
		lose_link(step->whom);
		break;
	case STUFF_SINK:
		world.sink = byte % (SINK_E_DOWN + 1);
		break;
	case SHUT_LANE:
		shut_lane(byte);
		break;
	case LOSE_CLUSTER:
		strcpy(reception->cluster_id, byte % 2 == 0 ? "" : "cluster");
		reception->is_kafka_away = byte % 4 == 3;
		break;
	case HOLD_ACKS:
		rounds_hold_acks(&bridge.rounds, !bridge.post.holds_acks);
		break;
	case FAIL_ALL:
		bridge.pipeline.is_producer_lost = true;
		break;
	case STOP:
		reception->is_stopping = bridge.pipeline.is_stopping = !reception->is_stopping;
		break;
	default:
		break;
	}
}

/* What bridge.c does after each round. */
static void end_round(void)
{
	if (bridge.pipeline.is_producer_lost) {
		bridge.pipeline.is_producer_lost = false;
		pipeline_fail_all(&bridge.pipeline, TENTH_MS);
	}
	bridge.pipeline.is_topic_lost = false;
	fuzz_require(rounds_post_news(&bridge.rounds, bridge.pipeline.now_ms) == 0);
}

/* ---- the bench */

static void make_bridge(void)
{
	static const char *const names[] = {"orders", "cart_events", "page_views"};
	struct complaint complaint;

	log_init("fuzz", (enum log_level)0);
	bridge.topics = (struct topics){.partitions = 4};
	fuzz_require(topic_names_fill(names, bridge.topics.names, &complaint) == 0);
	tracker_init(&bridge.tracker);
	fuzz_require(metrics_new(&bridge.metrics) == 0);
	fuzz_require(bridge_metrics_init(&bridge.numbers, bridge.metrics, &bridge.topics) == 0);
	fuzz_require(sessions_new(&bridge.sessions) == 0);
	post_init(&bridge.post, NULL, bridge.sessions, &bridge.numbers);
	const struct pipeline_parts parts = {.topics = &bridge.topics,
		.sessions = bridge.sessions,
		.tracker = &bridge.tracker,
		.lanes = bridge.lanes,
		.metrics = &bridge.numbers};
	fuzz_require(pipeline_init(&bridge.pipeline, &parts) == 0);
	bridge.rounds =
		(struct rounds){&bridge.reception, bridge.sessions, &bridge.post, bridge.lanes};
}

static void begin(uint8_t choices)
{
	bool is_json = (choices & 1) != 0;

	if (bridge.sessions == NULL) {
		make_bridge();
	}
	memset(&world, 0, offsetof(struct world, notes));
	world.note_count = world.record_count = 0;
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		lane_init(&bridge.lanes[lane], 0);
		lane_open(&bridge.lanes[lane], 0);
	}
	bridge.pipeline.parts.encoding = is_json ? ENCODING_JSON : ENCODING_MSGPACK;
	bridge.pipeline.parts.has_content_type = is_json;
	bridge.pipeline.is_stopping = bridge.pipeline.is_producer_lost = false;
	bridge.pipeline.now_ms = bridge.pipeline.now_us = 0;
	bridge.pipeline.wall_ms = INT64_C(1291191960000);
	bridge.post.holds_acks = false;
	bridge.reception = (struct reception){
		.sessions = bridge.sessions,
		.tracker = &bridge.tracker,
		.pipeline = &bridge.pipeline,
		.post = &bridge.post,
		.metrics = &bridge.numbers,
		.topics_hash = 42,
		.cluster_id = "cluster",
		.may_compress = (choices & 2) == 0,
	};
}

/* Nobody is left, and nothing is in flight. */
static void end(void)
{
	rounds_end_all(&bridge.rounds, BYE_SHUTTING_DOWN, "the end");
	pipeline_fail_all(&bridge.pipeline, 0);
	fuzz_require(sessions_count(bridge.sessions) == 0 && bridge.tracker.batch_count == 0);
	fuzz_require(bridge.tracker.record_count == 0);
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		fuzz_require(bridge.tracker.lane_bytes[lane] == 0);
	}
	for (size_t i = 0; i < world.record_count; i++) {
		fuzz_free(world.records[i].key);
		fuzz_free(world.records[i].value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice script = size > 0 ? slice_of(data + 1, size - 1) : slice_of(NULL, 0);
	struct script_step step;

	begin(size > 0 ? data[0] : 0);
	while (script_next(&script, &step)) {
		act(&step);
		end_round();
	}
	end();
	return 0;
}
