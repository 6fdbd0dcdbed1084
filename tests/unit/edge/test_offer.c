/* What a sender offers to its bridges, and what a session with a codec does otherwise. In virtual time. */
#include "edge/offer.h"
#include "sender_bench.h"

enum { ZSTD = 1 << CODEC_ZSTD };

static int make_offering_bench(void **state)
{
	int r = make_bench(state);
	struct bench *bench = *state;

	bench->sender.bridge_count = 2;
	sender_set_codecs(&bench->sender, ZSTD);
	return r;
}

/* Says HELLO to the next bridge in turn, and returns what it offers. */
static uint32_t offered_to(struct bench *bench, uint32_t bridge)
{
	while (step(bench) != SENDER_OPEN) {
		bench->now_ms += bench->order.act == SENDER_WAIT ? bench->order.wait_ms : 0;
	}
	assert_int_equal(bench->order.bridge, bridge);
	sender_connected(&bench->sender, bench->next_session++, bench->now_ms);
	assert_int_equal(step(bench), SENDER_SEND);
	assert_int_equal(bench->order.message.type, WIRE_HELLO);
	return bench->order.message.hello.codecs;
}

static void hear_welcome(struct bench *bench, enum wire_codec codec)
{
	struct wire_message message = welcome(bench);

	message.welcome.codec = codec;
	hear(bench, &message);
}

/* All below `end` lie in the spool. */
static void commit(struct bench *bench, enum kind lane, uint64_t end)
{
	sender_set_end(&bench->sender, lane, end, 10 * end);
}

/* The read of one block is ordered, and the block is so large; returns the sending's number. */
static uint64_t read_block(struct bench *bench, uint64_t index, uint32_t bytes)
{
	assert_int_equal(step(bench), SENDER_READ);
	assert_int_equal(bench->order.first, index);
	return send_block(bench, index, bytes);
}

/* ---- offers */

static void test_nothing_is_offered_unless_it_is_configured(void **state)
{
	struct bench *bench = *state;

	sender_set_codecs(&bench->sender, 0);
	assert_int_equal(offered_to(bench, 0), 0);
	hear_welcome(bench, CODEC_NONE);
	assert_int_equal(bench->sender.state, SENDER_IN_SESSION);
}

static void test_the_bridge_chooses(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(offered_to(bench, 0), ZSTD);
	hear_welcome(bench, CODEC_ZSTD);
	assert_int_equal(bench->sender.codec, CODEC_ZSTD);
	sender_disconnected(&bench->sender, bench->now_ms);
	assert_int_equal(offered_to(bench, 1), ZSTD);
	hear_welcome(bench, CODEC_NONE); /* one that knows nothing of it, or shall not */
	assert_int_equal(bench->sender.state, SENDER_IN_SESSION);
	assert_int_equal(bench->sender.codec, CODEC_NONE);
}

static void test_a_codec_that_was_not_offered_ends_the_session(void **state)
{
	struct bench *bench = *state;

	sender_set_codecs(&bench->sender, 0);
	offered_to(bench, 0);
	hear_welcome(bench, CODEC_ZSTD);
	assert_int_equal(bench->sender.end, SENDER_END_BAD_FRAME);
	assert_int_equal(step(bench), SENDER_SEND);
	assert_int_equal(bench->order.message.bye.code, BYE_BAD_FRAME);
}

static void test_a_bridge_that_counts_the_elements_of_hello_is_greeted_without_an_offer(
	void **state)
{
	struct bench *bench = *state;

	assert_int_equal(offered_to(bench, 0), ZSTD);
	hear_bye(bench, BYE_BAD_FRAME);
	assert_int_equal(bench->sender.offer.refusals, 1);
	assert_int_equal(offered_to(bench, 1), ZSTD); /* it is not the other's fault */
	hear_bye(bench, BYE_NOT_READY);
	assert_int_equal(offered_to(bench, 0), 0);
	hear_welcome(bench, CODEC_NONE);
	assert_int_equal(bench->sender.state, SENDER_IN_SESSION);
	sender_disconnected(&bench->sender, bench->now_ms);
	assert_int_equal(offered_to(bench, 1), ZSTD);
	assert_int_equal(bench->sender.offer.refusals, 1);
}

