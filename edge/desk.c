#include "edge/desk.h"
#include "edge/spool.h"
#include "runtime/clock.h"
#include "runtime/metrics.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Replies of a round, and the refusals that take their place when the commit finds no room. The last resort. */
#define REPLIES_SIZE_MAX ((size_t)64 * 1024 * 1024)
/* How much older a start may make what the spool remembers, whatever the wall clock says. */
#define MEMORY_LEAP_MS_MAX ((int64_t)24 * 60 * 60 * 1000)

struct port {
	struct desk *desk;
	char label[SOURCE_LABEL_SIZE];
	void *owner;
	void (*acknowledge)(void *owner, uint64_t ticket, const struct submission_result *result);
	struct intake_counts counts; /* of what was told */
	struct intake_counts group; /* of what waits for its commit */
	int64_t wanted_ms; /* when it last had something */
	uint64_t starved_round; /* since when it goes away empty-handed; 0: it does not */
	/* of this round */
	bool asked_in_vain;
	size_t bytes;
	uint64_t events;
	uint32_t frames;
};

struct pending {
	struct port *port;
	uint64_t ticket;
	struct submission_result result; /* its reply lies in `replies` */
	size_t reply_offset;
	size_t reply_size;
	enum submission_reply encoding;
	bool unattended;
};

struct desk {
	struct spool *spool;
	struct intake *intake;
	struct draft draft;
	struct draft_mark empty; /* the draft as the last commit left it */
	struct removals removals;
	int64_t removals_since_ms; /* 0: none wait */
	int64_t sync_interval_ms;
	int64_t draft_since_ms; /* 0: the draft is empty */
	int64_t retry_at_ms; /* after a commit that found no room */
	int64_t memory_offset_ms; /* the memory's clock over the monotonic one */
	bool knows_offset;
	struct pending pending[DESK_ROUND_FRAMES];
	size_t pending_count;
	struct buffer replies;
	size_t round_bytes;
	bool full;
	bool closed;
	uint64_t commits;
	struct port *ports[DESK_PORTS_MAX];
	size_t port_count;
	size_t busy_ports; /* in the last DESK_IDLE_MS */
	uint64_t round; /* from 1 */
	uint64_t starved_round; /* of those that starve longest: it is their turn; 0: nobody does */
	int64_t now_ms; /* of the last round */
	struct metric *commit_seconds;
};

static int make_intake(struct desk *desk, const struct desk_options *options)
{
	struct intake_options intake = {
		.edge = options->edge,
		.default_currency = options->default_currency,
		.pseudonymiser = options->pseudonymiser,
		.zone = options->zone,
		.durable = options->sync_interval_ms == 0,
		.memory = spool_memory(options->spool),
		.index = spool_index(options->spool),
	};
	return intake_new(&intake, &desk->intake);
}

int desk_new(const struct desk_options *options, struct desk **ret_desk)
{
	struct desk *desk = calloc(1, sizeof *desk);
	if (desk == NULL) {
		return -ENOMEM;
	}
	desk->spool = options->spool;
	desk->round = 1;
	desk->sync_interval_ms = options->sync_interval_ms;
	desk->commit_seconds = options->commit_seconds;
	buffer_init(&desk->replies, REPLIES_SIZE_MAX);
	int r = draft_init(&desk->draft, options->run, options->seed);
	if (r == 0) {
		r = make_intake(desk, options);
	}
	if (r < 0) {
		desk_free(desk);
		return r;
	}
	draft_mark(&desk->draft, &desk->empty);
	*ret_desk = desk;
	return 0;
}

struct desk *desk_free(struct desk *desk)
{
	if (desk == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < desk->port_count; i++) {
		free(desk->ports[i]);
	}
	intake_free(desk->intake);
	draft_deinit(&desk->draft);
	removals_deinit(&desk->removals);
	buffer_deinit(&desk->replies);
	free(desk);
	return NULL;
}

/* ---- ports */

