#include "aggregator/live/live.h"
#include "aggregator/live/live_ended.h"
#include "aggregator/live/live_message.h"
#include "runtime/clock.h"
#include "runtime/guard.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "runtime/security.h"
#include "runtime/socket.h"
#include <errno.h>
#include <stdlib.h>

enum {
	/* A subscriber's queue, in messages: of one view some seconds. Libzmq shares their bytes among all queues. */
	QUEUE_MESSAGES = 64,
	/* A subscriber that is gone without a word, or reads nothing, is let go after three of them. */
	HEARTBEAT_MS = 5000,
	/* Subscriptions of one round; libzmq keeps the rest, and each takes about a microsecond. */
	SUBSCRIPTIONS_PER_ROUND = 2000,
	/* Rows of one round, so that records and queries come in between: some milliseconds. */
	ROWS_PER_ROUND = LIVE_ROWS_MAX,
	PAYLOAD_SIZE_MAX = ANSWER_SIZE_MAX + 64 * 1024,
	STRANGERS = 256,
	TYPE_COUNT = LIVE_ERROR + 1,
};

/* Who subscribes to what there is not; by descriptor, roughly. */
struct stranger {
	int connection;
	unsigned topics;
};

struct live {
	struct live_options options;
	struct live_streams *streams;
	struct socket *socket;
	struct socket *monitor;
	struct message message;
	struct buffer payload;
	char endpoint[ENDPOINT_SIZE];
	bool is_open; /* subscriptions are read: once the desk answers */
	uint64_t watched; /* what the pipeline was told last */
	uint32_t first_view; /* of the next round, so that no view starves */
	uint64_t conflated_told;
	int64_t cutoffs[VIEWS_MAX]; /* rows before them have ended, and it was told */
	int64_t subscribers;
	struct stranger strangers[STRANGERS];
	struct metric *subscriber_gauge, *view_gauge, *messages[TYPE_COUNT], *rows, *conflated,
		*lagging, *unknown;
};

/* ---- out */

static int publish(struct live *live, const struct live_topic *topic, enum live_type type)
{
	uint8_t bytes[LIVE_TOPIC_SIZE_MAX];
	const struct iovec frames[] = {
		{bytes, live_topic_write(topic, bytes)},
		{live->payload.bytes, live->payload.size},
	};
	int r = socket_publish(live->socket, frames, 2);
	if (r == SOCKET_E_AGAIN) {
		metric_add(live->lagging, 1);
	}
	metric_add(live->messages[type], 1);
	return r < 0 ? r : 0;
}

static int say_unknown(void *owner, const struct live_topic *topic)
{
	struct live *live = owner;
	buffer_clear(&live->payload);
	live_message_write_unknown(live->options.desk->views, topic, &live->payload);
	return live->payload.error != 0 ? live->payload.error : publish(live, topic, LIVE_ERROR);
}

static enum live_type type_of(enum live_task task)
{
	static const enum live_type types[] = {
		[LIVE_TASK_HELLO] = LIVE_HELLO,
		[LIVE_TASK_RESET] = LIVE_RESET,
		[LIVE_TASK_ROWS] = LIVE_ROWS,
		[LIVE_TASK_IDLE] = LIVE_IDLE,
	};
	return types[task];
}

/* The same in each encoding that somebody wants: the first one, JSON, is the longer and says how many rows go in. */
static int say(struct live *live, const struct view *view, struct live_draft *draft)
{
	static const enum encoding encodings[] = {ENCODING_JSON, ENCODING_MSGPACK};
	int r = 0;
	for (size_t i = 0; i < 2 && r == 0; i++) {
		const struct live_topic topic = {encodings[i], slice_of_text(view_name(view))};
		if (!live_streams_wants(
			    live->streams, draft->view_id, draft->task, topic.encoding)) {
			continue;
		}
		buffer_clear(&live->payload);
		r = live_message_write(draft, topic.encoding, &live->payload, &draft->keys_max);
		if (r == 0) {
			r = publish(live, &topic, type_of(draft->task));
		}
	}
	return r;
}

