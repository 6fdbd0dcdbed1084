/* What edges say and what they are answered. */
#include "reception_bench.h"

static void test_hello_is_answered_by_welcome(void **state)
{
	(void)state;
	say_hello("p1", 7, 100);
	struct wire_message welcome = hear("p1", WIRE_WELCOME);
	assert_int_equal(welcome.session, 100);
	assert_true(slice_equals_text(welcome.welcome.cluster_id, "cluster"));
	assert_int_equal(welcome.welcome.topics_hash, 42);
	assert_int_equal(welcome.welcome.batch_size_max, BATCH_SIZE_MAX);
	assert_true(welcome.welcome.credit[KIND_VIEW_DLQ] >= BATCH_SIZE_MAX);
	assert_int_equal(sessions_count(sessions), 1);
}

static void offer_zstd(const char *peer, uint64_t run, uint64_t session)
{
	const struct wire_message hello = {
		.type = WIRE_HELLO,
		.session = session,
		.hello = {WIRE_VERSION, slice_of_text("uk"), run, slice_of_text("test"),
			1u << CODEC_ZSTD},
	};
	say(peer, &hello);
}

static void test_a_codec_is_chosen_where_it_is_offered_and_allowed(void **state)
{
	(void)state;
	say_hello("p1", 7, 100);
	assert_int_equal(hear("p1", WIRE_WELCOME).welcome.codec, CODEC_NONE);
	offer_zstd("p1", 7, 101);
	assert_int_equal(hear("p1", WIRE_WELCOME).welcome.codec, CODEC_ZSTD);
	reception.may_compress = false;
	offer_zstd("p1", 7, 102);
	assert_int_equal(hear("p1", WIRE_WELCOME).welcome.codec, CODEC_NONE);
	/* [1, version, edge, run, session, program, [codecs of tomorrow]] */
	reception.may_compress = true;
	say_bytes("p1",
		"\x97\x01\x01\xa1x\x0a\x05\xa0\x91\xa7"
		"eclipse",
		17);
	assert_int_equal(hear("p1", WIRE_WELCOME).welcome.codec, CODEC_NONE);
}

static void add_20_orders(void)
{
	for (unsigned seq = 1; seq <= 20; seq++) {
		samples_add_order(&samples, seq);
	}
}

/* The samples, compressed; `lie` is added to what the batch says of its size. */
static void say_compressed(uint64_t session, uint64_t number, uint32_t count, uint32_t lie)
{
	struct compressor *compressor = NULL;
	struct slice frame;
	struct wire_message batch = {
		.type = WIRE_BATCH,
		.session = session,
		.batch = {.number = number, .lane = KIND_ORDER, .count = count},
	};
	assert_int_equal(compressor_new(COMPRESSION_LEVEL_DEFAULT, &compressor), 0);
	assert_true(compressor_pack(compressor, buffer_slice(&samples.batch), &frame));
	batch.batch.events = frame;
	batch.batch.plain_size = (uint32_t)samples.batch.size + lie;
	say("p1", &batch);
	compressor_free(compressor);
}

