/* One dropped file: opened, summed up, read. */
#include "edge/drop_internal.h"
#include "edge/file_settings.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void drop_file_close(struct drop_file *file)
{
	if (file->fd >= 0) {
		close(file->fd);
		file->fd = -1;
	}
}

/* 0 … size bytes; -errno. Fewer only at the end. */
static int64_t read_at(int fd, uint64_t offset, void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t r = pread(fd, (uint8_t *)bytes + done, size - done, (off_t)(offset + done));
		if (r < 0 && errno != EINTR) {
			return -errno;
		}
		if (r == 0) {
			break;
		}
		done += r > 0 ? (size_t)r : 0;
	}
	return (int64_t)done;
}

/* ---- opening */

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text);

	return size > strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

static enum drop_slot slot_of(const struct drop *drop, const char *name)
{
	enum line_format format = drop->options.rules.format;

	if (!drop->options.has_format) {
		(void)file_format_of(name, &format);
	}
	switch (format) {
	case LINE_NDJSON:
		return DROP_SLOT_NDJSON;
	case LINE_MSGPACK:
		return DROP_SLOT_MSGPACK;
	case LINE_CSV:
		break;
	}
	return !drop->options.has_delimiter && ends_with(name, ".tsv") ? DROP_SLOT_TSV
								       : DROP_SLOT_CSV;
}

static int batch_of(struct drop *drop, enum drop_slot slot, struct line_batch **ret_batch)
{
	static const enum line_format formats[] = {[DROP_SLOT_NDJSON] = LINE_NDJSON,
		[DROP_SLOT_CSV] = LINE_CSV,
		[DROP_SLOT_TSV] = LINE_CSV,
		[DROP_SLOT_MSGPACK] = LINE_MSGPACK};
	struct line_rules rules = drop->options.rules;
	struct pairs_error error;
	int r = 0;

	rules.format = formats[slot];
	if (slot == DROP_SLOT_TSV) {
		rules.delimiter = '\t';
	}
	if (drop->batches[slot] == NULL) {
		r = line_batch_new(&rules, &drop->batches[slot], &error);
	}
	*ret_batch = drop->batches[slot];
	return r;
}

/* What was known of it is known no more: what was counted stays counted, and is reported. */
static int end_early(struct drop *drop, struct drop_file *file, const char *what)
{
	char why[DROP_WHY_SIZE];

	if (!file->is_resumed && file->state.offset == 0) {
		file->step = DROP_OVER;
		return 0;
	}
	snprintf(why, sizeof why, "it %s when %llu lines of it were counted", what,
		(unsigned long long)file->state.lines);
	return drop_submit_end(drop, file, DROP_FAILED, why);
}

static void wait_for_change(struct drop *drop, struct drop_file *file, int error)
{
	if (!file->is_told) {
		drop->options.port.tell(drop->options.port.owner,
			&(struct drop_told){
				DROP_NEWS_UNREADABLE, file->state.name, 0, 0, strerror(-error)});
	}
	file->is_told = true;
	file->retry_ms = drop->now_ms + DROP_RETRY_DISK_MS;
	if (!file->is_resumed && file->state.offset == 0) {
		file->step = DROP_OVER; /* the next listing finds it again */
	}
}

static void begin_sum(struct drop_file *file, const struct drop_stat *stat)
{
	file->stat = *stat;
	file->summed = 0;
	file->skip_offset = 0;
	file->step = DROP_SUMMING;
	checksum_digest_begin(&file->sum);
}

int drop_file_open(struct drop *drop, struct drop_file *file)
{
	struct drop_state *state = &file->state;
	struct drop_stat stat;

	if (file->fd < 0) {
		int fd = drop_folder_open(drop->options.folder, state->name);
		if (fd == -ENOENT || fd == -EINVAL || fd == -ELOOP) {
			return end_early(drop, file, "vanished");
		}
		if (fd < 0) {
			wait_for_change(drop, file, fd);
			return 0;
		}
		file->fd = fd;
	}
	int r = drop_folder_stat(file->fd, &stat);
	if (r < 0) {
		wait_for_change(drop, file, r);
		return 0;
	}
	if (file->is_resumed && (stat.inode != state->inode || stat.device != state->device)) {
		drop_file_close(file);
		return end_early(drop, file, "was replaced");
	}
	if (file->step == DROP_SETTLING &&
		drop->wall_ms - stat.ctime_ns / 1000000 < drop->options.settle_ms) {
		file->retry_ms = drop->now_ms + drop->options.settle_ms;
		return 0;
	}
	file->is_told = false;
	file->slot = slot_of(drop, state->name);
	state->device = stat.device;
	state->inode = stat.inode;
	state->size = stat.size;
	state->mtime_ns = stat.mtime_ns;
	begin_sum(file, &stat);
	return 0;
}

