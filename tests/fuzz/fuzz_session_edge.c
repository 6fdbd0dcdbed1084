/* What any bridge may say to an edge, frame by frame (session.h, script.h), while links, time and the spool do what they like. Held at each
 * step: only blocks that are there, unacknowledged and not in flight are read; only what an ACK of the present session named is
 * removed. At the end the bridge behaves, and everything that is in the spool leaves it.
 *
 * The first byte: bit 0 live events first, bit 1 a drain rate, bit 2 codecs, bit 3 a spool of an earlier process, bit 4 gathers. */
#include "edge/sender.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/session.h"

const struct structure fuzz_structure = {.mutate = mutate_session, .prefix_size = 1};

enum act {
	CONNECT = SESSION_ACTS,
	LOSE_LINK,
	GROW, /* u8: lane and how many blocks */
	ANSWER, /* u8: enum answer, to what is read from now on */
	PROBE, /* the frame of another bridge */
	STOP, /* in one of many */
};

enum answer { SEND, SEND_ONE, SKIP, STARVE, HOLD, ANSWERS };

enum {
	BLOCKS_MAX = 1024, /* of a lane */
	BLOCK_SIZE = 1000,
	BLOCK_EVENTS = 10,
	SENDINGS_MAX = LANE_COUNT * SENDER_FLIGHT_MAX,
	STEPS_MAX = 100000,
	TENTH_MS = 100,
	DRAIN_STEPS_MAX = 20000,
	PAUSE_MS_MAX = WIRE_RETRY_AFTER_MS_MAX,
	LASTING = 64, /* STOP is meant when the byte is below */
};

struct sending {
	uint64_t number;
	enum kind lane;
	uint64_t first, last;
};

static struct sender sender;

static struct {
	int64_t now_ms;
	uint64_t session; /* the last that was begun */
	uint64_t ends[LANE_COUNT];
	bool is_removed[LANE_COUNT][BLOCKS_MAX];
	bool is_skipped[LANE_COUNT][BLOCKS_MAX];
	uint32_t life; /* of the present session, from 1 */
	uint32_t lives[LANE_COUNT][BLOCKS_MAX]; /* in which a block that is in flight left */
	struct sending sendings[SENDINGS_MAX]; /* of the present session */
	size_t sending_count;
	enum answer answer;
	struct removals removals;
} world;

/* ---- the spool */

/* A new session: nothing of the last one is in flight any more. */
static void forget_sendings(void)
{
	world.sending_count = 0;
	world.life++;
}

static bool is_in_flight(enum kind lane, uint64_t index)
{
	return world.lives[lane][index] == world.life;
}

static void note_sent(const struct sender_order *order, uint64_t last)
{
	const struct sender_range sent = {
		.first = order->first,
		.last = last,
		.bytes = (uint32_t)(last - order->first + 1) * BLOCK_SIZE,
		.count = (uint32_t)(last - order->first + 1) * BLOCK_EVENTS,
	};

	for (uint64_t index = order->first; index <= last; index++) {
		fuzz_require(!world.is_removed[order->lane][index]);
		fuzz_require(!is_in_flight(order->lane, index));
		world.lives[order->lane][index] = world.life;
	}
	fuzz_require(world.sending_count < SENDINGS_MAX);
	world.sendings[world.sending_count++] =
		(struct sending){sender_number(&sender), order->lane, order->first, last};
	sender_sent(&sender, order, &sent, world.now_ms);
}

static void skip(const struct sender_order *order)
{
	for (uint64_t index = order->first; index <= order->last && index < world.ends[order->lane];
		index++) {
		world.is_skipped[order->lane][index] = true;
	}
	sender_skipped(&sender, order);
}

static void read_blocks(const struct sender_order *order)
{
	uint64_t count = order->size_max / BLOCK_SIZE;
	uint64_t end = world.ends[order->lane]; /* of a tail, last is as far as there is anything */
	uint64_t last = order->last < end ? order->last : end - 1;
	uint64_t wanted = last - order->first + 1;
	bool is_alone = sender.lanes[order->lane].in_flight == 0; /* then any block fits */

	fuzz_require(order->first <= order->last && order->first < end);
	fuzz_require(count > 0 || !is_alone);
	count = count < wanted ? count : wanted;
	if (world.answer == SKIP) {
		skip(order);
	} else if (world.answer == HOLD) {
		sender_held(&sender, world.now_ms);
	} else if (count == 0 || (world.answer == STARVE && !is_alone)) {
		sender_starved(&sender, order);
	} else {
		note_sent(order, order->first + (world.answer == SEND_ONE ? 0 : count - 1));
	}
}