/* Credit, and all that is counted, is in bytes of events uncompressed. */
static void test_a_compressed_batch_goes_the_way_of_any(void **state)
{
	(void)state;
	offer_zstd("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	add_20_orders();
	say_compressed(100, 1, 20, 0);
	say_batch("p1", 100, 2, 20); /* plain ones may come between */
	assert_int_equal(sent_count, read_count);
	assert_int_equal(metric_value(numbers.records_produced[KIND_ORDER]), 40);
	assert_int_equal(metric_value(numbers.batches_received), 2);
	assert_int_equal(metric_value(numbers.batches_compressed), 1);
	assert_int_equal(metric_value(numbers.event_bytes), 2 * samples.batch.size);
	assert_true(metric_value(numbers.wire_bytes) < 1.5 * (double)samples.batch.size);
	assert_int_equal(tracker.lane_bytes[KIND_ORDER], 2 * samples.batch.size);
}

static void expect_end_for_compression(void)
{
	hear_bye("p1", 100, BYE_BAD_FRAME);
	assert_int_equal(metric_value(numbers.compressed_bad), 1);
	assert_int_equal(metric_value(numbers.frames_bad), 1);
	assert_int_equal(metric_value(numbers.records_produced[KIND_ORDER]), 0);
	assert_int_equal(sessions_count(sessions), 0);
	assert_int_equal(tracker.lane_bytes[KIND_ORDER], 0);
}

static void test_a_batch_that_can_not_be_decompressed_ends_the_session(void **state)
{
	(void)state;
	offer_zstd("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	add_20_orders();
	say_compressed(100, 1, 20, 1);
	assert_non_null(strstr(reception.pipeline->complaint.message, "another size"));
	expect_end_for_compression();
}

static void test_a_compressed_batch_where_no_codec_was_chosen_ends_the_session(void **state)
{
	(void)state;
	say_hello("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	add_20_orders();
	say_compressed(100, 1, 20, 0);
	expect_end_for_compression();
}

/* [3, session, number, lane, count, 12 bytes, 300]: a frame that promises 2^63 bytes, and one of 300 that wants a window
 * of 3.75 TiB. */
static void test_a_bomb_costs_its_sender_the_session(void **state)
{
	static const char bomb[] =
		"\x97\x03\x64\x01\x00\x01\xc4\x11\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00"
		"\x00\x00\x00\x80\x02\x00\x10z\xcd\x01\x2c";
	static const char window[] =
		"\x97\x03\x65\x01\x00\x01\xc4\x0e\x28\xb5\x2f\xfd\x80\xff\x2c\x01\x00"
		"\x00\x63\x09\x00z\xcd\x01\x2c";
	(void)state;
	offer_zstd("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	say_bytes("p1", bomb, sizeof bomb - 1);
	expect_end_for_compression();
	offer_zstd("p1", 7, 101);
	hear("p1", WIRE_WELCOME);
	say_bytes("p1", window, sizeof window - 1);
	hear_bye("p1", 101, BYE_BAD_FRAME);
	assert_non_null(strstr(reception.pipeline->complaint.message, "window"));
	assert_int_equal(metric_value(numbers.compressed_bad), 2);
}

/* The lane is closed: what is in the batch is nobody's business yet. */
static void test_what_is_not_admitted_is_not_decompressed(void **state)
{
	(void)state;
	offer_zstd("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	add_20_orders();
	lane_refuse(&lanes[KIND_ORDER], "no", 0);
	say_compressed(100, 1, 20, 1);
	assert_int_equal(sessions_count(sessions), 1);
	assert_int_equal(metric_value(numbers.batches_nacked[NACK_TOPIC_REFUSED]), 1);
	assert_int_equal(metric_value(numbers.compressed_bad), 0);
}

static void test_nobody_is_let_in_before_the_cluster_is_known(void **state)
{
	(void)state;
	reception.cluster_id[0] = '\0';
	say_hello("p1", 7, 100);
	hear_bye("p1", 100, BYE_NOT_READY);
	assert_int_equal(sessions_count(sessions), 0);
}

/* A WELCOME says that events can be delivered. Who is inside stays: its batches lie with the producer. */
static void test_nobody_is_let_in_while_kafka_is_away(void **state)
{
	(void)state;
	say_hello("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	reception.is_kafka_away = true;
	say_hello("p2", 8, 200);
	hear_bye("p2", 200, BYE_NOT_READY);
	say_hello("p3", 7, 300); /* the run of the first: that one is not replaced for nothing */
	hear_bye("p3", 300, BYE_NOT_READY);
	assert_int_equal(sessions_count(sessions), 1);
	assert_int_equal(sent_count, read_count);
	reception.is_kafka_away = false;
	say_hello("p3", 7, 301);
	hear_bye("p1", 100, BYE_REPLACED);
	hear("p3", WIRE_WELCOME);
}

static void test_nobody_is_let_in_while_stopping(void **state)
{
	(void)state;
	reception.is_stopping = true;
	say_hello("p1", 7, 100);
	hear_bye("p1", 100, BYE_SHUTTING_DOWN);
}

static void test_another_version_is_told_so(void **state)
{
	(void)state;
	/* [1, 2, …]: what follows the version is unknown. */
	say_bytes("p1", "\x94\x01\x02\xa1x\x05", 6);
	hear_bye("p1", 0, BYE_WRONG_VERSION);
	assert_int_equal(metric_value(numbers.frames_bad), 0);
}

static void test_a_batch_is_acknowledged_after_its_delivery_with_the_credit(void **state)
{
	(void)state;
	say_hello("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	samples_add_order(&samples, 1);
	say_batch("p1", 100, 1, 1);
	struct session *session = sessions_first(sessions);
	assert_null(sessions_take_marked(sessions));
	const struct sink_report delivered = {.lane = KIND_ORDER, .ticket = last_ticket};
	pipeline_reported(&pipeline, &delivered);
	assert_ptr_equal(sessions_take_marked(sessions), session);
	assert_int_equal(post_news(&post, session, 5), 0);
	struct wire_message ack = hear("p1", WIRE_ACK);
	assert_int_equal(ack.ack.range_count, 1);
	assert_int_equal(ack.ack.ranges[0].first, 1);
	assert_int_equal(ack.ack.ranges[0].last, 1);
	assert_true(ack.ack.credit[KIND_ORDER] > 0);
	assert_int_equal(sent_count, read_count);
}

/* An ACK whose frame does not fit the peer's queue now goes with the next one. */
static void test_an_ack_that_can_not_be_sent_is_merged_into_the_next(void **state)
{
	(void)state;
	say_hello("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	struct session *session = sessions_first(sessions);
	samples_add_order(&samples, 1);
	for (uint64_t number = 1; number <= 2; number++) {
		say_batch("p1", 100, number, 1);
		const struct sink_report delivered = {.lane = KIND_ORDER, .ticket = last_ticket};
		pipeline_reported(&pipeline, &delivered);
		send_result = number == 1 ? SOCKET_E_AGAIN : 0;
		assert_int_equal(post_news(&post, session, 5), number == 1 ? POST_E_LATER : 0);
	}
	struct wire_message ack = hear("p1", WIRE_ACK);
	assert_int_equal(ack.ack.range_count, 1);
	assert_int_equal(ack.ack.ranges[0].last, 2);
	assert_int_equal(metric_value(numbers.acks_deferred), 1);
}

static void test_a_nack_says_code_and_wait(void **state)
{
	(void)state;
	say_hello("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	lane_close(&lanes[KIND_ORDER], "gone");
	samples_add_order(&samples, 1);
	say_batch("p1", 100, 1, 1);
	assert_int_equal(post_news(&post, sessions_first(sessions), 5), 0);
	struct wire_message nack = hear("p1", WIRE_NACK);
	assert_int_equal(nack.ack.code, NACK_TOPIC_REFUSED);
	assert_true(nack.ack.retry_after_ms > 0);
	assert_int_equal(nack.ack.ranges[0].first, 1);
}

static void test_more_ranges_than_one_frame_takes_go_into_several(void **state)
{
	(void)state;
	say_hello("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	struct session *session = sessions_first(sessions);
	struct ranges *done = &session->outbox.done[0];
	assert_int_equal(ranges_reserve(done, WIRE_RANGES_MAX + 1), 0);
	for (uint64_t i = 0; i <= WIRE_RANGES_MAX; i++) {
		ranges_add(done, 1 + 2 * i);
	}
	assert_int_equal(post_news(&post, session, 5), 0);
	assert_int_equal(hear("p1", WIRE_ACK).ack.range_count, WIRE_RANGES_MAX);
	assert_int_equal(hear("p1", WIRE_ACK).ack.range_count, 1);
	assert_int_equal(done->count, 0);
}

static void test_state_tells_each_lane(void **state)
{
	(void)state;
	say_hello("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	const struct lane_sight sight = {.now_ms = 1000, .wall_ms = 9000, .is_idle = true};
	lane_look(&lanes[KIND_CART], &sight);
	assert_int_equal(post_state(&post, sessions_first(sessions), lanes, 1500), 0);
	struct wire_message told = hear("p1", WIRE_STATE);
	assert_int_equal(told.state[KIND_ORDER].waiting_ms, -1);
	assert_int_equal(told.state[KIND_CART].waiting_ms, 500);
	assert_int_equal(told.state[KIND_CART].since_ms, 9000);
}

static void test_the_same_run_replaces_its_older_session(void **state)
{
	(void)state;
	say_hello("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	say_hello("p2", 7, 200);
	hear_bye("p1", 100, BYE_REPLACED);
	hear("p2", WIRE_WELCOME);
	assert_int_equal(sessions_count(sessions), 1);
	assert_int_equal(metric_value(numbers.edge_id_conflicts), 0);
}

static void test_another_live_run_is_a_conflict_and_both_go_on(void **state)
{
	(void)state;
	say_hello("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	say_hello("p2", 8, 200);
	hear("p1", WIRE_ACK); /* is it still there? */
	hear("p2", WIRE_WELCOME);
	assert_int_equal(sessions_count(sessions), 2);
	assert_int_equal(metric_value(numbers.edge_id_conflicts), 1);
}

/* An edge that was killed and started again has a new run, and is no clone of itself. */
static void test_a_run_that_is_gone_is_no_conflict(void **state)
{
	(void)state;
	say_hello("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	send_result = SOCKET_E_UNREACHABLE;
	say_hello("p2", 8, 200);
	assert_int_equal(metric_value(numbers.edge_id_conflicts), 0);
	assert_int_equal(sessions_count(sessions), 0); /* the welcome did not get out either */
}

static void test_a_frame_without_session_is_told_so(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	say_batch("p1", 100, 1, 1);
	hear_bye("p1", 100, BYE_NO_SESSION);
	say_hello("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	say_batch("p1", 101, 1, 1);
	hear_bye("p1", 101, BYE_NO_SESSION);
	assert_int_equal(sessions_count(sessions), 1);
}

static void test_what_breaks_the_protocol_ends_the_session(void **state)
{
	(void)state;
	samples_add_order(&samples, 1);
	for (int i = 0; i < 4; i++) {
		say_hello("p1", 7, 100);
		hear("p1", WIRE_WELCOME);
		switch (i) {
		case 0:
			say_bytes("p1", "\xc1", 1);
			break;
		case 1:
			say_batch("p1", 100, 2, 1); /* not the next number */
			break;
		case 2:
			say_batch("p1", 100, 1, 9); /* not nine events */
			break;
		default:
			say("p1", &(const struct wire_message){.type = WIRE_ACK, .session = 100});
			break;
		}
		hear_bye("p1", 100, BYE_BAD_FRAME);
		assert_int_equal(sessions_count(sessions), 0);
	}
	say_bytes("p9", "", 0);
	hear_bye("p9", 0, BYE_BAD_FRAME);
	assert_int_equal(metric_value(numbers.frames_bad), 5);
}

static void test_a_message_of_many_frames_is_a_bad_one(void **state)
{
	(void)state;
	struct message message = {.frame_count = 1};
	message.frames[0] = (struct iovec){(void *)(uintptr_t) "p1", 2};
	assert_int_equal(reception_take(&reception, &message), 0);
	hear_bye("p1", 0, BYE_BAD_FRAME);
}

static void test_bye_ends_a_session_without_an_answer(void **state)
{
	(void)state;
	say_hello("p1", 7, 100);
	hear("p1", WIRE_WELCOME);
	const struct wire_message bye = {
		.type = WIRE_BYE, .session = 100, .bye = {BYE_SHUTTING_DOWN, {0}}};
	say("p1", &bye);
	assert_int_equal(sessions_count(sessions), 0);
	say("p1", &bye);
	assert_int_equal(sent_count, read_count);
}

/* ---- keys: two of libzmq's test suite */

#define BERLIN "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define STRANGER "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"

static char keys_dir[64];
static struct keyring *keyring;

static void put_key(const char *edges)
{
	char path[128], moved[128];
	snprintf(path, sizeof path, "%s/.new", keys_dir);
	snprintf(moved, sizeof moved, "%s/berlin.pub", keys_dir);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out, "[key]\npublic = %s\n[rights]\nedges = %s\n", BERLIN, edges);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(rename(path, moved), 0);
}

static int set_up_keys(void **state)
{
	struct config_error error;
	int r = set_up(state);
	snprintf(keys_dir, sizeof keys_dir, "/tmp/till-test-XXXXXX");
	assert_non_null(mkdtemp(keys_dir));
	put_key("berlin-1, berlin-2");
	assert_int_equal(keyring_open(keys_dir, &keyring, &error), 0);
	reception.keyring = keyring;
	return r;
}

static int tear_down_keys(void **state)
{
	char path[128];
	snprintf(path, sizeof path, "%s/berlin.pub", keys_dir);
	(void)unlink(path);
	assert_int_equal(rmdir(keys_dir), 0);
	keyring = keyring_free(keyring);
	return tear_down(state);
}

static void nothing(void *owner, const struct key_holder *holder)
{
	(void)owner, (void)holder;
}

static void no_complaint(void *owner, const char *why, bool is_old_kept)
{
	(void)owner, (void)is_old_kept;
	fail_msg("%s", why);
}

/* What the loop does each second. */
static void look_at_keys(void)
{
	static const struct keyring_listener listener = {
		NULL, nothing, nothing, nothing, no_complaint};
	assert_int_equal(keyring_refresh(keyring, true, &listener), KEYRING_E_CHANGED);
}

static void say_with_key(const char *peer, const char *key, const struct wire_message *message)
{
	struct buffer frame;
	buffer_init(&frame, 4096);
	wire_encode(message, &frame);
	struct message received = {.frame_count = 2};
	snprintf(received.user_id, sizeof received.user_id, "%s", key);
	received.frames[0] = (struct iovec){(void *)(uintptr_t)peer, strlen(peer)};
	received.frames[1] = (struct iovec){frame.bytes, frame.size};
	assert_int_equal(reception_take(&reception, &received), 0);
	buffer_deinit(&frame);
}

static void greet_with_key(const char *peer, const char *key, const char *edge)
{
	const struct wire_message hello = {.type = WIRE_HELLO,
		.session = 100,
		.hello = {WIRE_VERSION, slice_of_text(edge), 7, slice_of_text("test"), 0}};
	say_with_key(peer, key, &hello);
}

static void test_a_key_of_another_store_is_refused(void **state)
{
	(void)state;
	greet_with_key("p1", BERLIN, "uk");
	hear_bye("p1", 100, BYE_FORBIDDEN);
	greet_with_key("p1", BERLIN, "berlin-10");
	hear_bye("p1", 100, BYE_FORBIDDEN);
	greet_with_key("p2", STRANGER, "berlin-1");
	hear_bye("p2", 100, BYE_FORBIDDEN);
	greet_with_key("p3", "", "berlin-1");
	hear_bye("p3", 100, BYE_FORBIDDEN);
	assert_int_equal(sessions_count(sessions), 0);
	assert_int_equal(metric_value(numbers.sessions_forbidden), 4);
	greet_with_key("p4", BERLIN, "berlin-2");
	hear("p4", WIRE_WELCOME);
}

/* ZeroMQ keeps the connection of a key that is gone: each frame is looked at. */
static void test_a_key_that_is_gone_ends_its_session(void **state)
{
	char path[128];
	(void)state;
	greet_with_key("p1", BERLIN, "berlin-1");
	hear("p1", WIRE_WELCOME);
	reception_review(&reception);
	assert_int_equal(sessions_count(sessions), 1);
	snprintf(path, sizeof path, "%s/berlin.pub", keys_dir);
	assert_int_equal(unlink(path), 0);
	look_at_keys();
	reception_review(&reception);
	hear_bye("p1", 100, BYE_FORBIDDEN);
	assert_int_equal(sessions_count(sessions), 0);
	greet_with_key("p1", BERLIN, "berlin-1");
	hear_bye("p1", 100, BYE_FORBIDDEN);
}

static void test_each_frame_is_held_against_the_rights_of_now(void **state)
{
	(void)state;
	greet_with_key("p1", BERLIN, "berlin-1");
	hear("p1", WIRE_WELCOME);
	put_key("berlin-2");
	look_at_keys();
	const struct wire_message batch = {.type = WIRE_BATCH,
		.session = 100,
		.batch = {.number = 1, .count = 1, .events = slice_of_text("x")}};
	say_with_key("p1", BERLIN, &batch);
	hear_bye("p1", 100, BYE_FORBIDDEN);
	assert_int_equal(sessions_count(sessions), 0);
}

static void test_failure_series_are_bounded(void **state)
{
	(void)state;
	char error[32];
	for (int i = 0; i < 3 * FAILURE_SERIES_MAX; i++) {
		snprintf(error, sizeof error, "E%d", i);
		bridge_metrics_count_failure(&numbers, (enum kind)(i % LANE_COUNT), error);
	}
	double sum = 0;
	assert_true(numbers.failure_count <= FAILURE_SERIES_MAX);
	for (size_t i = 0; i < numbers.failure_count; i++) {
		sum += metric_value(numbers.failures[i].metric);
	}
	assert_int_equal((int)sum, 3 * FAILURE_SERIES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(test_hello_is_answered_by_welcome),
		CASE(test_a_codec_is_chosen_where_it_is_offered_and_allowed),
		CASE(test_a_compressed_batch_goes_the_way_of_any),
		CASE(test_a_batch_that_can_not_be_decompressed_ends_the_session),
		CASE(test_a_compressed_batch_where_no_codec_was_chosen_ends_the_session),
		CASE(test_a_bomb_costs_its_sender_the_session),
		CASE(test_what_is_not_admitted_is_not_decompressed),
		CASE(test_nobody_is_let_in_before_the_cluster_is_known),
		CASE(test_nobody_is_let_in_while_kafka_is_away),
		CASE(test_nobody_is_let_in_while_stopping),
		CASE(test_another_version_is_told_so),
		CASE(test_a_batch_is_acknowledged_after_its_delivery_with_the_credit),
		CASE(test_an_ack_that_can_not_be_sent_is_merged_into_the_next),
		CASE(test_a_nack_says_code_and_wait),
		CASE(test_more_ranges_than_one_frame_takes_go_into_several),
		CASE(test_state_tells_each_lane),
		CASE(test_the_same_run_replaces_its_older_session),
		CASE(test_another_live_run_is_a_conflict_and_both_go_on),
		CASE(test_a_run_that_is_gone_is_no_conflict),
		CASE(test_a_frame_without_session_is_told_so),
		CASE(test_what_breaks_the_protocol_ends_the_session),
		CASE(test_a_message_of_many_frames_is_a_bad_one),
		CASE(test_bye_ends_a_session_without_an_answer),
#define KEYS_CASE(name) cmocka_unit_test_setup_teardown(name, set_up_keys, tear_down_keys)
		KEYS_CASE(test_a_key_of_another_store_is_refused),
		KEYS_CASE(test_a_key_that_is_gone_ends_its_session),
		KEYS_CASE(test_each_frame_is_held_against_the_rights_of_now),
		CASE(test_failure_series_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
