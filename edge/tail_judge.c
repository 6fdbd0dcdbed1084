/* A look at all files: which stand where, which are new, and what became of those that are known.
 *
 * A file is known by its inode, and its position by the bytes around it. A new inode may hold what is known: a copy that
 * logrotate makes before it empties the file (copytruncate), or the same file behind another inode (NFS, a copy moved
 * over it). As long as the known file is whole, its copy is left alone; when it is not, the copy inherits its position. */
#include "edge/tail_internal.h"
#include "edge/tail_names.h"
#include <errno.h>
#include <stdlib.h>

enum {
	/* Of a copy so many of its first and last bytes are compared with the original. */
	TWIN_BYTES = 4096,
	/* Positions of files that are not there any more, in one group. */
	VANISHED_MAX = 1000,
};

/* ---- what a new file is */

/* What can't be looked at counts as whole: nothing is decided. */
static void check_whole(struct tail *tail, struct tail_file *file)
{
	if (file->stage == TAIL_FOLLOWED && file->sighted && tail_open_file(tail, file) == 0 &&
		tail_position_check(&tail->options.disk, file->handle, &file->position) ==
			TAIL_E_OTHER) {
		file->stage = TAIL_TRUNCATED;
	}
}

/* From here on it is a new file, and what was known of it may be found in another: several may have been emptied and copied,
 * and what one of them holds now may be the copy of another. */
static void part_from_origin(struct tail_file *file)
{
	file->origin = file->position;
	file->has_origin = true;
	tail_reset_file(file);
}

static bool equal_at(struct tail *tail, const struct tail_file *a, const struct tail_file *b,
	uint64_t offset, size_t size)
{
	const struct tail_disk *disk = &tail->options.disk;
	uint8_t *bytes = tail->window;

	int64_t size_a = disk->read(disk->owner, a->handle, offset, bytes, size);
	int64_t size_b = disk->read(disk->owner, b->handle, offset, bytes + size, size);
	return size_a == (int64_t)size && size_b == size_a &&
	       memcmp(bytes, bytes + size, size) == 0;
}

/* logrotate has copied `file`, or is about to; it will empty it next. */
static bool is_copy_of(
	struct tail *tail, const struct tail_file *copy, const struct tail_file *file)
{
	size_t size = copy->size < TWIN_BYTES ? copy->size : TWIN_BYTES;

	return copy->role == TAIL_ROTATED && file->role == TAIL_LIVE && file->handle >= 0 &&
	       copy->size <= file->size && equal_at(tail, copy, file, 0, size) &&
	       equal_at(tail, copy, file, copy->size - size, size);
}

/* Of content that is not where it was any more; NULL: it is. */
static const struct tail_position *known_position(const struct tail_file *file)
{
	if (file->has_origin) {
		return &file->origin;
	}
	return !file->sighted && file->stage == TAIL_FOLLOWED ? &file->position : NULL;
}

/* The known file whose content the new one holds, though it is not where it was; NULL. `ret_is_copy`: it is where it was. */
static struct tail_file *find_origin(struct tail *tail, struct tail_file *file, bool *ret_is_copy)
{
	struct tail_file *best = NULL;
	uint64_t offset = 0;

	*ret_is_copy = false;
	if (!file->group->has_origins) { /* as nearly always: one look instead of thousands */
		struct tail_file *live = file->group->live;
		*ret_is_copy = live != NULL && live != file && is_copy_of(tail, file, live);
		return *ret_is_copy ? live : NULL;
	}
	for (struct tail_file *known = file->group->files; known != NULL; known = known->next) {
		const struct tail_position *position = known_position(known);
		if (known == file) {
			continue;
		}
		if (position == NULL) {
			if (is_copy_of(tail, file, known)) {
				*ret_is_copy = true;
				return known;
			}
		} else if (position->offset > offset &&
			   tail_position_check(&tail->options.disk, file->handle, position) == 0) {
			best = known;
			offset = position->offset;
		}
	}
	return best;
}

/* What the known file had beyond what the new one has. */
static void count_lost(struct tail *tail, struct tail_file *known, uint64_t from)
{
	uint64_t start = from > known->told_lost ? from : known->told_lost;

	if (known->known_size > start) {
		tail->counts.lost_bytes += known->known_size - start;
		tail_tell(tail, &(struct tail_report){TAIL_NEWS_LOST, known->path, start,
					known->known_size, NULL});
		known->told_lost = known->known_size;
	}
}

