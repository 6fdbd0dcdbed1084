/* What status, edges, ledger and health say, when a question may be answered, and what the upkeep finds. */
#include "aggregator/desk/desk.h"
#include "aggregator/upkeep.h"
#include "log_world.h"

struct office {
	struct log_world *world;
	struct feed feed; /* without a source: records come from the world's log */
	struct desk desk;
	char told[256]; /* by upkeep */
};

static int make(void **state)
{
	struct office *office = calloc(1, sizeof *office);
	office->world = new_log_world();
	office->desk.health.check_error = "";
	office->desk.health.scrub_error = "";
	*state = office;
	return 0;
}

static int unmake(void **state)
{
	struct office *office = *state;
	free_log_world(office->world);
	free(office);
	return 0;
}

/* Opens the store and seats the desk before it. */
static void open_office(struct office *office)
{
	open_store(office->world, ROOMY_MAP);
	office->feed.pipeline = office->world->pipeline;
	office->desk.stores = office->world->stores;
	office->desk.live = &office->feed;
	office->desk.views = office->world->views;
	office->desk.health.live = &office->feed;
}

static const char *ask_desk(struct office *office, const char *question)
{
	struct document document;
	struct query query;
	struct complaint complaint;
	struct buffer reply;
	buffer_init(&reply, ANSWER_SIZE_MAX);
	assert_int_equal(document_init(&document, QUERY_NODES_MAX), 0);
	assert_int_equal(query_decode(&document, slice_of_text(question), &query, &complaint), 0);
	const struct question asked = {.query = &query};
	assert_int_equal(desk_answer(&office->desk, &asked, &reply), 0);
	assert_in_range(reply.size, 1, sizeof office->world->reply - 1);
	memcpy(office->world->reply, reply.bytes, reply.size);
	office->world->reply[reply.size] = '\0';
	/* Whatever it is, it is JSON. */
	assert_int_equal(
		document_decode(&document, ENCODING_JSON, buffer_slice(&reply), 16, &complaint), 0);
	document_deinit(&document);
	buffer_deinit(&reply);
	return office->world->reply;
}

static void assert_says(struct office *office, const char *question, const char *words)
{
	const char *reply = ask_desk(office, question);
	if (strstr(reply, words) == NULL) {
		fail_msg("\"%s\" is not in %s", words, reply);
	}
}

static const struct wish any = {.max_lag = -1};

static enum verdict judge(struct office *office, struct wish wish)
{
	return desk_judge(&office->desk, &wish);
}

static void test_nothing_is_answered_before_the_start_is_over_but_status(void **state)
{
	struct office *office = *state;
	struct wish exempt = {.is_exempt = true, .max_lag = -1};

	log_order(office->world, 1, "tea");
	open_office(office);
	assert_int_equal(judge(office, any), VERDICT_NOT_READY);
	assert_int_equal(judge(office, exempt), VERDICT_ANSWER);
	assert_says(office, "{\"query\":\"status\"}", "\"state\":\"starting\"");
	assert_int_equal(observe_log(office->world), 0);
	assert_int_equal(judge(office, any), VERDICT_NOT_READY); /* one record to go */
	read_log(office->world);
	assert_int_equal(judge(office, any), VERDICT_ANSWER);
	assert_says(office, "{\"query\":\"status\"}", "\"state\":\"serving\"");
}

static void test_without_kafka_the_store_answers_and_lag_is_null(void **state)
{
	struct office *office = *state;
	struct log_report silence = {.is_reachable = false, .error = "no broker"};
	struct wish fresh = {.max_lag = 1000000};

	open_office(office);
	assert_int_equal(judge(office, any), VERDICT_NOT_READY); /* nobody knows yet */
	assert_int_equal(pipeline_observe(office->world->pipeline, &silence), 0);
	assert_int_equal(judge(office, any), VERDICT_ANSWER);
	assert_int_equal(judge(office, fresh), VERDICT_WAIT);
	assert_says(office, "{\"query\":\"scan\",\"view\":\"stores\"}", "\"lag\":null");
	assert_says(office, "{\"query\":\"status\"}", "Kafka unreachable");
}

