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

/* Views that are declared, and the tables beside them. */
struct declared {
	const struct view_config *views;
	const struct declared_tables *tables;
};

static int declare_views(const struct declared *declared, struct zones *zones,
	struct view_set **ret_views, char *error, size_t error_size)
{
	struct view_set *views = NULL;
	int r = view_set_new(zones_find, zones, &views);
	for (size_t i = 0; i < declared->views->count && r == 0; i++) {
		r = view_set_add(views, &declared->views->items[i], error, error_size);
	}
	if (r == 0) {
		r = declared_tables_add(declared->tables, views, error, error_size);
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

/* What a start wants. Owned; what becomes the shadow's is taken out. */
struct wanted {
	struct view_set *views; /* as declared */
	struct view_set *
		staged; /* as they would be with those of [aggregator] stage; NULL: nothing is staged */
};

static void wanted_deinit(struct wanted *wanted)
{
	wanted->views = view_set_free(wanted->views);
	wanted->staged = view_set_free(wanted->staged);
}

/* A shadow that was begun before goes on if its declarations are still wanted. *ret_goes_on: where they are in `wanted`. */
static int judge_shadow(struct opening *opening, struct wanted *wanted,
	struct view_set ***ret_goes_on, char *error, size_t error_size)
{
	struct view_set *views = NULL;
	*ret_goes_on = NULL;
	if (stores_root(opening->stores)->shadow == 0) {
		return 0;
	}
	int r = load_views(
		opening, stores_root(opening->stores)->shadow, &views, error, error_size);
	if (r == 0 && views_equal(views, wanted->views)) {
		*ret_goes_on = &wanted->views;
	} else if (r == 0 && wanted->staged != NULL && views_equal(views, wanted->staged)) {
		*ret_goes_on = &wanted->staged;
	}
	if (r == 0 && *ret_goes_on == NULL) {
		r = stores_discard_shadow(opening->stores);
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

/* What was accepted is live and stays so until the configuration says so itself. A rebuild comes before what is staged: a
 * store has one shadow. */
static void settle_stage(
	struct opening *opening, const struct opening_options *options, struct wanted *wanted)
{
	if (wanted->staged != NULL && views_equal(opening->live_views, wanted->staged)) {
		view_set_free(wanted->views);
		wanted->views = wanted->staged;
		wanted->staged = NULL;
		opening->stage_note = OPENING_ACCEPTED;
	}
	if (wanted->staged != NULL &&
		(options->wants_rebuild || !views_equal(opening->live_views, wanted->views))) {
		wanted->staged = view_set_free(wanted->staged);
		opening->stage_note =
			"a rebuild comes first; views are staged at the start after it";
	}
}

static void take_shadow(
	struct opening *opening, const struct wanted *wanted, struct view_set **views)
{
	opening->is_staged = views == &wanted->staged;
	opening->shadow_views = *views;
	*views = NULL;
}

/* Fills a shadow with what is wanted and not live. */
static int choose(struct opening *opening, const struct opening_options *options,
	struct wanted *wanted, char *error, size_t error_size)
{
	struct view_set **views = NULL;
	settle_stage(opening, options, wanted);
	int r = judge_shadow(opening, wanted, &views, error, error_size);
	if (r != 0) {
		return r;
	}
	if (views != NULL) {
		opening->rebuild_why =
			views == &wanted->staged ? "staging goes on" : "a rebuild goes on";
		take_shadow(opening, wanted, views);
		return 0;
	}
	if (!views_equal(opening->live_views, wanted->views)) {
		opening->rebuild_why = "the declarations of views changed";
		views = &wanted->views;
	} else if (options->wants_rebuild) {
		opening->rebuild_why = "asked for";
		views = &wanted->views;
	} else if (wanted->staged != NULL) {
		opening->rebuild_why = "views are staged";
		views = &wanted->staged;
	}
	if (views != NULL) {
		r = begin_shadow(opening, *views);
	}
	if (r == 0 && views != NULL) {
		take_shadow(opening, wanted, views);
	}
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

static int declare(const struct opening_options *options, struct opening *opening,
	struct wanted *ret_wanted, char *error, size_t error_size)
{
	const struct aggregator_config *config = options->config;
	const struct declared live = {&config->views, &config->tables};
	const struct declared staged = {&config->staged, &config->tables};
	int r = zones_new(&opening->zones);
	if (r == 0) {
		r = declare_views(&live, opening->zones, &ret_wanted->views, error, error_size);
	}
	if (r == 0) {
		r = check_shards(options, ret_wanted->views, error, error_size);
	}
	if (r == 0 && config->staged.count > 0) {
		r = declare_views(&staged, opening->zones, &ret_wanted->staged, error, error_size);
		if (r == 0) {
			r = check_shards(options, ret_wanted->staged, error, error_size);
		}
	}
	return r;
}

static int open_stores(const struct opening_options *options, struct opening *opening,
	const struct view_set *views, char *error, size_t error_size)
{
	char id[STORE_ID_SIZE];
	const struct stores_options stores = {
		.dir = options->config->data,
		.shard_count = (uint32_t)options->config->shards,
		.map_size = options->config->map_size,
		.may_create = options->may_create,
		.views = views,
		.new_id = id,
	};
	int r = make_id(id);
	if (r == 0) {
		r = stores_new(&stores, &opening->stores, error, error_size);
	}
	return r == 0 ? load_views(opening, stores_root(opening->stores)->live,
				&opening->live_views, error, error_size)
		      : r;
}

static int open_all(const struct opening_options *options, struct opening *opening, char *error,
	size_t error_size)
{
	struct wanted wanted = {.views = NULL};
	int r = declare(options, opening, &wanted, error, error_size);
	if (r == 0) {
		r = open_stores(options, opening, wanted.views, error, error_size);
	}
	if (r == 0 && options->may_rebuild) {
		r = choose(opening, options, &wanted, error, error_size);
	}
	wanted_deinit(&wanted);
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
