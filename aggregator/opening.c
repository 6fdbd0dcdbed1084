#include "aggregator/opening.h"
#include "runtime/clock.h"
#include <errno.h>
#include <stdio.h>

static int make_id(char ret_id[STORE_ID_SIZE])
{
	uint8_t bytes[(STORE_ID_SIZE - 1) / 2];
	int r = random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; r == 0 && i < sizeof bytes; i++) {
		snprintf(ret_id + 2 * i, 3, "%02x", bytes[i]);
	}
	return r;
}

static int declare_views(const struct aggregator_config *config, struct zones *zones,
	struct view_set **ret_views, char *error, size_t error_size)
{
	struct view_set *views = NULL;
	int r = view_set_new(zones_find, zones, &views);
	for (size_t i = 0; i < config->view_count && r == 0; i++) {
		r = view_set_add(views, &config->views[i], error, error_size);
	}
	if (r == 0) {
		r = declared_tables_add(&config->tables, views, error, error_size);
	}
	if (r != 0) {
		view_set_free(views);
		return r;
	}
	*ret_views = views;
	return 0;
}

static int load_views(struct opening *opening, uint32_t generation, struct view_set **ret_views,
	char *error, size_t error_size)
{
	struct view_set *views = NULL;
	int r = view_set_new(zones_find, opening->zones, &views);
	if (r == 0) {
		r = store_load_views(opening->stores->items[0], generation, views);
	}
	if (r != 0) {
		view_set_free(views);
		snprintf(error, error_size, "the declarations in the store can't be read");
		return r > 0 ? STORES_E_DECISION : r;
	}
	*ret_views = views;
	return 0;
}

static bool views_equal(const struct view_set *a, const struct view_set *b)
{
	if (view_set_count(a) != view_set_count(b)) {
		return false;
	}
	for (size_t i = 0; i < view_set_count(a); i++) {
		const struct view *ours = view_set_at(a, i), *theirs = view_set_at(b, i);
		if (strcmp(view_name(ours), view_name(theirs)) != 0 ||
			strcmp(view_text(ours), view_text(theirs)) != 0) {
			return false;
		}
	}
	return true;
}

/* A shadow that was begun before goes on if its declarations are still wanted. *ret_goes_on says so. */
static int judge_shadow(struct opening *opening, const struct view_set *wanted, bool *ret_goes_on,
	char *error, size_t error_size)
{
	struct view_set *views = NULL;
	*ret_goes_on = false;
	if (stores_root(opening->stores)->shadow == 0) {
		return 0;
	}
	int r = load_views(
		opening, stores_root(opening->stores)->shadow, &views, error, error_size);
	if (r == 0) {
		*ret_goes_on = views_equal(views, wanted);
		r = *ret_goes_on ? 0 : stores_discard_shadow(opening->stores);
	}
	view_set_free(views);
	return r;
}

static int begin_shadow(struct opening *opening, const struct view_set *wanted)
{
	char id[STORE_ID_SIZE];
	int r = make_id(id);
	if (r == 0) {
		r = stores_begin_shadow(opening->stores, wanted, id);
	}
	return r > 0 ? -ENOSPC : r;
}

/* Takes `wanted`: it becomes the shadow's, or goes. */
static int choose_take(struct opening *opening, const struct opening_options *options,
	struct view_set *wanted, char *error, size_t error_size)
{
	bool goes_on = false;
	int r = judge_shadow(opening, wanted, &goes_on, error, error_size);
	if (r == 0 && goes_on) {
		opening->rebuild_why = "a rebuild goes on";
	} else if (r == 0 && !views_equal(opening->live_views, wanted)) {
		opening->rebuild_why = "the declarations of views changed";
	} else if (r == 0 && options->wants_rebuild) {
		opening->rebuild_why = "asked for";
	}
	if (r == 0 && opening->rebuild_why != NULL && !goes_on) {
		r = begin_shadow(opening, wanted);
	}
	if (r == 0 && opening->rebuild_why != NULL) {
		opening->shadow_views = wanted;
		wanted = NULL;
	}
	view_set_free(wanted);
	return r;
}

static int check_shards(const struct opening_options *options, const struct view_set *views,
	char *error, size_t size)
{
	for (size_t i = 0; i < view_set_count(views) && options->config->shards > 1; i++) {
		if (!view_is_shardable(view_set_at(views, i))) {
			snprintf(error, size,
				"[view.%s] counts distinct values that several shards may share; "
				"[aggregator] shards must be 1",
				view_name(view_set_at(views, i)));
			return -EINVAL;
		}
	}
	return 0;
}

static int open_all(const struct opening_options *options, struct opening *opening, char *error,
	size_t error_size)
{
	char id[STORE_ID_SIZE];
	struct view_set *wanted = NULL;

	int r = zones_new(&opening->zones);
	if (r == 0) {
		r = declare_views(options->config, opening->zones, &wanted, error, error_size);
	}
	if (r == 0) {
		r = check_shards(options, wanted, error, error_size);
	}
	if (r == 0) {
		r = make_id(id);
	}
	const struct stores_options stores = {
		.dir = options->config->data,
		.shard_count = (uint32_t)options->config->shards,
		.map_size = options->config->map_size,
		.may_create = options->may_create,
		.views = wanted,
		.new_id = id,
	};
	if (r == 0) {
		r = stores_new(&stores, &opening->stores, error, error_size);
	}
	if (r == 0) {
		r = load_views(opening, stores_root(opening->stores)->live, &opening->live_views,
			error, error_size);
	}
	if (r == 0 && options->may_rebuild) {
		return choose_take(opening, options, wanted, error, error_size);
	}
	view_set_free(wanted);
	return r;
}

int opening_init(const struct opening_options *options, struct opening *ret_opening, char *error,
	size_t error_size)
{
	*ret_opening = (struct opening){0};
	error[0] = '\0';
	int r = open_all(options, ret_opening, error, error_size);
	if (r != 0) {
		opening_deinit(ret_opening);
		if (error[0] == '\0') {
			snprintf(error, error_size, "can't open the store: %s",
				strerror(r < 0 ? -r : EIO));
		}
	}
	return r;
}

void opening_deinit(struct opening *opening)
{
	opening->stores = stores_free(opening->stores);
	opening->live_views = view_set_free(opening->live_views);
	opening->shadow_views = view_set_free(opening->shadow_views);
	opening->zones = zones_free(opening->zones);
}
