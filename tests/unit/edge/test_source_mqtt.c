/* The MQTT source over a real desk and spool, against a broker that follows a script. */
#include "edge/desk.h"
#include "edge/mqtt_config.h"
#include "edge/source_mqtt.h"
#include "edge/sources.h"
#include "edge/spool.h"
#include "proto/dead_letter.h"
#include "runtime/clock.h"
#include "runtime/metrics.h"
#include "scripted_broker.h"
#include <errno.h>
#include <sys/resource.h>

enum { DEADLINE_MS = 20000, QUOTA = 16 << 20, LANE_SIZE_MAX = 256 * 1024 };

struct world {
	char dir[FIXTURE_PATH_SIZE];
	struct loop *loop;
	struct spool *spool;
	struct desk *desk;
	struct metrics *metrics;
	struct sources *sources;
	struct mqtt_config config;
	struct scripted_broker broker;
	int64_t until_ms;
	bool (*enough)(const struct world
			*world); /* ends the loop before the script does; NULL: nothing */
	/* Of what is on disk when an acknowledgement is heard. */
	uint64_t orders_at_ack[SCRIPT_STEPS_MAX];
	size_t acks;
};

static uint64_t count(const struct world *world, enum kind lane)
{
	return spool_index(world->spool)->lanes[lane].events;
}

static void note_ack(void *owner, uint8_t first_byte)
{
	struct world *world = owner;

	if (first_byte == HEARS_PUBACK || first_byte == HEARS_PUBREC) {
		world->orders_at_ack[world->acks++] = count(world, KIND_ORDER);
	}
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct world *world = owner;
	int64_t wall_ms = clock_wall_ms();

	assert_true(now_ms < world->until_ms);
	if (world->enough != NULL && world->enough(world)) {
		loop_stop(world->loop);
	}
	*ret_wait_ms = 100;
	int r = desk_round(world->desk, now_ms, wall_ms, ret_wait_ms);
	return r == 0 ? sources_poll(world->sources, now_ms, wall_ms, ret_wait_ms) : r;
}

/* ---- one life of an edge */

static void open_edge(struct world *world)
{
	struct spool_options spool = {.dir = world->dir,
		.edge = "berlin-1",
		.quota_bytes = QUOTA,
		.share_percent = {100, 10, 10, 10, 10, 10},
		.event_id_window = 1000,
		.producer_ttl_ms = 1000};
	struct desk_options desk = {.edge = "berlin-1", .default_currency = "EUR", .run = 4711};
	struct spool_error spool_error;
	struct source_error error;

	assert_int_equal(spool_new(&spool, &world->spool, &spool_error), 0);
	desk.spool = world->spool;
	assert_int_equal(desk_new(&desk, &world->desk), 0);
	assert_int_equal(metrics_new(&world->metrics), 0);
	struct sources_options sources = {.edge = "berlin-1",
		.desk = world->desk,
		.loop = world->loop,
		.metrics = world->metrics};
	assert_int_equal(sources_new(&sources, &world->sources), 0);
	if (sources_open(world->sources, &source_mqtt_type, "shop", &world->config, &error) < 0) {
		fail_msg("%s", error.text);
	}
	assert_int_equal(loop_add_tick(world->loop, on_tick, world), 0);
}

static void close_edge(struct world *world)
{
	loop_remove_tick(world->loop, on_tick, world);
	world->sources = sources_free(world->sources);
	world->metrics = metrics_free(world->metrics);
	world->desk = desk_free(world->desk);
	world->spool = spool_free(world->spool);
}

static void configure(struct world *world, const char *lines)
{
	struct config_error error;
	char text[1000];
	int size = snprintf(text, sizeof text,
		"[source]\nbrokers = tcp://127.0.0.1:%u\ntopics = stores/{store}/orders\n%s",
		world->broker.port, lines);

	config_deinit(&mqtt_config_schema, &world->config);
	assert_int_equal(config_init(&mqtt_config_schema, &world->config, &error), 0);
	if (config_read_text(
		    &mqtt_config_schema, &world->config, "test", text, (size_t)size, &error) < 0 ||
		source_mqtt_type.check(&world->config, false, &error) < 0) {
		fail_msg("%s", error.text);
	}
}

/* Until the script is at its end. */
static void follow_script(struct world *world)
{
	world->enough = NULL;
	world->until_ms = clock_monotonic_ms() + DEADLINE_MS;
	assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(world->broker.step, world->broker.step_count);
}

