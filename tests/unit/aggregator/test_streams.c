/* Streams at work: loaded once, never forgotten before the store has them. */
#include "aggregator/books/streams.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { KEPT_MAX = 16, STORED_MAX = 4096 };

/* A store of rows in memory. */
struct rows {
	struct {
		uint8_t key[STREAM_KEY_SIZE_MAX];
		size_t key_size;
		uint8_t value[64];
		size_t value_size;
	} items[STORED_MAX];
	size_t count;
	size_t loads;
	int load_result; /* < 0: fails */
};

static int load(void *owner, struct slice key, struct buffer *ret_value)
{
	struct rows *rows = owner;
	rows->loads++;
	for (size_t i = 0; i < rows->count; i++) {
		if (slice_equal(key, slice_of(rows->items[i].key, rows->items[i].key_size))) {
			buffer_append(ret_value, rows->items[i].value, rows->items[i].value_size);
			return 0;
		}
	}
	return rows->load_result < 0 ? rows->load_result : 1;
}

static int put(void *owner, struct slice key, struct slice value)
{
	struct rows *rows = owner;
	size_t at = 0;
	while (at < rows->count &&
		!slice_equal(key, slice_of(rows->items[at].key, rows->items[at].key_size))) {
		at++;
	}
	assert_true(at < STORED_MAX && value.size <= sizeof rows->items[at].value);
	memcpy(rows->items[at].key, key.bytes, key.size);
	rows->items[at].key_size = key.size;
	memcpy(rows->items[at].value, value.bytes, value.size);
	rows->items[at].value_size = value.size;
	rows->count = at < rows->count ? rows->count : at + 1;
	return 0;
}

struct fixture {
	struct rows rows;
	struct streams *streams;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	const struct streams_options options = {
		.kept_max = KEPT_MAX, .load = load, .owner = &fixture->rows};
	*state = fixture;
	return streams_new(&options, &fixture->streams);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	streams_free(fixture->streams);
	free(fixture);
	return 0;
}

static struct stream *get(struct fixture *fixture, uint64_t run)
{
	struct stream_id id = {slice_of_text("berlin"), run, KIND_ORDER};
	struct stream *stream = NULL;
	assert_int_equal(streams_get(fixture->streams, &id, &stream), 0);
	return stream;
}

static void count(struct fixture *fixture, uint64_t run, uint64_t seq)
{
	struct stream *stream = get(fixture, run);
	assert_int_equal(counted_add(&stream->counted, seq), 0);
	stream->sums.accepted++;
	streams_change(fixture->streams, stream);
}

static void test_a_stream_is_loaded_once_and_stays(void **state)
{
	struct fixture *fixture = *state;
	count(fixture, 1, 1);
	count(fixture, 1, 2);
	assert_int_equal(fixture->rows.loads, 1);
	assert_int_equal(get(fixture, 1)->counted.size, 2);
}

static void test_only_what_changed_is_frozen_and_only_once(void **state)
{
	struct fixture *fixture = *state;
	count(fixture, 1, 1);
	get(fixture, 2);
	assert_int_equal(streams_freeze(fixture->streams, 1, put, &fixture->rows), 0);
	assert_int_equal(fixture->rows.count, 1);
	assert_int_equal(get(fixture, 1)->frozen_in, 1);
	fixture->rows.count = 0;
	assert_int_equal(streams_freeze(fixture->streams, 2, put, &fixture->rows), 0);
	assert_int_equal(fixture->rows.count, 0);
}

static void test_what_a_freeze_will_cost_is_known_before(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(streams_changed_bytes(fixture->streams), 0);
	count(fixture, 1, 1);
	count(fixture, 1, 2);
	count(fixture, 2, 1);
	assert_int_equal(streams_changed_count(fixture->streams), 2);
	size_t bytes = streams_changed_bytes(fixture->streams);
	for (uint64_t seq = 11; seq < 31; seq += 2) {
		count(fixture, 1, seq); /* ten intervals more */
	}
	assert_int_equal(streams_changed_count(fixture->streams), 2);
	assert_int_equal(streams_changed_bytes(fixture->streams),
		bytes + 10 * sizeof(struct counted_interval));
	assert_int_equal(streams_freeze(fixture->streams, 1, put, &fixture->rows), 0);
	assert_int_equal(streams_changed_count(fixture->streams), 0);
	assert_int_equal(streams_changed_bytes(fixture->streams), 0);
}

