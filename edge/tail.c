/* Marks and the round; tail_files.c holds the files, tail_sight.c sees them, tail_judge.c says which is which, tail_read.c reads. */
#include "edge/port.h"
#include "edge/tail_internal.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Marks of one submission, at their largest. */
#define MARKS_SIZE_MAX ((size_t)16 * 1024 * 1024)

/* The very first start is over: files that appear from now on are read from their beginning. */
static const uint8_t started_key[1] = {'s'};

int tail_new(const struct tail_options *options, struct tail **ret_tail, struct pairs_error *error)
{
	struct tail *tail = calloc(1, sizeof *tail);
	if (tail == NULL) {
		return -ENOMEM;
	}
	tail->options = *options;
	tail->woken = true;
	buffer_init(&tail->marks, MARKS_SIZE_MAX);
	int r = line_batch_new(&options->rules, &tail->batch, error);
	if (r < 0) {
		tail_free(tail);
		return r;
	}
	*ret_tail = tail;
	return 0;
}

static void free_group(struct tail *tail, struct tail_group *group)
{
	while (group->files != NULL) {
		struct tail_file *file = group->files;
		group->files = file->next;
		tail_close_file(tail, file);
		free(file->path);
		free(file);
	}
	free(group->dead_keys);
	free(group);
}

struct tail *tail_free(struct tail *tail)
{
	if (tail == NULL) {
		return NULL;
	}
	while (tail->groups != NULL) {
		struct tail_group *group = tail->groups;
		tail->groups = group->next;
		free_group(tail, group);
	}
	line_batch_free(tail->batch);
	buffer_deinit(&tail->marks);
	free(tail);
	return NULL;
}

void tail_tell(struct tail *tail, const struct tail_report *report)
{
	tail->options.port.tell(tail->options.port.owner, report);
}

/* ---- what is known from before */

static int remember_file(
	struct tail *tail, const struct tail_stat *stat, const struct tail_mark *mark)
{
	struct tail_group *group = tail_find_group(tail, mark->path);
	struct tail_file *file = NULL;
	int r = 0;

	if (group == NULL) {
		r = tail_add_group(tail, mark->path, &group);
	}
	if (r == 0) {
		r = tail_add_file(tail, group, mark->path, stat, &file);
	}
	if (r < 0) {
		return r;
	}
	file->role = TAIL_VANISHED; /* until it is seen */
	file->stage = mark->compressed             ? TAIL_COMPRESSED
		      : mark->position.offset == 0 ? TAIL_NEW
						   : TAIL_FOLLOWED;
	file->position = mark->position;
	file->vanished_ms = mark->vanished_ms;
	file->told_lost = mark->vanished_ms != 0 ? mark->size : 0;
	return 0;
}

int tail_remember(struct tail *tail, struct slice key, struct slice value)
{
	char path[TAIL_PATH_SIZE_MAX];
	struct tail_stat stat;
	struct tail_mark mark;

	if (slice_equal(key, slice_of(started_key, sizeof started_key))) {
		tail->has_started = true;
		return 0;
	}
	if (!tail_key_read(key, &stat.device, &stat.inode)) {
		return 0;
	}
	if (!tail_mark_decode(value, &mark, path)) {
		tail_tell(
			tail, &(struct tail_report){TAIL_NEWS_FORGOTTEN, "?", stat.inode, 0, NULL});
		return 0;
	}
	stat.size = mark.size;
	stat.mtime_ns = mark.mtime_ns;
	return remember_file(tail, &stat, &mark);
}

/* ---- marks */

bool tail_can_submit(const struct tail *tail)
{
	const struct tail_port *port = &tail->options.port;

	return tail->flight_count < TAIL_FLIGHTS_MAX && tail->now_ms >= tail->retry_ms &&
	       port->takes_more(port->owner);
}

static int fly(struct tail *tail, const struct submission *template, struct tail_flight flight)
{
	const struct tail_port *port = &tail->options.port;
	struct submission submission = *template;

	submission.unattended = true;
	submission.ticket = tail->flight_count;
	tail->flights[tail->flight_count++] = flight;
	int r = port->submit(port->owner, &submission);
	if (r != 0) {
		tail->flight_count--;
	}
	if (r == PORT_E_FULL) {
		tail->retry_ms = tail->now_ms + TAIL_RETRY_MS;
	}
	return r;
}

/* The value is written behind those before it; where it lies is known when all are. */
static size_t encode_mark(
	struct tail *tail, const struct tail_file *file, const struct tail_position *position)
{
	size_t start = tail->marks.size;
	struct tail_mark mark = {.path = file->group->path,
		.size = file->known_size,
		.mtime_ns = file->mtime_ns,
		.vanished_ms = file->vanished_ms,
		.compressed = file->stage == TAIL_COMPRESSED,
		.position = *position};

