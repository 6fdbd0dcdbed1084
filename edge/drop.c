/* The round: what is known from before, and the files at work, step by step. */
#include "edge/drop.h"
#include "edge/drop_internal.h"
#include "edge/port.h"
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Marks of one submission. */
enum { MARKS_SIZE_MAX = 256 * 1024 };

int drop_new(const struct drop_options *options, struct drop **ret_drop, struct pairs_error *error)
{
	struct drop *drop = calloc(1, sizeof *drop);

	(void)error;
	if (drop == NULL) {
		return -ENOMEM;
	}
	drop->options = *options;
	drop->woken = true;
	buffer_init(&drop->marks, MARKS_SIZE_MAX);
	*ret_drop = drop;
	return 0;
}

static void free_file(struct drop_file *file)
{
	drop_file_close(file);
	free(file);
}

struct drop *drop_free(struct drop *drop)
{
	if (drop == NULL) {
		return NULL;
	}
	for (uint32_t i = 0; i < drop->active_count; i++) {
		free_file(drop->active[i]);
	}
	for (int i = 0; i < DROP_SLOTS; i++) {
		line_batch_free(drop->batches[i]);
	}
	drop_list_clear(&drop->list);
	buffer_deinit(&drop->marks);
	free(drop->digests);
	free(drop);
	return NULL;
}

/* ---- files at work */

static void remove_over(struct drop *drop)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < drop->active_count; i++) {
		if (drop->active[i]->step == DROP_OVER) {
			free_file(drop->active[i]);
		} else {
			drop->active[kept++] = drop->active[i];
		}
	}
	drop->active_count = kept;
}

/* ---- what is known from before */

static void tell_forgotten(struct drop *drop, struct slice key)
{
	char name[DROP_KEY_SIZE];

	snprintf(name, sizeof name, "%.*s", (int)key.size - 1, (const char *)key.bytes + 1);
	drop->options.port.tell(drop->options.port.owner,
		&(struct drop_told){DROP_NEWS_FORGOTTEN, name, 0, 0, NULL});
}

static int remember_state(struct drop *drop, struct slice key, struct slice value)
{
	struct drop_state state;
	struct drop_file *file = NULL;

	if (!drop_state_decode(value, &state) || drop->active_count == DROP_ACTIVE_MAX) {
		tell_forgotten(drop, key);
		return 0;
	}
	int r = drop_add_file(drop, state.name, &file);
	if (r == 0) {
		file->state = state;
		file->is_resumed = true;
		file->step = state.outcome == DROP_UNDECIDED ? DROP_OPENING : DROP_MOVING;
	}
	return r;
}

/* In the order of keys they come behind their files. */
static int remember_error(struct drop *drop, struct slice key, struct slice value)
{
	struct slice name = slice_of(key.bytes + 1, key.size - 4);
	uint32_t number = (uint32_t)key.bytes[key.size - 2] << 8 | key.bytes[key.size - 1];

	for (uint32_t i = 0; i < drop->active_count; i++) {
		struct drop_file *file = drop->active[i];
		if (slice_equals_text(name, file->state.name) && number < DROP_ERRORS_MAX) {
			(void)drop_error_decode(value, &file->errors[number]);
		}
	}
	return 0;
}

static int remember_digest(struct drop *drop, struct slice key, struct slice value)
{
	struct drop_digest digest;
	uint64_t number;

	if (key.size != 1 + sizeof digest.digest + sizeof number || value.size != sizeof number) {
		return 0;
	}
	memcpy(digest.digest, key.bytes + 1, sizeof digest.digest);
	memcpy(&number, key.bytes + 1 + sizeof digest.digest, sizeof number);
	digest.size = be64toh(number);
	memcpy(&number, value.bytes, sizeof number);
	digest.counted_ms = (int64_t)be64toh(number);
	return drop_add_digest(drop, &digest);
}

int drop_remember(struct drop *drop, struct slice key, struct slice value)
{
	switch (key.bytes[0]) {
	case 'f':
		return remember_state(drop, key, value);
	case 'x':
		return key.size > 4 ? remember_error(drop, key, value) : 0;
	case 'd':
		return remember_digest(drop, key, value);
	default:
		return 0;
	}
}

static int compare_times(const void *a, const void *b)
{
	const struct drop_digest *one = a;
	const struct drop_digest *other = b;

	return one->counted_ms < other->counted_ms ? -1 : one->counted_ms > other->counted_ms;
}

int drop_resume(struct drop *drop)
{
	if (drop->digest_count > 1) {
		qsort(drop->digests, drop->digest_count, sizeof *drop->digests, compare_times);
	}
	return 0;
}