static void run_until(struct world *world, bool (*enough)(const struct world *world))
{
	world->enough = enough;
	world->until_ms = clock_monotonic_ms() + DEADLINE_MS;
	assert_int_equal(loop_run(world->loop), 0);
}

static int make_world(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	make_temp_dir(world->dir);
	assert_int_equal(loop_new(&world->loop), 0);
	broker_open(&world->broker, world->loop);
	world->broker.inspect = note_ack;
	world->broker.owner = world;
	configure(world, "");
	*state = world;
	return 0;
}

static int free_world(void **state)
{
	struct world *world = *state;

	close_edge(world);
	broker_close(&world->broker);
	config_deinit(&mqtt_config_schema, &world->config);
	loop_free(world->loop);
	remove_temp_dir(world->dir);
	free(world);
	return 0;
}

/* ---- looking */

/* The events of a lane, one after the other. */
static void read_bytes(struct world *world, enum kind lane, struct buffer *ret_events)
{
	struct spool_query query = {.lane = lane, .last = UINT64_MAX, .size_max = LANE_SIZE_MAX};
	struct spool_batch batch;

	buffer_init(ret_events, LANE_SIZE_MAX);
	assert_int_equal(spool_read(world->spool, &query, ret_events, &batch), 0);
}

/* The same as text: enough to look for a word. */
static const char *read_lane(struct world *world, enum kind lane)
{
	static char text[LANE_SIZE_MAX + 1];
	struct buffer events;

	read_bytes(world, lane, &events);
	memset(text, 0, sizeof text);
	for (size_t i = 0; i < events.size; i++) {
		text[i] = events.bytes[i] == 0 ? ' ' : (char)events.bytes[i];
	}
	buffer_deinit(&events);
	return text;
}

static double metric_of(struct world *world, const char *series)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	metrics_render(world->metrics, out);
	fclose(out);
	const char *found = strstr(text, series);
	assert_non_null(found);
	double value = strtod(found + strlen(series), NULL);
	free(text);
	return value;
}

static bool describes(const struct world *world, const char *words)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	sources_describe(world->sources, out);
	fclose(out);
	bool found = strstr(text, words) != NULL;
	free(text);
	return found;
}

/* ---- tests */

static void test_an_acknowledged_message_is_on_disk_with_what_its_topic_says(void **state)
{
	struct world *world = *state;
	struct scripted_broker *broker = &world->broker;

	configure(world, "set = channel=store\n");
	greet(broker, false);
	publish(broker,
		&(struct script_publish){.topic = "stores/hamburg/orders", .payload = ORDER_JSON});
	publish(broker, &(struct script_publish){.qos = 1,
				.packet_id = 7,
				.topic = "stores/berlin/orders",
				.event_id = "e-1",
				.payload = ORDER_JSON});
	hear(broker, HEARS_PUBACK, 7);
	publish(broker, &(struct script_publish){.qos = 2,
				.packet_id = 8,
				.topic = "stores/munich/orders",
				.payload = "[" ORDER_JSON "," ORDER_JSON "]"});
	hear(broker, HEARS_PUBREC, 8);
	release(broker, 8);
	hear(broker, HEARS_PUBCOMP, 8);
	open_edge(world);
	follow_script(world);

	assert_int_equal(world->orders_at_ack[0], 2);
	assert_int_equal(world->orders_at_ack[1], 4);
	const char *events = read_lane(world, KIND_ORDER);
	assert_non_null(strstr(events, "hamburg"));
	assert_non_null(strstr(events, "berlin"));
	assert_non_null(strstr(events, "e-1"));
	assert_true(
		metric_of(world, "till_edge_mqtt_messages_total{source=\"shop\",qos=\"2\"} ") == 1);
	assert_true(metric_of(world, "till_edge_mqtt_connected{source=\"shop\"} ") == 1);
	assert_true(metric_of(world, "till_edge_mqtt_remembered_ids{source=\"shop\"} ") == 0);
	sources_collect(world->sources);
	assert_true(
		metric_of(world,
			"till_edge_source_received_total{source=\"shop\",type=\"mqtt\"} ") == 4);
}

