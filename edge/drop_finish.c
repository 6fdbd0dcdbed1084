/* What is written of a dropped file: marks with its lines, its report, its new name. */
#include "edge/drop_internal.h"
#include "edge/port.h"
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	/* The state, the digest and one that it pushes out, and every error. */
	MARKS_MAX = DROP_ERRORS_MAX + 3,
	REPORT_SIZE_MAX = 256 * 1024,
	SUFFIX_MAX = 100000,
};

static const char report_ending[] = ".report.json";

/* ---- keys */

static size_t put_name(const char *name, char letter, uint8_t key[DROP_KEY_SIZE])
{
	size_t size = strlen(name);

	key[0] = (uint8_t)letter;
	memcpy(key + 1, name, size);
	return 1 + size;
}

size_t drop_key_state(const char *name, uint8_t key[DROP_KEY_SIZE])
{
	return put_name(name, 'f', key);
}

size_t drop_key_error(const char *name, uint32_t number, uint8_t key[DROP_KEY_SIZE])
{
	size_t size = put_name(name, 'x', key);

	key[size] = '\0';
	key[size + 1] = (uint8_t)(number >> 8);
	key[size + 2] = (uint8_t)number;
	return size + 3;
}

size_t drop_key_digest(const struct drop_digest *digest, uint8_t key[DROP_KEY_SIZE])
{
	uint64_t size = htobe64(digest->size);

	key[0] = 'd';
	memcpy(key + 1, digest->digest, sizeof digest->digest);
	memcpy(key + 1 + sizeof digest->digest, &size, sizeof size);
	return 1 + sizeof digest->digest + sizeof size;
}

/* ---- digests */

const struct drop_digest *drop_find_digest(const struct drop *drop, const struct drop_state *state)
{
	for (size_t i = 0; state->size > 0 && i < drop->digest_count; i++) {
		const struct drop_digest *known = &drop->digests[i];
		if (known->size == state->size &&
			memcmp(known->digest, state->digest, sizeof known->digest) == 0) {
			return known;
		}
	}
	return NULL;
}

int drop_add_digest(struct drop *drop, const struct drop_digest *digest)
{
	if (drop->digest_count == drop->digest_capacity) {
		size_t capacity = drop->digest_capacity * 2 + 64;
		void *digests = realloc(drop->digests, capacity * sizeof *drop->digests);
		if (digests == NULL) {
			return -ENOMEM;
		}
		drop->digests = digests;
		drop->digest_capacity = capacity;
	}
	if (drop->digest_count == DROP_DIGESTS_MAX) {
		memmove(drop->digests, drop->digests + 1,
			(--drop->digest_count) * sizeof *drop->digests);
	}
	drop->digests[drop->digest_count++] = *digest;
	return 0;
}

static struct drop_digest digest_of(const struct drop_state *state)
{
	struct drop_digest digest = {.size = state->size, .counted_ms = state->finished_ms};

	memcpy(digest.digest, state->digest, sizeof digest.digest);
	return digest;
}

/* ---- marks of one submission */

struct mark_set {
	struct source_mark marks[MARKS_MAX];
	uint8_t keys[MARKS_MAX][DROP_KEY_SIZE];
	size_t offsets[MARKS_MAX]; /* of their values, in `bytes` */
	size_t count;
	struct buffer *bytes; /* may move while it grows */
};

static void add_key(struct mark_set *set, size_t key_size)
{
	set->offsets[set->count] = set->bytes->size;
	set->marks[set->count] =
		(struct source_mark){slice_of(set->keys[set->count], key_size), {NULL, 0}};
	set->count++;
}

/* What was written since add_key is its value. */
static void end_value(struct mark_set *set)
{
	struct source_mark *mark = &set->marks[set->count - 1];

	mark->value.size = set->bytes->size - set->offsets[set->count - 1];
}

static void point_at_values(struct mark_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->marks[i].value.size > 0) {
			set->marks[i].value.bytes = set->bytes->bytes + set->offsets[i];
		}
	}
}

static void add_state(struct mark_set *set, const struct drop_state *state)
{
	add_key(set, drop_key_state(state->name, set->keys[set->count]));
	drop_state_encode(state, set->bytes);
	end_value(set);
}

