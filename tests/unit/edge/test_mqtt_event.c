#include "edge/mqtt_event.h"
#include "fixture.h"

static const struct mqtt_owner owner = {"broker:1883", "till-berlin-1-shop"};

/* Two patterns: the first names a store, the second an event_id too. */
static void make_settings(struct mqtt_settings *settings)
{
	char error[MQTT_TOPIC_ERROR_SIZE];

	*settings = (struct mqtt_settings){
		.pattern_count = 2, .event_id_property = slice_of_text("id")};
	assert_int_equal(mqtt_pattern_parse(slice_of_text("stores/{store}/orders"),
				 &settings->patterns[0], error),
		0);
	assert_int_equal(mqtt_pattern_parse(slice_of_text("stores/+/orders/{event_id}"),
				 &settings->patterns[1], error),
		0);
	settings->additions.of[settings->additions.count++] =
		(struct event_addition){slice_of_text("kind"), slice_of_text("cart")};
}

static const char *addition(const struct mqtt_event *event, const char *name)
{
	static char value[100];

	for (size_t i = 0; i < event->submission.addition_count; i++) {
		const struct event_addition *found = &event->submission.additions[i];
		if (slice_equals_text(found->name, name)) {
			snprintf(value, sizeof value, "%.*s", (int)found->value.size,
				(const char *)found->value.bytes);
			return value;
		}
	}
	return "(none)";
}

static struct mqtt_order order_of(const char *topic, const char *payload)
{
	return (struct mqtt_order){
		.act = MQTT_ORDER_DELIVER,
		.number = 17,
		.packet_id = 258,
		.fingerprint = UINT64_C(0x0102030405060708),
		.publish =
			{
				.topic = slice_of_text(topic),
				.payload = slice_of_text(payload),
				.payload_size = strlen(payload),
				/* user property id = from-property */
				.properties = slice_of("\x26\0\x02"
						       "id"
						       "\0\x0d"
						       "from-property",
					20),
			},
	};
}

static void test_fields_come_from_settings_topic_and_property(void **state)
{
	struct mqtt_settings settings;
	struct mqtt_event event = {0};
	(void)state;

	make_settings(&settings);
	struct mqtt_order order = order_of("stores/berlin/orders", ORDER_JSON);
	mqtt_event_make(&settings, &owner, &order, &event);
	assert_string_equal(addition(&event, "kind"), "cart");
	assert_string_equal(addition(&event, "store"), "berlin");
	assert_string_equal(addition(&event, "event_id"), "from-property");
	assert_int_equal(event.submission.ticket, 17);
	assert_int_equal(event.submission.mark_count, 0);
	assert_true(event.submission.unattended);
	assert_true(slice_equals_text(event.submission.detail, "stores/berlin/orders"));

	order = order_of("stores/berlin/orders/from-topic", ORDER_JSON);
	mqtt_event_make(&settings, &owner, &order, &event);
	assert_string_equal(addition(&event, "event_id"), "from-topic");
	assert_string_equal(addition(&event, "store"), "(none)");

	settings.event_id_property = (struct slice){NULL, 0};
	order = order_of("stores/berlin/orders", ORDER_JSON);
	mqtt_event_make(&settings, &owner, &order, &event);
	assert_string_equal(addition(&event, "event_id"), "(none)");
}

static void assert_letter(
	const struct mqtt_settings *settings, const struct mqtt_order *order, enum reason reason)
{
	struct mqtt_event event = {0};

	mqtt_event_make(settings, &owner, order, &event);
	assert_int_equal(event.submission.events.size, 0);
	assert_int_equal(event.submission.item_count, 1);
	assert_int_equal(event.submission.addition_count, 0);
	assert_null(event.item.event.bytes);
	assert_true(slice_equal(event.item.raw, order->publish.payload));
	assert_int_equal(event.complaint.reason, reason);
}

static void test_what_is_no_event_is_handed_in_as_a_letter(void **state)
{
	struct mqtt_settings settings;
	(void)state;

	make_settings(&settings);
	struct mqtt_order order = order_of("elsewhere", ORDER_JSON);
	assert_letter(&settings, &order, REASON_BAD_FRAME);
	order = order_of("stores/berlin/orders", "[" ORDER_JSON "," ORDER_JSON "]");
	assert_letter(&settings, &order, REASON_BAD_VALUE);
	order = order_of("stores/berlin/orders", ORDER_JSON);
	order.problem = MQTT_PROBLEM_TOO_LARGE;
	assert_letter(&settings, &order, REASON_TOO_LARGE);
	order.problem = MQTT_PROBLEM_MALFORMED;
	order.error = MQTT_E_TEXT;
	assert_letter(&settings, &order, REASON_BAD_FRAME);
	order.problem = MQTT_PROBLEM_NONE;
	settings.format = MQTT_FORMAT_MSGPACK;
	assert_letter(&settings, &order, REASON_BAD_FRAME);
}

/* A letter's headers are text: bytes that are none would stop it at the bridge. */
static void test_a_topic_that_is_no_text_is_left_out_of_the_letter(void **state)
{
	struct mqtt_settings settings;
	struct mqtt_event event = {0};
	(void)state;

	make_settings(&settings);
	struct mqtt_order order = order_of("\xff", ORDER_JSON);
	order.problem = MQTT_PROBLEM_MALFORMED;
	order.error = MQTT_E_TEXT;
	mqtt_event_make(&settings, &owner, &order, &event);
	assert_int_equal(event.submission.detail.size, 0);
}

static void test_a_mark_of_qos_2_is_found_again_by_its_broker_and_client_alone(void **state)
{
	static const struct mqtt_owner others[] = {{"broker:1884", "till-berlin-1-shop"},
		{"broker:1883", "till-berlin-2-shop"}, {"broker:188", "3till-berlin-1-shop"}};
	struct mqtt_settings settings;
	struct mqtt_event event = {0};
	uint16_t packet_id = 0;
	uint64_t fingerprint = 0;
	(void)state;

	make_settings(&settings);
	struct mqtt_order order = order_of("stores/berlin/orders", ORDER_JSON);
	order.publish.qos = 2;
	mqtt_event_make(&settings, &owner, &order, &event);
	assert_int_equal(event.submission.mark_count, 1);
	const struct source_mark *mark = &event.submission.marks[0];
	assert_true(mqtt_mark_read(&owner, mark->key, mark->value, &packet_id, &fingerprint));
	assert_int_equal(packet_id, 258);
	assert_true(fingerprint == UINT64_C(0x0102030405060708));
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		assert_false(mqtt_mark_read(
			&others[i], mark->key, mark->value, &packet_id, &fingerprint));
	}
	/* a damaged value: the id is known all the same */
	assert_true(mqtt_mark_read(
		&owner, mark->key, (struct slice){NULL, 0}, &packet_id, &fingerprint));
	assert_int_equal(packet_id, 258);
	assert_true(fingerprint == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_come_from_settings_topic_and_property),
		cmocka_unit_test(test_what_is_no_event_is_handed_in_as_a_letter),
		cmocka_unit_test(test_a_topic_that_is_no_text_is_left_out_of_the_letter),
		cmocka_unit_test(
			test_a_mark_of_qos_2_is_found_again_by_its_broker_and_client_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
