/* Baskets: which line belongs to which, which is late, what a closed one comes to, and what is remembered of it. */
#include "aggregator/shard/baskets.h"
#include "sample_views.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { HORIZON_MS = 100, MEMORY_MS = 1000, TEXT_MAX = 512, STORED_MAX = 64 };

/* What the store would have. */
struct stored {
	uint8_t key[BASKET_KEY_SIZE_MAX], value[256];
	size_t key_size, value_size;
};

struct world {
	struct stored stored[STORED_MAX];
	size_t stored_count;
	struct entries *entries;
	struct baskets *baskets;
	struct basket_books books;
	uint64_t seq;
	char given[TEXT_MAX]; /* what closed: "order:currency:units:quantity:lines:channel;" */
};

static struct stored *find(struct world *world, struct slice key)
{
	for (size_t i = 0; i < world->stored_count; i++) {
		struct stored *stored = &world->stored[i];
		if (slice_equal(key, slice_of(stored->key, stored->key_size))) {
			return stored;
		}
	}
	return NULL;
}

static int load(void *owner, struct slice key, struct buffer *ret_value)
{
	const struct stored *stored = find(owner, key);

	if (stored == NULL || stored->value_size == 0) {
		return 1;
	}
	buffer_append(ret_value, stored->value, stored->value_size);
	return 0;
}

static int store(void *owner, struct slice key, struct slice value)
{
	struct world *world = owner;
	struct stored *stored = find(world, key);

	if (stored == NULL) {
		assert_in_range(world->stored_count, 0, STORED_MAX - 1);
		stored = &world->stored[world->stored_count++];
		memcpy(stored->key, key.bytes, key.size);
		stored->key_size = key.size;
	}
	assert_in_range(value.size, 0, sizeof stored->value);
	memcpy(stored->value, value.size == 0 ? key.bytes : value.bytes, value.size);
	stored->value_size = value.size;
	return 0;
}

static int give(void *owner, const struct event *event, const struct basket *basket)
{
	struct world *world = owner;
	size_t size = strlen(world->given);
	const struct slice *text = event->text;

	assert_int_equal(event->ts_ms, basket->ts_ms);
	snprintf(world->given + size, TEXT_MAX - size, "%.*s:%.*s:%d:%d:%d:%.*s;",
		(int)text[FIELD_ORDER_ID].size, (const char *)text[FIELD_ORDER_ID].bytes,
		(int)text[FIELD_CURRENCY].size, (const char *)text[FIELD_CURRENCY].bytes,
		(int)(event->basket_amount / MONEY_MICROS_PER_UNIT), (int)event->quantity,
		(int)event->basket_lines, (int)text[FIELD_CHANNEL].size,
		text[FIELD_CHANNEL].size == 0 ? "" : (const char *)text[FIELD_CHANNEL].bytes);
	return 0;
}

static int compare_stored(const void *a, const void *b)
{
	const struct stored *x = a, *y = b;
	size_t size = x->key_size < y->key_size ? x->key_size : y->key_size;
	int order = memcmp(x->key, y->key, size);
	return order != 0 ? order : (x->key_size > y->key_size) - (x->key_size < y->key_size);
}

/* As a shard does at start, from what was written. */
static void open_baskets(struct world *world)
{
	const struct entries_options entries = {.clean_bytes_max = 1, .load = load, .owner = world};
	int r = 0;

	assert_int_equal(entries_new(&entries, &world->entries), 0);
	const struct baskets_options options = {
		.entries = world->entries,
		.books = &world->books,
		.horizon_ms = HORIZON_MS,
		.memory_ms = MEMORY_MS,
		.give = give,
		.owner = world,
	};
	assert_int_equal(baskets_new(&options, &world->baskets), 0);
	qsort(world->stored, world->stored_count, sizeof world->stored[0], compare_stored);
	for (size_t i = 0; i < world->stored_count && r == 0; i++) {
		const struct stored *stored = &world->stored[i];
		struct slice key = slice_of(stored->key, stored->key_size);
		if (stored->value_size > 0 && memcmp(key.bytes, "bk", 2) >= 0) {
			r = baskets_load(
				world->baskets, key, slice_of(stored->value, stored->value_size));
		}
	}
	assert_int_equal(r, 0);
}

static void close_baskets(struct world *world)
{
	world->baskets = baskets_free(world->baskets);
	world->entries = entries_free(world->entries);
}