	tail_mark_encode(&mark, &tail->marks);
	return tail->marks.size - start;
}

int tail_submit(struct tail *tail, struct tail_file *file)
{
	uint8_t key[TAIL_KEY_SIZE];
	char detail[160];
	struct source_mark mark = {.key = slice_of(key, sizeof key)};

	buffer_clear(&tail->marks);
	tail_key(file->group->path, file->device, file->inode, key);
	encode_mark(tail, file, &file->next_position);
	mark.value = buffer_slice(&tail->marks);
	const char *slash = strrchr(file->path, '/');
	snprintf(detail, sizeof detail, "%.100s from byte %llu",
		slash != NULL ? slash + 1 : file->path, (unsigned long long)file->position.offset);
	struct submission submission = {
		.items = line_batch_count(tail->batch) > 0 ? line_batch_items(tail->batch) : NULL,
		.item_count = line_batch_count(tail->batch),
		.marks = &mark,
		.mark_count = 1,
		.detail = slice_of_text(detail)};
	int r = tail->marks.error;
	if (r == 0) {
		r = fly(tail, &submission, (struct tail_flight){file->group, file});
	}
	file->in_flight = r == 0;
	return r;
}

static size_t count_changed(const struct tail_group *group)
{
	size_t count = group->dead_count;

	for (const struct tail_file *file = group->files; file != NULL; file = file->next) {
		count += file->changed;
	}
	return count;
}

/* Marks of all that changed, then those that are no more: one that took over another's inode has the last word. */
static void fill_marks(struct tail *tail, struct tail_group *group, struct source_mark *marks,
	uint8_t (*keys)[TAIL_KEY_SIZE])
{
	size_t count = 0;
	size_t offset = 0;

	for (size_t i = 0; i < group->dead_count; i++) {
		marks[count++].key = slice_of(group->dead_keys[i], TAIL_KEY_SIZE);
	}
	for (const struct tail_file *file = group->files; file != NULL; file = file->next) {
		if (file->changed) {
			tail_key(group->path, file->device, file->inode, keys[count]);
			marks[count].key = slice_of(keys[count], TAIL_KEY_SIZE);
			marks[count++].value.size = encode_mark(tail, file, &file->position);
		}
	}
	for (size_t i = group->dead_count; i < count; i++) {
		marks[i].value.bytes = tail->marks.bytes + offset;
		offset += marks[i].value.size;
	}
}

int tail_submit_marks(struct tail *tail, struct tail_group *group)
{
	size_t count = count_changed(group);
	struct source_mark *marks = calloc(count + 1, sizeof *marks);
	uint8_t(*keys)[TAIL_KEY_SIZE] = calloc(count + 1, sizeof *keys);
	int r = -ENOMEM;

	if (marks != NULL && keys != NULL) {
		buffer_clear(&tail->marks);
		fill_marks(tail, group, marks, keys);
		struct submission submission = {.marks = marks, .mark_count = count};
		r = tail->marks.error;
		if (r == 0) {
			r = fly(tail, &submission, (struct tail_flight){group, NULL});
		}
		group->in_flight = r == 0;
	}
	free(marks);
	free(keys);
	return r;
}

static int submit_start(struct tail *tail)
{
	struct source_mark mark = {slice_of(started_key, sizeof started_key), slice_of("1", 1)};
	struct submission submission = {.marks = &mark, .mark_count = 1};

	int r = fly(tail, &submission, (struct tail_flight){NULL, NULL});
	tail->start_in_flight = r == 0;
	return r;
}

static void settle_file(struct tail *tail, struct tail_file *file, bool taken)
{
	file->in_flight = false;
	if (taken) {
		tail->counts.bytes_read += file->next_position.offset - file->position.offset;
		file->position = file->next_position;
		file->skip_offset = 0;
	}
	if (taken && file->long_size > 0) {
		tail->counts.lines_too_long++;
		tail_tell(tail,
			&(struct tail_report){TAIL_NEWS_TOO_LONG, file->path,
				file->position.offset - file->long_size, file->long_size, NULL});
	}
	file->long_size = 0;
}

static void settle_marks(struct tail_group *group, bool taken)
{
	group->in_flight = false;
	if (!taken) {
		return;
	}
	group->changed = false;
	group->dead_count = 0;
	for (struct tail_file *file = group->files; file != NULL; file = file->next) {
		file->changed = false;
	}
}

void tail_settled(struct tail *tail, uint64_t ticket, bool taken)
{
	struct tail_flight *flight = &tail->flights[ticket];

	assert(ticket < tail->flight_count);
	if (flight->file != NULL) {
		settle_file(tail, flight->file, taken);
	} else if (flight->group != NULL) {
		settle_marks(flight->group, taken);
	} else {
		tail->start_in_flight = false;
		tail->has_started = tail->has_started || taken;
	}
	if (!taken) {
		tail->retry_ms = tail->now_ms + TAIL_RETRY_MS;
	}
	if (++tail->settled_count == tail->flight_count) {
		tail->settled_count = 0;
		tail->flight_count = 0;
	}
}