/* The edge dies between PUBREC and PUBREL: the broker repeats, and must not be counted again. */
static void test_qos_2_is_counted_once_across_a_restart(void **state)
{
	struct world *world = *state;
	struct scripted_broker *broker = &world->broker;
	struct script_publish message = {
		.qos = 2, .packet_id = 9, .topic = "stores/berlin/orders", .payload = ORDER_JSON};

	greet(broker, false);
	publish(broker, &message);
	hear(broker, HEARS_PUBREC, 9);
	open_edge(world);
	follow_script(world);
	close_edge(world);

	broker_rewind(broker);
	hear(broker, HEARS_END, -1);
	greet(broker, true);
	message.dup = true;
	publish(broker, &message);
	hear(broker, HEARS_PUBREC, 9);
	release(broker, 9);
	hear(broker, HEARS_PUBCOMP, 9);
	message.dup = false; /* released: the id is a new message's */
	publish(broker, &message);
	hear(broker, HEARS_PUBREC, 9);
	open_edge(world);
	follow_script(world);

	assert_int_equal(world->orders_at_ack[0], 1);
	assert_int_equal(world->orders_at_ack[1], 1);
	assert_int_equal(world->orders_at_ack[2], 2);
	assert_true(metric_of(world, "till_edge_mqtt_repeats_total{source=\"shop\"} ") == 1);
}

/* A broker without our session gives its ids to new messages: what is remembered of them must be gone first. */
static void test_a_broker_that_lost_the_session_is_believed(void **state)
{
	struct world *world = *state;
	struct scripted_broker *broker = &world->broker;
	struct script_publish message = {
		.qos = 2, .packet_id = 1, .topic = "stores/berlin/orders", .payload = ORDER_JSON};

	greet(broker, false);
	publish(broker, &message);
	hear(broker, HEARS_PUBREC, 1);
	hang_up(broker);
	greet(broker, false);
	publish(broker, &message);
	hear(broker, HEARS_PUBREC, 1);
	open_edge(world);
	follow_script(world);
	assert_int_equal(world->orders_at_ack[1], 2);
	assert_true(metric_of(world, "till_edge_mqtt_sessions_lost_total{source=\"shop\"} ") == 1);
	close_edge(world);

	broker_rewind(broker); /* and what it has now survives too */
	hear(broker, HEARS_END, -1);
	greet(broker, true);
	message.dup = true;
	publish(broker, &message);
	hear(broker, HEARS_PUBREC, 1);
	open_edge(world);
	follow_script(world);
	assert_int_equal(world->orders_at_ack[2], 2);
}

static void test_what_is_no_event_becomes_a_dead_letter_and_is_acknowledged(void **state)
{
	struct world *world = *state;
	struct scripted_broker *broker = &world->broker;
	size_t huge_size = FRAME_SIZE_MAX + 512 * 1024;
	char *huge = malloc(huge_size);
	assert_non_null(huge);
	memset(huge, 'x', huge_size);
	struct script_publish messages[] = {
		{.topic = "elsewhere", .payload = ORDER_JSON},
		{.topic = "stores/berlin/orders", .payload = "garbage"},
		{.topic = "stores/berlin/orders", .payload = BAD_ORDER_JSON},
		{.topic = "stores/berlin/orders",
			.event_id = "one-for-two",
			.payload = "[" ORDER_JSON "," ORDER_JSON "]"},
		{.topic = "stores/berlin/orders", .payload = huge, .size = huge_size},
		{.topic = "stores/berlin/orders", .payload = ORDER_JSON},
	};
	enum { COUNT = sizeof messages / sizeof messages[0] };

	configure(world, "format = json\n");
	greet(broker, false);
	for (uint16_t i = 0; i < COUNT; i++) {
		messages[i].qos = 1;
		messages[i].packet_id = (uint16_t)(i + 1);
		publish(broker, &messages[i]);
		hear(broker, HEARS_PUBACK, i + 1);
	}
	open_edge(world);
	follow_script(world);

	assert_int_equal(count(world, KIND_ORDER), 1);
	assert_int_equal(count(world, KIND_ORDER_DLQ), COUNT - 1);
	assert_true(metric_of(world, "till_edge_mqtt_unmatched_total{source=\"shop\"} ") == 1);
	assert_true(metric_of(world, "till_edge_mqtt_too_large_total{source=\"shop\"} ") == 1);
	free(huge);
}