/* A codec that is broken on one side: what it refused is sent again, as it lies in the spool. */
static void test_what_a_bridge_could_not_decompress_is_sent_again_without_a_codec(void **state)
{
	struct bench *bench = *state;

	commit(bench, KIND_ORDER, 1);
	offered_to(bench, 0);
	hear_welcome(bench, CODEC_ZSTD);
	read_block(bench, 0, BATCH);
	hear_bye(bench, BYE_BAD_FRAME);
	offered_to(bench, 1);
	hear_bye(bench, BYE_NOT_READY);
	assert_int_equal(offered_to(bench, 0), 0);
	hear_welcome(bench, CODEC_NONE);
	assert_int_equal(read_block(bench, 0, BATCH), 1);
	assert_int_equal(bench->sender.counts.batches_resent, 1);
	hear_ack(bench, 1, 1);
	assert_true(sender_is_drained(&bench->sender));
}

static void test_after_an_hour_it_is_offered_again(void **state)
{
	struct offer offer = {.codecs = ZSTD};

	(void)state;
	offer_heard_bye(&offer, 1, BYE_BAD_FRAME, 1000);
	assert_int_equal(offer_codecs(&offer, 0, 1000), ZSTD);
	assert_int_equal(offer_codecs(&offer, 1, 1000 + OFFER_NONE_MS - 1), 0);
	assert_false(offer_has(&offer, 1, CODEC_ZSTD, 1000 + OFFER_NONE_MS - 1));
	assert_true(offer_has(&offer, 1, CODEC_NONE, 1000));
	assert_int_equal(offer_codecs(&offer, 1, 1000 + OFFER_NONE_MS), ZSTD);
	offer_heard_bye(&offer, 1, BYE_BAD_FRAME, 1000 + OFFER_NONE_MS);
	assert_int_equal(offer.refusals, 2);
}

/* What is said about a frame of a session without an offer has other reasons. */
static void test_only_a_bad_frame_is_about_the_offer(void **state)
{
	struct offer offer = {.codecs = ZSTD};
	struct offer none = {.codecs = 0};

	(void)state;
	for (int code = BYE_SHUTTING_DOWN; code <= BYE_NOT_READY; code++) {
		if (code != BYE_BAD_FRAME) {
			offer_heard_bye(&offer, 0, (enum bye_code)code, 1000);
		}
	}
	assert_int_equal(offer_codecs(&offer, 0, 1000), ZSTD);
	offer_heard_bye(&none, 0, BYE_BAD_FRAME, 1000);
	assert_int_equal(offer.refusals + none.refusals, 0);
}

/* ---- a session with a codec */

static void test_what_comes_gathers_while_a_small_batch_is_on_its_way(void **state)
{
	struct bench *bench = *state;

	commit(bench, KIND_ORDER, 1);
	offered_to(bench, 0);
	hear_welcome(bench, CODEC_ZSTD);
	assert_int_equal(read_block(bench, 0, BATCH), 1); /* at once: nothing is on its way */
	commit(bench, KIND_ORDER, 9);
	assert_int_equal(step(bench), SENDER_WAIT);
	hear_ack(bench, 1, 1);
	assert_int_equal(step(bench), SENDER_READ);
	assert_int_equal(bench->order.first, 1);
	assert_true(bench->order.last >= 8); /* all of them in one */
}

static void test_one_lane_does_not_gather_for_another(void **state)
{
	struct bench *bench = *state;

	commit(bench, KIND_ORDER, 2);
	offered_to(bench, 0);
	hear_welcome(bench, CODEC_ZSTD);
	read_block(bench, 0, BATCH);
	commit(bench, KIND_CART, 1);
	read_block(bench, 0, BATCH);
	assert_int_equal(bench->order.lane, KIND_CART);
}

static void test_full_batches_follow_each_other(void **state)
{
	struct bench *bench = *state;

	commit(bench, KIND_ORDER, 3);
	offered_to(bench, 0);
	hear_welcome(bench, CODEC_ZSTD);
	read_block(bench, 0, BATCH_SIZE_MAX);
	read_block(bench, 1, BATCH_SIZE_MAX - BATCH);
	read_block(bench, 2, BATCH);
	commit(bench, KIND_ORDER, 4);
	assert_int_equal(step(bench), SENDER_WAIT);
	hear_ack(bench, 1, 1);
	assert_int_equal(step(bench), SENDER_WAIT); /* the small one is what it waits for */
	hear_ack(bench, 3, 3);
	read_block(bench, 3, BATCH);
}

static void test_nothing_gathers_without_a_codec(void **state)
{
	struct bench *bench = *state;

	commit(bench, KIND_ORDER, 2);
	offered_to(bench, 0);
	hear_welcome(bench, CODEC_NONE);
	read_block(bench, 0, BATCH);
	read_block(bench, 1, BATCH);
}

/* ---- gathering by time: less heads and ACKs, and more to compress, for the latency that was configured */

