/* Rows of the store that are not views' rows: ledger, streams, summaries, quarantine. */
#include "aggregator/books/ledger.h"
#include "aggregator/books/quarantine.h"
#include "aggregator/view/view_summary.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
	SINCE_BASKETS = 5,
	SINCE_CLOCK = 1 + SINCE_BASKETS,
	SINCE_APPEND_MS = 8 + SINCE_CLOCK,
	SINCE_FINGERPRINTS = 2 + SINCE_APPEND_MS,
}; /* bytes of fields that a store made before them lacks, while they are empty */

static void fill(struct ledger *ledger)
{
	*ledger = (struct ledger){.commit = 8123, .event_ts = 1291193160000, .quarantined = 12};
	memcpy(ledger->cluster_id, "cluster-1", 10);
	for (uint64_t kind = 0; kind < STREAM_KIND_COUNT; kind++) {
		ledger->tallies[kind] = (struct tally){kind * 1000, kind, kind * 3};
	}
	assert_int_equal(text_set_add(&ledger->gaps, "orders/3:1200-1499"), 0);
	assert_int_equal(text_set_add(&ledger->gaps, "cluster:a->b"), 0);
	assert_int_equal(text_set_add(&ledger->streams_quarantined, "berlin/1/order"), 0);
	ledger->clock_ms = 5;
	ledger->baskets = (struct basket_books){9, 2, 4, 3, 5};
}

static void test_a_ledger_survives_its_row(void **state)
{
	struct ledger ledger, again = {0};
	struct buffer buffer;
	(void)state;

	fill(&ledger);
	buffer_init(&buffer, 65536);
	ledger_encode(&ledger, &buffer);
	assert_int_equal(ledger_decode(buffer_slice(&buffer), &again), 0);
	assert_int_equal(again.commit, 8123);
	assert_int_equal(again.event_ts, INT64_C(1291193160000));
	assert_int_equal(again.quarantined, 12);
	assert_int_equal(again.clock_ms, 5);
	assert_memory_equal(&again.baskets, &ledger.baskets, sizeof ledger.baskets);
	assert_string_equal(again.cluster_id, "cluster-1");
	assert_memory_equal(again.tallies, ledger.tallies, sizeof ledger.tallies);
	assert_int_equal(again.gaps.count, 2);
	assert_string_equal(again.gaps.texts[1], "cluster:a->b");
	assert_string_equal(again.streams_quarantined.texts[0], "berlin/1/order");
	ledger_deinit(&again);
	ledger_deinit(&ledger);
	buffer_deinit(&buffer);
}

static void test_a_ledger_cut_anywhere_is_refused(void **state)
{
	struct ledger ledger, again = {.commit = 7};
	struct buffer buffer;
	(void)state;

	fill(&ledger);
	buffer_init(&buffer, 65536);
	ledger_encode(&ledger, &buffer);
	for (size_t size = 0; size < buffer.size; size++) {
		if (size != buffer.size - SINCE_FINGERPRINTS &&
			size != buffer.size - SINCE_APPEND_MS &&
			size != buffer.size - SINCE_CLOCK && size != buffer.size - SINCE_BASKETS) {
			assert_int_equal(
				ledger_decode(slice_of(buffer.bytes, size), &again), -EBADMSG);
			assert_int_equal(again.commit, 7);
		}
	}
	pack_u8(&buffer, 0);
	assert_int_equal(ledger_decode(buffer_slice(&buffer), &again), -EBADMSG);
	ledger_deinit(&ledger);
	buffer_deinit(&buffer);
}

static void test_the_ledger_of_a_store_without_fingerprints_is_read(void **state)
{
	struct ledger ledger, again = {0};
	struct buffer buffer;
	(void)state;

	fill(&ledger);
	buffer_init(&buffer, 65536);
	ledger_encode(&ledger, &buffer);
	struct slice older = slice_of(buffer.bytes, buffer.size - SINCE_FINGERPRINTS);
	assert_int_equal(ledger_decode(older, &again), 0);
	assert_int_equal(again.commit, ledger.commit);
	assert_int_equal(again.fingerprint_chunks, 0);
	assert_int_equal(again.streams_in_conflict.count, 0);
	assert_int_equal(again.append_ms, 0);
	older = slice_of(buffer.bytes, buffer.size - SINCE_APPEND_MS);
	assert_int_equal(ledger_decode(older, &again), 0);
	assert_int_equal(again.fingerprint_chunks, ledger.fingerprint_chunks);
	assert_int_equal(again.append_ms, 0);
	ledger_deinit(&again);
	ledger_deinit(&ledger);
	buffer_deinit(&buffer);
}

static void test_a_stream_survives_its_row(void **state)
{
	struct stream_sums sums = {.accepted = 2, .rejected = 1, .set_aside = 4}, sums_again;
	struct counted counted = {0}, again = {0};
	struct buffer buffer;
	(void)state;

	for (uint64_t seq = 1; seq <= 5; seq += 2) {
		assert_int_equal(counted_add(&counted, seq), 0);
	}
	assert_true(stream_sums_fit(&sums, &counted));
	buffer_init(&buffer, 1024);
	stream_encode(&sums, &counted, &buffer);
	assert_int_equal(stream_decode(buffer_slice(&buffer), &sums_again, &again), 0);
	assert_memory_equal(&sums_again, &sums, sizeof sums);
	assert_int_equal(again.size, 3);
	assert_int_equal(
		stream_decode(slice_of(buffer.bytes, 2), &sums_again, &again), COUNTED_E_MALFORMED);
	sums.accepted++;
	assert_false(stream_sums_fit(&sums, &counted));
	counted_deinit(&counted);
	counted_deinit(&again);
	buffer_deinit(&buffer);
}