static void end_origin(struct tail *tail, struct tail_file *file, uint64_t kept_elsewhere)
{
	tail->counts.truncations++;
	tail_tell(tail, &(struct tail_report){
				TAIL_NEWS_TRUNCATED, file->path, file->origin.offset, 0, NULL});
	count_lost(tail, file, kept_elsewhere);
	file->has_origin = false;
	file->known_size = file->size;
	file->told_lost = 0;
}

/* The position goes over: both marks are written together. */
static int inherit(struct tail *tail, struct tail_file *file, struct tail_file *known)
{
	uint64_t kept = file->size;

	file->position = *known_position(known);
	file->stage = TAIL_FOLLOWED;
	tail_mark_changed(file);
	tail_tell(tail, &(struct tail_report){
				TAIL_NEWS_CONTINUED, file->path, file->position.offset, 0, NULL});
	if (known->has_origin) {
		end_origin(tail, known, kept);
		return 0;
	}
	if (file->role == TAIL_LIVE) {
		file->group->live_inode = file->inode;
		file->group->live_device = file->device;
	}
	return tail_drop_file(tail, known);
}

/* Behind the last line that is there: what is written next begins a line. */
static uint64_t find_end(struct tail *tail, const struct tail_file *file)
{
	const struct tail_disk *disk = &tail->options.disk;
	uint64_t start = file->size > sizeof tail->window ? file->size - sizeof tail->window : 0;

	int64_t size = disk->read(
		disk->owner, file->handle, start, tail->window, (size_t)(file->size - start));
	const uint8_t *newline = size > 0 ? memrchr(tail->window, '\n', (size_t)size) : NULL;
	return newline == NULL ? start : start + (uint64_t)(newline - tail->window) + 1;
}

static void follow(struct tail *tail, struct tail_file *file)
{
	if (tail->is_first_scan && tail->options.from_end &&
		tail_position_take(&tail->options.disk, file->handle, find_end(tail, file),
			&file->position) < 0) {
		return; /* judged again */
	}
	file->stage = TAIL_FOLLOWED;
	if (!file->is_found) {
		file->is_found = true;
		tail_mark_changed(file);
		tail_tell(tail, &(struct tail_report){TAIL_NEWS_FOUND, file->path,
					file->position.offset, 0, NULL});
	}
}

static int judge_new(struct tail *tail, struct tail_file *file)
{
	if (file->size ==
		0) { /* it holds nothing that could be known yet, nor anything to be read */
		return 0;
	}
	int r = tail_open_file(tail, file);
	if (r < 0) {
		if (!file->is_denied && r != -ENOENT && r != -ESTALE) {
			file->is_denied = true;
			tail_tell(tail, &(struct tail_report){
						TAIL_NEWS_DENIED, file->path, 0, 0, strerror(-r)});
		}
		return 0;
	}
	file->is_denied = false;
	struct tail_file *known = find_origin(tail, file, &file->is_copy);
	if (file->is_copy) {
		return 0;
	}
	if (known != NULL) {
		return inherit(tail, file, known);
	}
	follow(tail, file);
	return 0;
}

/* ---- compressed files */

static bool is_of(const char *compressed, const char *path)
{
	size_t size = strlen(path);

	return strncmp(compressed, path, size) == 0 && compressed[size] == '.' &&
	       strchr(compressed + size + 1, '.') == NULL;
}

/* A file that went in the same moment, or the one that is being compressed. */
static struct tail_file *find_uncompressed(const struct tail_file *file)
{
	for (struct tail_file *known = file->group->files; known != NULL; known = known->next) {
		if (known->stage == TAIL_FOLLOWED && is_of(file->path, known->path)) {
			return known;
		}
	}
	for (struct tail_file *known = file->group->files; known != NULL; known = known->next) {
		if (known->stage == TAIL_FOLLOWED && !known->sighted && !known->is_paired &&
			known->vanished_ms == 0) {
			return known;
		}
	}
	return NULL;
}

static void judge_compressed(struct tail *tail, struct tail_file *file)
{
	struct tail_file *known = find_uncompressed(file);

	file->stage = TAIL_COMPRESSED;
	tail_mark_changed(file);
	if (known != NULL) {
		known->is_paired = true;
	} else if (!tail->is_first_scan) {
		tail->counts.lost_files++;
		tail_tell(tail, &(struct tail_report){TAIL_NEWS_UNREAD, file->path, 0, 0, NULL});
	}
}