/* ---- the digest */

static bool has_changed(const struct drop_file *file)
{
	struct drop_stat stat;

	return drop_folder_stat(file->fd, &stat) < 0 || stat.size != file->stat.size ||
	       stat.mtime_ns != file->stat.mtime_ns;
}

static int settle_again(struct drop *drop, struct drop_file *file)
{
	drop->counts.changed++;
	drop->options.port.tell(drop->options.port.owner,
		&(struct drop_told){DROP_NEWS_CHANGED, file->state.name, 0, 0, NULL});
	file->step = DROP_SETTLING;
	file->retry_ms = drop->now_ms + drop->options.settle_ms;
	if (!file->is_resumed && file->state.offset == 0) {
		file->step = DROP_OVER; /* the listing finds it again when it is still */
	}
	return 0;
}

/* The part that was counted before is the same as then. */
static bool is_same_prefix(struct drop_file *file)
{
	uint8_t digest[CHECKSUM_DIGEST_SIZE];

	file->running = file->sum;
	checksum_digest_of(&file->running, digest);
	return file->state.offset == 0 || memcmp(digest, file->state.prefix, sizeof digest) == 0;
}

static int end_sum(struct drop *drop, struct drop_file *file)
{
	if (has_changed(file)) {
		return settle_again(drop, file);
	}
	checksum_digest_of(&file->sum, file->state.digest);
	file->step = DROP_READING;
	return 0;
}

int drop_file_sum(struct drop *drop, struct drop_file *file, uint64_t *bytes)
{
	struct drop_state *state = &file->state;

	while (*bytes < DROP_ROUND_BYTES) {
		if (file->summed == state->offset && !is_same_prefix(file)) {
			return end_early(drop, file, "was changed");
		}
		uint64_t end = file->summed < state->offset ? state->offset : state->size;
		size_t want = end - file->summed < sizeof drop->window
				      ? (size_t)(end - file->summed)
				      : sizeof drop->window;
		int64_t size = read_at(file->fd, file->summed, drop->window, want);
		if (size < 0) {
			wait_for_change(drop, file, (int)size);
			return 0;
		}
		if (size == 0) {
			return file->summed < state->offset ? end_early(drop, file, "was changed")
							    : end_sum(drop, file);
		}
		checksum_digest_add(&file->sum, drop->window, (size_t)size);
		file->summed += (uint64_t)size;
		*bytes += (uint64_t)size;
	}
	return 0;
}

/* ---- lines */

/* The file up to `end` is what the submission covers. */
static int hand_in(
	struct drop *drop, struct drop_file *file, struct line_batch *batch, struct line_cut cut)
{
	if (has_changed(file)) {
		return settle_again(drop, file);
	}
	file->next = file->state;
	file->next.offset += cut.size;
	file->next.lines += cut.lines;
	checksum_digest_of(&file->next_running, file->next.prefix);
	return drop_submit_lines(drop, file, batch);
}

/* The names of its columns, at its beginning. 1: it has come to its end. */
static int bind(struct drop *drop, struct drop_file *file, struct line_batch *batch,
	struct line_cut *ret_names)
{
	struct pairs_error error = {.text = "out of memory"};

	int64_t size = read_at(file->fd, 0, drop->window, sizeof drop->window);
	if (size < 0) {
		wait_for_change(drop, file, (int)size);
		return 1;
	}
	bool last = (uint64_t)size == file->state.size;
	int r = line_batch_bind(
		batch, slice_of(drop->window, (size_t)size), last, ret_names, &error);
	if (r == -ENOMEM) {
		return r;
	}
	if (r == LINE_E_MORE) { /* nothing but empty lines */
		*ret_names = (struct line_cut){.size = (size_t)size};
		return 0;
	}
	if (r < 0) {
		r = drop_submit_end(drop, file, DROP_FAILED, error.text);
		return r != 0 ? r : 1;
	}
	file->names_hash = line_batch_names_hash(batch);
	return 0;
}

static int submit_long(struct drop *drop, struct drop_file *file, struct line_batch *batch,
	uint64_t end, bool ends_with_newline)
{
	uint64_t start = file->state.offset;
	uint64_t size = end - start - ends_with_newline;
	struct line_cut cut = {.size = end - start, .lines = 1};

	int64_t sample = read_at(file->fd, start, drop->window,
		size < LINE_SAMPLE_SIZE ? (size_t)size : LINE_SAMPLE_SIZE);
	if (sample <= 0) {
		return settle_again(drop, file);
	}
	line_batch_add_long(batch, slice_of(drop->window, (size_t)sample), size, file->state.lines);
	int r = hand_in(drop, file, batch, cut);
	file->is_long = file->step == DROP_FLYING;
	if (!file->is_long) { /* to be looked for again */
		file->skip_offset = 0;
	}
	return r;
}