/* A row that can't be read is not told: who reads the view anew hears of it from the answer. */
static int perform(struct live *live, struct live_draft *draft, int64_t now_ms)
{
	const struct view *view = view_set_at(live->options.desk->views, draft->view_id);
	int r = say(live, view, draft);
	if (r == -EBADMSG) {
		draft->task = LIVE_TASK_RESET;
		r = say(live, view, draft);
	}
	if (r == 0) {
		bool has_rows = draft->task == LIVE_TASK_ROWS;
		metric_add(live->rows, has_rows ? (double)draft->keys_max : 0);
		live_streams_said(
			live->streams, draft->view_id, draft->task, draft->keys_max, now_ms);
	}
	return r;
}

struct noting {
	struct live *live;
	uint32_t view_id;
};

static void note(void *owner, struct slice key, struct slice longs)
{
	const struct noting *noting = owner;
	live_note(noting->live, noting->view_id, key, longs);
}

static struct pipeline *pipeline_of(const struct live *live)
{
	return live->options.desk->live->pipeline;
}

static bool has_changes(const struct live *live, uint32_t view_id)
{
	const struct pipeline *pipeline = pipeline_of(live);
	bool has_any = false;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		const struct overlay *overlay = pipeline->shards[i]->active.overlay;
		has_any = has_any || overlay_changed_count(overlay, view_id) > 0;
	}
	return has_any;
}

static void take_changes(struct live *live, uint32_t view_id)
{
	const struct pipeline *pipeline = pipeline_of(live);
	struct noting noting = {live, view_id};
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		overlay_take_changed(pipeline->shards[i]->active.overlay, view_id, note, &noting);
	}
}

/* The shadow of a rebuild freezes, too; nobody listens to it, and its views are others. */
static bool is_live(const struct live *live, const struct overlay *overlay)
{
	const struct pipeline *pipeline = pipeline_of(live);
	bool is_live = false;
	for (size_t i = 0; i < pipeline->shard_count; i++) {
		is_live = is_live || pipeline->shards[i]->active.overlay == overlay;
	}
	return is_live;
}

void live_note(struct live *live, uint32_t view_id, struct slice key, struct slice longs)
{
	const struct changed_key changed = {key, longs};
	if (live != NULL) {
		live_streams_note(live->streams, view_id, &changed);
	}
}

/* All shards have one clock. */
static int64_t cutoff_of(const struct live *live, uint32_t view_id)
{
	return overlay_cutoff(pipeline_of(live)->shards[0]->active.overlay, view_id);
}

/* What can't be read is not told row by row: who reads the view anew hears why. */
static void note_ended_of(struct live *live, struct desk_moment *moment, uint32_t view_id)
{
	struct noting noting = {live, view_id};
	const struct view *view = view_set_at(live->options.desk->views, view_id);
	if (live_ended_each(&moment->context, view, live->cutoffs[view_id],
		    cutoff_of(live, view_id), note, &noting) != 0) {
		live_streams_reset_view(live->streams, view_id);
	}
}

static uint64_t views_with_ended(const struct live *live)
{
	uint64_t views = 0;
	for (uint32_t id = 0; id < view_set_count(live->options.desk->views); id++) {
		views |= (uint64_t)(cutoff_of(live, id) > live->cutoffs[id]) << id;
	}
	return views;
}

/* The clock moved: rows have ended, and the next commit deletes them. It must be before that. */
static void note_ended(struct live *live)
{
	uint64_t views = views_with_ended(live);
	struct desk_moment moment;
	if ((views & live->watched) != 0) {
		int r = desk_moment_begin(live->options.desk, &moment);
		for (uint32_t id = 0; id < VIEWS_MAX; id++) {
			if ((views & live->watched) >> id & 1 && r == 0) {
				note_ended_of(live, &moment, id);
			} else if ((views & live->watched) >> id & 1) {
				live_streams_reset_view(live->streams, id);
			}
		}
		desk_moment_end(&moment);
	}
	for (uint32_t id = 0; views >> id != 0 && id < VIEWS_MAX; id++) {
		live->cutoffs[id] = cutoff_of(live, id);
	}
}

void live_take(struct live *live, struct overlay *overlay)
{
	uint64_t watched = live == NULL || !is_live(live, overlay) ? 0 : live->watched;
	if (live != NULL && is_live(live, overlay)) {
		note_ended(live);
	}
	for (uint32_t id = 0; id < VIEWS_MAX && watched >> id != 0; id++) {
		struct noting noting = {live, id};
		if ((watched >> id & 1) != 0 && overlay_changed_count(overlay, id) > 0) {
			overlay_take_changed(overlay, id, note, &noting);
		}
	}
}