static void commit(struct world *world)
{
	assert_int_equal(baskets_keep_clocks(world->baskets), 0);
	assert_int_equal(entries_hand_over(world->entries, 1, SIZE_MAX, store, world), 0);
	entries_committed(world->entries, 1);
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	open_baskets(world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	close_baskets(*state);
	free(*state);
	return 0;
}

static void follow(struct world *world, int32_t partition, int64_t append_ms)
{
	assert_int_equal(baskets_follow(world->baskets, "orders", partition, append_ms), 0);
}

static bool close_due(struct world *world, size_t count_max)
{
	bool is_behind = true;
	assert_int_equal(baskets_close_due(world->baskets, count_max, &is_behind), 0);
	return is_behind;
}

/* One piece for so many units, in partition 0. */
static struct event line(struct world *world, const char *order, int units)
{
	struct event event =
		sample_order(++world->seq, 5000, "tea", 1, (int64_t)units * MONEY_MICROS_PER_UNIT);
	set_text(&event, FIELD_ORDER_ID, order);
	return event;
}

static void take_event(struct world *world, const struct event *event, int64_t append_ms)
{
	follow(world, 0, append_ms);
	assert_int_equal(baskets_take(world->baskets, event), 0);
}

static void take(struct world *world, int64_t append_ms, const char *order, int units)
{
	struct event event = line(world, order, units);
	take_event(world, &event, append_ms);
}

static void assert_books(
	const struct world *world, uint64_t lines, uint64_t late, uint64_t opened, uint64_t closed)
{
	assert_int_equal(world->books.lines, lines);
	assert_int_equal(world->books.late, late);
	assert_int_equal(world->books.opened, opened);
	assert_int_equal(world->books.closed, closed);
}

/* Lines of one order at these times: what closes until the clock stands at the end. */
static const struct {
	int64_t times[8]; /* 0 ends them */
	int64_t clock_ms;
	const char *given;
	uint64_t late;
} cases[] = {
	{{1000}, 1100, "", 0}, /* at the horizon it is still open */
	{{1000}, 1101, "o:GBP:1:1:1:;", 0},
	{{1000, 1100, 1200}, 1300, "", 0}, /* each line carries it on */
	{{1000, 1100, 1200}, 1301, "o:GBP:3:3:3:;", 0},
	{{1000, 1101}, 1101, "o:GBP:1:1:1:;", 1}, /* late by a millisecond */
	{{1000, 1101, 1150, 2000}, 2000, "o:GBP:1:1:1:;", 3}, /* late ones carry nothing on */
	{{1000, 2000}, 3000, "o:GBP:1:1:1:;", 1}, /* the last moment that it is remembered */
	{{1000, 2001}, 2001, "o:GBP:1:1:1:;", 0}, /* that is another basket */
	{{1000, 2001}, 2102, "o:GBP:1:1:1:;o:GBP:1:1:1:;", 0},
	{{2000, 1000, 1990}, 2100, "", 0}, /* a broker's clock that was set back */
	{{2000, 1000, 1990}, 2101, "o:GBP:3:3:3:;", 0},
};

/* Whenever it is looked at, and whatever was written and read back between. */
static void test_a_line_is_in_the_basket_or_late_by_the_times_of_its_partition_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (int when = 0; when < 3; when++) {
			struct world *world = NULL;
			setup((void **)&world);
			for (size_t j = 0; cases[i].times[j] != 0; j++) {
				take(world, cases[i].times[j], "o", 1);
				if (when > 0) {
					assert_false(close_due(world, 100));
				}
				if (when > 1) {
					commit(world);
					close_baskets(world);
					open_baskets(world);
				}
			}
			follow(world, 0, cases[i].clock_ms);
			assert_false(close_due(world, 100));
			assert_string_equal(world->given, cases[i].given);
			assert_int_equal(world->books.late, cases[i].late);
			assert_int_equal(world->books.lines + world->books.late, world->seq);
			teardown((void **)&world);
		}
	}
}

static void test_a_clock_moves_the_baskets_of_its_own_partition(void **state)
{
	struct world *world = *state;

	take(world, 1000, "o", 1);
	follow(world, 1, 9000);
	assert_false(close_due(world, 100));
	assert_string_equal(world->given, "");
	assert_int_equal(baskets_follow(world->baskets, "other", 0, 9000), 0);
	assert_false(close_due(world, 100));
	assert_string_equal(world->given, "");
	assert_int_equal(baskets_overdue(world->baskets, 1100), 0);
	assert_int_equal(baskets_overdue(world->baskets, 1101), 1);
	follow(world, 0, 1101);
	assert_false(close_due(world, 100));
	assert_string_equal(world->given, "o:GBP:1:1:1:;");
	assert_int_equal(baskets_overdue(world->baskets, 9000), 0);
}