static void test_freshness_is_waited_for(void **state)
{
	struct office *office = *state;
	struct certificate after[] = {{slice_of_text("berlin"), 4711, KIND_ORDER, 1},
		{slice_of_text("berlin"), 4711, KIND_ORDER, 3}};
	struct wish both = {.max_lag = -1, .after = after, .after_count = 2};
	struct wish none_left = {.max_lag = 0};

	log_order(office->world, 1, "tea");
	open_office(office);
	assert_int_equal(observe_log(office->world), 0);
	read_log(office->world);
	assert_int_equal(judge(office, none_left), VERDICT_ANSWER);
	assert_int_equal(desk_judge(&office->desk, &both), VERDICT_WAIT);
	assert_int_equal(both.after_count, 1); /* the first is there: never asked again */
	log_order(office->world, 2, "tea");
	log_marker(office->world, 3); /* rejected is reached, too */
	assert_int_equal(observe_log(office->world), 0);
	assert_int_equal(judge(office, none_left), VERDICT_WAIT);
	office->world->started_at = 1;
	read_log(office->world);
	assert_int_equal(judge(office, none_left), VERDICT_ANSWER);
	assert_int_equal(desk_judge(&office->desk, &both), VERDICT_ANSWER);
}

static void test_edges_and_ledger_know_disk_and_memory(void **state)
{
	struct office *office = *state;
	log_order(office->world, 1, "tea");
	log_order(office->world, 4, "tea");
	log_marker(office->world, 7);
	open_office(office);
	assert_int_equal(observe_log(office->world), 0);
	read_log(office->world);
	static const char edges[] = "{\"edge\":\"berlin\",\"run\":4711,\"kind\":\"order\","
				    "\"counted\":2,\"rejected\":1,\"max_seq\":7";
	assert_says(office, "{\"query\":\"edges\"}", edges); /* not yet on disk */
	commit_all(office->world);
	assert_says(office, "{\"query\":\"edges\"}", edges);
	assert_says(office, "{\"query\":\"ledger\"}", "\"missing\":[[2,3],[5,6]]");
	/* A restart: nothing is in memory, and one more comes. */
	drop_store(office->world);
	log_order(office->world, 2, "tea");
	open_office(office);
	assert_says(office, "{\"query\":\"ledger\"}", "\"missing\":[[2,3],[5,6]]");
	assert_int_equal(observe_log(office->world), 0);
	read_log(office->world);
	assert_says(office, "{\"query\":\"ledger\"}", "\"missing\":[[3,3],[5,6]]");
}

static void test_status_shows_partitions_with_their_books(void **state)
{
	struct office *office = *state;
	log_order(office->world, 1, "tea");
	log_order(office->world, 1, "tea");
	log_bytes(office->world, slice_of_text("{}"));
	log_bytes(office->world, slice_of_text("{"));
	open_office(office);
	assert_int_equal(observe_log(office->world), 0);
	read_log(office->world);
	assert_says(office, "{\"query\":\"status\"}",
		"{\"topic\":\"orders\",\"partition\":0,\"next\":4,\"end\":4,\"lag\":0,\"read\":4,"
		"\"counted\":1,\"rejected\":0,\"duplicates\":1,\"foreign\":1,\"unreadable\":1}");
	assert_says(office, "{\"query\":\"status\"}",
		"\"order\":{\"counted\":1,\"rejected\":0,\"duplicates\":1}");
	assert_says(office, "{\"query\":\"status\"}", "\"problems\":[]");
}

static void test_a_view_that_only_the_shadow_has_is_being_rebuilt(void **state)
{
	struct office *office = *state;
	struct view_set *wanted = new_view_set();
	add_view(wanted, "per_day",
		"kind = order\ngroup_by = day(ts)\nmeasures = order_count = count()\n");
	open_office(office);
	office->desk.shadow_views = wanted;
	office->desk.health.shadow = &office->feed;
	office->desk.health.rebuild_progress = 0.5;
	assert_says(office, "{\"query\":\"scan\",\"view\":\"per_day\"}", "\"rebuilding\"");
	assert_says(office, "{\"query\":\"scan\",\"view\":\"per_week\"}", "\"unknown_view\"");
	assert_says(office, "{\"query\":\"status\"}", "\"rebuild_progress\":0.5");
	view_set_free(wanted);
}

static bool health_of(struct office *office, char text[2048])
{
	FILE *out = fmemopen(text, 2048, "w");
	assert_non_null(out);
	bool is_ready = health_write(&office->desk.health, out);
	fclose(out);
	return is_ready;
}

static void test_a_stream_with_too_many_gaps_is_named(void **state)
{
	struct office *office = *state;
	char text[2048];
	for (uint64_t i = 0; i <= COUNTED_INTERVALS_MAX; i++) {
		log_order(office->world, 1 + i * 2, "tea");
	}
	open_office(office);
	assert_int_equal(observe_log(office->world), 0);
	read_log(office->world);
	office->desk.health.is_ready = true;
	assert_int_equal(orders_counted(office->world), COUNTED_INTERVALS_MAX);
	assert_true(books_add_up(&position_of(office->world)->books));
	assert_int_equal(position_of(office->world)->books.fates[FATE_UNREADABLE], 1);
	assert_false(health_of(office, text));
	assert_non_null(strstr(text, "berlin/4711/order"));
	assert_says(office, "{\"query\":\"status\"}", "\"state\":\"broken\"");
	/* And it is remembered. */
	commit_all(office->world);
	drop_store(office->world);
	open_office(office);
	assert_false(health_of(office, text));
	assert_non_null(strstr(text, "berlin/4711/order"));
}