static void test_a_summary_survives_its_row(void **state)
{
	struct view_summary summary = {.name = slice_of_text("products"),
		.text = slice_of_text("kind = order\n"),
		.row_count = 200,
		.matched = 6000,
		.unmatched = 3,
		.hash_sum = UINT64_C(0xd0ba72b51b267bba)};
	struct view_summary again;
	struct buffer buffer;
	(void)state;

	buffer_init(&buffer, 1024);
	view_summary_encode(&summary, &buffer);
	assert_true(view_summary_decode(buffer_slice(&buffer), &again));
	assert_true(slice_equal(again.name, summary.name));
	assert_true(slice_equal(again.text, summary.text));
	assert_int_equal(again.hash_sum, summary.hash_sum);
	assert_int_equal(again.unmatched, 3);
	assert_int_equal(again.held, 0); /* as before anybody could be forgotten */
	assert_false(view_summary_decode(slice_of(buffer.bytes, buffer.size - 1), &again));
	summary.held = 12;
	buffer_clear(&buffer);
	view_summary_encode(&summary, &buffer);
	assert_true(view_summary_decode(buffer_slice(&buffer), &again));
	assert_int_equal(again.held, 12);
	assert_int_equal(again.expired, 0);
	summary.expired = 5;
	buffer_clear(&buffer);
	view_summary_encode(&summary, &buffer);
	assert_true(view_summary_decode(buffer_slice(&buffer), &again));
	assert_int_equal(again.held, 12);
	assert_int_equal(again.expired, 5);
	assert_false(view_summary_decode(slice_of(buffer.bytes, buffer.size - 1), &again));
	buffer_deinit(&buffer);
}

static void test_row_hashes_depend_on_checksum_and_size(void **state)
{
	(void)state;
	assert_true(row_hash(1, 10) == row_hash(1, 10));
	assert_true(row_hash(1, 10) != row_hash(2, 10));
	assert_true(row_hash(1, 10) != row_hash(1, 11));
	assert_true(row_hash(0, 0) != 0);
}

static void test_quarantine_keeps_where_and_why_and_cuts_bytes(void **state)
{
	static uint8_t large[3 * QUARANTINE_BYTES_MAX];
	struct quarantine_entry entry = {slice_of_text("orders"), 3, 1200, 5,
		slice_of_text("too large"), slice_of_text("berlin"), slice_of(large, sizeof large),
		sizeof large};
	struct quarantine_entry again;
	struct buffer buffer;
	(void)state;

	buffer_init(&buffer, 65536);
	quarantine_encode(&entry, &buffer);
	assert_true(quarantine_decode(buffer_slice(&buffer), &again));
	assert_true(slice_equals_text(again.topic, "orders"));
	assert_int_equal(again.partition, 3);
	assert_int_equal(again.offset, 1200);
	assert_int_equal(again.timestamp_ms, 5);
	assert_true(slice_equals_text(again.reason, "too large"));
	assert_true(slice_equals_text(again.key, "berlin"));
	assert_int_equal(again.value.size, QUARANTINE_BYTES_MAX);
	assert_int_equal(again.value_size, sizeof large);
	assert_false(quarantine_decode(slice_of(buffer.bytes, 20), &again));
	buffer_deinit(&buffer);
}

static void test_what_is_hidden_leaves_the_place_and_no_word_that_may_be_a_name(void **state)
{
	struct quarantine_entry entry = {slice_of_text("orders"), 3, 1200, 5,
		slice_of_text(QUARANTINE_CONFLICT ": another"), slice_of_text("berlin"),
		slice_of_text("anna"), 4};
	(void)state;

	quarantine_hide(&entry);
	assert_int_equal(entry.value.size, 0);
	assert_int_equal(entry.value_size, 4);
	assert_true(slice_equals_text(entry.key, "berlin"));
	assert_true(slice_equals_text(entry.reason, QUARANTINE_CONFLICT ": another"));
	/* This sentence quotes the record, and its key is anybody's. */
	entry.reason = slice_of_text("user_id \"anna\" is too long");
	quarantine_hide(&entry);
	assert_int_equal(entry.key.size, 0);
	assert_null(memmem(entry.reason.bytes, entry.reason.size, "anna", 4));
	assert_int_equal(entry.offset, 1200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_ledger_survives_its_row),
		cmocka_unit_test(test_a_ledger_cut_anywhere_is_refused),
		cmocka_unit_test(test_the_ledger_of_a_store_without_fingerprints_is_read),
		cmocka_unit_test(test_a_stream_survives_its_row),
		cmocka_unit_test(test_a_summary_survives_its_row),
		cmocka_unit_test(test_row_hashes_depend_on_checksum_and_size),
		cmocka_unit_test(test_quarantine_keeps_where_and_why_and_cuts_bytes),
		cmocka_unit_test(
			test_what_is_hidden_leaves_the_place_and_no_word_that_may_be_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
