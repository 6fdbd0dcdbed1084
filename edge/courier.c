#include "edge/courier.h"
#include "edge/link.h"
#include "proto/compression.h"
#include "runtime/clock.h"
#include "runtime/config.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/program.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	/* Orders carried out in one round: 16 MiB of full batches, then producers get their turn. */
	ORDERS_A_ROUND = 64,
	/* To compress one takes a few ms. */
	COMPRESSED_ORDERS_A_ROUND = 4,
};

/* A link, and whose events it brings. */
struct line {
	struct courier *courier;
	struct link *link;
};

struct courier {
	struct courier_options options;
	char bridges[SENDER_BRIDGES_MAX][ENDPOINT_SIZE];
	char program[WIRE_PROGRAM_SIZE_MAX + 1];
	struct line lines[2];
	struct line *session_line; /* one of them: the sender's */
	struct line *probe_line; /* the other */
	struct sender sender;
	struct probe probe;
	struct compressor *compressor; /* NULL: not configured */
	struct courier_traffic traffic;
	struct buffer events; /* of the batch at hand */
	struct buffer frame;
	struct wire_range ranges[WIRE_RANGES_MAX];
	uint64_t ended; /* what was logged so far */
	uint64_t sessions;
	int64_t down_since_ms; /* wall clock; 0 in session */
	enum link_end link_end; /* of the session's line; LINK_LOST in session */
};

/* ---- logging: what changed since the last look */

/* Clusters and words are foreign text. */
struct quoted {
	char text[4 * 256];
};

static const char *quote(const char *text, struct quoted *out)
{
	return log_quote(text, strlen(text), out->text, sizeof out->text);
}

static void log_refused_cluster(const struct sender *sender)
{
	struct quoted ours;
	struct quoted theirs;

	log_line(LOG_ERROR,
		"a bridge was refused: it writes to another Kafka than this spool belongs to",
		"ours=%s topics=%016llx theirs=%s their_topics=%016llx "
		"advice=\"if the change is meant, start with --accept-cluster and their id\"",
		quote(sender->cluster, &ours), (unsigned long long)sender->topics_hash,
		quote(sender->offered_cluster, &theirs), (unsigned long long)sender->offered_hash);
}

static void log_end(const struct courier *courier)
{
	const struct sender *sender = &courier->sender;
	struct quoted words;

	switch (sender->end) {
	case SENDER_END_CLUSTER:
		log_refused_cluster(sender);
		break;
	case SENDER_END_BYE:
		log_line(LOG_WARNING, "the bridge said good-bye", "code=%s words=%s",
			bye_code_name(sender->bye_code), quote(sender->end_words, &words));
		break;
	case SENDER_END_STOPPED:
		break;
	default:
		log_line(LOG_WARNING, "no session with a bridge", "why=\"%s\" next=%s unsent=kept",
			sender_end_name(sender->end), courier_bridge(courier));
		break;
	}
}

static void note_changes(struct courier *courier)
{
	const struct sender *sender = &courier->sender;
	struct quoted cluster;

	if (sender->counts.sessions != courier->sessions) {
		courier->sessions = sender->counts.sessions;
		courier->down_since_ms = 0;
		log_line(LOG_INFO, "session with a bridge", "bridge=%s cluster=%s codec=%s",
			courier->bridges[sender->last_bridge],
			quote(sender->offered_cluster, &cluster), wire_codec_name(sender->codec));
	}
	if (sender->ended != courier->ended) {
		courier->ended = sender->ended;
		if (courier->down_since_ms == 0) {
			courier->down_since_ms = clock_wall_ms();
		}
		log_end(courier);
	}
}

/* ---- the link's events */

static uint64_t new_session(void)
{
	uint64_t session = 0;
	while (session == 0) {
		session = random_u64();
	}
	return session;
}

static int on_connected(void *owner)
{
	const struct line *line = owner;
	struct courier *courier = line->courier;
	int64_t now_ms = loop_now_ms(courier->options.loop);

	if (line == courier->session_line) {
		courier->link_end = LINK_LOST;
		sender_connected(&courier->sender, new_session(), now_ms);
	} else {
		probe_connected(&courier->probe, new_session(), now_ms);
	}
	return 0;
}

