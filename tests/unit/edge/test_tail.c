/* Files that are written, rotated, copied, compressed, emptied and deleted in memory, as a seed says, while they are followed, the
 * spool is full and the edge is killed: each line is counted once, unless it was destroyed before it could be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/port.h"
#include "edge/tail.h"
#include "tests/unit/rounds.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FILES_MAX = 2000,
	HANDLES_MAX = 400,
	MARKS_MAX = 4000,
	LINES_MAX = 20000,
	QUEUE_MAX = 64,
	NAMES_MAX = 6,
	ITEMS_MAX = 20000,
};

struct sim_file {
	char name[40]; /* "": deleted */
	uint64_t inode;
	int64_t mtime_ns;
	char *bytes;
	size_t size;
	uint32_t *lines; /* those that it holds wholly */
	uint32_t line_count;
	unsigned handles;
	bool freed; /* its inode may be used again */
};

struct sim_mark {
	struct slice key;
	struct slice value;
};

struct sim_submission {
	uint64_t ticket;
	uint32_t *lines;
	uint32_t line_count;
	uint32_t fragments;
	struct sim_mark *marks;
	size_t mark_count;
};

struct sim {
	uint64_t random;
	struct sim_file files[FILES_MAX];
	uint32_t file_count;
	struct sim_file *handles[HANDLES_MAX];
	struct sim_mark marks[MARKS_MAX];
	size_t mark_count;
	struct sim_submission queue[QUEUE_MAX];
	size_t queue_count;
	uint8_t counted[LINES_MAX];
	bool destroyed[LINES_MAX];
	uint32_t line_count;
	uint32_t fragments;
	uint32_t too_long;
	uint64_t inode;
	int64_t now_ms;
	bool is_full;
	bool is_denied; /* the folder can't be looked at */
	uint32_t names_size; /* of the column names: all files may begin with the same bytes */
	int asked; /* whether more is taken */
	struct tail *tail;
	struct tail_options options;
};

static uint32_t draw(struct sim *sim, uint32_t below)
{
	sim->random ^= sim->random << 13;
	sim->random ^= sim->random >> 7;
	sim->random ^= sim->random << 17;
	return (uint32_t)((sim->random >> 16) % below);
}

/* ---- the disk */

static struct sim_file *find_name(struct sim *sim, const char *name)
{
	for (uint32_t i = 0; i < sim->file_count; i++) {
		if (strcmp(sim->files[i].name, name) == 0) {
			return &sim->files[i];
		}
	}
	return NULL;
}

static void stat_of(const struct sim_file *file, struct tail_stat *stat)
{
	*stat = (struct tail_stat){1, file->inode, file->size, file->mtime_ns};
}

static int show(struct sim *sim, const char *name, tail_sight_fn sight, void *to, bool is_live)
{
	struct sim_file *file = find_name(sim, name);
	struct tail_sighting sighting = {.path = name, .error = -ENOENT};

	if (sim->is_denied) {
		sighting.error = -EACCES;
	} else if (file != NULL) {
		sighting.error = 0;
		stat_of(file, &sighting.stat);
	}
	return is_live || sighting.error != -ENOENT ? sight(to, &sighting) : 0;
}

static int list_live(void *owner, tail_sight_fn sight, void *to)
{
	return show(owner, "log", sight, to, true);
}

static bool wants(void *owner, const char *path)
{
	(void)owner;
	return strcmp(path, "log") == 0;
}

static int list_rotated(void *owner, const char *path, tail_sight_fn sight, void *to)
{
	char name[40];
	int r = 0;

	(void)path;
	for (int i = 1; r == 0 && i <= NAMES_MAX; i++) {
		snprintf(name, sizeof name, "log.%d", i);
		r = show(owner, name, sight, to, false);
		snprintf(name, sizeof name, "log.%d.gz", i);
		r = r == 0 ? show(owner, name, sight, to, false) : r;
	}
	return r;
}

static int sim_open(void *owner, const char *path)
{
	struct sim *sim = owner;
	struct sim_file *file = find_name(sim, path);

	if (sim->is_denied || file == NULL) {
		return sim->is_denied ? -EACCES : -ENOENT;
	}
	for (int i = 0; i < HANDLES_MAX; i++) {
		if (sim->handles[i] == NULL) {
			sim->handles[i] = file;
			file->handles++;
			return i;
		}
	}
	return -EMFILE;
}