int desk_open_port(struct desk *desk, const struct port_options *options, struct port **ret_port)
{
	assert(strlen(options->label) < SOURCE_LABEL_SIZE);

	if (desk->port_count == DESK_PORTS_MAX) {
		return -ENOSPC;
	}
	struct port *port = calloc(1, sizeof *port);
	if (port == NULL) {
		return -ENOMEM;
	}
	port->desk = desk;
	strcpy(port->label, options->label);
	port->owner = options->owner;
	port->acknowledge = options->acknowledge;
	port->wanted_ms = INT64_MIN / 2;
	desk->ports[desk->port_count++] = port;
	*ret_port = port;
	return 0;
}

void port_set_owner(struct port *port, void *owner)
{
	port->owner = owner;
}

void port_count(const struct port *port, struct intake_counts *ret_counts)
{
	*ret_counts = port->counts;
}

int port_each_mark(struct port *port, void *owner,
	int (*take)(void *owner, struct slice key, struct slice value))
{
	const struct spool_mark_walk walk = {.label = port->label, .owner = owner, .take = take};

	return spool_each_mark(port->desk->spool, &walk);
}

/* ---- taking */

static bool waits_for_commit(const struct desk *desk)
{
	return desk->sync_interval_ms == 0;
}

/* In the modes that don't wait, the draft may grow over several rounds. */
static bool draft_is_large(const struct desk *desk)
{
	size_t bytes = 0;

	for (int i = 0; i < KIND_COUNT; i++) {
		bytes += desk->draft.lanes[i].events.size;
	}
	return bytes >= DESK_ROUND_BYTES || desk->draft.event_count >= DESK_ROUND_EVENTS ||
	       desk->draft.event_ids.count >= DESK_ROUND_EVENT_IDS ||
	       desk->draft.marks.count >= DESK_ROUND_MARKS;
}

/* Refused before anybody looks at it. */
static enum reason standing_refusal(const struct desk *desk)
{
	if (desk->closed) {
		return REASON_SHUTTING_DOWN;
	}
	/* A draft that could not be written is kept: nothing may be added to it. */
	return desk->full && !waits_for_commit(desk) ? REASON_SPOOL_FULL : REASON_NONE;
}

static bool desk_takes_more(const struct desk *desk)
{
	if (desk->pending_count >= DESK_ROUND_FRAMES || desk->round_bytes >= DESK_ROUND_BYTES ||
		desk->replies.size >= DESK_ROUND_REPLY_BYTES) {
		return false;
	}
	return standing_refusal(desk) != REASON_NONE || !draft_is_large(desk);
}

bool port_takes_more(struct port *port)
{
	const struct desk *desk = port->desk;
	size_t busy = desk->busy_ports;

	port->wanted_ms = desk->now_ms;
	if (busy > 1 && (port->bytes >= DESK_SHARED_BYTES / busy ||
				port->events >= DESK_SHARED_EVENTS / busy ||
				port->frames >= DESK_SHARED_FRAMES / busy)) {
		return false;
	}
	bool is_its_turn = desk->starved_round == 0 || port->starved_round == desk->starved_round;
	bool takes_more = is_its_turn && desk_takes_more(desk);
	port->asked_in_vain = port->asked_in_vain || (!takes_more && port->frames == 0);
	return takes_more;
}

static struct intake_counts *counts_of_group(struct port *port)
{
	return waits_for_commit(port->desk) ? &port->group : &port->counts;
}

static size_t submission_size(const struct submission *submission)
{
	size_t size = submission->events.size;

	for (size_t i = 0; i < submission->item_count; i++) {
		size += submission->items[i].raw.size;
	}
	return size;
}

