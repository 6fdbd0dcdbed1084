#include "edge/rights.h"
#include "intake_bench.h"
#include "proto/dead_letter.h"
#include "runtime/keyring.h"

#define BAD_VIEW_JSON "{\"kind\":\"view\",\"page\":7}"

static char only_p[] = "p, q";
static char only_q[] = "q";
static char any_producer[] = "*";
static char only_views[] = "view";
static char only_orders[] = "order, cart";

static const struct reply *take_as(struct bench *bench, const struct key_holder *sender,
	const char *header, const char *events)
{
	const struct submission submission = {.header = slice_of_text(header),
		.events = slice_of_text(events),
		.reply = SUBMISSION_REPLY_JSON,
		.sender = sender};

	assert_int_equal(take_from(bench, "zmq", &submission), 0);
	return decode(bench);
}

static void expect_forbidden(struct bench *bench, const struct reply *reply, const char *right)
{
	expect_refused(bench, reply, REASON_FORBIDDEN);
	assert_int_equal(bench->result.outcome, SUBMISSION_REFUSED);
	assert_int_equal(bench->result.refusal, REASON_FORBIDDEN);
	assert_string_equal(bench->result.missing_right, right);
	assert_int_equal(reply->retry_after_ms, 0); /* no use in trying again */
}

static void test_a_key_without_send_is_forbidden_whatever_it_brings(void **state)
{
	struct bench *bench = *state;
	const struct key_holder looker = {.views = only_p};

	expect_forbidden(bench, take_as(bench, &looker, NULL, ORDER_JSON), "send");
	expect_forbidden(bench, take_as(bench, &looker, NULL, "[{"), "send");
	expect_forbidden(bench, take_as(bench, &looker, "[", ORDER_JSON), "send");
	assert_int_equal(bench->counts.refused[REASON_FORBIDDEN], 3);
}

static void test_a_key_numbers_frames_as_its_own_producers_only(void **state)
{
	struct bench *bench = *state;
	const struct key_holder till = {.sends = true, .producers = only_p};

	expect_forbidden(bench, take_as(bench, &till, "{\"producer\":\"r\",\"n\":1}", ORDER_JSON),
		"producers");
	assert_non_null(strstr(bench->decoded.refusal.message, "as producer \"r\""));
	expect_forbidden(bench, take_as(bench, &till, NULL, ORDER_JSON), "producers");
	assert_non_null(strstr(bench->decoded.refusal.message, "number the frame"));
	assert_true(take_as(bench, &till, "{\"producer\":\"p\",\"n\":1}", ORDER_JSON)->ok);
	assert_true(take_as(bench, &till, "{\"producer\":\"q\",\"n\":1}", ORDER_JSON)->ok);
}

/* What it heard is another's affair, and its numbers are not to be used up. */
static void test_a_key_does_not_hear_what_another_producer_heard(void **state)
{
	struct bench *bench = *state;
	const struct key_holder till = {.sends = true, .producers = only_p};
	static const char header[] = "{\"producer\":\"r\",\"n\":9}";

	assert_true(take_as(bench, NULL, header, ORDER_JSON)->ok);
	const struct reply *reply = take_as(bench, &till, header, ORDER_JSON);
	assert_int_equal(reply->refusal.reason, REASON_FORBIDDEN);
	assert_false(reply->repeated);
	assert_int_equal(bench->counts.repeated, 0);
}

#define WITH_ID(id)                                                                                \
	"{\"order_id\":\"1\",\"product_id\":\"t\",\"unit_price\":1,\"event_id\":\"" id "\"}"

/* Else it could use up an id that another is going to send, whose sale then counted as a repeat. */
static void test_an_event_id_of_a_key_with_producers_is_its_producers_own(void **state)
{
	struct bench *bench = *state;
	const struct key_holder till = {.sends = true, .producers = only_p};
	const struct key_holder trusted = {.sends = true};

	assert_true(take_as(bench, &till, "{\"producer\":\"p\",\"n\":1}", WITH_ID("e"))->ok);
	assert_int_equal(take_as(bench, &trusted, NULL, WITH_ID("e"))->accepted, 1);
	const struct key_holder other = {.sends = true, .producers = only_q};
	assert_int_equal(
		take_as(bench, &till, "{\"producer\":\"p\",\"n\":2}", WITH_ID("f"))->accepted, 1);
	assert_int_equal(
		take_as(bench, &other, "{\"producer\":\"q\",\"n\":1}", WITH_ID("f"))->accepted, 1);
	/* its own repeat is one, under another number and another key, too */
	assert_int_equal(take_as(bench, &other, "{\"producer\":\"q\",\"n\":2}", WITH_ID("f"))
				 ->repeated_events,
		1);
	assert_int_equal(take_as(bench, &till, "{\"producer\":\"q\",\"n\":3}", WITH_ID("f"))
				 ->repeated_events,
		1);
}

/* From before it was given producers, or from who is trusted anyway. */
static void test_a_key_with_producers_repeats_what_is_remembered_of_the_whole_edge(void **state)
{
	struct bench *bench = *state;
	const struct key_holder till = {.sends = true, .producers = only_p};

	bench->memory.event_id = "e";
	assert_int_equal(take_as(bench, &till, "{\"producer\":\"p\",\"n\":1}", WITH_ID("e"))
				 ->repeated_events,
		1);
	assert_int_equal(take_as(bench, NULL, NULL, WITH_ID("f"))->accepted, 1);
	assert_int_equal(take_as(bench, &till, "{\"producer\":\"p\",\"n\":2}", WITH_ID("f"))
				 ->repeated_events,
		1);
}