/* ---- what is not there any more */

static void vanish(struct tail *tail, struct tail_file *file)
{
	file->role = TAIL_VANISHED;
	tail_close_file(tail, file);
	if (file->vanished_ms != 0) {
		return;
	}
	file->vanished_ms = tail->wall_ms;
	tail_mark_changed(file);
	if (file->stage != TAIL_COMPRESSED) {
		count_lost(tail, file, file->position.offset);
	}
}

static bool is_finished(const struct tail *tail, const struct tail_file *file)
{
	return tail_file_is_drained(tail, file) &&
	       tail->now_ms - file->grown_ms >= tail->options.settle_ms;
}

static int judge_absent(struct tail *tail, struct tail_file *file, uint32_t *vanished_count)
{
	if (file->stage == TAIL_NEW && file->handle >= 0 && file->size > 0 && !file->is_copy) {
		file->stage = TAIL_FOLLOWED;
	}
	if (file->handle >= 0 && file->stage != TAIL_NEW && !is_finished(tail, file)) {
		file->role = TAIL_GONE;
		return 0;
	}
	if (file->stage == TAIL_NEW) {
		return tail_drop_file(tail, file);
	}
	vanish(tail, file);
	bool is_old = tail->wall_ms - file->vanished_ms >= tail->options.forget_ms;
	if (is_old || ++*vanished_count > VANISHED_MAX) {
		return tail_drop_file(tail, file);
	}
	return 0;
}

/* ---- a group */

static void see_live(struct tail *tail, struct tail_group *group)
{
	for (struct tail_file *file = group->files; file != NULL; file = file->next) {
		if (!file->sighted || file->role != TAIL_LIVE) {
			continue;
		}
		bool is_other =
			file->inode != group->live_inode || file->device != group->live_device;
		if (is_other && group->live_inode != 0) {
			tail->counts.rotations++;
			tail_tell(tail,
				&(struct tail_report){TAIL_NEWS_ROTATED, group->path, 0, 0, NULL});
		}
		group->live_inode = file->inode;
		group->live_device = file->device;
	}
}

static int compare_age(const struct tail_file *a, const struct tail_file *b)
{
	if ((a->role == TAIL_LIVE) != (b->role == TAIL_LIVE)) {
		return a->role == TAIL_LIVE ? 1 : -1;
	}
	if (a->mtime_ns != b->mtime_ns) {
		return a->mtime_ns < b->mtime_ns ? -1 : 1;
	}
	return tail_name_compare_age(a->path, b->path);
}

static struct tail_file *merge_files(struct tail_file *a, struct tail_file *b)
{
	struct tail_file *merged = NULL;
	struct tail_file **end = &merged;

	while (a != NULL && b != NULL) {
		struct tail_file **older = compare_age(a, b) <= 0 ? &a : &b;
		*end = *older;
		end = &(*end)->next;
		*older = *end;
	}
	*end = a != NULL ? a : b;
	return merged;
}

/* Oldest first. Runs of 1, 2, 4 … files are merged as they come, as a binary counter carries: a path may have thousands. */
static void sort_files(struct tail_group *group)
{
	enum { RUNS_MAX = 32 };
	struct tail_file *runs[RUNS_MAX] = {NULL};
	struct tail_file *sorted = NULL;

	while (group->files != NULL) {
		struct tail_file *run = group->files;
		int i = 0;
		group->files = run->next;
		run->next = NULL;
		for (; runs[i] != NULL; i++) {
			run = merge_files(runs[i], run);
			runs[i] = NULL;
		}
		runs[i] = run;
	}
	for (int i = 0; i < RUNS_MAX; i++) {
		sorted = merge_files(runs[i], sorted);
	}
	group->files = sorted;
}

static bool is_unjudged(const struct tail_file *file)
{
	return file->stage == TAIL_NEW && file->sighted && !file->is_judged;
}

/* Of thousands that wait to be read, those found first stay open; to look for one to close at each other would take long. */
static int judge_file(struct tail *tail, struct tail_file *file)
{
	file->is_judged = true;
	if (tail_name_is_compressed(file->path)) {
		judge_compressed(tail, file);
		return 0;
	}
	int r = judge_new(tail, file);
	if (file->role == TAIL_ROTATED && tail->open_count > TAIL_OPEN_MAX / 2) {
		tail_close_file(tail, file);
	}
	return r;
}