static void add_pending(struct port *port, const struct submission *submission,
	const struct submission_result *result, size_t reply_offset)
{
	struct desk *desk = port->desk;
	size_t size = submission_size(submission);
	assert(desk->pending_count < DESK_ROUND_FRAMES);

	desk->pending[desk->pending_count++] = (struct pending){
		.port = port,
		.ticket = submission->ticket,
		.result = *result,
		.reply_offset = reply_offset,
		.reply_size = desk->replies.size - reply_offset,
		.encoding = submission->reply,
		.unattended = submission->unattended,
	};
	desk->round_bytes += size;
	port->wanted_ms = desk->now_ms;
	port->bytes += size;
	port->frames++;
}

/* What producers are forgotten by. A clock that leaps ahead (a host without one of its own, set by the network long
 * after its start) must not age what was heard a minute ago: its repeat would be counted again. So this one begins where
 * the memory ends, goes by the monotonic clock, and a start moves it on as far as the wall clock says, but by a day at
 * most; it never goes back. What is remembered for too long does no harm. */
static int64_t memory_begins_ms(const struct desk *desk, int64_t wall_ms)
{
	int64_t last_ms = spool_heard_last_ms(desk->spool);

	if (last_ms == 0) {
		return wall_ms;
	}
	int64_t latest_ms = last_ms + MEMORY_LEAP_MS_MAX;
	return wall_ms < last_ms ? last_ms : wall_ms > latest_ms ? latest_ms : wall_ms;
}

/* In a round. */
static int64_t memory_ms(struct desk *desk, int64_t now_ms, int64_t wall_ms)
{
	if (!desk->knows_offset) {
		desk->memory_offset_ms = memory_begins_ms(desk, wall_ms) - now_ms;
		desk->knows_offset = true;
	}
	return now_ms + desk->memory_offset_ms;
}

/* As of the last round. */
static int64_t memory_now_ms(const struct desk *desk, int64_t wall_ms)
{
	return desk->knows_offset ? desk->now_ms + desk->memory_offset_ms
				  : memory_begins_ms(desk, wall_ms);
}

static struct intake_frame frame_of(
	const struct port *port, const struct submission *submission, int64_t wall_ms)
{
	return (struct intake_frame){.submission = submission,
		.source = port->label,
		.received_ms = wall_ms,
		.memory_ms = memory_now_ms(port->desk, wall_ms)};
}

static int refuse_submission(
	struct port *port, const struct submission *submission, enum reason reason, int64_t wall_ms)
{
	const struct submission_result result = {.outcome = SUBMISSION_REFUSED, .refusal = reason};
	struct desk *desk = port->desk;
	struct intake_frame frame = frame_of(port, submission, wall_ms);
	size_t reply_offset = desk->replies.size;

	intake_refuse(&frame, reason, &desk->replies, &port->counts);
	add_pending(port, submission, &result, reply_offset);
	return desk->replies.error;
}

int port_submit(struct port *port, const struct submission *submission, int64_t wall_ms)
{
	struct desk *desk = port->desk;
	struct intake_frame frame = frame_of(port, submission, wall_ms);
	struct intake_sink sink = {&desk->draft, &desk->replies, counts_of_group(port)};
	struct submission_result result;
	size_t reply_offset = desk->replies.size;
	uint64_t events = desk->draft.event_count;
	enum reason refusal = standing_refusal(desk);

	if (refusal != REASON_NONE && submission->unattended) {
		return PORT_E_FULL;
	}
	if (refusal != REASON_NONE) {
		return refuse_submission(port, submission, refusal, wall_ms);
	}
	int r = intake_take(desk->intake, &frame, &sink, &result);
	if (r == INTAKE_E_FULL) {
		return PORT_E_FULL;
	}
	if (r == 0) {
		add_pending(port, submission, &result, reply_offset);
		port->events += desk->draft.event_count - events;
	}
	return r;
}

int port_refuse(struct port *port, const struct submission *submission)
{
	static const struct submission nobody = {0};
	struct intake_frame frame = frame_of(port, &nobody, 0);

	if (submission != NULL) {
		return refuse_submission(port, submission, REASON_BAD_FRAME, 0);
	}
	intake_refuse(&frame, REASON_BAD_FRAME, &port->desk->replies, &port->counts);
	return port->desk->replies.error;
}