/* A connection that is closed for want of a key is reported twice: by its handshake and as lost. */
static void note_link_end(struct courier *courier, enum link_end end)
{
	const char *bridge = courier_bridge(courier);

	if (end == LINK_KEY_REFUSED) {
		courier->link_end = end;
		log_line(LOG_ERROR, "the bridge does not let our key in",
			"bridge=%s advice=\"its directory [security] authorized wants our public "
			"key\"",
			bridge);
	} else if (end == LINK_NO_HANDSHAKE) {
		courier->link_end = end;
		log_line(LOG_ERROR, "no handshake with the bridge",
			"bridge=%s advice=\"is [security] bridge_keys its key? does only one of "
			"us use keys?\"",
			bridge);
	}
}

static int on_disconnected(void *owner, enum link_end end)
{
	const struct line *line = owner;
	struct courier *courier = line->courier;
	int64_t now_ms = loop_now_ms(courier->options.loop);

	if (line == courier->session_line) {
		note_link_end(courier, end);
		sender_disconnected(&courier->sender, now_ms);
	} else {
		probe_disconnected(&courier->probe, now_ms);
	}
	return 0;
}

/* Before the acknowledged blocks are deleted: a spool that belongs nowhere could be emptied into any cluster. */
static int keep_cluster(struct courier *courier)
{
	struct sender *sender = &courier->sender;
	struct quoted cluster;

	if (!sender->keep_cluster) {
		return 0;
	}
	int r = spool_keep_cluster(courier->options.spool, sender->cluster, sender->topics_hash);
	if (r == 0) {
		sender->keep_cluster = false;
		log_line(LOG_INFO, "this spool now belongs to a Kafka cluster", "cluster=%s",
			quote(sender->cluster, &cluster));
		program_audit_end("accept-cluster", sender->cluster, "done");
	}
	return r == SPOOL_E_FULL ? 0 : r; /* full: at the next ACK */
}

/* The probe's link becomes the session's, and the other way round. */
static void move(struct courier *courier, const struct wire_message *welcome, int64_t now_ms)
{
	struct line *old_line = courier->session_line;
	uint64_t old_session = courier->sender.session;
	const struct sender_move move = {
		.bridge = courier->probe.bridge,
		.session = courier->probe.session,
		.welcome = welcome,
	};

	log_line(LOG_WARNING, "the bridge does not reach Kafka, another one does: moving there",
		"from=%s to=%s", courier->bridges[courier->sender.bridge],
		courier->bridges[move.bridge]);
	courier->session_line = courier->probe_line;
	courier->probe_line = old_line;
	sender_move(&courier->sender, &move, now_ms);
	probe_moved(&courier->probe, old_session, now_ms);
}

static void take_answer(struct courier *courier, const struct wire_message *message, int64_t now_ms)
{
	struct offer *offer = &courier->sender.offer;
	uint32_t bridge = courier->probe.bridge;
	bool is_welcome = sender_could_move(&courier->sender, message) &&
			  offer_has(offer, bridge, message->welcome.codec, now_ms);

	if (message->type == WIRE_BYE && courier->probe.state == PROBE_GREETING) {
		offer_heard_bye(offer, bridge, message->bye.code, now_ms);
	}
	if (probe_heard(&courier->probe, message, is_welcome, now_ms)) {
		move(courier, message, now_ms);
	}
}

static void take_garbage(struct courier *courier, const struct line *line, int64_t now_ms)
{
	if (line == courier->session_line) {
		sender_heard_garbage(&courier->sender, now_ms);
	} else {
		probe_heard_garbage(&courier->probe, now_ms);
	}
}

static int on_frame(void *owner, struct slice frame)
{
	const struct line *line = owner;
	struct courier *courier = line->courier;
	struct wire_message message;
	struct complaint complaint;
	int64_t now_ms = loop_now_ms(courier->options.loop);

	if (wire_decode(frame, courier->ranges, &message, &complaint) != 0) {
		take_garbage(courier, line, now_ms);
		return 0;
	}
	if (line == courier->probe_line) {
		take_answer(courier, &message, now_ms);
		return 0;
	}
	int r = sender_heard(
		&courier->sender, &message, desk_removals(courier->options.desk), now_ms);
	return r == 0 ? keep_cluster(courier) : r;
}

/* ---- the sender's orders */

static int open_link(struct courier *courier, const struct sender_order *order, int64_t now_ms)
{
	int r = link_open(
		courier->session_line->link, courier->bridges[order->bridge], order->bridge);
	if (r < 0) {
		sender_disconnected(&courier->sender, now_ms);
	}
	return r == -ENOMEM ? r : 0;
}

/* Smaller where the bridge takes it so, and where that pays. */
static void compress_events(struct courier *courier, struct wire_message *message)
{
	struct slice plain = message->batch.events;

	if (courier->sender.codec == CODEC_ZSTD &&
		compressor_pack(courier->compressor, plain, &message->batch.events)) {
		message->batch.plain_size = (uint32_t)plain.size;
	}
}