/* What find_origin need not look for in each file. */
static void look_at_group(struct tail_group *group)
{
	group->live = NULL;
	group->has_origins = false;
	for (struct tail_file *file = group->files; file != NULL; file = file->next) {
		group->has_origins = group->has_origins || known_position(file) != NULL;
		if (file->role == TAIL_LIVE && file->sighted) {
			group->live = file;
		}
	}
}

/* The live one first: of two that hold what is known, the other is its copy. Judging one may drop another, never itself. */
static int judge_new_files(struct tail *tail, struct tail_group *group)
{
	int r = 0;

	look_at_group(group);
	if (group->live != NULL && is_unjudged(group->live)) {
		r = judge_file(tail, group->live);
	}
	for (struct tail_file *file = group->files; r == 0 && file != NULL; file = file->next) {
		if (is_unjudged(file)) {
			r = judge_file(tail, file);
		}
	}
	return r;
}

/* Before new files are judged, it is known of the others whether they are whole. */
static void part_from_origins(struct tail *tail, struct tail_group *group)
{
	bool any_new = false;

	for (const struct tail_file *file = group->files; file != NULL; file = file->next) {
		any_new = any_new || file->stage == TAIL_NEW || file->stage == TAIL_TRUNCATED;
	}
	for (struct tail_file *file = group->files; any_new && file != NULL; file = file->next) {
		check_whole(tail, file);
		if (file->stage == TAIL_TRUNCATED) {
			part_from_origin(file);
		}
	}
}

/* No copy of what was in them was found. */
static void end_origins(struct tail *tail, struct tail_group *group)
{
	for (struct tail_file *file = group->files; file != NULL; file = file->next) {
		if (file->has_origin) {
			end_origin(tail, file, file->origin.offset);
		}
	}
}

static int judge_known_files(struct tail *tail, struct tail_group *group)
{
	uint32_t vanished_count = 0;
	int r = 0;

	for (struct tail_file *file = group->files, *next; r == 0 && file != NULL; file = next) {
		next = file->next;
		if (!file->sighted) {
			r = judge_absent(tail, file, &vanished_count);
		} else if (file->role == TAIL_ROTATED && is_finished(tail, file)) {
			tail_close_file(
				tail, file); /* so that its space is free when it is deleted */
		}
	}
	return r;
}

/* What has no name here any more may still be written on by who has it open. */
static void see_open_files(struct tail *tail, struct tail_group *group)
{
	const struct tail_disk *disk = &tail->options.disk;
	struct tail_stat stat;

	for (struct tail_file *file = group->files; file != NULL; file = file->next) {
		if (!file->sighted && file->handle >= 0 &&
			disk->stat(disk->owner, file->handle, &stat) == 0) {
			tail_see_stat(tail, file, &stat);
		}
	}
}

static int scan_group(struct tail *tail, struct tail_group *group)
{
	const struct tail_disk *disk = &tail->options.disk;
	struct tail_rotated_sight sight = {tail, group};

	int r = disk->list_rotated(disk->owner, group->path, tail_sight_rotated, &sight);
	see_open_files(tail, group);
	sort_files(group);
	if (r < 0 ||
		group->is_unsure) { /* what can't be seen may be what tells one from the other */
		return r;
	}
	part_from_origins(tail, group);
	r = judge_new_files(tail, group);
	end_origins(tail, group);
	if (r == 0) {
		see_live(tail, group);
		r = judge_known_files(tail, group);
	}
	return r;
}

static void begin_scan(struct tail *tail)
{
	tail->woken = false;
	tail->is_first_scan = tail->scanned_ms == 0 && !tail->has_started;
	tail->scanned_ms = tail->now_ms;
	for (struct tail_group *group = tail->groups; group != NULL; group = group->next) {
		group->is_unsure = false;
		for (struct tail_file *file = group->files; file != NULL; file = file->next) {
			file->sighted = false;
			file->is_judged = false;
		}
	}
}

int tail_scan(struct tail *tail)
{
	const struct tail_disk *disk = &tail->options.disk;

	begin_scan(tail);
	int r = disk->list_live(disk->owner, tail_sight_live, tail);
	for (struct tail_group *group = tail->groups; r == 0 && group != NULL;
		group = group->next) {
		r = group->is_wanted ? scan_group(tail, group) : 0;
	}
	return r;
}