/* It breaks the connection first; when it comes again the broker must get rid of it. Its topic is not even text. */
static void test_a_malformed_message_that_comes_again_becomes_a_dead_letter(void **state)
{
	static const uint8_t malformed[] = {
		0x32, 9, 0, 2, 0xff, 0xfe, 0, 5, 0, '{', '}'}; /* QoS 1, id 5 */
	struct world *world = *state;
	struct scripted_broker *broker = &world->broker;
	struct dead_letter letter;
	struct document document;
	struct complaint complaint;

	greet(broker, false);
	say_bytes(broker, malformed, sizeof malformed);
	hear(broker, HEARS_DISCONNECT, -1);
	hear(broker, HEARS_END, -1);
	greet(broker, true);
	say_bytes(broker, malformed, sizeof malformed);
	hear(broker, HEARS_PUBACK, 5);
	open_edge(world);
	follow_script(world);
	assert_int_equal(count(world, KIND_ORDER_DLQ), 1);

	struct buffer bytes;
	read_bytes(world, KIND_ORDER_DLQ, &bytes);
	assert_int_equal(document_init(&document, EVENT_NODES_MAX), 0);
	assert_int_equal(
		dead_letter_decode(&document, buffer_slice(&bytes), &letter, &complaint), 0);
	assert_true(slice_equals_text(letter.source, "mqtt:shop"));
	assert_int_equal(letter.reason, REASON_BAD_FRAME);
	document_deinit(&document);
	buffer_deinit(&bytes);
}

/* What is in `format = json` is not taken as msgpack, which any byte may begin. */
static void test_a_format_that_is_set_holds(void **state)
{
	struct world *world = *state;
	struct scripted_broker *broker = &world->broker;

	configure(world, "format = msgpack\n");
	greet(broker, false);
	publish(broker, &(struct script_publish){.qos = 1,
				.packet_id = 1,
				.topic = "stores/berlin/orders",
				.payload = ORDER_JSON});
	hear(broker, HEARS_PUBACK, 1);
	open_edge(world);
	follow_script(world);
	assert_int_equal(count(world, KIND_ORDER), 0);
	assert_non_null(strstr(read_lane(world, KIND_ORDER_DLQ), "the message is not msgpack"));
}

static bool is_made_to_wait(const struct world *world)
{
	return describes(world, "is made to wait: the spool has no room");
}

/* The broker keeps what finds no room, and is read again when there is some. */
static void test_a_full_spool_makes_the_broker_wait(void **state)
{
	enum { MESSAGES = 150, NOTE_SIZE = 50 * 1024 };
	struct world *world = *state;
	struct scripted_broker *broker = &world->broker;
	static char note[NOTE_SIZE + 1], event[NOTE_SIZE + 200], frame[3 * sizeof event + 8];

	memset(note, 'n', NOTE_SIZE);
	snprintf(event, sizeof event,
		"{\"order_id\":\"1\",\"product_id\":\"tea\",\"unit_price\":\"1\",\"note\":\"%s\"}",
		note);
	snprintf(frame, sizeof frame, "[%s,%s,%s]", event, event, event);
	greet(broker, false);
	for (int id = 1; id <= MESSAGES; id++) {
		publish(broker, &(struct script_publish){.qos = 1,
					.packet_id = (uint16_t)id,
					.topic = "stores/berlin/orders",
					.payload = frame});
	}
	for (int id = 1; id <= MESSAGES; id++) {
		hear(broker, HEARS_PUBACK, id);
	}
	broker->inspect = NULL;
	open_edge(world);
	run_until(world, is_made_to_wait);
	const struct spool_lane *lane = &spool_index(world->spool)->lanes[KIND_ORDER];
	assert_true(lane->events > 100);
	assert_true(lane->events < 3 * MESSAGES);
	assert_true(metric_of(world, "till_edge_mqtt_reading{source=\"shop\"} ") == 0);

	assert_int_equal(removals_add(desk_removals(world->desk), KIND_ORDER, 0, lane->end - 1), 0);
	follow_script(world);
	sources_collect(world->sources);
	assert_true(metric_of(world, "till_edge_source_events_total{source=\"shop\",type=\"mqtt\","
				     "outcome=\"accepted\"} ") == 3 * MESSAGES);
	assert_int_equal(
		metric_of(world, "till_edge_mqtt_messages_total{source=\"shop\",qos=\"1\"} "),
		MESSAGES);
}

static void test_the_next_broker_is_tried_when_one_is_gone(void **state)
{
	struct world *world = *state;
	struct scripted_broker *broker = &world->broker;
	struct scripted_broker gone;
	struct config_error error;
	char setting[200];

	broker_open(&gone, world->loop);
	broker_close(&gone); /* a port that nobody listens at */
	snprintf(setting, sizeof setting, "source.brokers=tcp://127.0.0.1:%u, tcp://127.0.0.1:%u",
		gone.port, broker->port);
	assert_int_equal(config_set(&mqtt_config_schema, &world->config, setting, &error), 0);
	greet(broker, false);
	publish(broker, &(struct script_publish){.qos = 1,
				.packet_id = 1,
				.topic = "stores/berlin/orders",
				.payload = ORDER_JSON});
	hear(broker, HEARS_PUBACK, 1);
	open_edge(world);
	assert_true(describes(world, "source shop: mqtt broker tcp://127.0.0.1:"));
	follow_script(world);
	assert_int_equal(count(world, KIND_ORDER), 1);
	assert_false(describes(world, "source shop"));
}