int port_refuse_busy(struct port *port, const struct submission *submission)
{
	return refuse_submission(port, submission, REASON_BUSY, 0);
}

/* ---- telling */

static void tell(struct desk *desk, struct pending *pending)
{
	if (pending->reply_size > 0) { /* else there may be no bytes at all */
		pending->result.reply =
			slice_of(desk->replies.bytes + pending->reply_offset, pending->reply_size);
	}
	pending->port->acknowledge(pending->port->owner, pending->ticket, &pending->result);
}

/* One frame may be as large as a round: whoever found no room behind such a one has the next round before it. */
static void note_starving(struct desk *desk)
{
	desk->starved_round = 0;
	for (size_t i = 0; i < desk->port_count; i++) {
		struct port *port = desk->ports[i];
		bool starves = port->asked_in_vain && port->frames == 0;
		if (!starves || port->starved_round == 0) {
			port->starved_round = starves ? desk->round : 0;
		}
		if (starves &&
			(desk->starved_round == 0 || port->starved_round < desk->starved_round)) {
			desk->starved_round = port->starved_round;
		}
	}
	desk->round++;
}

static void begin_round(struct desk *desk)
{
	note_starving(desk);
	desk->pending_count = 0;
	desk->round_bytes = 0;
	buffer_clear(&desk->replies);
	for (size_t i = 0; i < desk->port_count; i++) {
		struct port *port = desk->ports[i];
		port->asked_in_vain = false;
		port->bytes = 0;
		port->events = 0;
		port->frames = 0;
	}
}

static void tell_all(struct desk *desk)
{
	for (size_t i = 0; i < desk->pending_count; i++) {
		tell(desk, &desk->pending[i]);
	}
	begin_round(desk);
}

static int turn_away(struct desk *desk, struct pending *pending)
{
	if (pending->result.outcome ==
		SUBMISSION_REFUSED) { /* for a reason of its own, which is counted */
		tell(desk, pending);
		return 0;
	}
	pending->result = (struct submission_result){.outcome = SUBMISSION_NOT_KEPT};
	if (!pending->unattended) {
		pending->result.outcome = SUBMISSION_REFUSED;
		pending->result.refusal = REASON_SPOOL_FULL;
		pending->reply_offset = desk->replies.size;
		intake_encode_refusal(REASON_SPOOL_FULL, pending->encoding, &desk->replies);
		pending->reply_size = desk->replies.size - pending->reply_offset;
	}
	if (desk->replies.error == 0) {
		tell(desk, pending);
	}
	return desk->replies.error;
}

/* The group's commit found no room: all of it is taken back, and everybody hears spool_full. */
static int refuse_group(struct desk *desk)
{
	draft_rewind(&desk->draft, &desk->empty);
	for (size_t i = 0; i < desk->port_count; i++) {
		intake_counts_refuse(&desk->ports[i]->group, REASON_SPOOL_FULL);
	}
	for (size_t i = 0; i < desk->pending_count; i++) {
		int r = turn_away(desk, &desk->pending[i]);
		if (r < 0) {
			return r;
		}
	}
	begin_round(desk);
	return 0;
}

/* ---- committing */

static void observe(struct desk *desk, int64_t began_us)
{
	desk->commits++;
	metric_observe(desk->commit_seconds, (double)(clock_monotonic_us() - began_us) / 1e6);
}

/* Draft and removals together. 0, SPOOL_E_FULL or -errno. */
static int commit_all(struct desk *desk, int64_t wall_ms)
{
	int64_t began_us = clock_monotonic_us();

	int r = spool_commit(desk->spool, &desk->draft, &desk->removals, wall_ms);
	if (r != 0) {
		return r;
	}
	observe(desk, began_us);
	draft_clear(&desk->draft);
	draft_mark(&desk->draft, &desk->empty);
	removals_clear(&desk->removals);
	desk->draft_since_ms = 0;
	desk->removals_since_ms = 0;
	desk->full = false;
	return 0;
}