static void count_traffic(struct courier *courier, const struct wire_message *message)
{
	struct courier_traffic *traffic = &courier->traffic;

	traffic->event_bytes += courier->events.size;
	traffic->wire_bytes += message->batch.events.size;
	traffic->compressed += message->batch.plain_size != 0;
}

/* HELLO or BYE. A link that does not take it is `*ret_is_lost`. */
static int send_message(
	struct courier *courier, struct link *link, struct wire_message *message, bool *ret_is_lost)
{
	if (message->type == WIRE_HELLO) {
		message->hello.edge = slice_of_text(courier->options.edge);
		message->hello.run = desk_view(courier->options.desk).run;
		message->hello.program = slice_of_text(courier->program);
	}
	buffer_clear(&courier->frame);
	wire_encode(message, &courier->frame);
	if (courier->frame.error != 0) {
		return courier->frame.error;
	}
	struct iovec frame = {courier->frame.bytes, courier->frame.size};
	*ret_is_lost = link_send(link, &frame) != 0;
	return 0;
}

static int send_for_session(struct courier *courier, struct sender_order *order, int64_t now_ms)
{
	bool is_lost = false;

	int r = send_message(courier, courier->session_line->link, &order->message, &is_lost);
	if (is_lost) {
		sender_disconnected(&courier->sender, now_ms);
	}
	return r;
}

static int set_aside(struct courier *courier, enum kind lane, uint64_t index)
{
	struct spool_block_header header;

	int r = spool_set_aside(courier->options.spool, lane, index, &header);
	if (r != 0) {
		return r == SPOOL_E_FULL ? -ENOSPC : r;
	}
	if (header.count == 0) {
		log_line(LOG_ERROR, "a block of the spool is damaged and was set aside",
			"lane=%s index=%llu events=unknown advice=\"till spool list shows it\"",
			kind_name(lane), (unsigned long long)index);
		return 0;
	}
	log_line(LOG_ERROR, "a block of the spool is damaged and was set aside",
		"lane=%s index=%llu run=%llu seq=%llu-%llu events=%u advice=\"till spool list "
		"shows it\"",
		kind_name(lane), (unsigned long long)index, (unsigned long long)header.run,
		(unsigned long long)header.first_seq,
		(unsigned long long)(header.first_seq + header.count - 1), header.count);
	return 0;
}

/* The one clock that may have been set between receipt and now is ours; a negative age is none. */
static void say_age(const struct spool_batch *batch, struct wire_message *message)
{
	int64_t age_ms = clock_wall_ms() - batch->received_ms;

	message->batch.has_age = true;
	message->batch.sent_ms = clock_monotonic_ms();
	message->batch.age_ms = age_ms < 0                 ? 0
				: age_ms > WIRE_AGE_MS_MAX ? WIRE_AGE_MS_MAX
							   : age_ms;
}

static int send_batch(struct courier *courier, const struct sender_order *order,
	const struct spool_batch *batch, int64_t now_ms)
{
	struct sender *sender = &courier->sender;
	struct wire_message message = {
		.type = WIRE_BATCH,
		.session = sender->session,
		.batch = {.number = sender_number(sender),
			.lane = order->lane,
			.count = batch->count,
			.events = buffer_slice(&courier->events)},
	};

	compress_events(courier, &message);
	if (sender->says_ages) {
		say_age(batch, &message);
	}
	buffer_clear(&courier->frame);
	wire_encode(&message, &courier->frame);
	if (courier->frame.error != 0) {
		return courier->frame.error;
	}
	struct iovec frame = {courier->frame.bytes, courier->frame.size};
	int r = link_send(courier->session_line->link, &frame);
	if (r == LINK_E_AGAIN) {
		sender_held(sender, now_ms);
		return 0;
	}
	if (r < 0) {
		sender_disconnected(sender, now_ms);
		return 0;
	}
	count_traffic(courier, &message);
	struct sender_range range = {.lane = order->lane,
		.first = batch->first,
		.last = batch->last,
		.bytes = batch->size,
		.count = batch->count};
	sender_sent(sender, order, &range, now_ms);
	return 0;
}