static bool is_named(const struct wire_message *message, uint64_t number)
{
	for (uint32_t i = 0; i < message->ack.range_count; i++) {
		if (message->ack.ranges[i].first <= number &&
			number <= message->ack.ranges[i].last) {
			return true;
		}
	}
	return false;
}

/* What was named is not in flight any more. Returns how many blocks that were. */
static uint64_t land(const struct wire_message *message, bool is_ack)
{
	size_t kept = 0;
	uint64_t blocks = 0;

	for (size_t i = 0; i < world.sending_count; i++) {
		const struct sending sending = world.sendings[i];
		if (!is_named(message, sending.number)) {
			world.sendings[kept++] = sending;
			continue;
		}
		for (uint64_t index = sending.first; index <= sending.last; index++) {
			world.is_removed[sending.lane][index] |= is_ack;
			world.lives[sending.lane][index] = 0;
		}
		blocks += sending.last - sending.first + 1;
	}
	world.sending_count = kept;
	return is_ack ? blocks : 0;
}

static void check_removals(uint64_t blocks)
{
	for (size_t i = 0; i < world.removals.count; i++) {
		const struct removal *removal = &world.removals.ranges[i];
		for (uint64_t index = removal->first; index <= removal->last; index++) {
			fuzz_require(world.is_removed[removal->lane][index]);
			blocks--;
		}
	}
	fuzz_require(blocks == 0);
	removals_clear(&world.removals);
}

/* ---- the link */

static void hear(const struct wire_message *message)
{
	bool is_of_session =
		sender.state == SENDER_IN_SESSION && message->session == sender.session;
	bool is_ack = message->type == WIRE_ACK;
	uint64_t blocks = 0;

	if (is_of_session && (is_ack || message->type == WIRE_NACK)) {
		blocks = land(message, is_ack);
	}
	fuzz_require(sender_heard(&sender, message, &world.removals, world.now_ms) == 0);
	check_removals(blocks);
}

static void hear_frame(struct slice frame, bool is_fitting)
{
	static struct wire_range ranges[WIRE_RANGES_MAX];
	struct slice copy = fuzz_copy(frame.bytes, frame.size);
	struct wire_message message;
	struct complaint complaint;

	if (wire_decode(copy, ranges, &message, &complaint) != 0) {
		sender_heard_garbage(&sender, world.now_ms);
	} else {
		message.session = is_fitting ? sender.session : message.session;
		hear(&message);
	}
	fuzz_free(copy);
}

static void hear_other(struct slice frame)
{
	static struct wire_range ranges[WIRE_RANGES_MAX];
	struct wire_message message;
	struct complaint complaint;

	if (wire_decode(frame, ranges, &message, &complaint) == 0 &&
		sender_could_move(&sender, &message)) {
		const struct sender_move move = {
			(sender.bridge + 1) % sender.bridge_count, ++world.session, &message};
		sender_move(&sender, &move, world.now_ms);
	}
}

/* Until there is nothing to do for so long (ms), which is returned. */
static int64_t run(void)
{
	struct sender_order order;
	uint32_t steps = 0;

	do {
		sender_step(&sender, world.now_ms, &order);
		if (sender.state != SENDER_IN_SESSION) {
			forget_sendings(); /* all of it is sent again */
		}
		if (order.act == SENDER_READ) {
			read_blocks(&order);
		}
		fuzz_require(order.act != SENDER_WAIT || order.wait_ms >= 0);
		fuzz_require(++steps < STEPS_MAX);
	} while (order.act != SENDER_WAIT);
	fuzz_require(sender_unacked_batches(&sender) == world.sending_count ||
		     sender.state != SENDER_IN_SESSION);
	return order.wait_ms;
}

static void grow(uint8_t choice)
{
	uint8_t lane = choice % LANE_COUNT;
	uint64_t end = world.ends[lane] + choice / LANE_COUNT + 1;

	if (end <= BLOCKS_MAX) {
		world.ends[lane] = end;
		sender_set_end(&sender, (enum kind)lane, end, end * BLOCK_EVENTS);
	}
}