static void test_orders_of_two_edges_are_two_baskets(void **state)
{
	struct world *world = *state;
	struct event other = line(world, "o", 5);

	take(world, 1000, "o", 1);
	other.certificate.edge = slice_of_text("paris");
	take_event(world, &other, 1000);
	assert_books(world, 2, 0, 2, 0);
}

/* A return takes off what it brings back; texts are of the first line that has one, the time is the latest. */
static void test_what_a_basket_tells_comes_from_its_lines(void **state)
{
	struct world *world = *state;
	struct event event = line(world, "o", 10);

	event.quantity = 3;
	take_event(world, &event, 1000);
	event = line(world, "o", 4);
	event.quantity = -1;
	event.ts_ms = 7000;
	set_text(&event, FIELD_CHANNEL, "web");
	take_event(world, &event, 1001);
	event = line(world, "o", 1);
	set_text(&event, FIELD_CHANNEL, "shop");
	take_event(world, &event, 1002);
	follow(world, 0, 2000);
	assert_false(close_due(world, 100));
	assert_string_equal(world->given, "o:GBP:27:3:3:web;");
}

static void test_each_currency_of_a_basket_is_given_for_itself(void **state)
{
	struct world *world = *state;
	struct event event = line(world, "o", 10);

	set_text(&event, FIELD_CURRENCY, "USD");
	take_event(world, &event, 1000);
	take(world, 1000, "o", 3);
	take_event(world, &event, 1000);
	follow(world, 0, 2000);
	assert_false(close_due(world, 100));
	assert_string_equal(world->given, "o:GBP:3:1:1:;o:USD:20:2:2:;");
	assert_books(world, 3, 0, 1, 1);
	assert_int_equal(world->books.given, 2);
}

static void test_a_line_in_one_currency_too_many_is_left_out_and_counted(void **state)
{
	struct world *world = *state;

	for (int i = 0; i <= BASKET_CURRENCIES_MAX; i++) {
		struct event event = line(world, "o", 1);
		char currency[4] = {'A', (char)('A' + i / 26), (char)('A' + i % 26), 0};
		set_text(&event, FIELD_CURRENCY, currency);
		take_event(world, &event, 1000);
	}
	assert_books(world, BASKET_CURRENCIES_MAX, 1, 1, 0);
}

/* The largest line there may be, times many: past what an amount of an event could hold. */
static void test_the_amount_of_a_basket_has_128_bits(void **state)
{
	struct world *world = *state;
	struct event event = line(world, "o", 0);
	struct basket basket;
	struct buffer buffer;
	struct basket again;

	event.quantity = 1000000000;
	event.unit_price = INT64_C(1000000000000) * MONEY_MICROS_PER_UNIT;
	basket_init(&basket);
	for (int i = 0; i < 3; i++) {
		assert_true(basket_add(&basket, &event, 1));
	}
	event.quantity = -1000000000;
	for (int i = 0; i < 6; i++) {
		assert_true(basket_add(&basket, &event, 1));
	}
	buffer_init(&buffer, 4096);
	basket_encode(&basket, &buffer);
	assert_true(basket_decode(buffer_slice(&buffer), &again));
	money line_amount = (money)1000000000 * event.unit_price;
	assert_true(again.sums[0].amount == -3 * line_amount);
	assert_int_equal(again.sums[0].quantity, -3000000000);
	for (size_t size = 0; size < buffer.size; size++) {
		assert_false(basket_decode(slice_of(buffer.bytes, size), &again));
	}
	buffer_deinit(&buffer);
}

static void test_many_are_closed_in_steps_and_by_the_line_that_comes_before_their_turn(void **state)
{
	struct world *world = *state;
	char order[8];

	for (int i = 0; i < 20; i++) {
		snprintf(order, sizeof order, "o%d", i);
		take(world, 1000 + i, order, 1);
	}
	follow(world, 0, 2000);
	assert_true(close_due(world, 5));
	assert_int_equal(world->books.closed, 5);
	take(world, 2000, "o19", 1);
	assert_books(world, 20, 1, 20, 6);
	assert_true(close_due(world, 5));
	assert_false(close_due(world, 50));
	assert_books(world, 20, 1, 20, 20);
	assert_int_equal(world->books.given, 20);
}