static int sim_stat(void *owner, int handle, struct tail_stat *ret_stat)
{
	struct sim *sim = owner;

	stat_of(sim->handles[handle], ret_stat);
	return 0;
}

static int64_t sim_read(void *owner, int handle, uint64_t offset, void *bytes, size_t size)
{
	struct sim *sim = owner;
	const struct sim_file *file = sim->handles[handle];
	size_t left = offset < file->size ? file->size - offset : 0;

	size = size < left ? size : left;
	if (size > 0) {
		memcpy(bytes, file->bytes + offset, size);
	}
	return (int64_t)size;
}

static uint64_t sim_next_data(void *owner, int handle, uint64_t offset)
{
	(void)owner;
	(void)handle;
	return offset;
}

static void sim_close(void *owner, int handle)
{
	struct sim *sim = owner;

	sim->handles[handle]->handles--;
	sim->handles[handle] = NULL;
}

/* ---- what happens to files */

static struct sim_file *create(struct sim *sim, const char *name)
{
	assert_true(sim->file_count < FILES_MAX);
	struct sim_file *file = &sim->files[sim->file_count++];

	*file = (struct sim_file){.inode = ++sim->inode, .mtime_ns = sim->now_ms * 1000000};
	snprintf(file->name, sizeof file->name, "%s", name);
	for (uint32_t i = 0; i + 1 < sim->file_count && draw(sim, 3) == 0; i++) {
		struct sim_file *old = &sim->files[i]; /* as ext4 does */
		if (old->name[0] == '\0' && old->handles == 0 && !old->freed) {
			old->freed = true;
			file->inode = old->inode;
			break;
		}
	}
	return file;
}

static void append(struct sim *sim, struct sim_file *file, const char *text)
{
	size_t size = strlen(text);

	file->bytes = realloc(file->bytes, file->size + size);
	assert_non_null(file->bytes);
	memcpy(file->bytes + file->size, text, size);
	file->size += size;
	file->mtime_ns = sim->now_ms * 1000000;
}

static void hold_line(struct sim_file *file, uint32_t line)
{
	file->lines = realloc(file->lines, (file->line_count + 1) * sizeof *file->lines);
	assert_non_null(file->lines);
	file->lines[file->line_count++] = line;
}

static void write_line(struct sim *sim)
{
	struct sim_file *file = find_name(sim, "log");
	char text[80];

	if (file == NULL) {
		file = create(sim, "log");
	}
	if (sim->line_count == LINES_MAX) {
		return;
	}
	uint32_t line = sim->line_count++;
	bool is_csv = sim->options.rules.format == LINE_CSV;
	if (is_csv && file->size == 0) {
		char names[400];
		snprintf(names, sizeof names, "n,%0*d\n", (int)sim->names_size, 1);
		append(sim, file, names);
	}
	snprintf(text, sizeof text, is_csv ? "%u,%0*d" : "{\"n\":%u,\"pad\":\"%0*d\"}", line,
		(int)draw(sim, 30) + 1, 7);
	if (draw(sim, 4) == 0 && sim->tail != NULL) { /* in two pieces, and a look between them */
		int64_t wait;
		char rest[80];
		size_t cut = strlen(text) / 2;
		snprintf(rest, sizeof rest, "%s", text + cut);
		text[cut] = '\0';
		append(sim, file, text);
		assert_int_equal(
			tail_poll(sim->tail, sim->now_ms, sim->now_ms + 1000000, &wait), 0);
		append(sim, file, rest);
	} else {
		append(sim, file, text);
	}
	append(sim, file, "\n");
	hold_line(file, line);
}

/* Its lines are nowhere else: what is not counted yet need not be. */
static void destroy_lines(struct sim *sim, const struct sim_file *file)
{
	for (uint32_t i = 0; i < file->line_count; i++) {
		sim->destroyed[file->lines[i]] = true;
	}
}

static void delete_file(struct sim *sim, struct sim_file *file)
{
	if (file != NULL) {
		destroy_lines(sim, file);
		file->name[0] = '\0';
	}
}

static void shift(struct sim *sim)
{
	char from[40];

	delete_file(sim, find_name(sim, "log.6"));
	for (int i = NAMES_MAX - 1; i >= 1; i--) {
		snprintf(from, sizeof from, "log.%d", i);
		struct sim_file *file = find_name(sim, from);
		if (file != NULL) {
			snprintf(file->name, sizeof file->name, "log.%d", i + 1);
		}
	}
}