static void connect(void)
{
	if (sender.state == SENDER_CONNECTING) {
		sender_connected(&sender, ++world.session, world.now_ms);
	}
}

static void act(const struct script_step *step)
{
	uint64_t session = sender.session;

	switch ((int)step->act) {
	case SESSION_FRAME:
	case SESSION_FITTING:
		hear_frame(step->bytes, step->act == SESSION_FITTING);
		break;
	case SESSION_TIME:
		world.now_ms += script_byte(step, 0) * TENTH_MS;
		break;
	case CONNECT:
		connect();
		break;
	case LOSE_LINK:
		sender_disconnected(&sender, world.now_ms);
		break;
	case GROW:
		grow(script_byte(step, 0));
		break;
	case ANSWER:
		world.answer = (enum answer)(script_byte(step, 0) % ANSWERS);
		break;
	case PROBE:
		hear_other(step->bytes);
		break;
	case STOP:
		if (script_byte(step, 0) < LASTING) {
			sender_stop(&sender, world.now_ms);
		}
		break;
	default:
		break;
	}
	if (session != sender.session || sender.state != SENDER_IN_SESSION) {
		forget_sendings();
	}
}

/* ---- the end: a bridge as it should be */

static struct wire_message welcome(void)
{
	struct wire_message message = {.type = WIRE_WELCOME, .session = sender.session};
	bool has_cluster = sender.cluster[0] != '\0';

	message.welcome.version = WIRE_VERSION;
	message.welcome.cluster_id = slice_of_text(has_cluster ? sender.cluster : "cluster");
	message.welcome.topics_hash = has_cluster ? sender.topics_hash : 42;
	message.welcome.batch_size_max = BATCH_SIZE_MAX;
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		message.welcome.credit[lane] = BATCH_SIZE_MAX;
	}
	return message;
}

static void acknowledge(void)
{
	struct wire_range all = {1, sender_number(&sender)};
	struct wire_message message = {.type = WIRE_ACK, .session = sender.session};

	message.ack.ranges = &all;
	message.ack.range_count = 1;
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		message.ack.credit[lane] = BATCH_SIZE_MAX;
	}
	hear(&message);
}

static void behave(void)
{
	connect();
	if (sender.state == SENDER_GREETING) {
		struct wire_message message = welcome();
		hear(&message);
	} else if (sender.state == SENDER_IN_SESSION) {
		acknowledge();
	}
}

static void drain(void)
{
	int steps = 0;

	world.answer = SEND;
	while (!sender_is_drained(&sender) && sender.state != SENDER_STOPPED && !sender.stopping) {
		fuzz_require(++steps < DRAIN_STEPS_MAX);
		int64_t wait_ms = run();
		bool is_idle = sender.state == SENDER_IN_SESSION && world.sending_count == 0;
		behave();
		world.now_ms += !is_idle                 ? TENTH_MS
				: wait_ms < PAUSE_MS_MAX ? wait_ms
							 : PAUSE_MS_MAX;
	}
	for (int lane = 0; lane < LANE_COUNT && !sender.stopping; lane++) {
		for (uint64_t index = 0; index < world.ends[lane]; index++) {
			fuzz_require(
				world.is_removed[lane][index] || world.is_skipped[lane][index]);
		}
	}
}

static void begin(uint8_t choices)
{
	removals_deinit(&world.removals);
	memset(&world, 0, sizeof world);
	world.life = 1;
	world.now_ms = 1000000;
	sender_init(&sender, 3, world.now_ms);
	sender_set_manners(
		&sender, (choices & 1) != 0, (choices & 2) != 0 ? 1 << 20 : 0, world.now_ms);
	sender_set_codecs(&sender, (choices & 4) != 0 ? 1 << CODEC_ZSTD : 0);
	sender_set_gather(&sender, (choices & 16) != 0 ? 50 : 0);
	for (int lane = 0; lane < LANE_COUNT && (choices & 8) != 0; lane++) {
		world.ends[lane] = 40;
		sender_inherit(&sender, (enum kind)lane, world.ends[lane], 40 * BLOCK_EVENTS);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice script = size > 0 ? slice_of(data + 1, size - 1) : slice_of(NULL, 0);
	struct script_step step;

	begin(size > 0 ? data[0] : 0);
	run();
	while (script_next(&script, &step)) {
		act(&step);
		run();
	}
	drain();
	return 0;
}