static void test_what_the_store_has_is_forgotten_and_comes_back(void **state)
{
	struct fixture *fixture = *state;
	count(fixture, 1, 1);
	assert_int_equal(streams_freeze(fixture->streams, 1, put, &fixture->rows), 0);
	streams_committed(fixture->streams, 1);
	for (uint64_t run = 100; run < 100 + 4 * KEPT_MAX; run++) {
		get(fixture, run);
	}
	uint8_t key[STREAM_KEY_SIZE_MAX];
	struct stream_id id = {slice_of_text("berlin"), 1, KIND_ORDER};
	assert_null(streams_find(fixture->streams, slice_of(key, stream_key(&id, key))));
	assert_int_equal(get(fixture, 1)->counted.size, 1);
	assert_non_null(streams_find(fixture->streams, slice_of(key, stream_key(&id, key))));
}

/* Forgetting a change that only a frozen commit carries would count its events again. */
static void test_nothing_is_forgotten_before_its_commit_is_on_disk(void **state)
{
	struct fixture *fixture = *state;
	for (uint64_t run = 1; run <= 4 * KEPT_MAX; run++) {
		count(fixture, run, 1);
	}
	assert_int_equal(streams_freeze(fixture->streams, 5, put, &fixture->rows), 0);
	fixture->rows.count = 0; /* the commit is not through */
	for (uint64_t run = 1000; run < 1000 + 4 * KEPT_MAX; run++) {
		get(fixture, run);
	}
	for (uint64_t run = 1; run <= 4 * KEPT_MAX; run++) {
		assert_int_equal(get(fixture, run)->counted.size, 1);
	}
}

static void test_many_streams_find_their_places(void **state)
{
	struct fixture *fixture = *state;
	size_t seen = 0;
	for (uint64_t run = 1; run <= 3000; run++) {
		count(fixture, run, run);
	}
	for (uint64_t run = 1; run <= 3000; run++) {
		assert_int_equal(counted_max(&get(fixture, run)->counted), run);
	}
	for (const struct stream *stream = streams_next(fixture->streams, NULL); stream != NULL;
		stream = streams_next(fixture->streams, stream)) {
		seen++;
	}
	assert_int_equal(seen, 3000);
}

static void test_a_row_that_does_not_fit_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct stream_id id = {slice_of_text("berlin"), 1, KIND_ORDER};
	struct stream *stream = NULL;
	struct stream_sums sums = {.accepted = 9}; /* the set has one */
	struct counted counted = {0};
	struct buffer buffer;
	uint8_t key[STREAM_KEY_SIZE_MAX];

	assert_int_equal(counted_add(&counted, 1), 0);
	buffer_init(&buffer, 1024);
	stream_encode(&sums, &counted, &buffer);
	put(&fixture->rows, slice_of(key, stream_key(&id, key)), buffer_slice(&buffer));
	assert_int_equal(streams_get(fixture->streams, &id, &stream), -EBADMSG);
	fixture->rows.count = 0;
	fixture->rows.load_result = -EIO;
	assert_int_equal(streams_get(fixture->streams, &id, &stream), -EIO);
	assert_null(stream);
	counted_deinit(&counted);
	buffer_deinit(&buffer);
}

static int refuse(void *owner, struct slice key, struct slice value)
{
	(void)owner;
	(void)key;
	(void)value;
	return -ENOMEM;
}

static void test_a_freeze_that_fails_keeps_what_it_did_not_hand_over(void **state)
{
	struct fixture *fixture = *state;
	count(fixture, 1, 1);
	assert_int_equal(streams_freeze(fixture->streams, 1, refuse, NULL), -ENOMEM);
	assert_true(get(fixture, 1)->is_changed);
	assert_int_equal(streams_freeze(fixture->streams, 1, put, &fixture->rows), 0);
	assert_int_equal(fixture->rows.count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_stream_is_loaded_once_and_stays),
		TEST(test_only_what_changed_is_frozen_and_only_once),
		TEST(test_what_a_freeze_will_cost_is_known_before),
		TEST(test_what_the_store_has_is_forgotten_and_comes_back),
		TEST(test_nothing_is_forgotten_before_its_commit_is_on_disk),
		TEST(test_many_streams_find_their_places),
		TEST(test_a_row_that_does_not_fit_is_refused),
		TEST(test_a_freeze_that_fails_keeps_what_it_did_not_hand_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