static void rotate(struct sim *sim)
{
	struct sim_file *file = find_name(sim, "log");

	if (file == NULL) {
		return;
	}
	shift(sim);
	strcpy(file->name, "log.1");
	if (draw(sim, 2) == 0) {
		create(sim, "log");
	}
}

static void empty_file(struct sim_file *file)
{
	file->size = 0;
	file->line_count = 0;
}

static void poll(struct sim *sim);

static void copytruncate(struct sim *sim)
{
	struct sim_file *file = find_name(sim, "log");

	if (file == NULL || file->size == 0) {
		return;
	}
	shift(sim);
	struct sim_file *copy = create(sim, "log.1");
	size_t half = file->size / 2;
	copy->bytes = malloc(file->size);
	assert_non_null(copy->bytes);
	memcpy(copy->bytes, file->bytes, file->size);
	copy->size = half;
	if (draw(sim, 2) == 0) {
		poll(sim); /* it sees half of the copy */
	}
	copy->size = file->size;
	copy->mtime_ns = sim->now_ms * 1000000;
	for (uint32_t i = 0; i < file->line_count; i++) {
		hold_line(copy, file->lines[i]);
	}
	if (draw(sim, 2) == 0) {
		poll(sim);
	}
	empty_file(file);
	if (draw(sim, 2) == 0) {
		write_line(sim);
	}
}

static void truncate_file(struct sim *sim)
{
	struct sim_file *file = find_name(sim, "log");

	if (file != NULL) {
		destroy_lines(sim, file);
		empty_file(file);
	}
}

/* gzip: what was not read before can't be any more. */
static void compress(struct sim *sim)
{
	char name[40];

	for (int i = NAMES_MAX; i >= 2; i--) {
		snprintf(name, sizeof name, "log.%d", i);
		struct sim_file *file = find_name(sim, name);
		if (file != NULL) {
			snprintf(name, sizeof name, "log.%d.gz", i);
			delete_file(sim, find_name(sim, name));
			append(sim, create(sim, name), "compressed");
			delete_file(sim, file);
			return;
		}
	}
}

/* A restored backup, a file system mounted anew: the same files with other inodes. */
static void renumber(struct sim *sim)
{
	for (uint32_t i = 0; sim->tail == NULL && i < sim->file_count; i++) {
		sim->files[i].inode = ++sim->inode;
		sim->files[i].freed = true;
	}
}

/* ---- the spool */

static void free_mark(struct sim_mark *mark)
{
	free((void *)mark->key.bytes);
	free((void *)mark->value.bytes);
}

static struct slice copy_slice(struct slice slice)
{
	uint8_t *bytes = malloc(slice.size + 1);

	assert_non_null(bytes);
	if (slice.size > 0) {
		memcpy(bytes, slice.bytes, slice.size);
	}
	return slice_of(bytes, slice.size);
}

static void put_mark(struct sim *sim, struct sim_mark *mark)
{
	size_t i = 0;

	while (i < sim->mark_count && !slice_equal(sim->marks[i].key, mark->key)) {
		i++;
	}
	if (i < sim->mark_count) {
		free_mark(&sim->marks[i]);
		sim->marks[i] = sim->marks[--sim->mark_count];
	}
	if (mark->value.size == 0) {
		free_mark(mark);
		return;
	}
	assert_true(sim->mark_count < MARKS_MAX);
	sim->marks[sim->mark_count++] = *mark;
}

/* A line that is there wholly; a part of one ends without its 7. */
static bool read_line(const struct submission_item *item, unsigned *ret_line)
{
	char text[128] = "";
	size_t size = item->raw.size < sizeof text ? item->raw.size : 0;

	if (item->event.size == 0 || size == 0) {
		return false;
	}
	memcpy(text, item->raw.bytes, size);
	if (text[0] == '{') {
		return sscanf(text, "{\"n\":%u,", ret_line) == 1 && text[size - 1] == '}';
	}
	return sscanf(text, "%u,", ret_line) == 1 && text[size - 1] == '7';
}