/* The pipeline notes what somebody listens to. */
static void follow(struct live *live)
{
	uint64_t watched = live_streams_place(live->streams)->watched;
	for (uint32_t id = 0; (watched & ~live->watched) >> id != 0 && id < VIEWS_MAX; id++) {
		if ((watched & ~live->watched) >> id &
			1) { /* what ended before, nobody was shown */
			live->cutoffs[id] = cutoff_of(live, id);
		}
	}
	if (watched != live->watched) {
		pipeline_watch(pipeline_of(live), watched);
		live->watched = watched;
		metric_set(live->view_gauge, __builtin_popcountll(watched));
	}
}

/* ---- in */

/* libzmq keeps what was subscribed to, so nobody may subscribe without end to what there is not. */
static void meet_stranger(struct live *live)
{
	int connection = message_connection(&live->message);
	struct stranger *stranger = &live->strangers[(unsigned)connection % STRANGERS];
	metric_add(live->unknown, 1);
	if (connection < 0) {
		return;
	}
	if (stranger->connection != connection) {
		*stranger = (struct stranger){.connection = connection};
	}
	if (++stranger->topics > LIVE_STRANGE_TOPICS_MAX) {
		stranger->topics = 0;
		guard_end_peer(live->options.guard, connection);
	}
}

/* When a connection ends, libzmq says truly which topics have no subscriber left, in its own name. An unsubscription in a peer's
 * name may be one of what he never subscribed to, and others did: it is believed of one who is alone. Others' views are told in
 * vain, at worst, until they go. */
static bool is_believed(const struct live *live)
{
	return message_connection(&live->message) < 0 || live->subscribers <= 1;
}

static int take_subscription(struct live *live, struct slice frame)
{
	enum live_subject subject;
	struct live_topic topic;
	bool is_on = frame.size > 0 && frame.bytes[0] == 1;
	bool is_off = frame.size > 0 && frame.bytes[0] == 0 && is_believed(live);
	if (!is_on && !is_off) {
		return 0; /* nor is what a peer sends beside subscriptions anything of ours */
	}
	const struct slice bytes = slice_of(frame.bytes + 1, frame.size - 1);
	int r = live_streams_subscribe(live->streams, bytes, is_on, &subject);
	if (r < 0 || !is_on || subject == LIVE_SUBJECT_VIEWS) {
		return r;
	}
	meet_stranger(live);
	bool is_topic = subject == LIVE_SUBJECT_UNKNOWN && live_topic_read(bytes, &topic);
	return is_topic ? say_unknown(live, &topic) : 0;
}

static int readable(void *owner)
{
	struct live *live = owner;
	int r = 0;
	for (int i = 0; i < SUBSCRIPTIONS_PER_ROUND && r == 0; i++) {
		r = socket_receive(live->socket, &live->message);
		if (r == 0) {
			const struct iovec *frame = &live->message.frames[0];
			r = take_subscription(live, slice_of(frame->iov_base, frame->iov_len));
		} else if (r == SOCKET_E_TOO_MANY_FRAMES) {
			r = 0;
		}
	}
	follow(live);
	return r < 0 ? r : 0;
}

static int on_monitor(void *owner)
{
	struct live *live = owner;
	enum socket_event event;
	int r;
	while ((r = socket_monitor_next(live->monitor, &event)) == 0) {
		live->subscribers += event == SOCKET_ACCEPTED;
		live->subscribers -= event == SOCKET_DISCONNECTED && live->subscribers > 0;
	}
	metric_set(live->subscriber_gauge, (double)live->subscribers);
	return r < 0 ? r : 0;
}

/* ---- construction */