/* ---- the round */

void tail_wake(struct tail *tail)
{
	tail->woken = true;
}

void tail_stop(struct tail *tail)
{
	tail->stopped = true;
}

static int64_t scan_wait(const struct tail *tail)
{
	if (tail->scanned_ms == 0) {
		return 0;
	}
	int64_t pause = tail->woken ? TAIL_SCAN_MS_MIN : tail->options.poll_ms;
	int64_t wait = tail->scanned_ms + pause - tail->now_ms;
	return wait > 0 ? wait : 0;
}

static struct tail_file *first_undrained(const struct tail *tail, const struct tail_group *group)
{
	struct tail_file *file = group->files;

	while (file != NULL && tail_file_is_drained(tail, file)) {
		file = file->next;
	}
	return file;
}

/* One submission of a group at most, so that a flood in one does not hold up the others. */
static int serve_group(struct tail *tail, struct tail_group *group, uint64_t *bytes)
{
	uint64_t read = 0;
	int r;

	if (group->in_flight) {
		return 0;
	}
	if (group->changed) {
		r = tail_submit_marks(tail, group);
		*bytes += r == 0;
		return r;
	}
	struct tail_file *file = first_undrained(tail, group);
	if (file == NULL || file->in_flight) {
		return 0;
	}
	r = tail_read_file(tail, file, &read);
	*bytes += read;
	return r;
}

static bool has_work(const struct tail *tail, const struct tail_group *group)
{
	if (group->in_flight || group->changed) {
		return !group->in_flight;
	}
	const struct tail_file *file = first_undrained(tail, group);
	return file != NULL && !file->in_flight && tail_file_may_have_more(tail, file);
}

/* The desk is asked only where there is something to hand in: it shares its rounds among those that ask. */
static int serve_all(struct tail *tail, uint64_t *bytes)
{
	struct tail_group *first = tail->turn != NULL ? tail->turn : tail->groups;
	struct tail_group *group = first;
	int r = 0;

	while (group != NULL && r == 0 && *bytes < TAIL_ROUND_BYTES) {
		if (has_work(tail, group)) {
			if (!tail_can_submit(tail)) {
				break;
			}
			r = serve_group(tail, group, bytes);
		}
		group = group->next != NULL ? group->next : tail->groups;
		if (group == first) {
			break;
		}
	}
	tail->turn = group;
	return r == PORT_E_FULL ? 0 : r;
}

int tail_poll(struct tail *tail, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms)
{
	uint64_t bytes = 0;
	int r = 0;

	tail->now_ms = now_ms;
	tail->wall_ms = wall_ms;
	*ret_wait_ms = tail->options.poll_ms;
	if (tail->stopped) {
		return 0;
	}
	if (scan_wait(tail) == 0 && tail->flight_count == 0) {
		r = tail_scan(tail);
	}
	if (r == 0 && !tail->has_started && !tail->start_in_flight && tail_can_submit(tail)) {
		r = submit_start(tail);
		r = r == PORT_E_FULL ? 0 : r;
	}
	if (r == 0) {
		r = serve_all(tail, &bytes);
	}
	int64_t wait = bytes > 0 ? 0 : scan_wait(tail);
	if (now_ms < tail->retry_ms && wait < tail->retry_ms - now_ms) {
		wait = tail->retry_ms - now_ms;
	}
	*ret_wait_ms = wait;
	return r;
}

/* ---- what is told */

const struct tail_counts *tail_counts(const struct tail *tail)
{
	return &tail->counts;
}

static void add_file(const struct tail_file *file, struct tail_state *state)
{
	if (file->role == TAIL_VANISHED || file->stage == TAIL_COMPRESSED) {
		return;
	}
	state->files++;
	state->stuck += file->is_stuck || file->is_denied;
	if (file->stage == TAIL_FOLLOWED && file->size > file->position.offset) {
		state->lag_bytes += file->size - file->position.offset;
	}
}

struct tail_state tail_state(const struct tail *tail)
{
	struct tail_state state = {.open = tail->open_count};

	for (const struct tail_group *group = tail->groups; group != NULL; group = group->next) {
		state.missing += group->is_missing;
		for (const struct tail_file *file = group->files; file != NULL; file = file->next) {
			add_file(file, &state);
		}
	}
	return state;
}

const char *tail_trouble(const struct tail *tail)
{
	for (const struct tail_group *group = tail->groups; group != NULL; group = group->next) {
		for (const struct tail_file *file = group->files; file != NULL; file = file->next) {
			if ((file->is_stuck || file->is_denied) && file->role != TAIL_VANISHED) {
				return file->path;
			}
		}
	}
	return NULL;
}
