/* What counted records looked like: kept by chunks, found again after they went to the store, the oldest dropped. */
#include "aggregator/books/fingerprints.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STORED_MAX = 512, CHUNKS_MAX = 3 };

/* A store of rows in memory. */
struct rows {
	struct {
		uint8_t key[FINGERPRINT_KEY_SIZE_MAX];
		size_t key_size; /* 0: deleted */
		uint8_t value[4 * FINGERPRINT_CHUNK];
		size_t value_size;
	} items[STORED_MAX];
	size_t count;
	int load_result; /* < 0: fails */
};

static size_t row_at(const struct rows *rows, struct slice key)
{
	size_t at = 0;
	while (at < rows->count &&
		!slice_equal(key, slice_of(rows->items[at].key, rows->items[at].key_size))) {
		at++;
	}
	return at;
}

static int load(void *owner, struct slice key, struct buffer *ret_value)
{
	const struct rows *rows = owner;
	size_t at = row_at(rows, key);
	if (rows->load_result < 0) {
		return rows->load_result;
	}
	if (at == rows->count) {
		return 1;
	}
	buffer_append(ret_value, rows->items[at].value, rows->items[at].value_size);
	return 0;
}

static int put(void *owner, struct slice key, struct slice value)
{
	struct rows *rows = owner;
	size_t at = row_at(rows, key);
	if (value.size == 0) {
		if (at < rows->count) {
			rows->items[at].key_size = 0;
		}
		return 0;
	}
	assert_true(at < STORED_MAX && key.size <= sizeof rows->items[at].key);
	assert_true(value.size <= sizeof rows->items[at].value);
	memcpy(rows->items[at].key, key.bytes, key.size);
	rows->items[at].key_size = key.size;
	memcpy(rows->items[at].value, value.bytes, value.size);
	rows->items[at].value_size = value.size;
	rows->count = at < rows->count ? rows->count : at + 1;
	return 0;
}

struct fixture {
	struct rows rows;
	struct fingerprint_list list;
	struct fingerprints *prints;
	uint64_t commit;
	uint64_t counted_max;
};

static void open_prints(struct fixture *fixture, uint64_t made)
{
	const struct fingerprints_options options = {
		.chunks_max = CHUNKS_MAX, .made = made, .load = load, .owner = &fixture->rows};
	assert_int_equal(fingerprints_new(&options, &fixture->prints), 0);
}

static int make(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	assert_non_null(fixture);
	open_prints(fixture, 0);
	*state = fixture;
	return 0;
}

static int unmake(void **state)
{
	struct fixture *fixture = *state;
	fingerprints_free(fixture->prints);
	free(fixture);
	return 0;
}

static struct fingerprint_place place(struct fixture *fixture, uint64_t seq)
{
	return (struct fingerprint_place){&fixture->list, slice_of("berlin\0\0........", 16), seq};
}

static uint32_t value_of(uint64_t seq)
{
	return fingerprint_of((uint32_t)seq * 2654435761u, slice_of("\x80", 1), false);
}

static void note(struct fixture *fixture, uint64_t seq)
{
	const struct fingerprint_place at = place(fixture, seq);
	assert_int_equal(
		fingerprints_note(fixture->prints, &at, fixture->counted_max, value_of(seq)), 0);
	fixture->counted_max = seq > fixture->counted_max ? seq : fixture->counted_max;
}

static uint32_t find(struct fixture *fixture, uint64_t seq)
{
	const struct fingerprint_place at = place(fixture, seq);
	uint32_t found = 1;
	assert_int_equal(fingerprints_find(fixture->prints, &at, &found), 0);
	return found;
}

static void freeze(struct fixture *fixture)
{
	assert_int_equal(
		fingerprints_freeze(fixture->prints, ++fixture->commit, put, &fixture->rows), 0);
}

static void commit(struct fixture *fixture)
{
	freeze(fixture);
	fingerprints_committed(fixture->prints, fixture->commit);
}

static void reopen(struct fixture *fixture)
{
	uint64_t made = fingerprints_made(fixture->prints);
	fingerprints_leave(&fixture->list);
	fingerprints_free(fixture->prints);
	open_prints(fixture, made);
}