static void test_health_says_what_is_wrong_and_what_is_not(void **state)
{
	struct office *office = *state;
	struct log_report silence = {.is_reachable = false, .error = "no broker"};
	char text[2048];
	open_office(office);
	assert_false(health_of(office, text));
	assert_non_null(strstr(text, "starting"));
	office->desk.health.is_ready = true;
	assert_true(health_of(office, text));
	assert_string_equal(text, "ok\n");
	assert_int_equal(pipeline_observe(office->world->pipeline, &silence), 0);
	assert_true(health_of(office, text)); /* the store answers */
	assert_non_null(strstr(text, "Kafka unreachable"));
	office->desk.health.check_error = "sums differ";
	assert_false(health_of(office, text));
	assert_non_null(strstr(text, "self-check failed: sums differ"));
	office->desk.health.check_error = "";
	office->desk.health.scrub_error = "view users";
	assert_false(health_of(office, text));
	office->desk.health.scrub_error = "";
	office->world->pipeline->shards[0]->is_full = true;
	assert_false(health_of(office, text));
	assert_non_null(strstr(text, "disk full"));
	office->world->pipeline->shards[0]->is_full = false;
	office->world->pipeline->shards[0]->is_broken = true;
	assert_false(health_of(office, text));
	assert_non_null(strstr(text, "broken: shard 0"));
}

static void observe(struct office *office, int32_t partitions, int64_t high)
{
	struct watermarks marks[2] = {{.high = high}, {.high = 0}};
	struct log_report report = {
		.is_reachable = true, .partition_counts = {partitions}, .partitions = {marks}};
	snprintf(report.cluster_id, sizeof report.cluster_id, "%s", office->world->cluster);
	assert_int_equal(pipeline_observe(office->world->pipeline, &report), 0);
}

/* A broker that has just started may not know the topic yet: once is no proof. */
static void test_a_topic_that_is_gone_is_said_when_several_reports_agree(void **state)
{
	struct office *office = *state;
	char text[2048];
	log_order(office->world, 1, "tea");
	open_office(office);
	assert_int_equal(observe_log(office->world), 0);
	read_log(office->world);
	office->desk.health.is_ready = true;
	observe(office, 0, 0);
	observe(office, 0, 0);
	assert_true(health_of(office, text));
	assert_string_equal(text, "ok\n");
	observe(office, 1, 1);
	observe(office, 0, 0);
	observe(office, 0, 0);
	health_of(office, text);
	assert_string_equal(text, "ok\n");
	observe(office, 0, 0);
	health_of(office, text);
	assert_string_equal(text, "topic orders is gone; what was read of it is counted\n");
	office->desk.health.shadow = &office->feed;
	health_of(office, text);
	assert_non_null(strstr(text, "\nrebuild: topic orders is gone"));
	observe(office, 1, 1);
	office->desk.health.shadow = NULL;
	health_of(office, text);
	assert_string_equal(text, "ok\n");
}

static void test_what_kafka_holds_back_or_refuses_is_said(void **state)
{
	struct office *office = *state;
	char text[2048];
	struct pipeline *pipeline;
	log_order(office->world, 1, "tea");
	open_office(office);
	pipeline = office->world->pipeline;
	assert_int_equal(observe_log(office->world), 0);
	read_log(office->world);
	office->desk.health.is_ready = true;
	pipeline->partitions[0]->high = 5; /* as a fetch tells it; it may be read up to 1 */
	for (int i = 0; i < 4; i++) {
		health_of(office, text);
		assert_string_equal(text, "ok\n");
		observe(office, 1, 1);
	}
	health_of(office, text);
	assert_non_null(
		strstr(text, "orders/0 stands at 1: an open transaction of another producer "
			     "holds up 4 records"));
	log_order(office->world, 2, "tea");
	take_one(office->world, 1);
	observe(office, 1, 2);
	health_of(office, text);
	assert_string_equal(text, "ok\n");
	assert_int_equal(pipeline_stopped(pipeline, KIND_ORDER, 0, "not allowed"), 0);
	health_of(office, text);
	assert_string_equal(text, "orders/0 is not read: not allowed\n");
	pipeline_rewind(pipeline);
	assert_int_equal(observe_log(office->world), 0);
	health_of(office, text);
	assert_string_equal(text, "orders/0 is not read: not allowed\n"); /* until it is */
	read_log(office->world);
	health_of(office, text);
	assert_string_equal(text, "ok\n");
}