/* Deleting needs room too: LMDB writes the list of the pages that become free. On a full disk it fits in pieces. */
static int commit_piecemeal(struct desk *desk, int64_t wall_ms)
{
	int r = 0;

	for (int i = 0; r == 0 && i < DESK_PIECES_A_ROUND && desk->removals.count > 0; i++) {
		struct removal head = removals_head(&desk->removals, DESK_PIECE_BLOCKS);
		const struct removals piece = {.ranges = &head, .count = 1, .capacity = 1};
		r = spool_commit(desk->spool, NULL, &piece, wall_ms);
		if (r == 0) {
			removals_drop_head(&desk->removals, &head);
		}
	}
	return r;
}

/* A map that has no page left even to delete in can't be got out of by waiting. */
static int commit_removals(struct desk *desk, int64_t now_ms, int64_t wall_ms)
{
	int64_t began_us = clock_monotonic_us();

	int r = spool_commit(desk->spool, NULL, &desk->removals, wall_ms);
	if (r == 0) {
		removals_clear(&desk->removals);
	} else if (r == SPOOL_E_FULL) {
		r = commit_piecemeal(desk, wall_ms);
	}
	if (r == SPOOL_E_FULL) {
		desk->retry_at_ms = now_ms + DESK_RETRY_MS;
		return spool_is_map_full(desk->spool) ? -ENOSPC : 0;
	}
	if (r == 0) {
		observe(desk, began_us);
		desk->full =
			desk->full && !waits_for_commit(desk); /* a draft that waits is still one */
		desk->removals_since_ms = desk->removals.count > 0 ? now_ms : 0;
	}
	return r;
}

/* The draft found no room: what is acknowledged goes without it, for a transaction can't use the pages that it frees
 * itself. */
static int make_room(struct desk *desk, int64_t now_ms, int64_t wall_ms)
{
	desk->retry_at_ms = now_ms + DESK_RETRY_MS;
	return desk->removals.count > 0 ? commit_removals(desk, now_ms, wall_ms) : 0;
}

/* The group's outcome is known: it is in the books. */
static void settle_counts(struct desk *desk)
{
	for (size_t i = 0; i < desk->port_count; i++) {
		struct port *port = desk->ports[i];
		intake_counts_add(&port->counts, &port->group);
		port->group = (struct intake_counts){0};
	}
}

static int commit_draft(struct desk *desk, int64_t now_ms, int64_t wall_ms)
{
	int r = commit_all(desk, wall_ms);
	bool is_refused = r == SPOOL_E_FULL; /* even where there is room behind it */
	desk->full = is_refused;
	if (is_refused) {
		r = make_room(desk, now_ms, wall_ms);
	}
	if (r < 0) {
		return r;
	}
	if (!waits_for_commit(desk)) {
		return 0; /* everybody was told; a draft that found no room stays, and is tried again */
	}
	if (is_refused) {
		r = refuse_group(desk);
	} else {
		tell_all(desk);
	}
	settle_counts(desk);
	return r;
}

static int64_t earliest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When the draft is to be committed; INT64_MAX when it is empty. */
static int64_t draft_due_ms(const struct desk *desk, int64_t now_ms)
{
	if (draft_is_empty(&desk->draft)) {
		return INT64_MAX;
	}
	if (waits_for_commit(desk)) {
		return now_ms;
	}
	int64_t due_ms =
		draft_is_large(desk) ? now_ms : desk->draft_since_ms + desk->sync_interval_ms;
	return desk->full && desk->retry_at_ms > due_ms ? desk->retry_at_ms : due_ms;
}