/* What is granted flows; what is not is said. */
static void test_a_refused_subscription_is_told_and_stops_no_other(void **state)
{
	struct world *world = *state;
	struct scripted_broker *broker = &world->broker;
	struct config_error error;

	assert_int_equal(config_set(&mqtt_config_schema, &world->config,
				 "source.topics=stores/{store}/orders, secret/#", &error),
		0);
	greet(broker, false);
	struct script_step *suback = &broker->steps[broker->step_count - 1];
	suback->grants[1] = 0x87; /* not authorized */
	suback->grants_count = 2;
	publish(broker, &(struct script_publish){.qos = 1,
				.packet_id = 1,
				.topic = "stores/berlin/orders",
				.payload = ORDER_JSON});
	hear(broker, HEARS_PUBACK, 1);
	open_edge(world);
	follow_script(world);
	assert_true(describes(world, "does not grant every subscription"));
	assert_true(
		metric_of(world, "till_edge_mqtt_filters_refused_total{source=\"shop\"} ") == 1);
	assert_true(metric_of(world, "till_edge_mqtt_connected{source=\"shop\"} ") == 1);
}

static bool lacks_files(const struct world *world)
{
	return describes(world, "Too many open files");
}

/* The process has no descriptor left for a connection: it says so, and tries again. */
static void test_a_lack_of_descriptors_is_survived(void **state)
{
	struct world *world = *state;
	struct scripted_broker *broker = &world->broker;
	struct rlimit limit, none;

	greet(broker, false);
	publish(broker, &(struct script_publish){.qos = 1,
				.packet_id = 1,
				.topic = "stores/berlin/orders",
				.payload = ORDER_JSON});
	hear(broker, HEARS_PUBACK, 1);
	open_edge(world);
	int first_free = dup(0);
	close(first_free);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = (rlim_t)first_free;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	run_until(world, lacks_files);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	follow_script(world);
	assert_int_equal(count(world, KIND_ORDER), 1);
}

static bool is_stopped(const struct world *world)
{
	return sources_are_stopped(world->sources);
}

/* SIGTERM: what was taken is acknowledged, then DISCONNECT, then the end. The session stays at the broker. */
static void test_a_stop_acknowledges_then_says_good_bye(void **state)
{
	struct world *world = *state;
	struct scripted_broker *broker = &world->broker;

	greet(broker, false);
	publish(broker, &(struct script_publish){.qos = 1,
				.packet_id = 1,
				.topic = "stores/berlin/orders",
				.payload = ORDER_JSON});
	hear(broker, HEARS_PUBACK, 1);
	open_edge(world);
	follow_script(world);
	broker_rewind(broker);
	hear(broker, HEARS_DISCONNECT, -1);
	hear(broker, HEARS_END, -1);
	assert_false(is_stopped(world));
	sources_stop(world->sources);
	follow_script(world);
	run_until(world, is_stopped);
	assert_int_equal(broker->connections, 1);
}

#define SOURCE_TEST(name) cmocka_unit_test_setup_teardown(name, make_world, free_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SOURCE_TEST(test_an_acknowledged_message_is_on_disk_with_what_its_topic_says),
		SOURCE_TEST(test_qos_2_is_counted_once_across_a_restart),
		SOURCE_TEST(test_a_broker_that_lost_the_session_is_believed),
		SOURCE_TEST(test_what_is_no_event_becomes_a_dead_letter_and_is_acknowledged),
		SOURCE_TEST(test_a_malformed_message_that_comes_again_becomes_a_dead_letter),
		SOURCE_TEST(test_a_format_that_is_set_holds),
		SOURCE_TEST(test_a_full_spool_makes_the_broker_wait),
		SOURCE_TEST(test_the_next_broker_is_tried_when_one_is_gone),
		SOURCE_TEST(test_a_refused_subscription_is_told_and_stops_no_other),
		SOURCE_TEST(test_a_lack_of_descriptors_is_survived),
		SOURCE_TEST(test_a_stop_acknowledges_then_says_good_bye),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
