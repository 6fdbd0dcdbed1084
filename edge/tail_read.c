/* One file, read on from its position. */
#include "edge/tail_internal.h"
#include <errno.h>

bool tail_file_is_drained(const struct tail *tail, const struct tail_file *file)
{
	(void)tail;
	switch (file->stage) {
	case TAIL_NEW: /* judged by the next scan */
	case TAIL_TRUNCATED:
	case TAIL_COMPRESSED:
		return true;
	case TAIL_FOLLOWED:
		break;
	}
	return file->role == TAIL_VANISHED || file->size <= file->position.offset;
}

/* Nobody writes to it any more, as far as that can be known: its last line is whole as it is. */
static bool has_ended(const struct tail *tail, const struct tail_file *file)
{
	return file->role != TAIL_LIVE && tail->now_ms - file->grown_ms >= tail->options.settle_ms;
}

bool tail_file_may_have_more(const struct tail *tail, const struct tail_file *file)
{
	return !file->is_stuck && (file->size != file->idle_size || has_ended(tail, file));
}

static void see_truncated(struct tail *tail, struct tail_file *file)
{
	file->stage = TAIL_TRUNCATED;
	tail->woken = true; /* the scan looks for a copy of what was in it */
}

/* How far it reaches now. true: it can be read on. */
static bool look_at(struct tail *tail, struct tail_file *file)
{
	const struct tail_disk *disk = &tail->options.disk;
	struct tail_stat stat;

	int r = tail_open_file(tail, file);
	if (r == 0) {
		r = disk->stat(disk->owner, file->handle, &stat);
	}
	if (r < 0) {
		if (r != -ENOENT && r != -ESTALE && !file->is_denied) {
			file->is_denied = true;
			tail_tell(tail, &(struct tail_report){
						TAIL_NEWS_DENIED, file->path, 0, 0, strerror(-r)});
		}
		return false;
	}
	file->is_denied = false;
	file->read_ms = tail->now_ms;
	if (stat.size != file->size) {
		file->grown_ms = tail->now_ms;
	}
	file->size = stat.size;
	if (stat.size > file->known_size) {
		file->known_size = stat.size;
	}
	if (stat.size < file->position.offset || stat.size < file->skip_offset) {
		see_truncated(tail, file);
		return false;
	}
	return true;
}

static void get_stuck(struct tail *tail, struct tail_file *file, const char *why)
{
	file->is_stuck = true;
	tail_tell(tail, &(struct tail_report){TAIL_NEWS_STUCK, file->path, 0, 0, why});
}

/* What was read is the file's, unless it was emptied meanwhile: then the position does not hold any more. 0, TAIL_E_OTHER. */
static int check_and_take(struct tail *tail, struct tail_file *file, uint64_t end)
{
	const struct tail_disk *disk = &tail->options.disk;
	struct tail_position next;

	int r = tail_position_take(disk, file->handle, end, &next);
	if (r == 0) {
		r = tail_position_check(disk, file->handle, &file->position);
	}
	if (r != 0) {
		return r == -EIO ? TAIL_E_OTHER : r;
	}
	next.names_hash = line_batch_names_hash(tail->batch);
	file->next_position = next;
	return 0;
}

static int hand_in(struct tail *tail, struct tail_file *file, uint64_t end)
{
	int r = check_and_take(tail, file, end);

	if (r > 0) {
		see_truncated(tail, file);
		return 0;
	}
	if (r < 0) { /* the disk can't read it now: the next round tries again */
		file->is_denied = true;
		tail_tell(tail,
			&(struct tail_report){TAIL_NEWS_DENIED, file->path, 0, 0, strerror(-r)});
		return 0;
	}
	return tail_submit(tail, file);
}

/* ---- columns */

/* The names of a file that is read on in the middle. 1: not now. */
static int bind_again(struct tail *tail, struct tail_file *file)
{
	const struct tail_disk *disk = &tail->options.disk;
	uint64_t hash = file->position.names_hash;
	struct pairs_error error = {.text = "out of memory"};
	struct line_cut cut;

	if (hash != 0 && hash == line_batch_names_hash(tail->batch)) {
		return 0;
	}
	int64_t size = disk->read(disk->owner, file->handle, 0, tail->window, sizeof tail->window);
	if (size < 0) {
		return 1;
	}
	int r = line_batch_bind(
		tail->batch, slice_of(tail->window, (size_t)size), false, &cut, &error);
	if (r == -ENOMEM) {
		return r;
	}
	if (r == 0 && hash != 0 && hash != line_batch_names_hash(tail->batch)) {
		see_truncated(tail, file);
		return 1;
	}
	if (r != 0) {
		get_stuck(tail, file, r > 0 ? "the names of its columns do not end" : error.text);
		return 1;
	}
	return 0;
}