static int64_t removals_due_ms(const struct desk *desk)
{
	if (desk->removals.count == 0) {
		return INT64_MAX;
	}
	const struct spool_index *index = spool_index(desk->spool);
	bool is_half_full = index->bytes > index->quota_bytes / 2;
	int64_t due_ms =
		desk->removals_since_ms + (is_half_full ? DESK_REMOVAL_SHORT_MS : DESK_REMOVAL_MS);
	return desk->retry_at_ms > due_ms ? desk->retry_at_ms : due_ms;
}

static void note_beginnings(struct desk *desk, int64_t now_ms)
{
	if (desk->draft_since_ms == 0 && !draft_is_empty(&desk->draft)) {
		desk->draft_since_ms = now_ms;
	}
	if (desk->removals_since_ms == 0 && desk->removals.count > 0) {
		desk->removals_since_ms = now_ms;
	}
}

/* Frames that appended nothing: repeats and refusals need no commit. */
static void tell_without_commit(struct desk *desk)
{
	tell_all(desk);
	settle_counts(desk);
}

static void count_busy_ports(struct desk *desk, int64_t now_ms)
{
	desk->now_ms = now_ms;
	desk->busy_ports = 0;
	for (size_t i = 0; i < desk->port_count; i++) {
		desk->busy_ports += now_ms - desk->ports[i]->wanted_ms < DESK_IDLE_MS ? 1 : 0;
	}
}

int desk_round(struct desk *desk, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms)
{
	int r = 0;

	count_busy_ports(desk, now_ms);
	wall_ms = memory_ms(desk, now_ms, wall_ms);
	note_beginnings(desk, now_ms);
	if (!waits_for_commit(desk) || draft_is_empty(&desk->draft)) {
		tell_without_commit(desk);
	}
	if (draft_due_ms(desk, now_ms) <= now_ms) {
		r = commit_draft(desk, now_ms, wall_ms);
	} else if (removals_due_ms(desk) <= now_ms) {
		r = commit_removals(desk, now_ms, wall_ms);
	}
	int64_t due_ms = earliest(draft_due_ms(desk, now_ms), removals_due_ms(desk));
	if (r == 0 && due_ms != INT64_MAX) {
		*ret_wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
	}
	return r;
}

bool desk_is_wanted(const struct desk *desk)
{
	bool wanted = desk->pending_count > 0;

	for (size_t i = 0; i < desk->port_count; i++) {
		wanted = wanted || desk->ports[i]->asked_in_vain;
	}
	return wanted;
}

int desk_flush(struct desk *desk, int64_t now_ms, int64_t wall_ms)
{
	int r = 0;

	wall_ms = memory_ms(desk, now_ms, wall_ms);
	if (!draft_is_empty(&desk->draft)) {
		r = commit_draft(desk, now_ms, wall_ms);
	}
	tell_without_commit(desk);
	if (r == 0 && desk->removals.count > 0) {
		r = commit_removals(desk, now_ms, wall_ms);
	}
	return r;
}

struct removals *desk_removals(struct desk *desk)
{
	return &desk->removals;
}

void desk_close(struct desk *desk)
{
	desk->closed = true;
}

bool desk_set_run(struct desk *desk, uint64_t run)
{
	if (!draft_is_empty(&desk->draft)) {
		return false;
	}
	draft_set_run(&desk->draft, run);
	draft_mark(&desk->draft, &desk->empty);
	return true;
}

struct desk_view desk_view(const struct desk *desk)
{
	struct desk_view view = {
		.run = desk->draft.run, .commits = desk->commits, .full = desk->full};

	for (int i = 0; i < KIND_COUNT; i++) {
		view.next_seq[i] = desk->draft.lanes[i].next_seq;
		view.committed_seq[i] = desk->empty.lanes[i].next_seq - 1;
	}
	return view;
}

void desk_count(const struct desk *desk, struct intake_counts *ret_counts)
{
	*ret_counts = (struct intake_counts){0};
	for (size_t i = 0; i < desk->port_count; i++) {
		intake_counts_add(ret_counts, &desk->ports[i]->counts);
	}
}