static void test_only_what_is_of_one_encoding_and_no_marker_is_compared(void **state)
{
	struct slice msgpack = slice_of("\x80", 1), json = slice_of("{", 1);
	uint32_t first = fingerprint_of(0x12345678, msgpack, false);
	(void)state;

	assert_int_equal(fingerprint_compare(first, first), FINGERPRINT_SAME);
	assert_int_equal(fingerprint_compare(first, fingerprint_of(0x99345678, msgpack, false)),
		FINGERPRINT_OTHER);
	assert_int_equal(fingerprint_compare(first, fingerprint_of(0x12345678, json, false)),
		FINGERPRINT_UNKNOWN);
	assert_int_equal(fingerprint_compare(first, fingerprint_of(0x12345678, msgpack, true)),
		FINGERPRINT_UNKNOWN);
	assert_int_equal(fingerprint_compare(0, first), FINGERPRINT_UNKNOWN);
	assert_int_equal(fingerprint_compare(0, 0), FINGERPRINT_UNKNOWN);
	assert_int_not_equal(fingerprint_of(0, msgpack, false), 0);
	assert_int_not_equal(fingerprint_of(0, msgpack, true), 0);
}

static void test_what_was_noted_is_found_before_and_after_it_is_stored(void **state)
{
	struct fixture *fixture = *state;

	for (uint64_t seq = 1; seq <= 100; seq++) {
		note(fixture, seq);
	}
	assert_int_equal(find(fixture, 1), value_of(1));
	assert_int_equal(find(fixture, 101), 0);
	assert_int_equal(fingerprints_changed_count(fixture->prints), 2);
	commit(fixture);
	assert_null(fixture->list.newest);
	assert_int_equal(find(fixture, 63), value_of(63));
	assert_int_equal(find(fixture, 64), value_of(64));
	note(fixture, 101); /* into a chunk that the store has */
	commit(fixture);
	reopen(fixture);
	assert_int_equal(find(fixture, 100), value_of(100));
	assert_int_equal(find(fixture, 101), value_of(101));
	assert_int_equal(find(fixture, 102), 0);
}

static void test_a_chunk_stays_until_the_store_has_it(void **state)
{
	struct fixture *fixture = *state;

	note(fixture, 1);
	freeze(fixture);
	note(fixture, 2); /* while its first state is being written */
	fingerprints_committed(fixture->prints, fixture->commit);
	assert_int_equal(find(fixture, 2), value_of(2));
	freeze(fixture);
	fixture->rows.load_result = -EIO; /* nobody may ask the store for it now */
	fingerprints_committed(fixture->prints, fixture->commit - 1);
	assert_int_equal(find(fixture, 1), value_of(1));
}

static void test_the_oldest_chunk_is_dropped_for_one_too_many(void **state)
{
	struct fixture *fixture = *state;

	for (uint64_t chunk = 0; chunk < CHUNKS_MAX; chunk++) {
		note(fixture, 1 + chunk * FINGERPRINT_CHUNK);
		commit(fixture);
	}
	reopen(fixture);
	assert_int_equal(find(fixture, 1), value_of(1));
	note(fixture, 1 + CHUNKS_MAX * FINGERPRINT_CHUNK);
	commit(fixture);
	assert_int_equal(find(fixture, 1), 0);
	assert_int_equal(find(fixture, 1 + FINGERPRINT_CHUNK), value_of(1 + FINGERPRINT_CHUNK));
	size_t kept = 0;
	for (size_t i = 0; i < fixture->rows.count; i++) {
		kept += fixture->rows.items[i].key_size > 0;
	}
	assert_int_equal(kept, 2 * CHUNKS_MAX);
}

static void test_a_forgotten_stream_takes_nothing_with_it(void **state)
{
	struct fixture *fixture = *state;

	note(fixture, 1);
	freeze(fixture);
	fingerprints_leave(&fixture->list);
	assert_null(fixture->list.newest);
	fingerprints_committed(fixture->prints, fixture->commit);
	assert_int_equal(find(fixture, 1), value_of(1));
}

static void test_a_chunk_that_cannot_be_read_is_said(void **state)
{
	struct fixture *fixture = *state;
	const struct fingerprint_place at = place(fixture, 1);
	uint32_t found = 7;

	note(fixture, 1);
	commit(fixture);
	fixture->rows.items[0].value_size--;
	assert_int_equal(fingerprints_find(fixture->prints, &at, &found), -EBADMSG);
	fixture->rows.load_result = -EIO;
	assert_int_equal(fingerprints_note(fixture->prints, &at, 1, 4), -EIO);
	assert_int_equal(found, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_is_of_one_encoding_and_no_marker_is_compared),
		cmocka_unit_test_setup_teardown(
			test_what_was_noted_is_found_before_and_after_it_is_stored, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_chunk_stays_until_the_store_has_it, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_the_oldest_chunk_is_dropped_for_one_too_many, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_forgotten_stream_takes_nothing_with_it, make, unmake),
		cmocka_unit_test_setup_teardown(
			test_a_chunk_that_cannot_be_read_is_said, make, unmake),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