/* Looks for a long line's end, summing it up: a bounded part in one round. */
static int skip_on(
	struct drop *drop, struct drop_file *file, struct line_batch *batch, uint64_t *bytes)
{
	while (*bytes < DROP_ROUND_BYTES) {
		int64_t size =
			read_at(file->fd, file->skip_offset, drop->window, sizeof drop->window);
		if (size <= 0) {
			return size < 0 ? settle_again(drop, file)
					: submit_long(drop, file, batch, file->skip_offset, false);
		}
		const uint8_t *end = memchr(drop->window, '\n', (size_t)size);
		size_t part = end != NULL ? (size_t)(end - drop->window) + 1 : (size_t)size;
		checksum_digest_add(&file->next_running, drop->window, part);
		file->skip_offset += part;
		*bytes += part;
		if (end != NULL) {
			return submit_long(drop, file, batch, file->skip_offset, true);
		}
	}
	return 0;
}

/* What follows is no msgpack: one dead letter for all of it. */
static void add_broken(
	struct drop_file *file, struct line_batch *batch, struct slice rest, struct line_cut *cut)
{
	uint64_t left = file->state.size - file->state.offset - cut->size;
	size_t there = rest.size - cut->size;

	line_batch_add_broken(batch,
		slice_of(rest.bytes + cut->size,
			there < LINE_SAMPLE_SIZE ? there : LINE_SAMPLE_SIZE),
		left, file->state.lines + cut->lines);
	cut->size += left;
	cut->lines++;
}

/* 1: nothing could be cut now; the file's step says why. */
static int cut_window(struct drop *drop, struct drop_file *file, struct line_batch *batch,
	struct line_cut *ret_cut)
{
	uint64_t start = file->state.offset;
	struct line_cut names = {.size = 0};
	bool is_csv = file->slot == DROP_SLOT_CSV || file->slot == DROP_SLOT_TSV;

	if (is_csv && (start == 0 || file->names_hash == 0 ||
			      file->names_hash != line_batch_names_hash(batch))) {
		int r = bind(drop, file, batch, &names);
		if (r != 0) {
			return r;
		}
	}
	names = start == 0 ? names : (struct line_cut){.size = 0};
	int64_t size = read_at(file->fd, start, drop->window, sizeof drop->window);
	if (size < 0) {
		wait_for_change(drop, file, (int)size);
		return 1;
	}
	if ((size_t)size < names.size) {
		(void)settle_again(drop, file);
		return 1;
	}
	bool last = start + (uint64_t)size == file->state.size;
	struct slice rest = slice_of(drop->window + names.size, (size_t)size - names.size);
	int r = line_batch_cut(batch, rest, last, file->state.lines + names.lines, ret_cut);
	if (r == 0 && ret_cut->stop == LINE_STOP_BROKEN) {
		add_broken(file, batch, rest, ret_cut);
	}
	ret_cut->size += names.size;
	ret_cut->lines += names.lines;
	return r;
}

/* Of a file whose rest is no msgpack, only the beginning is in the window: the position goes to the end all the same. */
static void sum_window(struct drop *drop, struct drop_file *file, size_t size)
{
	size_t there = size < sizeof drop->window ? size : sizeof drop->window;

	file->next_running = file->running;
	checksum_digest_add(&file->next_running, drop->window, there);
}

int drop_file_read(struct drop *drop, struct drop_file *file, uint64_t *bytes)
{
	struct line_cut cut = {.size = 0};
	struct line_batch *batch = NULL;

	const struct drop_digest *twin = file->state.offset == 0 && drop->options.skip_repeated
						 ? drop_find_digest(drop, &file->state)
						 : NULL;
	if (twin != NULL) {
		file->state.twin_ms = twin->counted_ms;
		return drop_submit_end(drop, file, DROP_REPEATED, "");
	}
	if (file->state.offset >= file->state.size) {
		return drop_submit_end(drop, file, DROP_DONE, "");
	}
	int r = batch_of(drop, file->slot, &batch);
	if (r < 0) {
		return r;
	}
	line_batch_begin(batch);
	if (file->skip_offset > 0) {
		return skip_on(drop, file, batch, bytes);
	}
	r = cut_window(drop, file, batch, &cut);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	if (cut.size == 0) { /* the line at hand is too long */
		file->skip_offset = file->state.offset;
		file->next_running = file->running;
		return skip_on(drop, file, batch, bytes);
	}
	*bytes += cut.size;
	sum_window(drop, file, cut.size);
	return hand_in(drop, file, batch, cut);
}
