/* Rows that end: which are there, and how many events expired, follows from the records that were read, whatever their
 * order, the shards and the kills between. */
#include "aggregator/answer/answer.h"
#include "aggregator/books/ledger.h"
#include "aggregator/view/view_retain.h"
#include "many_logs.h"
#include "tests/unit/rounds.h"

/* What counting by hand gives, row by row and in sum. */
struct oracle {
	int64_t clock_ms;
	uint64_t matched, expired;
};

static struct oracle expect(const struct world *world, int64_t bucket_ms, int64_t retain_ms)
{
	struct oracle oracle = {0};

	for (int edge = 0; edge < EDGES; edge++) {
		for (int64_t i = 0; i < world->counts[edge]; i++) {
			int64_t time = world->logs[edge][i].timestamp_ms;
			oracle.clock_ms = time > oracle.clock_ms ? time : oracle.clock_ms;
		}
	}
	for (int edge = 0; edge < EDGES; edge++) {
		for (int64_t i = 0; i < world->counts[edge]; i++) {
			int64_t begin = world->logs[edge][i].ts_ms / bucket_ms * bucket_ms;
			bool has_ended = begin + bucket_ms + retain_ms <= oracle.clock_ms;
			oracle.expired += has_ended;
			oracle.matched += !has_ended;
		}
	}
	return oracle;
}

static void assert_sums(const struct world *world, const char *view, struct oracle oracle)
{
	char expected[256];
	char line[64];

	snprintf(line, sizeof line, "{\"view\":\"%s\",\"rows\":", view);
	const char *sums = strstr(world->dump, line);
	assert_non_null(sums);
	snprintf(expected, sizeof expected,
		",\"matched\":%" PRIu64 ",\"unmatched\":0,\"held\":0,\"expired\":%" PRIu64 ",",
		oracle.matched, oracle.expired);
	sums = strchr(sums + strlen(line), ',');
	assert_memory_equal(sums, expected, strlen(expected));
}

static const char *views[][2] = {
	{"hours", "kind = order\ngroup_by = hour(ts), product_id\nmeasures = n = count(), r = "
		  "sum(revenue), b = distinct(basket), q = quantile(revenue, 0.5)\nretain = 1d\n"},
	{"days", "kind = order\ngroup_by = edge, day(ts), hour_of_day(ts)\nmeasures = n = count(), "
		 "f = first(product_id)\nretain = 2d\n"},
	{"all", "kind = order\ngroup_by = product_id, day(ts)\nmeasures = n = count()\n"},
};

/* Sales of a week, appended within it: some at once, some days late, some of days to come. */
static struct world *new_week(struct draw *draw)
{
	struct world *world = new_world(views, sizeof views / sizeof views[0]);

	for (int edge = 0; edge < EDGES; edge++) {
		int64_t time = START_MS + draw_below(draw, 100) * MINUTE_MS;
		world->logs[edge] = calloc(RECORDS, sizeof *world->logs[edge]);
		for (int i = 0; i < RECORDS; i++) {
			time += draw_below(draw, 30) * (MINUTE_MS + 7777);
			int64_t late = draw_below(draw, 3) == 0
					       ? draw_below(draw, 4 * 1440) * MINUTE_MS
					       : draw_below(draw, 30) * MINUTE_MS;
			int64_t ts = draw_below(draw, 20) == 0 ? time + late : time - late;
			log_order(world, edge, ts < START_MS ? START_MS : ts, time,
				(int)draw_below(draw, 12), i / 3);
		}
	}
	return world;
}

static void test_what_has_ended_depends_on_the_records_alone(void **state)
{
	struct draw draw = {5};
	static char first[DUMP_SIZE], spread[DUMP_SIZE];
	(void)state;

	for (int round = 0; round < rounds_of(3); round++) {
		struct world *world = new_week(&draw);
		count_all(world, 1, &draw);
		assert_sums(world, "hours", expect(world, 60 * MINUTE_MS, DAY_MS));
		assert_sums(world, "days", expect(world, DAY_MS, 2 * DAY_MS));
		assert_true(expect(world, DAY_MS, 2 * DAY_MS).expired > 100);
		assert_true(expect(world, 60 * MINUTE_MS, DAY_MS).matched > 20);
		memcpy(first, world->dump, sizeof first);
		for (int i = 0; i < 3; i++) {
			count_all(world, 1, &draw);
			assert_same(world->dump, first);
		}
		cut_shares(first);
		for (uint32_t shards = 2; shards <= 4; shards += 2) {
			count_all(world, shards, &draw);
			memcpy(spread, world->dump, sizeof spread);
			cut_shares(spread);
			assert_same(spread, first);
		}
		free_world(world);
	}
}

static uint64_t stored_rows(struct world *world, struct view_summary *ret_summary)
{
	struct snapshot *snapshot = NULL;

	assert_int_equal(snapshot_begin(world->stores->items[0], stores_root(world->stores)->live,
				 &snapshot),
		0);
	assert_int_equal(snapshot_summary(snapshot, 0, ret_summary), 0);
	snapshot_end(snapshot);
	return ret_summary->row_count;
}