static void add_errors(struct mark_set *set, const struct drop_file *file)
{
	for (uint32_t i = file->state.error_count; i < file->next.error_count; i++) {
		add_key(set, drop_key_error(file->next.name, i, set->keys[set->count]));
		drop_error_encode(&file->errors[i], set->bytes);
		end_value(set);
	}
}

/* The content is known from now on; the oldest that is known may be forgotten for it. */
static void add_digest_marks(
	struct mark_set *set, const struct drop *drop, const struct drop_state *state)
{
	struct drop_digest digest = digest_of(state);
	uint64_t counted_ms = htobe64((uint64_t)digest.counted_ms);

	if (state->outcome != DROP_DONE || state->size == 0) {
		return;
	}
	add_key(set, drop_key_digest(&digest, set->keys[set->count]));
	buffer_append(set->bytes, &counted_ms, sizeof counted_ms);
	end_value(set);
	if (drop->digest_count == DROP_DIGESTS_MAX) {
		add_key(set, drop_key_digest(&drop->digests[0], set->keys[set->count]));
	}
}

/* ---- the file's next state */

static enum drop_place place_of(const struct drop_state *state)
{
	return state->outcome == DROP_FAILED ? DROP_PLACE_FAILED : DROP_PLACE_DONE;
}

static bool is_taken(const struct drop *drop, const struct drop_file *file, const char *target)
{
	char report[DROP_TARGET_SIZE + sizeof report_ending];
	enum drop_place place = place_of(&file->next);

	for (uint32_t i = 0; i < drop->active_count; i++) {
		if (drop->active[i] != file && strcmp(drop->active[i]->state.target, target) == 0) {
			return true;
		}
	}
	snprintf(report, sizeof report, "%s%s", target, report_ending);
	return drop_folder_has(drop->options.folder, place, target) ||
	       drop_folder_has(drop->options.folder, place, report);
}

/* Its own name, or that with a number behind it. A name that would be too long for its report is cut. */
static void choose_target(const struct drop *drop, struct drop_file *file)
{
	char *target = file->next.target;
	int size = (int)strlen(file->next.name);
	int room = DROP_NAME_SIZE - (int)sizeof report_ending - 8;

	size = size < room ? size : room;
	snprintf(target, sizeof file->next.target, "%.*s", size, file->next.name);
	for (int i = 1; i < SUFFIX_MAX && is_taken(drop, file, target); i++) {
		snprintf(target, sizeof file->next.target, "%.*s.%d", size, file->next.name, i);
	}
}

static void decide(const struct drop *drop, struct drop_file *file, enum drop_outcome outcome)
{
	struct drop_state *next = &file->next;

	next->outcome = outcome;
	next->finished_ms = drop->wall_ms;
	if (outcome == DROP_DONE && next->accepted + next->repeated == 0 && next->invalid > 0) {
		next->outcome = DROP_FAILED;
		snprintf(next->why, sizeof next->why, "no line was accepted");
	}
	choose_target(drop, file);
}

static void note_errors(
	struct drop_file *file, const struct line_batch *batch, const struct reply *reply)
{
	for (uint32_t i = 0; i < reply->error_count && file->next.error_count < DROP_ERRORS_MAX;
		i++) {
		file->errors[file->next.error_count++] = (struct drop_error){
			line_batch_line(batch, reply->errors[i].index), reply->errors[i].complaint};
	}
}

/* ---- submissions */

struct judging {
	struct drop *drop;
	struct drop_file *file;
	const struct line_batch *batch;
	struct mark_set set;
};

/* What became of the lines is in the marks that are committed with them. */
static size_t judge(void *owner, const struct reply *reply, const struct source_mark **ret_marks)
{
	struct judging *judging = owner;
	struct drop_file *file = judging->file;

	drop_state_add(&file->next, reply);
	note_errors(file, judging->batch, reply);
	if (file->next.offset >= file->next.size) {
		decide(judging->drop, file, DROP_DONE);
	}
	add_state(&judging->set, &file->next);
	add_errors(&judging->set, file);
	add_digest_marks(&judging->set, judging->drop, &file->next);
	point_at_values(&judging->set);
	*ret_marks = judging->set.marks;
	return judging->set.count;
}