static void test_a_key_with_producers_replays_no_dead_letter(void **state)
{
	struct bench *bench = *state;
	const struct key_holder till = {.sends = true, .producers = only_p};
	const struct key_holder trusted = {.sends = true, .producers = any_producer};

	expect_forbidden(bench,
		take_as(bench, &till, "{\"producer\":\"p\",\"n\":1}",
			WITH_ID("dlq:orders.dlq/0/17")),
		"producers");
	assert_non_null(strstr(bench->decoded.refusal.message, "dead letter"));
	assert_true(take_as(bench, &trusted, NULL, WITH_ID("dlq:orders.dlq/0/17"))->ok);
}

static void test_a_frame_with_a_kind_that_is_not_allowed_is_refused_whole(void **state)
{
	struct bench *bench = *state;
	const struct key_holder browser = {.sends = true, .kinds = only_views};

	assert_true(take_as(bench, &browser, NULL, VIEW_JSON)->ok);
	draft_clear(&bench->draft);
	expect_forbidden(
		bench, take_as(bench, &browser, NULL, "[" VIEW_JSON "," ORDER_JSON "]"), "kinds");
	assert_int_equal(bench->counts.refused[REASON_FORBIDDEN], 2);
	expect_forbidden(bench,
		take_as(bench, &browser, NULL,
			"{\"type\":\"cart_event\",\"sku\":\"a\",\"action\":\"add\"}"),
		"kinds");
}

/* A dead letter of orders may be replayed: an order, then. */
static void test_an_invalid_event_needs_the_right_to_the_kind_it_is_kept_as(void **state)
{
	struct bench *bench = *state;
	const struct key_holder browser = {.sends = true, .kinds = only_views};

	assert_int_equal(take_as(bench, &browser, NULL, BAD_VIEW_JSON)->invalid, 1);
	assert_int_equal(bench->draft.lanes[KIND_VIEW_DLQ].block_count, 1);
	draft_clear(&bench->draft);
	expect_forbidden(bench, take_as(bench, &browser, NULL, BAD_ORDER_JSON), "kinds");
	assert_non_null(strstr(bench->decoded.refusal.message, "2,55"));
	expect_forbidden(bench, take_as(bench, &browser, NULL, "{\"kind\":\"no such\"}"), "kinds");
	expect_forbidden(bench, take_as(bench, &browser, NULL, "[7]"), "kinds");
}

static int push_as(struct bench *bench, const struct key_holder *sender, const char *events)
{
	const struct submission submission = {
		.events = slice_of_text(events), .unattended = true, .sender = sender};

	int r = take_from(bench, "push", &submission);
	return r == 0 ? (int)bench->result.outcome : -1;
}

static void test_what_nobody_hears_is_refused_too_and_kept_nowhere(void **state)
{
	struct bench *bench = *state;
	const struct key_holder looker = {.views = only_p};
	const struct key_holder till = {.sends = true, .producers = only_p};
	const struct key_holder browser = {.sends = true, .kinds = only_views};

	assert_int_equal(
		push_as(bench, &looker, "[" ORDER_JSON "," ORDER_JSON "]"), SUBMISSION_REFUSED);
	assert_int_equal(push_as(bench, &till, ORDER_JSON), SUBMISSION_REFUSED);
	assert_int_equal(push_as(bench, &till, "[{"), SUBMISSION_REFUSED);
	assert_int_equal(push_as(bench, &browser, "[{"), SUBMISSION_REFUSED);
	assert_int_equal(bench->counts.refused[REASON_FORBIDDEN], 5);
	assert_true(draft_is_empty(&bench->draft));
	assert_int_equal(push_as(bench, &browser, VIEW_JSON), SUBMISSION_TAKEN);
}

static void test_without_lists_and_with_a_star_everything_is_allowed(void **state)
{
	static char all[] = "*";
	const struct key_holder anybody = {.sends = true}, star = {.producers = all, .kinds = all};
	const struct key_holder seller = {.kinds = only_orders};
	struct slice none = slice_of_text("");

	(void)state;
	assert_true(rights_allow_producer(NULL, none) && rights_allow_kind(NULL, KIND_VIEW));
	assert_true(rights_allow_sending(NULL) && rights_allow_sending(&anybody));
	assert_true(
		rights_allow_producer(&anybody, none) && rights_allow_kind(&anybody, KIND_ORDER));
	assert_true(rights_allow_producer(&star, none) && rights_allow_kind(&star, KIND_CART));
	assert_true(
		rights_allow_kind(&seller, KIND_CART) && !rights_allow_kind(&seller, KIND_VIEW));
	assert_null(rights_of(NULL, "whoever"));
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, drop_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_a_key_without_send_is_forbidden_whatever_it_brings),
		BENCH_TEST(test_a_key_numbers_frames_as_its_own_producers_only),
		BENCH_TEST(test_an_event_id_of_a_key_with_producers_is_its_producers_own),
		BENCH_TEST(test_a_key_with_producers_repeats_what_is_remembered_of_the_whole_edge),
		BENCH_TEST(test_a_key_with_producers_replays_no_dead_letter),
		BENCH_TEST(test_a_key_does_not_hear_what_another_producer_heard),
		BENCH_TEST(test_a_frame_with_a_kind_that_is_not_allowed_is_refused_whole),
		BENCH_TEST(test_an_invalid_event_needs_the_right_to_the_kind_it_is_kept_as),
		BENCH_TEST(test_what_nobody_hears_is_refused_too_and_kept_nowhere),
		cmocka_unit_test(test_without_lists_and_with_a_star_everything_is_allowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