static void test_after_a_small_batch_what_comes_waits_for_company(void **state)
{
	struct bench *bench = *state;

	sender_set_gather(&bench->sender, 500);
	commit(bench, KIND_ORDER, 1);
	offered_to(bench, 0);
	hear_welcome(bench, CODEC_NONE);
	read_block(bench, 0, BATCH); /* at once: nothing left lately */
	hear_ack(bench, 1, 1);
	bench->now_ms += 100;
	commit(bench, KIND_ORDER, 2);
	commit(bench, KIND_CART, 1);
	read_block(bench, 0, BATCH);
	assert_int_equal(bench->order.lane, KIND_CART); /* each lane for itself */
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_int_equal(bench->order.wait_ms, 400);
	bench->now_ms += 400;
	commit(bench, KIND_ORDER, 6);
	read_block(bench, 1, BATCH);
	assert_true(bench->order.last >= 5);
}

/* An edge that stops has no time for it. */
static void test_what_waits_for_company_leaves_when_there_is_no_more_to_come(void **state)
{
	struct bench *bench = *state;

	sender_set_gather(&bench->sender, 5000);
	commit(bench, KIND_ORDER, 1);
	offered_to(bench, 0);
	hear_welcome(bench, CODEC_NONE);
	read_block(bench, 0, BATCH);
	commit(bench, KIND_ORDER, 2);
	assert_int_equal(step(bench), SENDER_WAIT);
	sender_set_gather(&bench->sender, 0);
	read_block(bench, 1, BATCH);
}

static void test_after_a_full_batch_nothing_waits(void **state)
{
	struct bench *bench = *state;

	sender_set_gather(&bench->sender, 500);
	commit(bench, KIND_ORDER, 2);
	offered_to(bench, 0);
	hear_welcome(bench, CODEC_NONE);
	read_block(bench, 0, BATCH_SIZE_MAX);
	read_block(bench, 1, BATCH);
}

static void test_what_comes_back_does_not_wait_for_company(void **state)
{
	struct bench *bench = *state;

	sender_set_gather(&bench->sender, 5000);
	commit(bench, KIND_ORDER, 1);
	offered_to(bench, 0);
	hear_welcome(bench, CODEC_NONE);
	read_block(bench, 0, BATCH);
	hear_nack(bench, 1, 1, NACK_DELIVERY_FAILED, SENDER_NACK_MS_MIN);
	assert_int_equal(step(bench), SENDER_WAIT);
	assert_int_equal(bench->order.wait_ms, SENDER_NACK_MS_MIN);
	bench->now_ms += SENDER_NACK_MS_MIN;
	read_block(bench, 0, BATCH);
}

/* A session without a codec may leave hundreds of small ones behind: one at a time would take as many ways there and
 * back. */
static void test_what_came_back_does_not_wait_to_gather(void **state)
{
	struct bench *bench = *state;

	commit(bench, KIND_ORDER, 3);
	offered_to(bench, 0);
	hear_welcome(bench, CODEC_NONE);
	for (uint64_t i = 0; i < 3; i++) {
		read_block(bench, i, BATCH);
	}
	sender_disconnected(&bench->sender, bench->now_ms);
	offered_to(bench, 1);
	hear_welcome(bench, CODEC_ZSTD);
	for (uint64_t i = 0; i < 3; i++) {
		read_block(bench, i, BATCH);
	}
	assert_int_equal(bench->sender.lanes[KIND_ORDER].small_in_flight, 3);
}

#define OFFERING(name) cmocka_unit_test_setup_teardown(name, make_offering_bench, drop_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OFFERING(test_nothing_is_offered_unless_it_is_configured),
		OFFERING(test_the_bridge_chooses),
		OFFERING(test_a_codec_that_was_not_offered_ends_the_session),
		OFFERING(
			test_a_bridge_that_counts_the_elements_of_hello_is_greeted_without_an_offer),
		OFFERING(test_what_a_bridge_could_not_decompress_is_sent_again_without_a_codec),
		cmocka_unit_test(test_after_an_hour_it_is_offered_again),
		cmocka_unit_test(test_only_a_bad_frame_is_about_the_offer),
		OFFERING(test_what_comes_gathers_while_a_small_batch_is_on_its_way),
		OFFERING(test_one_lane_does_not_gather_for_another),
		OFFERING(test_full_batches_follow_each_other),
		OFFERING(test_nothing_gathers_without_a_codec),
		OFFERING(test_after_a_small_batch_what_comes_waits_for_company),
		OFFERING(test_what_waits_for_company_leaves_when_there_is_no_more_to_come),
		OFFERING(test_after_a_full_batch_nothing_waits),
		OFFERING(test_what_comes_back_does_not_wait_for_company),
		OFFERING(test_what_came_back_does_not_wait_to_gather),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