static void note_failed(void *owner, const char *what)
{
	struct office *office = owner;
	snprintf(office->told, sizeof office->told, "%s", what);
}

static struct upkeep *new_upkeep(struct office *office)
{
	const struct upkeep_options options = {
		.stores = office->world->stores,
		.check_every_ms = 1000,
		.failed = note_failed,
		.owner = office,
	};
	struct upkeep *upkeep = NULL;
	assert_int_equal(upkeep_new(&options, &upkeep), 0);
	return upkeep;
}

/* Ten simulated seconds. */
static void let_time_pass(struct office *office, struct upkeep *upkeep, int64_t from_ms)
{
	for (int64_t now_ms = from_ms; now_ms < from_ms + 10000; now_ms += 100) {
		int64_t wait_ms = 1000;
		assert_int_equal(upkeep_tick(upkeep, office->world->views, now_ms, &wait_ms), 0);
		worker_drain(office->world->stores->workers[0]);
	}
}

static void test_upkeep_is_silent_over_a_sound_store(void **state)
{
	struct office *office = *state;
	log_order(office->world, 1, "tea");
	log_order(office->world, 2, "salt");
	open_office(office);
	assert_int_equal(observe_log(office->world), 0);
	read_log(office->world);
	commit_all(office->world);
	struct upkeep *upkeep = new_upkeep(office);
	let_time_pass(office, upkeep, 1000);
	assert_string_equal(office->told, "");
	assert_string_equal(upkeep_check_error(upkeep), "");
	assert_string_equal(upkeep_scrub_error(upkeep), "");
	upkeep_free(upkeep);
}

static void test_upkeep_tells_when_the_sums_do_not_fit(void **state)
{
	struct office *office = *state;
	log_order(office->world, 1, "tea");
	open_office(office);
	assert_int_equal(observe_log(office->world), 0);
	read_log(office->world);
	/* One event too many in the ledger: as a lost row or a bug in counting would show. */
	office->world->pipeline->shards[0]->ledger.tallies[KIND_ORDER].accepted++;
	commit_all(office->world);
	struct upkeep *upkeep = new_upkeep(office);
	let_time_pass(office, upkeep, 1000);
	assert_non_null(strstr(office->told, "order"));
	assert_non_null(strstr(upkeep_check_error(upkeep), "order"));
	/* It is forgotten when the sums fit again. */
	office->world->pipeline->shards[0]->ledger.tallies[KIND_ORDER].accepted--;
	shard_touch(office->world->pipeline->shards[0], 0);
	commit_all(office->world);
	let_time_pass(office, upkeep, 20000);
	assert_string_equal(upkeep_check_error(upkeep), "");
	upkeep_free(upkeep);
}

static void test_upkeep_drops_what_was_given_up(void **state)
{
	struct office *office = *state;
	log_order(office->world, 1, "tea");
	open_office(office);
	assert_int_equal(observe_log(office->world), 0);
	read_log(office->world);
	commit_all(office->world);
	assert_int_equal(
		stores_begin_shadow(office->world->stores, office->world->views, "next"), 0);
	assert_int_equal(stores_discard_shadow(office->world->stores), 0);
	struct upkeep *upkeep = new_upkeep(office);
	upkeep_hold(upkeep, true);
	let_time_pass(office, upkeep, 1000);
	assert_int_equal(stores_root(office->world->stores)->dropping, 2);
	upkeep_hold(upkeep, false);
	let_time_pass(office, upkeep, 20000);
	assert_int_equal(stores_root(office->world->stores)->dropping, 0);
	assert_int_equal(orders_counted(office->world), 1);
	upkeep_free(upkeep);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_answered_before_the_start_is_over_but_status),
		TEST(test_without_kafka_the_store_answers_and_lag_is_null),
		TEST(test_freshness_is_waited_for),
		TEST(test_edges_and_ledger_know_disk_and_memory),
		TEST(test_status_shows_partitions_with_their_books),
		TEST(test_a_view_that_only_the_shadow_has_is_being_rebuilt),
		TEST(test_a_stream_with_too_many_gaps_is_named),
		TEST(test_health_says_what_is_wrong_and_what_is_not),
		TEST(test_a_topic_that_is_gone_is_said_when_several_reports_agree),
		TEST(test_what_kafka_holds_back_or_refuses_is_said),
		TEST(test_upkeep_is_silent_over_a_sound_store),
		TEST(test_upkeep_tells_when_the_sums_do_not_fit),
		TEST(test_upkeep_drops_what_was_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