static int read_and_send(struct courier *courier, const struct sender_order *order, int64_t now_ms)
{
	struct spool_batch batch;
	struct spool_query query = {.lane = order->lane,
		.first = order->first,
		.last = order->last,
		.size_max = order->size_max,
		.size_enough = order->size_enough};

	buffer_clear(&courier->events);
	int r = spool_read(courier->options.spool, &query, &courier->events, &batch);
	switch (r) {
	case 0:
		return send_batch(courier, order, &batch, now_ms);
	case SPOOL_E_END:
		sender_skipped(&courier->sender, order);
		return 0;
	case SPOOL_E_FULL:
		sender_starved(&courier->sender, order);
		return 0;
	case SPOOL_E_CORRUPT: /* the next step reads on behind it */
		return set_aside(courier, order->lane, batch.first);
	default:
		assert(r < 0);
		return r;
	}
}

static int carry_out(struct courier *courier, struct sender_order *order, int64_t now_ms)
{
	switch (order->act) {
	case SENDER_OPEN:
		return open_link(courier, order, now_ms);
	case SENDER_SEND:
		return send_for_session(courier, order, now_ms);
	case SENDER_READ:
		return read_and_send(courier, order, now_ms);
	case SENDER_CLOSE:
		link_close(courier->session_line->link);
		return 0;
	case SENDER_WAIT:
		break;
	}
	return 0;
}

/* ---- the probe's orders */

static int open_probe(struct courier *courier, uint32_t bridge, int64_t now_ms)
{
	int r = link_open(courier->probe_line->link, courier->bridges[bridge], bridge);
	if (r < 0) {
		probe_disconnected(&courier->probe, now_ms);
	}
	return r == -ENOMEM ? r : 0;
}

static int carry_out_probe(struct courier *courier, struct probe_order *order, int64_t now_ms)
{
	bool is_lost = false;
	int r = 0;

	switch (order->act) {
	case PROBE_OPEN:
		return open_probe(courier, order->bridge, now_ms);
	case PROBE_SEND:
		if (order->message.type == WIRE_HELLO) {
			order->message.hello.codecs =
				offer_codecs(&courier->sender.offer, courier->probe.bridge, now_ms);
		}
		r = send_message(courier, courier->probe_line->link, &order->message, &is_lost);
		if (is_lost) {
			probe_disconnected(&courier->probe, now_ms);
		}
		return r;
	case PROBE_CLOSE:
		link_close(courier->probe_line->link);
		return 0;
	case PROBE_WAIT:
		break;
	}
	return 0;
}

static int tick_probe(struct courier *courier, int64_t now_ms, int64_t *ret_wait_ms)
{
	const struct sender *sender = &courier->sender;
	const struct probe_sight sight = {
		.stuck_since_ms = sender_stuck_since_ms(sender),
		.session = sender->session,
		.acked = sender->counts.batches_acked,
		.bridge = sender->bridge,
		.bridge_count = sender->bridge_count,
	};
	struct probe_order order;
	int r = 0;

	do {
		probe_step(&courier->probe, &sight, now_ms, &order);
		r = carry_out_probe(courier, &order, now_ms);
	} while (r == 0 && order.act != PROBE_WAIT);
	*ret_wait_ms = order.wait_ms;
	return r;
}

static void see_ends(struct courier *courier)
{
	const struct spool_index *index = spool_index(courier->options.spool);

	for (int i = 0; i < KIND_COUNT; i++) {
		sender_set_end(&courier->sender, (enum kind)i, index->lanes[i].end,
			index->lanes[i].events);
	}
}

static int tick_sender(struct courier *courier, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct sender_order order = {.act = SENDER_WAIT};
	bool compresses = courier->sender.codec != CODEC_NONE;
	int orders = compresses ? COMPRESSED_ORDERS_A_ROUND : ORDERS_A_ROUND;
	int r = 0;

	for (int i = 0; r == 0 && i < orders; i++) {
		sender_step(&courier->sender, now_ms, &order);
		if (order.act == SENDER_WAIT) {
			break;
		}
		r = carry_out(courier, &order, now_ms);
	}
	*ret_wait_ms = order.act == SENDER_WAIT ? order.wait_ms : 0;
	return r;
}

int courier_tick(struct courier *courier, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t sender_ms = 0;
	int64_t probe_ms = 0;

	see_ends(courier);
	int r = tick_sender(courier, now_ms, &sender_ms);
	if (r == 0) {
		r = tick_probe(courier, now_ms, &probe_ms);
	}
	note_changes(courier);
	*ret_wait_ms = sender_ms < probe_ms ? sender_ms : probe_ms;
	return r;
}

