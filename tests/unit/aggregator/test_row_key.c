#include "aggregator/view/row_key.h"
#include "draw.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { FIELDS = 3, TEXT_MAX = 140, ROUNDS = 20000 };

static const enum group_type types[FIELDS] = {GROUP_TEXT, GROUP_INTEGER, GROUP_TEXT};

struct sample {
	char texts[FIELDS][TEXT_MAX + 1];
	struct group_value values[FIELDS];
	struct row_key key;
	uint8_t longs[FIELDS * (TEXT_MAX + 2)];
	size_t longs_size;
};

/* Few letters, so that samples often begin alike. */
static void draw_text(struct draw *draw, char text[TEXT_MAX + 1], size_t size_max)
{
	static const char letters[] = "\x01 Aaz\x7f";
	size_t size = 1 + draw_below(draw, (uint32_t)size_max);

	for (size_t i = 0; i < size; i++) {
		text[i] = letters[draw_below(draw, sizeof letters - 1)];
	}
	text[size] = 0;
}

static int64_t draw_integer(struct draw *draw)
{
	static const int64_t edges[] = {INT64_MIN, -256, -1, 0, 1, 255, 256, INT64_MAX};

	return draw_below(draw, 2) == 0 ? edges[draw_below(draw, 8)] : (int64_t)draw_bits(draw);
}

static void make_key(struct sample *sample)
{
	sample->key.size = 0;
	sample->longs_size = 0;
	for (size_t i = 0; i < FIELDS; i++) {
		struct slice text = sample->values[i].text;
		assert_true(row_key_append(&sample->key, &sample->values[i]));
		if (types[i] == GROUP_TEXT && row_text_is_long(text)) {
			sample->longs[sample->longs_size] = (uint8_t)text.size;
			sample->longs[sample->longs_size + 1] = 0;
			memcpy(sample->longs + sample->longs_size + 2, text.bytes, text.size);
			sample->longs_size += 2 + text.size;
		}
	}
}

static void draw_sample(struct draw *draw, size_t size_max, struct sample *sample)
{
	for (size_t i = 0; i < FIELDS; i++) {
		draw_text(draw, sample->texts[i], size_max);
		sample->values[i] = (struct group_value){.type = types[i],
			.text = slice_of_text(sample->texts[i]),
			.integer = draw_integer(draw)};
	}
	make_key(sample);
}

static int sign_of(int order)
{
	return (order > 0) - (order < 0);
}

static int compare_values(const struct sample *a, const struct sample *b)
{
	for (size_t i = 0; i < FIELDS; i++) {
		int order = 0;
		if (types[i] == GROUP_TEXT) {
			order = strcmp(a->texts[i], b->texts[i]);
		} else {
			order = (a->values[i].integer > b->values[i].integer) -
				(a->values[i].integer < b->values[i].integer);
		}
		if (order != 0) {
			return sign_of(order);
		}
	}
	return 0;
}

static void test_keys_sort_as_their_values_do(void **state)
{
	struct draw draw = {1};
	struct sample a, b;
	(void)state;

	for (int i = 0; i < ROUNDS; i++) {
		draw_sample(&draw, 3, &a);
		draw_sample(&draw, 3, &b);
		if (draw_below(&draw, 2) == 0) {
			memcpy(b.texts[0], a.texts[0], sizeof a.texts[0]);
			b.values[0].text = slice_of_text(b.texts[0]);
			make_key(&b);
		}
		assert_int_equal(
			sign_of(row_key_compare(row_key_slice(&a.key), row_key_slice(&b.key))),
			compare_values(&a, &b));
	}
}