/* Reviewing is how they go; nothing of what they say depends on when. */
static void test_what_closed_long_ago_is_forgotten_and_nothing_else(void **state)
{
	struct world *world = *state;

	take(world, 1000, "old", 1);
	take(world, 1500, "young", 1);
	take(world, 1700, "open", 1);
	assert_false(close_due(world, 10));
	follow(world, 0, 2200);
	take(world, 2200, "open", 1); /* late, for it closed meanwhile */
	assert_false(close_due(world, 10));
	commit(world);
	for (size_t i = 0; i < world->stored_count; i++) {
		const struct stored *stored = &world->stored[i];
		if (stored->value_size > 0 && memcmp(stored->key, "bc", 2) == 0) {
			assert_int_equal(baskets_review(world->baskets,
						 slice_of(stored->key, stored->key_size),
						 slice_of(stored->value, stored->value_size)),
				0);
		}
	}
	assert_int_equal(entries_changed_count(world->entries), 1);
	commit(world);
	take(world, 2201, "young", 1);
	assert_books(world, 3, 2, 3, 3);
	take(world, 2201, "old", 1);
	assert_books(world, 4, 2, 4, 3);
}

static struct forgotten forget(const char *user, int64_t until_ms)
{
	struct forgotten forgotten = {.has_key = true};
	struct tombstone tombstone = {.until_ms = until_ms};

	forgotten_hash(&forgotten, slice_of_text(user), tombstone.hash);
	assert_int_equal(forgotten_put(&forgotten, &tombstone), 0);
	return forgotten;
}

/* As the store does it. */
static void sweep(struct world *world, const struct forgotten *forgotten)
{
	struct buffer value;

	close_baskets(world);
	for (size_t i = 0; i < world->stored_count; i++) {
		struct stored *stored = &world->stored[i];
		buffer_init(&value, sizeof stored->value);
		enum entry_fate fate = entry_forget(&(struct entry_sweep){.forgotten = forgotten},
			slice_of(stored->key, stored->key_size),
			slice_of(stored->value, stored->value_size), &value);
		if (fate == ENTRY_CHANGES) {
			memcpy(stored->value, value.bytes, value.size);
			stored->value_size = value.size;
		} else {
			assert_int_equal(fate, ENTRY_STAYS);
		}
		buffer_deinit(&value);
	}
	open_baskets(world);
}

static void test_who_is_forgotten_is_named_in_no_open_basket(void **state)
{
	struct world *world = *state;
	struct forgotten forgotten = forget("u1", FORGOTTEN_FOR_EVER);
	struct event event = line(world, "b", 1);

	set_text(&event, FIELD_USER_ID, "u2");
	take(world, 1000, "a", 1); /* of u1 */
	take_event(world, &event, 1000);
	commit(world);
	sweep(world, &forgotten);
	event = line(world, "a", 1);
	set_text(&event, FIELD_USER_ID, "u3"); /* whose it is was said before */
	take_event(world, &event, 1000);
	commit(world);
	for (size_t i = 0; i < world->stored_count; i++) {
		const struct stored *stored = &world->stored[i];
		struct basket basket;
		if (memcmp(stored->key, "bo", 2) != 0) {
			continue;
		}
		assert_true(basket_decode(slice_of(stored->value, stored->value_size), &basket));
		bool is_his = stored->key[stored->key_size - 1] == 'a';
		assert_int_equal(basket.is_hidden, is_his);
		assert_true(is_his ? basket.user.size == 0 : slice_equals_text(basket.user, "u2"));
	}
	forgotten_deinit(&forgotten);
}

static void test_entries_that_are_none_of_a_basket_are_refused(void **state)
{
	struct world *world = *state;
	const struct slice none = slice_of("\xff", 1);

	assert_int_equal(baskets_load(world->baskets, slice_of("t", 1), none), BASKETS_E_PASSED);
	assert_int_equal(baskets_load(world->baskets, slice_of("bk1234567", 9), none), -EBADMSG);
	assert_int_equal(baskets_load(world->baskets, slice_of("bk12345678", 10), none), -EBADMSG);
	assert_int_equal(
		baskets_load(world->baskets, slice_of("bo12345678e\0o", 13), none), -EBADMSG);
	assert_int_equal(baskets_review(world->baskets, slice_of("bc1234567", 9), none), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_line_is_in_the_basket_or_late_by_the_times_of_its_partition_alone),
		cmocka_unit_test_setup_teardown(
			test_a_clock_moves_the_baskets_of_its_own_partition, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_orders_of_two_edges_are_two_baskets, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_a_basket_tells_comes_from_its_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_each_currency_of_a_basket_is_given_for_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_line_in_one_currency_too_many_is_left_out_and_counted, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_the_amount_of_a_basket_has_128_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_many_are_closed_in_steps_and_by_the_line_that_comes_before_their_turn,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_closed_long_ago_is_forgotten_and_nothing_else, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_who_is_forgotten_is_named_in_no_open_basket, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_entries_that_are_none_of_a_basket_are_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