bool courier_report(struct courier *courier, struct slice report, int64_t now_ms)
{
	const struct wire_message message = {
		.type = WIRE_REPORT,
		.session = courier->sender.session,
		.report = {.bytes = report},
	};

	if (courier->sender.state != SENDER_IN_SESSION || courier->sender.report_ms == 0) {
		return false;
	}
	buffer_clear(&courier->frame);
	wire_encode(&message, &courier->frame);
	struct iovec frame = {courier->frame.bytes, courier->frame.size};
	int r = courier->frame.error == 0 ? link_send(courier->session_line->link, &frame)
					  : LINK_E_AGAIN;
	if (r < 0) {
		sender_disconnected(&courier->sender, now_ms);
	}
	return r == 0;
}

void courier_hurry(struct courier *courier)
{
	sender_set_gather(&courier->sender, 0);
}

void courier_stop(struct courier *courier, int64_t now_ms)
{
	sender_stop(&courier->sender, now_ms);
}

/* ---- making */

static uint32_t read_bridges(struct courier *courier, const char *list)
{
	uint32_t count = 0;

	while (count < SENDER_BRIDGES_MAX &&
		config_list_next(&list, courier->bridges[count], ENDPOINT_SIZE)) {
		count++;
	}
	return count;
}

/* Where it is configured. */
static int make_compressor(struct courier *courier)
{
	int level = courier->options.compression_level;
	uint32_t said = WIRE_AGES | (courier->options.reports ? WIRE_REPORTS : 0);

	sender_set_codecs(&courier->sender, said | (level == 0 ? 0 : 1u << CODEC_ZSTD));
	return level == 0 ? 0 : compressor_new(level, &courier->compressor);
}

static int make_line(struct courier *courier, struct line *line)
{
	const struct link_options options = {
		.context = courier->options.context,
		.loop = courier->options.loop,
		.security = courier->options.security,
		.owner = line,
		.connected = on_connected,
		.disconnected = on_disconnected,
		.frame = on_frame,
	};

	line->courier = courier;
	return link_new(&options, &line->link);
}

/* What an earlier process left in the spool. */
static void inherit(struct courier *courier)
{
	const struct spool_index *index = spool_index(courier->options.spool);

	for (int i = 0; i < KIND_COUNT; i++) {
		sender_inherit(&courier->sender, (enum kind)i, index->lanes[i].end,
			index->lanes[i].events);
	}
}

int courier_new(const struct courier_options *options, struct courier **ret_courier)
{
	struct courier *courier = calloc(1, sizeof *courier);
	if (courier == NULL) {
		return -ENOMEM;
	}
	courier->options = *options;
	courier->down_since_ms = clock_wall_ms();
	buffer_init(&courier->events, BATCH_SIZE_MAX);
	buffer_init(&courier->frame, WIRE_FRAME_SIZE_MAX);
	snprintf(courier->program, sizeof courier->program, "till-edge %s", program_version());
	sender_init(&courier->sender, read_bridges(courier, options->bridges),
		loop_now_ms(options->loop));
	const struct spool_identity *identity = spool_identity(options->spool);
	sender_set_cluster(&courier->sender, identity->cluster, identity->topics_hash,
		options->accept_cluster);
	sender_set_manners(&courier->sender, options->live_first, options->drain_rate,
		loop_now_ms(options->loop));
	sender_set_gather(&courier->sender, options->gather_ms);
	inherit(courier);
	courier->session_line = &courier->lines[0];
	courier->probe_line = &courier->lines[1];
	int r = make_compressor(courier);
	if (r == 0) {
		r = make_line(courier, courier->session_line);
	}
	if (r == 0) {
		r = make_line(courier, courier->probe_line);
	}
	if (r < 0) {
		courier_free(courier);
		return r;
	}
	*ret_courier = courier;
	return 0;
}

struct courier *courier_free(struct courier *courier)
{
	if (courier == NULL) {
		return NULL;
	}
	link_free(courier->lines[0].link);
	link_free(courier->lines[1].link);
	compressor_free(courier->compressor);
	buffer_deinit(&courier->events);
	buffer_deinit(&courier->frame);
	free(courier);
	return NULL;
}

const struct sender *courier_sender(const struct courier *courier)
{
	return &courier->sender;
}

const struct probe *courier_probe(const struct courier *courier)
{
	return &courier->probe;
}

struct courier_traffic courier_traffic(const struct courier *courier)
{
	return courier->traffic;
}

const char *courier_bridge(const struct courier *courier)
{
	return courier->bridges[courier->sender.bridge];
}

enum link_end courier_link_end(const struct courier *courier)
{
	return courier->link_end;
}

int64_t courier_down_since_ms(const struct courier *courier)
{
	return courier->down_since_ms;
}