static void test_keys_read_back_as_their_values(void **state)
{
	struct draw draw = {2};
	struct sample sample;
	struct group_value values[FIELDS];
	(void)state;

	for (int i = 0; i < ROUNDS / 4; i++) {
		draw_sample(&draw, TEXT_MAX, &sample);
		assert_true(row_key_decode(row_key_slice(&sample.key),
			slice_of(sample.longs, sample.longs_size), types, FIELDS, values));
		for (size_t f = 0; f < FIELDS; f++) {
			if (types[f] == GROUP_TEXT) {
				assert_true(slice_equal(values[f].text, sample.values[f].text));
			} else {
				assert_int_equal(values[f].integer, sample.values[f].integer);
			}
		}
	}
}

/* Whatever a damaged store holds, reading it ends in an answer or in false. */
static void test_broken_keys_are_refused_and_harm_nobody(void **state)
{
	struct draw draw = {3};
	struct group_value values[FIELDS];
	(void)state;

	for (int i = 0; i < ROUNDS; i++) {
		struct sample sample;
		draw_sample(&draw, TEXT_MAX, &sample);
		size_t size = draw_below(&draw, (uint32_t)sample.key.size);
		assert_false(row_key_decode(slice_of(sample.key.bytes, size),
			slice_of(sample.longs, sample.longs_size), types, FIELDS, values));
		sample.key.bytes[draw_below(&draw, (uint32_t)sample.key.size)] ^= 0xff;
		row_key_decode(row_key_slice(&sample.key),
			slice_of(sample.longs, draw_below(&draw, (uint32_t)sample.longs_size + 1)),
			types, FIELDS, values);
	}
}

static struct row_key key_of_text(const char *text, size_t size)
{
	struct row_key key = {0};
	struct group_value value = {.type = GROUP_TEXT, .text = slice_of(text, size)};

	assert_true(row_key_append(&key, &value));
	return key;
}

static void test_long_texts_that_begin_alike_have_keys_of_their_own(void **state)
{
	char text[ROW_TEXT_SHORT_MAX + 2];
	(void)state;

	memset(text, 'x', sizeof text);
	struct row_key shorter = key_of_text(text, ROW_TEXT_SHORT_MAX);
	struct row_key longer = key_of_text(text, ROW_TEXT_SHORT_MAX + 1);
	struct row_key longest = key_of_text(text, ROW_TEXT_SHORT_MAX + 2);
	text[ROW_TEXT_SHORT_MAX] = 'y';
	struct row_key other = key_of_text(text, ROW_TEXT_SHORT_MAX + 2);

	assert_int_equal(shorter.size, ROW_TEXT_SHORT_MAX + 1);
	assert_int_equal(longer.size, ROW_TEXT_PREFIX_SIZE + 1 + ROW_TEXT_HASH_SIZE);
	assert_memory_equal(longer.bytes, longest.bytes, ROW_TEXT_PREFIX_SIZE + 1);
	assert_memory_not_equal(longer.bytes, longest.bytes, longest.size);
	assert_memory_not_equal(other.bytes, longest.bytes, longest.size);
}

static void test_a_text_that_is_no_text_leaves_the_key_alone(void **state)
{
	char text[ROW_TEXT_LONG_MAX + 1];
	struct row_key key = key_of_text("a", 1);
	struct group_value value = {.type = GROUP_TEXT, .text = slice_of(text, 0)};
	(void)state;

	memset(text, 'x', sizeof text);
	assert_false(row_key_append(&key, &value));
	value.text = slice_of("a\0b", 3);
	assert_false(row_key_append(&key, &value));
	value.text = slice_of(text, sizeof text);
	assert_false(row_key_append(&key, &value));
	text[100] = 0;
	value.text = slice_of(text, 120);
	assert_false(row_key_append(&key, &value));
	assert_int_equal(key.size, 2);
}