static void take_items(const struct submission *submission, struct sim_submission *taken)
{
	taken->lines = calloc(submission->item_count + 1, sizeof *taken->lines);
	assert_non_null(taken->lines);
	for (size_t i = 0; i < submission->item_count; i++) {
		unsigned line;
		if (read_line(&submission->items[i], &line)) {
			taken->lines[taken->line_count++] = line;
		} else {
			taken->fragments++;
		}
	}
}

static int port_submit_sim(void *owner, const struct submission *submission)
{
	struct sim *sim = owner;

	if (sim->is_full && draw(sim, 2) == 0) {
		return PORT_E_FULL;
	}
	assert_true(sim->queue_count < QUEUE_MAX);
	struct sim_submission *taken = &sim->queue[sim->queue_count++];
	*taken = (struct sim_submission){.ticket = submission->ticket};
	take_items(submission, taken);
	taken->mark_count = submission->mark_count;
	taken->marks = calloc(submission->mark_count + 1, sizeof *taken->marks);
	for (size_t i = 0; i < submission->mark_count; i++) {
		assert_true(submission->marks[i].value.size <= SOURCE_MARK_VALUE_SIZE_MAX);
		taken->marks[i].key = copy_slice(submission->marks[i].key);
		taken->marks[i].value = copy_slice(submission->marks[i].value);
	}
	return 0;
}

static bool port_takes_more_sim(void *owner)
{
	struct sim *sim = owner;

	sim->asked++;
	return sim->queue_count < QUEUE_MAX;
}

static void tell(void *owner, const struct tail_report *report)
{
	struct sim *sim = owner;

	sim->too_long += report->news == TAIL_NEWS_TOO_LONG;
	if (getenv("TILL_TRACE") != NULL) {
		fprintf(stderr, "%lld news %d %s %llu %llu\n", (long long)sim->now_ms,
			(int)report->news, report->path, (unsigned long long)report->a,
			(unsigned long long)report->b);
	}
}

/* What was submitted is committed, or (taken false) finds no room, or (tail NULL) the edge was killed before. */
static void commit(struct sim *sim, bool taken, bool told)
{
	for (size_t i = 0; i < sim->queue_count; i++) {
		struct sim_submission *submission = &sim->queue[i];
		for (uint32_t k = 0; taken && k < submission->line_count; k++) {
			assert_true(submission->lines[k] < sim->line_count);
			sim->counted[submission->lines[k]]++;
		}
		sim->fragments += taken ? submission->fragments : 0;
		for (size_t k = 0; k < submission->mark_count; k++) {
			if (taken) {
				put_mark(sim, &submission->marks[k]);
			} else {
				free_mark(&submission->marks[k]);
			}
		}
		free(submission->marks);
		free(submission->lines);
		if (told) {
			tail_settled(sim->tail, submission->ticket, taken);
		}
	}
	sim->queue_count = 0;
}

static void start(struct sim *sim)
{
	struct pairs_error error;

	assert_int_equal(tail_new(&sim->options, &sim->tail, &error), 0);
	for (size_t i = 0; i < sim->mark_count; i++) {
		assert_int_equal(
			tail_remember(sim->tail, sim->marks[i].key, sim->marks[i].value), 0);
	}
}

static void poll(struct sim *sim)
{
	int64_t wait = 0;

	if (sim->tail == NULL) {
		return;
	}
	tail_wake(sim->tail);
	sim->now_ms += TAIL_SCAN_MS_MIN;
	assert_int_equal(tail_poll(sim->tail, sim->now_ms, sim->now_ms + 1000000, &wait), 0);
	commit(sim, !sim->is_full || draw(sim, 2) == 0, true);
}

static void kill_edge(struct sim *sim)
{
	int64_t wait;

	if (sim->tail != NULL) {
		assert_int_equal(
			tail_poll(sim->tail, sim->now_ms, sim->now_ms + 1000000, &wait), 0);
		commit(sim, draw(sim, 2) == 0, false);
		sim->tail = tail_free(sim->tail);
	}
	if (draw(sim, 2) == 0) {
		start(sim);
	}
}

static void init(struct sim *sim, uint64_t seed)
{
	*sim = (struct sim){.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1, .now_ms = 1000};
	sim->names_size = seed % 4 == 1 ? 300 : 3;
	sim->options = (struct tail_options){
		.rules = {.format = seed % 2 == 0 ? LINE_NDJSON : LINE_CSV,
			.delimiter = ',',
			.events_max = 1 + draw(sim, 20)},
		.disk = {sim, list_live, wants, list_rotated, sim_open, sim_stat, sim_read,
			sim_next_data, sim_close},
		.port = {sim, port_takes_more_sim, port_submit_sim, tell},
		.poll_ms = 1000,
		.settle_ms = 3000,
		.forget_ms = 1000000,
	};
}