static void add_counters(struct live *live)
{
	struct metrics *metrics = live->options.metrics;
	char labels[32];
	for (int type = 0; type < TYPE_COUNT; type++) {
		snprintf(
			labels, sizeof labels, "type=\"%s\"", live_type_name((enum live_type)type));
		live->messages[type] = metrics_add(metrics, METRIC_COUNTER,
			"till_aggregator_live_messages_total", labels,
			"Messages published, each once however many have subscribed.");
	}
	live->rows = metrics_add(metrics, METRIC_COUNTER, "till_aggregator_live_rows_total", "",
		"Rows and keys in them.");
	live->conflated =
		metrics_add(metrics, METRIC_COUNTER, "till_aggregator_live_conflated_total", "",
			"Changes of rows that waited to be told already, as seen when they were "
			"collected.");
	live->lagging = metrics_add(metrics, METRIC_COUNTER, "till_aggregator_live_lagging_total",
		"",
		"Messages at which a subscriber's queue was full: it loses them until it reads.");
	live->unknown = metrics_add(metrics, METRIC_COUNTER,
		"till_aggregator_live_subscriptions_unknown_total", "",
		"Subscriptions to what there is not.");
}

static void add_gauges(struct live *live)
{
	struct metrics *metrics = live->options.metrics;
	live->subscriber_gauge = metrics_add(metrics, METRIC_GAUGE,
		"till_aggregator_live_subscribers", "", "Connections to the live socket.");
	live->view_gauge = metrics_add(metrics, METRIC_GAUGE, "till_aggregator_live_views", "",
		"Views that somebody has subscribed to.");
}

static int open_socket(struct live *live)
{
	const struct live_options *options = &live->options;
	struct socket_options socket = {
		.send_queue_messages = QUEUE_MESSAGES,
		.frame_size_max = LIVE_FRAME_SIZE_MAX,
		.heartbeat_ms = HEARTBEAT_MS,
	};
	security_guard(options->security, "live", &socket);
	int r = socket_new(options->context, SOCKET_XPUB, &socket, &live->socket);
	if (r == 0) {
		r = socket_monitor(live->socket, &live->monitor);
	}
	if (r == 0) {
		r = loop_add_socket(options->loop, live->monitor, on_monitor, live);
	}
	return r == 0 ? socket_bind(live->socket, options->endpoint, live->endpoint) : r;
}

static int new_streams(struct live *live)
{
	struct live_streams_options options = {
		.views = live->options.desk->views, .rate = live->options.rate};
	memcpy(options.hash_key, live->options.hash_key, sizeof options.hash_key);
	int r = random_bytes(&options.name, sizeof options.name);
	return r == 0 ? live_streams_new(&options, &live->streams) : r;
}

int live_new(const struct live_options *options, struct live **ret_live)
{
	struct live *live = calloc(1, sizeof *live);
	if (live == NULL) {
		return -ENOMEM;
	}
	live->options = *options;
	buffer_init(&live->payload, PAYLOAD_SIZE_MAX);
	add_counters(live);
	add_gauges(live);
	int r = new_streams(live);
	if (r == 0) {
		r = open_socket(live);
	}
	if (r < 0) {
		live_free(live);
		return r;
	}
	options->desk->live_place = live_streams_place(live->streams);
	options->desk->publish = live->endpoint;
	*ret_live = live;
	return 0;
}

struct live *live_free(struct live *live)
{
	if (live == NULL) {
		return NULL;
	}
	live->options.desk->live_place = NULL;
	live->options.desk->publish = NULL;
	if (live->is_open) {
		loop_remove_socket(live->options.loop, live->socket);
	}
	if (live->monitor != NULL) {
		loop_remove_socket(live->options.loop, live->monitor);
	}
	message_clear(&live->message);
	socket_free(live->socket); /* before its monitor */
	socket_free(live->monitor);
	buffer_deinit(&live->payload);
	live_streams_free(live->streams);
	free(live);
	return NULL;
}

const char *live_endpoint(const struct live *live)
{
	return live == NULL ? NULL : live->endpoint;
}

/* ---- from the owner */

struct ending {
	struct live *live;
	int error;
};

static void ended(void *owner, const struct live_topic *topic)
{
	struct ending *ending = owner;
	int r = say_unknown(ending->live, topic);
	ending->error = ending->error == 0 ? r : ending->error;
}

int live_switch(struct live *live, const struct view_set *views)
{
	struct ending ending = {.live = live};
	if (live == NULL) {
		return 0;
	}
	live_streams_switch(live->streams, views, ended, &ending);
	live->watched = 0; /* another pipeline, which was told nothing */
	follow(live);
	return ending.error;
}