static void test_what_may_be_absent_sorts_before_what_is_there(void **state)
{
	static const enum group_type kinds[] = {GROUP_OPTIONAL, GROUP_TEXT, GROUP_OPTIONAL};
	const struct group_value none = {.type = GROUP_ABSENT};
	const struct group_value least = {.type = GROUP_INTEGER, .integer = INT64_MIN};
	struct row_key absent = {0}, there = {0};
	struct group_value values[3];
	(void)state;

	assert_true(row_key_append_of(&absent, GROUP_OPTIONAL, &none));
	assert_true(row_key_append_of(&there, GROUP_OPTIONAL, &least));
	assert_true(row_key_compare(row_key_slice(&absent), row_key_slice(&there)) < 0);
	assert_true(row_key_append_of(&there, GROUP_TEXT, &none));
	assert_false(row_key_append_of(&there, GROUP_INTEGER, &none));
	assert_false(row_key_append(&there, &none));
	assert_true(row_key_append_of(&there, GROUP_OPTIONAL, &none));
	assert_true(row_key_decode(row_key_slice(&there), slice_of(NULL, 0), kinds, 3, values));
	assert_int_equal(values[0].type, GROUP_INTEGER);
	assert_true(values[0].integer == INT64_MIN);
	assert_int_equal(values[1].type, GROUP_ABSENT);
	assert_int_equal(values[2].type, GROUP_ABSENT);
	assert_false(row_key_decode(slice_of("\2", 1), slice_of(NULL, 0), kinds, 1, values));
	assert_false(row_key_decode(slice_of("\1xxx", 4), slice_of(NULL, 0), kinds, 1, values));
	assert_false(row_key_decode(slice_of("", 0), slice_of(NULL, 0), kinds, 1, values));
}

static void test_what_may_be_absent_needs_room_as_well(void **state)
{
	const struct group_value number = {.type = GROUP_INTEGER};
	struct row_key key = {.size = ROW_KEY_CAPACITY - 8};
	(void)state;

	assert_false(row_key_append_of(&key, GROUP_OPTIONAL, &number));
	assert_int_equal(key.size, ROW_KEY_CAPACITY - 8);
	key.size = ROW_KEY_CAPACITY;
	assert_false(
		row_key_append_of(&key, GROUP_TEXT, &(struct group_value){.type = GROUP_ABSENT}));
}

static void test_five_of_the_longest_texts_fit_and_no_sixth(void **state)
{
	char text[ROW_TEXT_SHORT_MAX];
	struct row_key key = {0};
	struct group_value value = {.type = GROUP_TEXT, .text = slice_of(text, sizeof text)};
	struct group_value integer = {.type = GROUP_INTEGER};
	(void)state;

	memset(text, 'x', sizeof text);
	for (int i = 0; i < ROW_KEY_FIELDS_MAX; i++) {
		assert_true(row_key_append(&key, &value));
	}
	assert_false(row_key_append(&key, &value));
	assert_false(row_key_append(&key, &integer));
	assert_int_equal(key.size, ROW_KEY_CAPACITY);
}

static void test_the_successor_follows_every_key_that_begins_alike(void **state)
{
	struct row_key key = {3, {'a', 0xff, 0xff}};
	(void)state;

	assert_true(row_key_successor(&key));
	assert_int_equal(key.size, 1);
	assert_int_equal(key.bytes[0], 'b');
	struct row_key last = {2, {0xff, 0xff}};
	assert_false(row_key_successor(&last));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_sort_as_their_values_do),
		cmocka_unit_test(test_keys_read_back_as_their_values),
		cmocka_unit_test(test_broken_keys_are_refused_and_harm_nobody),
		cmocka_unit_test(test_long_texts_that_begin_alike_have_keys_of_their_own),
		cmocka_unit_test(test_a_text_that_is_no_text_leaves_the_key_alone),
		cmocka_unit_test(test_what_may_be_absent_sorts_before_what_is_there),
		cmocka_unit_test(test_what_may_be_absent_needs_room_as_well),
		cmocka_unit_test(test_five_of_the_longest_texts_fit_and_no_sixth),
		cmocka_unit_test(test_the_successor_follows_every_key_that_begins_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