static void finish(struct sim *sim)
{
	sim->is_full = false;
	sim->is_denied = false;
	if (sim->tail == NULL) {
		start(sim);
	}
	for (int i = 0; i < 200 || (tail_state(sim->tail).lag_bytes > 0 && i < 5000); i++) {
		poll(sim);
	}
	assert_int_equal(tail_state(sim->tail).lag_bytes, 0);
}

static void deinit(struct sim *sim)
{
	sim->tail = tail_free(sim->tail);
	for (size_t i = 0; i < sim->mark_count; i++) {
		free_mark(&sim->marks[i]);
	}
	for (uint32_t i = 0; i < sim->file_count; i++) {
		free(sim->files[i].bytes);
		free(sim->files[i].lines);
	}
}

static uint32_t count_counted(const struct sim *sim)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < sim->line_count; i++) {
		count += sim->counted[i];
	}
	return count;
}

static void expect_each_once(const struct sim *sim, uint64_t seed)
{
	for (uint32_t i = 0; i < sim->line_count; i++) {
		if (sim->counted[i] > 1 || (sim->counted[i] == 0 && !sim->destroyed[i])) {
			fail_msg("seed %llu: line %u is counted %u times", (unsigned long long)seed,
				i, sim->counted[i]);
		}
	}
}

static void step(struct sim *sim)
{
	switch (draw(sim, 26)) {
	case 0:
		rotate(sim);
		break;
	case 1:
		copytruncate(sim);
		break;
	case 2:
		if (draw(sim, 4) == 0) {
			truncate_file(sim);
		}
		break;
	case 3:
		kill_edge(sim);
		break;
	case 4:
		sim->is_full = draw(sim, 3) == 0;
		break;
	case 5:
		if (draw(sim, 4) == 0) {
			delete_file(sim, find_name(sim, "log"));
		}
		break;
	case 6:
		sim->is_denied = draw(sim, 3) == 0;
		break;
	case 7:
		if (sim->tail == NULL) {
			start(sim);
		}
		break;
	case 8:
		sim->now_ms += draw(sim, 5000);
		break;
	case 9:
		compress(sim);
		break;
	case 10:
		renumber(sim);
		break;
	case 11:
	case 12:
	case 13:
	case 14:
	case 15:
		poll(sim);
		break;
	default:
		write_line(sim);
		break;
	}
}

static void test_each_line_is_counted_once_whatever_happens_to_its_file(void **state)
{
	(void)state;
	const char *one = getenv("TILL_SEED");
	uint64_t first = one != NULL ? strtoull(one, NULL, 10) : 1;
	uint64_t last = one != NULL ? first : (uint64_t)rounds_of(2000);
	struct sim *sim = malloc(sizeof *sim);
	uint64_t lines = 0;
	uint64_t counted = 0;

	assert_non_null(sim);
	for (uint64_t seed = first; seed <= last; seed++) {
		init(sim, seed);
		start(sim);
		poll(sim);
		for (int i = 0; i < 300; i++) {
			step(sim);
		}
		finish(sim);
		expect_each_once(sim, seed);
		lines += sim->line_count;
		counted += count_counted(sim);
		deinit(sim);
	}
	assert_true(counted > lines / 2); /* the rest was destroyed */
	free(sim);
}

/* The desk shares its rounds among those that ask: one that asks for nothing takes from the others. */
static void test_files_that_do_not_grow_ask_for_nothing(void **state)
{
	(void)state;
	struct sim *sim = malloc(sizeof *sim);

	assert_non_null(sim);
	init(sim, 1);
	write_line(sim);
	write_line(sim);
	start(sim);
	finish(sim);
	sim->asked = 0;
	for (int i = 0; i < 10; i++) {
		poll(sim);
	}
	assert_int_equal(sim->asked, 0);
	write_line(sim);
	poll(sim);
	assert_true(sim->asked > 0);
	finish(sim);
	expect_each_once(sim, 1);
	deinit(sim);
	free(sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_that_do_not_grow_ask_for_nothing),
		cmocka_unit_test(test_each_line_is_counted_once_whatever_happens_to_its_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