void live_reset(struct live *live)
{
	if (live != NULL) {
		live_streams_reset(live->streams);
	}
}

void live_end_peers(struct live *live)
{
	if (live != NULL) {
		guard_end_peers(live->options.guard, live->socket);
	}
}

/* Before, totals would go back in time. Subscriptions wait in libzmq. */
static int open_when_ready(struct live *live)
{
	if (live->is_open || !desk_is_ready(live->options.desk)) {
		return 0;
	}
	int r = loop_add_socket(live->options.loop, live->socket, readable, live);
	live->is_open = r == 0;
	return r == 0 ? readable(live) : r;
}

/* One view's turn. *ret_rows: what it told. */
static int serve(struct live *live, struct live_draft *draft, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t wait_ms = 0;
	draft->task = live_streams_task(
		live->streams, draft->view_id, has_changes(live, draft->view_id), now_ms, &wait_ms);
	draft->keys_max = LIVE_ROWS_MAX;
	if (draft->task == LIVE_TASK_NONE) {
		*ret_wait_ms = wait_ms < *ret_wait_ms ? wait_ms : *ret_wait_ms;
		return 0;
	}
	*ret_wait_ms = 0; /* there may be more to say */
	if (draft->task == LIVE_TASK_ROWS) {
		take_changes(live, draft->view_id);
		if (changed_keys_are_over(live_streams_keys(live->streams, draft->view_id))) {
			draft->task = LIVE_TASK_RESET;
		}
	} else if (draft->task == LIVE_TASK_RESET) {
		take_changes(live, draft->view_id); /* who reads anew has them */
	}
	return perform(live, draft, now_ms);
}

static int serve_all(
	struct live *live, struct desk_moment *moment, int64_t now_ms, int64_t *ret_wait_ms)
{
	size_t rows = 0;
	int r = 0;
	for (uint32_t i = 0; i < VIEWS_MAX && r == 0 && rows < ROWS_PER_ROUND; i++) {
		uint32_t id = (live->first_view + i) % VIEWS_MAX;
		if ((live->watched >> id & 1) == 0) {
			continue;
		}
		struct live_draft draft = {.context = &moment->context,
			.streams = live->streams,
			.view_id = id,
			.rate = live->options.rate};
		r = serve(live, &draft, now_ms, ret_wait_ms);
		rows += draft.task == LIVE_TASK_ROWS ? draft.keys_max : 0;
		live->first_view = rows >= ROWS_PER_ROUND ? (id + 1) % VIEWS_MAX : 0;
	}
	return r;
}

/* Is there anything to say? A moment costs a transaction a shard, and most rounds have nothing. */
static bool is_due(const struct live *live, int64_t now_ms, int64_t *ret_wait_ms)
{
	bool is_due = false;
	for (uint32_t id = 0; id < VIEWS_MAX && live->watched >> id != 0; id++) {
		int64_t wait_ms = INT64_MAX;
		if ((live->watched >> id & 1) != 0) {
			is_due |= live_streams_task(live->streams, id, has_changes(live, id),
					  now_ms, &wait_ms) != LIVE_TASK_NONE;
			*ret_wait_ms = wait_ms < *ret_wait_ms ? wait_ms : *ret_wait_ms;
		}
	}
	return is_due;
}

static void count_conflated(struct live *live)
{
	uint64_t conflated = live_streams_conflated(live->streams);
	metric_add(live->conflated, (double)(conflated - live->conflated_told));
	live->conflated_told = conflated;
}

int live_tick(struct live *live, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct desk_moment moment;
	int64_t wait_ms = *ret_wait_ms;
	int r = live == NULL ? 0 : open_when_ready(live);
	if (r < 0 || live == NULL || live->watched == 0) {
		return r;
	}
	note_ended(live);
	if (!is_due(live, now_ms, &wait_ms)) {
		*ret_wait_ms = wait_ms < 0 ? 0 : wait_ms;
		return 0;
	}
	r = desk_moment_begin(live->options.desk, &moment);
	if (r == 0) {
		r = serve_all(live, &moment, now_ms, ret_wait_ms);
	}
	desk_moment_end(&moment);
	count_conflated(live);
	/* A store that can't be read ends no answers, and so no messages either: they fail one by one, and say so. */
	return r == -EBADMSG ? 0 : r;
}
