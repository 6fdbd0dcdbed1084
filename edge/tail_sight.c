/* What the disk shows, entered into what is known: tail_judge.c draws the conclusions. */
#include "edge/tail_internal.h"
#include "edge/tail_names.h"
#include <errno.h>
#include <stdlib.h>

static int set_path(struct tail_file *file, const char *path)
{
	if (strcmp(file->path, path) == 0) {
		return 0;
	}
	char *copy = strdup(path);
	if (copy == NULL) {
		return -ENOMEM;
	}
	free(file->path);
	file->path = copy;
	return 0;
}

void tail_see_stat(struct tail *tail, struct tail_file *file, const struct tail_stat *stat)
{
	if (stat->size != file->size || stat->mtime_ns != file->mtime_ns) {
		file->grown_ms = tail->now_ms;
		file->idle_size = stat->size != file->size ? 0 : file->idle_size;
	}
	file->size = stat->size;
	file->mtime_ns = stat->mtime_ns;
	if (stat->size > file->known_size) {
		file->known_size = stat->size;
	}
	if (file->stage == TAIL_FOLLOWED &&
		(stat->size < file->position.offset || stat->size < file->skip_offset)) {
		file->stage = TAIL_TRUNCATED;
	}
}

static int see_new(struct tail *tail, struct tail_group *group,
	const struct tail_sighting *sighting, struct tail_file **ret_file)
{
	if (tail->file_count >= TAIL_FILES_MAX) {
		if (!tail->limit_told) {
			tail_tell(tail, &(struct tail_report){TAIL_NEWS_LIMIT, sighting->path,
						TAIL_FILES_MAX, 0, NULL});
		}
		tail->limit_told = true;
		return 0;
	}
	return tail_add_file(tail, group, sighting->path, &sighting->stat, ret_file);
}

/* A file that bears two names is read once: as what it was seen first. */
static int see(struct tail *tail, struct tail_group *group, const struct tail_sighting *sighting,
	enum tail_role role)
{
	const struct tail_stat *stat = &sighting->stat;
	struct tail_file *file = tail_find(tail, stat->device, stat->inode);
	int r = 0;

	if (file == NULL) {
		r = see_new(tail, group, sighting, &file);
	}
	if (file == NULL || file->sighted) {
		return r;
	}
	file->sighted = true;
	file->is_paired = false;
	if (file->vanished_ms != 0) {
		file->vanished_ms = 0;
		tail_mark_changed(file);
	}
	if (file->stage == TAIL_COMPRESSED && !tail_name_is_compressed(sighting->path)) {
		tail_reset_file(file); /* another file with its inode */
	}
	if (file->stage == TAIL_FOLLOWED && file->position.offset == 0 && file->skip_offset == 0) {
		file->stage = TAIL_NEW; /* nothing of it is known: it may be another by now */
	}
	file->role = file->group == group ? role : TAIL_ROTATED;
	tail_see_stat(tail, file, stat);
	return set_path(file, sighting->path);
}

static void see_nothing(
	struct tail *tail, struct tail_group *group, const struct tail_sighting *sighting)
{
	if (sighting->error != -ENOENT) {
		group->is_unsure = true;
	}
	if (!group->is_missing) {
		tail_tell(tail, &(struct tail_report){TAIL_NEWS_MISSING, sighting->path, 0, 0,
					strerror(-sighting->error)});
	}
	group->is_missing = true;
}

static bool may_add_group(struct tail *tail, const char *path)
{
	bool is_long = strlen(path) >= TAIL_PATH_SIZE_MAX;

	if (!is_long && tail->group_count < TAIL_FILES_MAX) {
		return true;
	}
	if (!tail->limit_told) {
		tail_tell(tail, &(struct tail_report){TAIL_NEWS_LIMIT, path,
					is_long ? TAIL_PATH_SIZE_MAX : TAIL_FILES_MAX, 0, NULL});
	}
	tail->limit_told = true;
	return false;
}

int tail_sight_live(void *to, const struct tail_sighting *sighting)
{
	struct tail *tail = to;
	struct tail_group *group = tail_find_group(tail, sighting->path);
	int r = 0;

	if (group == NULL && !may_add_group(tail, sighting->path)) {
		return 0;
	}
	if (group == NULL) {
		r = tail_add_group(tail, sighting->path, &group);
	}
	if (r < 0) {
		return r;
	}
	if (sighting->error != 0) {
		see_nothing(tail, group, sighting);
		return 0;
	}
	group->is_missing = false;
	return see(tail, group, sighting, TAIL_LIVE);
}

int tail_sight_rotated(void *to, const struct tail_sighting *sighting)
{
	struct tail_rotated_sight *sight = to;

	if (sighting->error != 0) {
		sight->group->is_unsure = sight->group->is_unsure || sighting->error != -ENOENT;
		return 0;
	}
	return see(sight->tail, sight->group, sighting, TAIL_ROTATED);
}
