/* Which files are there, a bounded part of the folder in one round, and which are begun next. */
#include "edge/drop_internal.h"
#include "edge/file_settings.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct drop_file *drop_find_file(const struct drop *drop, const char *name)
{
	for (uint32_t i = 0; i < drop->active_count; i++) {
		if (strcmp(drop->active[i]->state.name, name) == 0) {
			return drop->active[i];
		}
	}
	return NULL;
}

int drop_add_file(struct drop *drop, const char *name, struct drop_file **ret_file)
{
	struct drop_file *file = calloc(1, sizeof *file);

	if (file == NULL) {
		return -ENOMEM;
	}
	assert(drop->active_count < DROP_ACTIVE_MAX && strlen(name) < DROP_NAME_SIZE);
	strcpy(file->state.name, name);
	file->state.started_ms = drop->wall_ms;
	file->fd = -1;
	file->ticket = drop->next_ticket++;
	drop->active[drop->active_count++] = file;
	*ret_file = file;
	return 0;
}

static bool is_of_known_format(const struct drop *drop, const char *name)
{
	enum line_format format;

	return drop->options.has_format || file_format_of(name, &format);
}

/* A clock that was set back must not make a file wait for hours. */
static int64_t settles_in(const struct drop *drop, const struct drop_stat *stat)
{
	int64_t age = drop->wall_ms - stat->ctime_ns / 1000000;

	return age < -drop->options.settle_ms ? 0 : drop->options.settle_ms - age;
}

static int show(void *to, const char *name, const struct drop_stat *stat)
{
	struct drop *drop = to;

	if (!drop_name_is_wanted(name) || drop_find_file(drop, name) != NULL) {
		return 0;
	}
	if (!is_of_known_format(drop, name)) {
		drop->ignored_now++;
		return 0;
	}
	int64_t wait = settles_in(drop, stat);
	if (wait > 0) {
		int64_t then = drop->now_ms + wait;
		drop->soonest_ms = then < drop->soonest_ms ? then : drop->soonest_ms;
		return 0;
	}
	return drop_list_add(&drop->list, name, stat->mtime_ns);
}

static void tell_listing(struct drop *drop, int error)
{
	if (error == 0) {
		drop->listing_told = false;
	} else if (!drop->listing_told) {
		drop->listing_told = true;
		drop->options.port.tell(drop->options.port.owner,
			&(struct drop_told){DROP_NEWS_LISTING, "", 0, 0, strerror(-error)});
	}
}

static void begin_listing(struct drop *drop)
{
	drop_list_clear(&drop->list);
	drop->woken = false;
	drop->began_ms = drop->now_ms;
	drop->ignored_now = 0;
	drop->soonest_ms = drop->now_ms + drop->options.poll_ms;
	drop->list_ms = drop->soonest_ms;
	int r = drop_folder_rewind(drop->options.folder);
	drop->is_listing = r == 0;
	tell_listing(drop, r);
}

static int list_on(struct drop *drop)
{
	int r = drop_folder_list(drop->options.folder, DROP_LIST_ROUND, drop, show);

	if (r == 0 || r == -ENOMEM) {
		return r;
	}
	drop->is_listing = false;
	drop->rest_ms = drop->now_ms + DROP_LIST_REST * (drop->now_ms - drop->began_ms);
	drop->list_ms = drop->soonest_ms;
	drop->ignored = drop->ignored_now;
	drop_list_sort(&drop->list);
	tell_listing(drop, r < 0 ? r : 0);
	return 0;
}

static int fill(struct drop *drop)
{
	struct drop_file *file;
	const char *name;
	int r = 0;

	while (r == 0 && drop->active_count < DROP_ACTIVE_MAX &&
		(name = drop_list_next(&drop->list)) != NULL) {
		if (drop_find_file(drop, name) == NULL && strlen(name) < DROP_NAME_SIZE) {
			r = drop_add_file(drop, name, &file);
		}
	}
	return r;
}

/* The list is used up: of a folder with more files than it holds, or with new ones. */
static bool listing_is_due(const struct drop *drop)
{
	return drop->list.next == drop->list.count && !drop->is_listing &&
	       drop->now_ms >= drop->rest_ms &&
	       (drop->now_ms >= drop->list_ms || drop->woken || drop->list.left_out);
}

int drop_look(struct drop *drop)
{
	int r = 0;

	if (listing_is_due(drop) && drop->active_count < DROP_ACTIVE_MAX) {
		begin_listing(drop);
	}
	if (drop->is_listing) {
		r = list_on(drop);
	}
	return r == 0 && !drop->is_listing ? fill(drop) : r;
}