/* The names at the beginning of the bytes. 1: nothing behind them can be read now. */
static int bind_first(struct tail *tail, struct tail_file *file, struct slice bytes, bool last,
	struct line_cut *ret_cut)
{
	struct pairs_error error = {.text = "out of memory"};

	int r = line_batch_bind(tail->batch, bytes, last, ret_cut, &error);
	if (r == LINE_E_MORE) {
		ret_cut->size = last ? bytes.size : 0; /* nothing but empty lines */
		return 1;
	}
	if (r == -EINVAL) {
		get_stuck(tail, file, error.text);
		return 1;
	}
	return r;
}

/* ---- lines that are too long */

static int submit_long(
	struct tail *tail, struct tail_file *file, uint64_t end, bool ends_with_newline)
{
	const struct tail_disk *disk = &tail->options.disk;
	uint64_t start = file->position.offset;
	uint64_t size = end - start - ends_with_newline;

	int64_t r = disk->read(disk->owner, file->handle, start, tail->window,
		size < LINE_SAMPLE_SIZE ? size : LINE_SAMPLE_SIZE);
	if (r <= 0) {
		see_truncated(tail, file);
		return 0;
	}
	line_batch_add_long(tail->batch, slice_of(tail->window, (size_t)r), size, 0);
	file->long_size = end - start;
	return hand_in(tail, file, end);
}

/* Looks for the line's end, a bounded part of the file in one round; a hole has no ends of lines. */
static int skip_on(struct tail *tail, struct tail_file *file, uint64_t *ret_bytes)
{
	const struct tail_disk *disk = &tail->options.disk;

	while (*ret_bytes < TAIL_ROUND_BYTES) {
		uint64_t at = disk->next_data(disk->owner, file->handle, file->skip_offset);
		int64_t size = disk->read(
			disk->owner, file->handle, at, tail->window, sizeof tail->window);
		if (size < 0) {
			return 0;
		}
		const uint8_t *end = size > 0 ? memchr(tail->window, '\n', (size_t)size) : NULL;
		if (end != NULL) {
			return submit_long(
				tail, file, at + (uint64_t)(end - tail->window) + 1, true);
		}
		file->skip_offset = at + (uint64_t)size;
		*ret_bytes += (uint64_t)size;
		if ((size_t)size < sizeof tail->window) {
			file->idle_size = file->skip_offset;
			break;
		}
	}
	if (file->skip_offset >= file->size && has_ended(tail, file)) {
		return submit_long(tail, file, file->skip_offset, false);
	}
	return 0;
}

/* ---- lines */

static int cut_window(struct tail *tail, struct tail_file *file, struct slice bytes, bool last,
	struct line_cut *ret_cut)
{
	bool is_csv = tail->options.rules.format == LINE_CSV;
	struct line_cut names = {.size = 0};
	int r = 0;

	*ret_cut = names;
	if (is_csv && file->position.offset == 0) {
		r = bind_first(tail, file, bytes, last, &names);
	}
	if (r == 0) {
		r = line_batch_cut(tail->batch,
			slice_of(bytes.bytes + names.size, bytes.size - names.size), last, 0,
			ret_cut);
	}
	ret_cut->size += names.size;
	return r > 0 ? 0 : r;
}

static int read_window(struct tail *tail, struct tail_file *file, uint64_t *ret_bytes)
{
	const struct tail_disk *disk = &tail->options.disk;
	uint64_t start = file->position.offset;
	struct line_cut cut;

	int64_t size =
		disk->read(disk->owner, file->handle, start, tail->window, sizeof tail->window);
	if (size <= 0) {
		return 0;
	}
	bool at_end = start + (uint64_t)size >= file->size;
	bool last = at_end && (size_t)size < sizeof tail->window && has_ended(tail, file);
	int r = cut_window(tail, file, slice_of(tail->window, (size_t)size), last, &cut);
	if (r < 0 || file->is_stuck) {
		return r;
	}
	if (cut.size > 0) {
		*ret_bytes = (uint64_t)size;
		return hand_in(tail, file, start + cut.size);
	}
	if (cut.stop == LINE_STOP_TOO_LONG) {
		*ret_bytes = (uint64_t)size;
		file->skip_offset = start + 1;
		return 0;
	}
	file->idle_size = start + (uint64_t)size;
	return 0;
}

int tail_read_file(struct tail *tail, struct tail_file *file, uint64_t *ret_bytes)
{
	*ret_bytes = 0;
	file->long_size = 0;
	if (file->is_stuck || !look_at(tail, file) || !tail_file_may_have_more(tail, file)) {
		return 0;
	}
	line_batch_begin(tail->batch);
	if (tail->options.rules.format == LINE_CSV && file->position.offset > 0) {
		int r = bind_again(tail, file);
		if (r != 0) {
			return r < 0 ? r : 0;
		}
	}
	if (file->skip_offset > 0) {
		return skip_on(tail, file, ret_bytes);
	}
	return read_window(tail, file, ret_bytes);
}