/* ---- steps */

static bool can_submit(const struct drop *drop)
{
	return drop->now_ms >= drop->retry_ms &&
	       drop->options.port.takes_more(drop->options.port.owner);
}

/* It is written on, or can't be read now: nobody knows for how long. */
static bool lets_others_pass(const struct drop_file *file)
{
	return file->step == DROP_SETTLING || file->is_told;
}

/* Files are read one behind the other, but for those that wait for something themselves; and the same content is judged
 * when the first of its kind is counted. */
static bool is_its_turn(const struct drop *drop, uint32_t index)
{
	const struct drop_file *file = drop->active[index];

	for (uint32_t i = 0; i < index; i++) {
		const struct drop_file *before = drop->active[i];
		bool is_read =
			before->step >= DROP_MOVING || lets_others_pass(before) ||
			(before->step == DROP_FLYING && before->next.outcome != DROP_UNDECIDED);
		bool is_same =
			before->step == DROP_FLYING && before->state.size == file->state.size &&
			memcmp(before->state.digest, file->state.digest, CHECKSUM_DIGEST_SIZE) == 0;
		if (!is_read || is_same) {
			return false;
		}
	}
	return true;
}

static void wait_to_move(struct drop *drop, struct drop_file *file, int error)
{
	if (error == -EEXIST) { /* somebody put a file there meanwhile */
		file->step = DROP_READING;
		return;
	}
	if (!file->is_told) {
		drop->options.port.tell(drop->options.port.owner,
			&(struct drop_told){
				DROP_NEWS_WAITS, file->state.name, 0, 0, strerror(-error)});
	}
	file->is_told = true;
	file->retry_ms = drop->now_ms + DROP_RETRY_DISK_MS;
}

static void move(struct drop *drop, struct drop_file *file)
{
	int r = drop_file_move(drop, file);

	file->is_moved = r == 0;
	if (r < 0) {
		wait_to_move(drop, file, r);
	}
}

/* What was moved in this round stays moved: the folders are made durable once for all of it. */
static void keep_moves(struct drop *drop)
{
	int r = 0;

	for (int place = 0; r == 0 && place < DROP_PLACES; place++) {
		r = drop_folder_sync(drop->options.folder, (enum drop_place)place);
	}
	for (uint32_t i = 0; i < drop->active_count; i++) {
		struct drop_file *file = drop->active[i];
		if (!file->is_moved) {
			continue;
		}
		file->is_moved = false;
		if (r < 0) {
			wait_to_move(drop, file, r);
			continue;
		}
		drop_file_close(file);
		file->is_told = false;
		file->step = DROP_FORGETTING;
	}
}

static int step(struct drop *drop, uint32_t index, uint64_t *bytes, uint32_t *moved)
{
	struct drop_file *file = drop->active[index];

	if (drop->now_ms < file->retry_ms) {
		return 0;
	}
	switch (file->step) {
	case DROP_OPENING:
	case DROP_SETTLING:
		(*bytes)++;
		return drop_file_open(drop, file);
	case DROP_SUMMING:
		return drop_file_sum(drop, file, bytes);
	case DROP_READING:
		if (!is_its_turn(drop, index) || !can_submit(drop)) {
			return 0;
		}
		return file->state.outcome == DROP_UNDECIDED
			       ? drop_file_read(drop, file, bytes)
			       : drop_submit_end(drop, file, file->state.outcome, file->state.why);
	case DROP_MOVING:
		if (++*moved <= DROP_FINISH_ROUND) {
			move(drop, file);
		}
		return 0;
	case DROP_FORGETTING:
		return can_submit(drop) ? drop_submit_forget(drop, file) : 0;
	case DROP_FLYING:
	case DROP_OVER:
		break;
	}
	return 0;
}

static int step_all(struct drop *drop, uint64_t *bytes)
{
	uint32_t moved = 0;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < drop->active_count; i++) {
		if (*bytes < DROP_ROUND_BYTES || drop->active[i]->step >= DROP_MOVING) {
			r = step(drop, i, bytes, &moved);
			r = r == PORT_E_FULL ? 0 : r;
		}
	}
	if (moved > 0) {
		keep_moves(drop);
	}
	return r;
}