static int submit(struct drop *drop, struct drop_file *file, struct submission *submission)
{
	const struct drop_port *port = &drop->options.port;

	submission->unattended = true;
	submission->ticket = file->ticket;
	/* The end of a file may be found while it was not asked for. */
	int r = port->takes_more(port->owner) ? port->submit(port->owner, submission) : PORT_E_FULL;
	if (r > 0) {
		drop->retry_ms = drop->now_ms + DROP_RETRY_MS;
		file->retry_ms = drop->retry_ms;
	}
	return r;
}

int drop_submit_lines(struct drop *drop, struct drop_file *file, struct line_batch *batch)
{
	struct judging *judging = calloc(1, sizeof *judging);
	char detail[160];

	if (judging == NULL) {
		return -ENOMEM;
	}
	buffer_clear(&drop->marks);
	judging->drop = drop;
	judging->file = file;
	judging->batch = batch;
	judging->set.bytes = &drop->marks;
	snprintf(detail, sizeof detail, "%.90s behind line %llu", file->state.name,
		(unsigned long long)file->state.lines);
	struct submission submission = {.items = line_batch_items(batch),
		.item_count = line_batch_count(batch),
		.judge = judge,
		.owner = judging,
		.detail = slice_of_text(detail)};
	int r = submit(drop, file, &submission);
	r = r == 0 ? drop->marks.error : r;
	file->step = r == 0 ? DROP_FLYING : file->step;
	free(judging);
	return r;
}

int drop_submit_end(
	struct drop *drop, struct drop_file *file, enum drop_outcome outcome, const char *why)
{
	struct mark_set *set = calloc(1, sizeof *set);

	if (set == NULL) {
		return -ENOMEM;
	}
	file->next = file->state;
	snprintf(file->next.why, sizeof file->next.why, "%s", why);
	decide(drop, file, outcome);
	buffer_clear(&drop->marks);
	set->bytes = &drop->marks;
	add_state(set, &file->next);
	add_digest_marks(set, drop, &file->next);
	point_at_values(set);
	struct submission submission = {.marks = set->marks, .mark_count = set->count};
	int r = drop->marks.error != 0 ? drop->marks.error : submit(drop, file, &submission);
	file->step = r == 0 ? DROP_FLYING : file->step;
	free(set);
	return r;
}

int drop_submit_forget(struct drop *drop, struct drop_file *file)
{
	struct mark_set *set = calloc(1, sizeof *set);

	if (set == NULL) {
		return -ENOMEM;
	}
	buffer_clear(&drop->marks);
	set->bytes = &drop->marks;
	add_key(set, drop_key_state(file->state.name, set->keys[0]));
	for (uint32_t i = 0; i < file->state.error_count; i++) {
		add_key(set, drop_key_error(file->state.name, i, set->keys[set->count]));
	}
	struct submission submission = {.marks = set->marks, .mark_count = set->count};
	int r = submit(drop, file, &submission);
	file->step = r == 0 ? DROP_FLYING : file->step;
	file->is_forgetting = r == 0;
	file->next = file->state;
	free(set);
	return r;
}

/* ---- report and move */

static int write_report(struct drop *drop, const struct drop_file *file)
{
	const struct drop_report report = {
		&file->state, file->errors, drop->options.edge, drop->options.source};
	char name[DROP_TARGET_SIZE + sizeof report_ending];
	struct buffer text;

	buffer_init(&text, REPORT_SIZE_MAX);
	drop_report_encode(&report, &text);
	snprintf(name, sizeof name, "%s%s", file->state.target, report_ending);
	int r = text.error;
	if (r == 0) {
		r = drop_folder_write(
			drop->options.folder, place_of(&file->state), name, buffer_slice(&text));
	}
	buffer_deinit(&text);
	return r;
}

int drop_file_move(struct drop *drop, struct drop_file *file)
{
	const struct drop_folder *folder = drop->options.folder;
	const struct drop_state *state = &file->state;
	enum drop_place place = place_of(state);

	bool is_there =
		drop_folder_holds(folder, DROP_INBOX, state->name, state->device, state->inode);
	if (is_there && drop_folder_has(folder, place, state->target)) {
		return -EEXIST;
	}
	int r = write_report(drop, file);
	if (r == 0 && is_there) {
		r = drop_folder_move(folder, state->name, place, state->target);
	}
	return r;
}
