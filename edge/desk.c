#include "edge/desk.h"
#include "edge/spool.h"
#include "runtime/clock.h"
#include "runtime/metrics.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Replies of a round, and the refusals that take their place when the commit finds no room. The last resort. */
#define REPLIES_SIZE_MAX ((size_t)64 * 1024 * 1024)

struct pending {
	submission_done_fn done;
	void *owner;
	uint64_t ticket;
	size_t reply_offset;
	size_t reply_size;
	enum encoding encoding;
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
	int64_t wall_offset_ms; /* wall clock over monotonic, when the first round began */
	bool knows_offset;
	struct pending pending[DESK_ROUND_FRAMES];
	size_t pending_count;
	struct buffer replies;
	size_t round_bytes;
	bool full;
	bool closed;
	uint64_t commits;
	struct intake_counts counts; /* of what was told */
	struct intake_counts group; /* of what waits for its commit */
	struct metric *commit_seconds;
};

static int make_intake(struct desk *desk, const struct desk_options *options)
{
	struct intake_options intake = {
		.edge = options->edge,
		.default_currency = options->default_currency,
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
	intake_free(desk->intake);
	draft_deinit(&desk->draft);
	removals_deinit(&desk->removals);
	buffer_deinit(&desk->replies);
	free(desk);
	return NULL;
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
	       desk->draft.event_ids.count >= DESK_ROUND_EVENT_IDS;
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

bool desk_takes_more(const struct desk *desk)
{
	if (desk->pending_count >= DESK_ROUND_FRAMES || desk->round_bytes >= DESK_ROUND_BYTES ||
		desk->replies.size >= DESK_ROUND_REPLY_BYTES) {
		return false;
	}
	return standing_refusal(desk) != REASON_NONE || !draft_is_large(desk);
}

static struct intake_counts *counts_of_group(struct desk *desk)
{
	return waits_for_commit(desk) ? &desk->group : &desk->counts;
}

static void add_pending(struct desk *desk, const struct submission *submission, size_t reply_offset)
{
	assert(desk->pending_count < DESK_ROUND_FRAMES);

	desk->pending[desk->pending_count++] = (struct pending){
		.done = submission->done,
		.owner = submission->owner,
		.ticket = submission->ticket,
		.reply_offset = reply_offset,
		.reply_size = desk->replies.size - reply_offset,
		.encoding = encoding_of(submission->events),
		.unattended = submission->unattended,
	};
	desk->round_bytes += submission->events.size;
}

static struct intake_frame frame_of(const struct submission *submission, int64_t wall_ms)
{
	return (struct intake_frame){
		.header = submission->header,
		.events = submission->events,
		.source = submission->source,
		.unattended = submission->unattended,
		.received_ms = wall_ms,
	};
}

int desk_submit(struct desk *desk, const struct submission *submission, int64_t wall_ms)
{
	struct intake_frame frame = frame_of(submission, wall_ms);
	size_t reply_offset = desk->replies.size;
	enum reason refusal = standing_refusal(desk);

	if (refusal != REASON_NONE && submission->unattended) {
		return DESK_E_FULL;
	}
	if (refusal != REASON_NONE) {
		intake_refuse(&frame, refusal, &desk->replies, &desk->counts);
		add_pending(desk, submission, reply_offset);
		return desk->replies.error;
	}
	int r = intake_take(
		desk->intake, &frame, &desk->draft, &desk->replies, counts_of_group(desk));
	if (r == INTAKE_E_FULL) {
		return DESK_E_FULL;
	}
	if (r == 0) {
		add_pending(desk, submission, reply_offset);
	}
	return r;
}

int desk_refuse(struct desk *desk, const struct submission *submission)
{
	static const struct submission nobody = {0};
	struct intake_frame frame = frame_of(submission == NULL ? &nobody : submission, 0);
	size_t reply_offset = desk->replies.size;

	intake_refuse(&frame, REASON_BAD_FRAME, &desk->replies, &desk->counts);
	if (submission == NULL) {
		buffer_truncate(&desk->replies, reply_offset);
	} else {
		add_pending(desk, submission, reply_offset);
	}
	return desk->replies.error;
}

/* ---- telling */

static void tell(struct desk *desk, const struct pending *pending, enum submission_outcome outcome)
{
	struct slice reply = {NULL, 0};

	if (!pending->unattended) {
		reply = slice_of(desk->replies.bytes + pending->reply_offset, pending->reply_size);
	}
	pending->done(pending->owner, pending->ticket, outcome, reply);
}

static void begin_round(struct desk *desk)
{
	desk->pending_count = 0;
	desk->round_bytes = 0;
	buffer_clear(&desk->replies);
}

static void tell_all(struct desk *desk)
{
	for (size_t i = 0; i < desk->pending_count; i++) {
		tell(desk, &desk->pending[i], SUBMISSION_ANSWERED);
	}
	begin_round(desk);
}

/* The group's commit found no room: all of it is taken back, and everybody hears spool_full. */
static int refuse_group(struct desk *desk)
{
	draft_rewind(&desk->draft, &desk->empty);
	intake_counts_refuse(&desk->group, REASON_SPOOL_FULL);
	for (size_t i = 0; i < desk->pending_count; i++) {
		struct pending *pending = &desk->pending[i];
		if (pending->unattended) {
			tell(desk, pending, SUBMISSION_NOT_KEPT);
			continue;
		}
		pending->reply_offset = desk->replies.size;
		intake_encode_refusal(REASON_SPOOL_FULL, pending->encoding, &desk->replies);
		pending->reply_size = desk->replies.size - pending->reply_offset;
		if (desk->replies.error != 0) {
			return desk->replies.error;
		}
		tell(desk, pending, SUBMISSION_ANSWERED);
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

static int commit_draft(struct desk *desk, int64_t now_ms, int64_t wall_ms)
{
	int r = commit_all(desk, wall_ms);
	desk->full = r == SPOOL_E_FULL;
	if (desk->full) {
		r = make_room(desk, now_ms, wall_ms);
	}
	if (r < 0) {
		return r;
	}
	if (!waits_for_commit(desk)) {
		return 0; /* everybody was told; a draft that found no room stays, and is tried again */
	}
	if (desk->full) {
		r = refuse_group(desk);
	} else {
		tell_all(desk);
	}
	intake_counts_add(&desk->counts, &desk->group);
	desk->group = (struct intake_counts){0};
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
	intake_counts_add(&desk->counts, &desk->group);
	desk->group = (struct intake_counts){0};
}

/* What producers are forgotten by. A clock that leaps ahead (a host without one of its own, set by the network long
 * after its start) must not age what was heard a minute ago: its repeat would be counted again. */
static int64_t steady_wall_ms(struct desk *desk, int64_t now_ms, int64_t wall_ms)
{
	if (!desk->knows_offset) {
		desk->wall_offset_ms = wall_ms - now_ms;
		desk->knows_offset = true;
	}
	return earliest(wall_ms, now_ms + desk->wall_offset_ms);
}

int desk_round(struct desk *desk, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms)
{
	int r = 0;

	wall_ms = steady_wall_ms(desk, now_ms, wall_ms);
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

int desk_flush(struct desk *desk, int64_t now_ms, int64_t wall_ms)
{
	int r = 0;

	wall_ms = steady_wall_ms(desk, now_ms, wall_ms);
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
	}
	return view;
}

const struct intake_counts *desk_counts(const struct desk *desk)
{
	return &desk->counts;
}