/* When there is something to do next: 0 at once. */
static int64_t next_wait(const struct drop *drop)
{
	int64_t next = drop->woken || drop->list_ms < drop->rest_ms ? drop->rest_ms : drop->list_ms;

	if (drop->is_listing) {
		return 0;
	}
	for (uint32_t i = 0; i < drop->active_count; i++) {
		const struct drop_file *file = drop->active[i];
		int64_t then = file->retry_ms;
		if (file->step == DROP_READING || file->step == DROP_FORGETTING) {
			then = drop->retry_ms > then ? drop->retry_ms : then;
		}
		if (file->step != DROP_READING || is_its_turn(drop, i)) {
			next = then < next ? then : next;
		}
	}
	return next > drop->now_ms ? next - drop->now_ms : 0;
}

int drop_poll(struct drop *drop, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms)
{
	uint64_t bytes = 0;

	drop->now_ms = now_ms;
	drop->wall_ms = wall_ms;
	*ret_wait_ms = drop->options.poll_ms;
	if (drop->stopped) {
		return 0;
	}
	remove_over(drop);
	int r = drop_look(drop);
	if (r == 0) {
		r = step_all(drop, &bytes);
	}
	*ret_wait_ms = next_wait(drop);
	return r;
}

/* ---- outcomes */

static void end_file(struct drop *drop, struct drop_file *file)
{
	static const char *const words[] = {
		[DROP_DONE] = "done", [DROP_FAILED] = "failed", [DROP_REPEATED] = "repeated"};
	const struct drop_state *state = &file->state;

	drop->counts.done += state->outcome == DROP_DONE;
	drop->counts.failed += state->outcome == DROP_FAILED;
	drop->counts.repeated += state->outcome == DROP_REPEATED;
	drop->options.port.tell(drop->options.port.owner,
		&(struct drop_told){DROP_NEWS_OVER, state->name, state->lines, state->accepted,
			words[state->outcome]});
	file->step = DROP_OVER;
}

static void take(struct drop *drop, struct drop_file *file)
{
	bool was_decided = file->state.outcome != DROP_UNDECIDED;
	struct drop_digest digest = {.size = file->next.size, .counted_ms = file->next.finished_ms};

	drop->counts.bytes_read += file->next.offset - file->state.offset;
	drop->counts.lines_too_long += file->is_long;
	file->state = file->next;
	file->running = file->next_running;
	file->skip_offset = 0;
	file->is_resumed = true; /* its marks are there */
	if (file->state.outcome == DROP_UNDECIDED) {
		file->step = DROP_READING;
		return;
	}
	file->step = DROP_MOVING;
	if (!was_decided && file->state.outcome == DROP_DONE && digest.size > 0) {
		memcpy(digest.digest, file->state.digest, sizeof digest.digest);
		(void)drop_add_digest(drop, &digest);
	}
}

/* What found no room. A file that could not be read to its end may be gone, or another one: it is looked at anew. */
static enum drop_step step_again(const struct drop_file *file, bool was_forgotten)
{
	if (was_forgotten) {
		return DROP_FORGETTING;
	}
	return file->next.outcome == DROP_FAILED ? DROP_OPENING : DROP_READING;
}

void drop_settled(struct drop *drop, uint64_t ticket, bool taken)
{
	struct drop_file *file = NULL;

	for (uint32_t i = 0; i < drop->active_count; i++) {
		if (drop->active[i]->ticket == ticket) {
			file = drop->active[i];
		}
	}
	assert(file != NULL && file->step == DROP_FLYING);
	bool was_forgotten = file->is_forgetting;
	file->is_forgetting = false;
	if (!taken) {
		drop->retry_ms = drop->now_ms + DROP_RETRY_MS;
		file->retry_ms = drop->retry_ms;
		file->step = step_again(file, was_forgotten);
	} else if (was_forgotten) {
		end_file(drop, file);
	} else {
		take(drop, file);
	}
	file->is_long = false;
	file->skip_offset = 0;
}

void drop_wake(struct drop *drop)
{
	drop->woken = true;
}

void drop_stop(struct drop *drop)
{
	drop->stopped = true;
}

const struct drop_counts *drop_counts(const struct drop *drop)
{
	return &drop->counts;
}

struct drop_gauges drop_gauges(const struct drop *drop)
{
	struct drop_gauges gauges = {.active = drop->active_count,
		.waiting = drop->list.count - drop->list.next,
		.ignored = drop->ignored};

	for (uint32_t i = 0; i < drop->active_count; i++) {
		gauges.stuck += drop->active[i]->is_told;
	}
	return gauges;
}

const char *drop_trouble(const struct drop *drop)
{
	for (uint32_t i = 0; i < drop->active_count; i++) {
		if (drop->active[i]->is_told) {
			return drop->active[i]->state.name;
		}
	}
	return NULL;
}