static uint64_t shown_rows(struct world *world)
{
	struct answer_context context = {.views = world->views, .shard_count = 1};
	static const char *const no_gaps[] = {NULL};
	struct query query = {.type = QUERY_TOP,
		.encoding = ENCODING_JSON,
		.view = slice_of_text("minutes"),
		.by = slice_of_text("n"),
		.limit = TOP_LIMIT_MAX,
		.max_lag = -1};
	uint64_t count = 0;
	struct buffer reply;

	context.freshness = (struct freshness){.store_id = "x", .gaps = no_gaps};
	buffer_init(&reply, ANSWER_SIZE_MAX);
	assert_int_equal(shard_layers(world->pipeline->shards[0], &context.shards[0]), 0);
	assert_int_equal(answer_query(&context, &query, &reply), 0);
	snapshot_end(context.shards[0].snapshot);
	buffer_append_byte(&reply, 0);
	for (const char *at = (const char *)reply.bytes; (at = strstr(at, "\"minute\"")) != NULL;
		at++) {
		count++;
	}
	buffer_deinit(&reply);
	return count;
}

/* More rows than one commit may delete, ended by one record: hidden at once, deleted bit by bit, whatever dies between. */
static void test_many_rows_end_at_once_and_are_deleted_in_pieces(void **state)
{
	enum { MANY = EXPIRY_STEPS_MAX * 2 + 5000, LATER_ROWS = 4 };
	static const char *one[][2] = {
		{"minutes", "kind = order\ngroup_by = minute(ts), product_id\nmeasures = n = "
			    "count(), b = distinct(basket)\nretain = 7d\n"}};
	struct world *world = new_world(one, 1);
	struct view_summary summary;
	(void)state;

	world->logs[0] = calloc(MANY + LATER_ROWS, sizeof *world->logs[0]);
	for (int i = 0; i < MANY; i++) {
		log_order(world, 0, START_MS + i / 10 * MINUTE_MS / 100, START_MS, i, i);
	}
	for (int i = 0; i < LATER_ROWS; i++) {
		log_order(world, 0, START_MS + 30 * DAY_MS + i, START_MS + 30 * DAY_MS, i, i);
	}
	scratch_make(world->dir);
	world->shards = 1;
	open_world(world);
	while (world->next[0] < MANY) {
		take(world, 0);
	}
	commit(world);
	assert_int_equal(stored_rows(world, &summary), MANY);
	while (!is_read(world)) {
		take(world, 0);
	}
	assert_int_equal(shown_rows(world), LATER_ROWS);
	int commits = 0;
	for (uint64_t left = MANY; left > LATER_ROWS; commits++) {
		commit(world);
		uint64_t now = stored_rows(world, &summary);
		assert_true(now + EXPIRY_STEPS_MAX >= left);
		assert_int_equal(summary.matched + summary.expired, MANY + LATER_ROWS);
		assert_int_equal(shown_rows(world), LATER_ROWS);
		check_store(world);
		left = now;
		drop_world(world);
		open_world(world);
		assert_in_range(commits, 0, 12);
	}
	assert_true(commits > 2);
	assert_int_equal(summary.expired, MANY);
	drop_world(world);
	scratch_remove(world->dir);
	free_world(world);
}

static void test_a_row_ends_with_its_finest_bucket_in_its_zone(void **state)
{
	static const struct {
		const char *group_by;
		int64_t clock_ms; /* the first at which the bucket of START_MS has ended */
	} cases[] = {
		{"minute(ts)", START_MS + MINUTE_MS + DAY_MS},
		{"edge, hour(ts), day(ts)", START_MS + 60 * MINUTE_MS + DAY_MS},
		{"month(ts), day(ts)", START_MS + 2 * DAY_MS},
		{"week(ts)", START_MS + 6 * DAY_MS}, /* a Wednesday */
		{"month(ts)", START_MS + 32 * DAY_MS},
	};
	struct event event = sample_order(1, START_MS, "tea", 1, 1);
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct view_set *set = new_view_set();
		struct group_value values[VIEW_GROUPS_MAX];
		struct row_key key = {0};
		char text[128];
		snprintf(text, sizeof text, "group_by = %s\nmeasures = n = count()\nretain = 1d\n",
			cases[i].group_by);
		add_view(set, "v", text);
		const struct view *view = view_set_at(set, 0);
		assert_true(view_group_values(view, &event, slice_of(NULL, 0), values));
		for (size_t j = 0; j < view->group_count; j++) {
			assert_true(row_key_append(&key, &values[j]));
		}
		struct slice bytes = row_key_slice(&key);
		assert_false(
			view_key_has_ended(view, bytes, view_cutoff(view, cases[i].clock_ms - 1)));
		assert_true(view_key_has_ended(view, bytes, view_cutoff(view, cases[i].clock_ms)));
		assert_false(view_key_has_ended(view, bytes, view_cutoff(view, 0)));
		view_set_free(set);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_has_ended_depends_on_the_records_alone),
		cmocka_unit_test(test_many_rows_end_at_once_and_are_deleted_in_pieces),
		cmocka_unit_test(test_a_row_ends_with_its_finest_bucket_in_its_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
