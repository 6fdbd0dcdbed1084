#include "aggregator/view/measure_row.h"
#include "draw.h"
#include "sample_views.h"
#include <errno.h>
#include <stdlib.h>

#define EVERY_MEASURE                                                                              \
	"kind = order\ngroup_by = product_id, channel\nmeasures = n = count(), s = "               \
	"sum(quantity), "                                                                          \
	"lo = min(revenue), hi = max(unit_price), f = first(quantity), l = last(channel), a = "    \
	"average(amount), "                                                                        \
	"d = distinct(basket), e = last(edge), c = count() where quantity > 0, w = sum(quantity) " \
	"where quantity > 0 and revenue > 0, q = quantile(revenue, 0.5), r = quantile(revenue, "   \
	"0.9), "                                                                                   \
	"t = quantile(quantity, 0.5) where quantity > 0\n"

enum { EVENTS = 40, ROUNDS = 300 };

#define MONEY_GREATEST ((money)INT64_MAX << 64 | (money)UINT64_MAX)

struct sample {
	struct view_set *set;
	const struct view *view;
	struct event events[EVENTS];
};

static const char *const channels[] = {"web", "shop", "phone", ""};
static const char *const edges[] = {"a", "ab", "b"};
static const char *const orders[] = {"o1", "o2", "o3"};

static struct event draw_event(struct draw *draw, uint64_t seq)
{
	struct event event = sample_order(seq, draw_below(draw, 6), "p",
		(int64_t)draw_below(draw, 9) - 4, draw_below(draw, 100));

	event.certificate.edge = slice_of_text(edges[draw_below(draw, 3)]);
	event.certificate.run = draw_below(draw, 3);
	set_text(&event, FIELD_CHANNEL, channels[draw_below(draw, 3)]);
	set_text(&event, FIELD_ORDER_ID, orders[draw_below(draw, 3)]);
	if (draw_below(draw, 2) == 0) {
		event.present |= 1u << FIELD_AMOUNT;
		event.amount = (int64_t)draw_below(draw, 1000) - 500;
	}
	return event;
}

static void sample_init(struct sample *sample, struct draw *draw)
{
	sample->set = new_view_set();
	add_view(sample->set, "v", EVERY_MEASURE);
	sample->view = view_set_at(sample->set, 0);
	for (uint64_t i = 0; i < EVENTS; i++) {
		sample->events[i] = draw_event(draw, i + 1);
		/* One row, so that everything meets in it. */
		set_text(&sample->events[i], FIELD_CHANNEL, "web");
	}
}

/* Counts some of the events and adds them to the row's value: every member is new only once. */
static void add_events(const struct sample *sample, size_t from, size_t to, const size_t *order,
	struct overlay *seen, struct buffer *value)
{
	struct overlay *overlay = new_overlay(sample->set);
	uint64_t new_members[VIEW_MEASURES_MAX] = {0};
	struct buffer next;

	for (size_t i = from; i < to; i++) {
		apply(overlay, &sample->events[order[i]]);
	}
	if (from < to) {
		assert_int_equal(overlay_sort(overlay), 0);
		const struct delta *delta = overlay_row_at(overlay, 0, 0);
		for (size_t i = 0; i < delta_member_count(delta); i++) {
			new_members[delta_member_measure(delta, i)] +=
				!overlay_has_member(seen, 0, delta_member_at(delta, i));
		}
		buffer_init(&next, 1 << 20);
		assert_int_equal(
			delta_merge(sample->view, buffer_slice(value), delta, new_members, &next),
			0);
		buffer_deinit(value);
		*value = next;
	}
	for (size_t i = from; i < to; i++) {
		apply(seen, &sample->events[order[i]]);
	}
	overlay_free(overlay);
}

static void shuffle(struct draw *draw, size_t order[EVENTS])
{
	for (size_t i = 0; i < EVENTS; i++) {
		order[i] = i;
	}
	for (size_t i = EVENTS - 1; i > 0; i--) {
		size_t j = draw_below(draw, (uint32_t)i + 1);
		size_t other = order[i];
		order[i] = order[j];
		order[j] = other;
	}
}

/* However the same events are ordered and cut into commits, the row's bytes are the same. */
static void test_equal_multisets_give_equal_bytes(void **state)
{
	struct draw draw = {11};
	struct sample sample;
	struct buffer first;
	(void)state;

	sample_init(&sample, &draw);
	for (int round = 0; round < ROUNDS; round++) {
		size_t order[EVENTS];
		struct buffer value;
		struct overlay *seen = new_overlay(sample.set);
		buffer_init(&value, 1 << 20);
		shuffle(&draw, order);
		size_t a = draw_below(&draw, EVENTS + 1);
		size_t b = a + draw_below(&draw, (uint32_t)(EVENTS - a) + 1);
		add_events(&sample, 0, a, order, seen, &value);
		add_events(&sample, a, b, order, seen, &value);
		add_events(&sample, b, EVENTS, order, seen, &value);
		if (round == 0) {
			first = value;
		} else {
			assert_int_equal(value.size, first.size);
			assert_memory_equal(value.bytes, first.bytes, first.size);
			buffer_deinit(&value);
		}
		overlay_free(seen);
	}
	buffer_deinit(&first);
	view_set_free(sample.set);
}

/* What the row says, against sums that are made by hand. */
static void test_every_measure_says_what_its_name_says(void **state)
{
	struct view_set *set = new_view_set();
	struct event events[] = {
		sample_order(1, 2000, "p", 5, 100),
		sample_order(2, 1000, "p", -2, 300),
		sample_order(3, 2000, "p", 7, 200),
	};
	uint64_t new_members[VIEW_MEASURES_MAX] = {[7] = 2};
	struct buffer value;
	struct row row;
	(void)state;

	add_view(set, "v", EVERY_MEASURE);
	const struct view *view = view_set_at(set, 0);
	struct overlay *overlay = new_overlay(set);
	for (size_t i = 0; i < 3; i++) {
		set_text(&events[i], FIELD_CHANNEL, "web");
		apply(overlay, &events[i]);
	}
	buffer_init(&value, 4096);
	assert_int_equal(delta_merge(view, slice_of(NULL, 0), overlay_row_at(overlay, 0, 0),
				 new_members, &value),
		0);
	assert_int_equal(row_read(view, buffer_slice(&value), &row), 0);
	assert_int_equal(row.event_count, 3);
	assert_int_equal(row.cells[1].number, 10);
	assert_int_equal(row.cells[2].number, -600);
	assert_int_equal(row.cells[3].number, 300);
	assert_int_equal(row.cells[4].number, -2);
	assert_true(slice_equals_text(row.cells[5].stamp->text, "web"));
	assert_int_equal(row.cells[5].stamp->certificate.seq,
		3); /* of two at 2000 the greater certificate */
	assert_int_equal(row.cells[6].count, 0); /* no event had an amount */
	assert_int_equal(row.cells[7].count, 2);
	assert_true(slice_equals_text(row.cells[8].stamp->text, "berlin"));
	assert_int_equal(row.cells[9].count, 2); /* of 5 and 7, not of -2 */
	assert_int_equal(row.cells[10].number, 12);
	row_settle(view, &row);
	assert_int_equal(
		row.cells[11].number, 502); /* of -600, 500 and 1400; the middle of 500 to 503 */
	assert_int_equal(row.cells[12].number, 1400);
	assert_int_equal(row.cells[13].number, 5);
	assert_int_equal(view->histogram_count, 2);
	buffer_deinit(&value);
	overlay_free(overlay);
	view_set_free(set);
}

static struct cell sum_cell(money number)
{
	return (struct cell){.number = number};
}

static void test_a_sum_that_leaves_128_bits_is_reported_and_not_wrapped(void **state)
{
	const money max = MONEY_GREATEST;
	struct measure sum = {.op = MEASURE_SUM};
	struct cell into = sum_cell(max - 1);
	struct cell one = sum_cell(1);
	struct cell least = sum_cell(-max - 1);
	struct cell minus = sum_cell(-1);
	(void)state;

	assert_true(cell_merge(&sum, &into, &one));
	assert_false(cell_merge(&sum, &into, &one));
	assert_true(into.number == max);
	assert_false(cell_merge(&sum, &least, &minus));
}

static void test_a_commit_that_would_overflow_is_refused(void **state)
{
	struct view_set *set = sample_views();
	const struct view *view = view_set_find(set, slice_of_text("products"));
	struct event event = sample_order(1, 1, "p", 1, 1);
	struct overlay *overlay = new_overlay(set);
	uint64_t new_members[VIEW_MEASURES_MAX] = {0};
	struct buffer value, next;
	struct row row;
	(void)state;

	apply(overlay, &event);
	row_init(view, &row);
	row.cells[2].number = MONEY_GREATEST;
	buffer_init(&value, 4096);
	buffer_init(&next, 4096);
	row_write(view, &row, &value);
	assert_int_equal(delta_merge(view, buffer_slice(&value),
				 overlay_row_at(overlay, view_id(view), 0), new_members, &next),
		-EOVERFLOW);
	assert_int_equal(next.size, 0);
	buffer_deinit(&value);
	buffer_deinit(&next);
	overlay_free(overlay);
	view_set_free(set);
}

/* Cut anywhere, or with any byte changed: refused or read, never beyond its end (ASan watches). */
static void test_damaged_values_are_refused_and_harm_nobody(void **state)
{
	struct draw draw = {12};
	struct sample sample;
	struct buffer value;
	size_t order[EVENTS];
	struct row row;
	uint64_t count;
	struct cell cell;
	(void)state;

	sample_init(&sample, &draw);
	struct overlay *seen = new_overlay(sample.set);
	buffer_init(&value, 1 << 20);
	shuffle(&draw, order);
	add_events(&sample, 0, EVENTS, order, seen, &value);
	for (size_t size = 0; size < value.size; size++) {
		uint8_t *cut = malloc(size + 1);
		memcpy(cut, value.bytes, size);
		assert_int_equal(row_read(sample.view, slice_of(cut, size), &row), -EBADMSG);
		free(cut);
	}
	for (size_t i = 0; i < value.size; i++) {
		value.bytes[i] ^= 0xff;
		row_read(sample.view, buffer_slice(&value), &row);
		value.bytes[i] ^= 0xff;
	}
	assert_int_equal(row_read(sample.view, buffer_slice(&value), &row), 0);
	row_settle(sample.view, &row);
	assert_int_equal(row_event_count(sample.view, buffer_slice(&value), &count), 0);
	assert_int_equal(count, EVENTS);
	assert_int_equal(row_event_count(sample.view, slice_of(value.bytes, 7), &count), -EBADMSG);
	assert_int_equal(
		row_peek(sample.view, slice_of(value.bytes, 9), 1, &count, &cell), -EBADMSG);
	buffer_deinit(&value);
	overlay_free(seen);
	view_set_free(sample.set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_multisets_give_equal_bytes),
		cmocka_unit_test(test_every_measure_says_what_its_name_says),
		cmocka_unit_test(test_a_sum_that_leaves_128_bits_is_reported_and_not_wrapped),
		cmocka_unit_test(test_a_commit_that_would_overflow_is_refused),
		cmocka_unit_test(test_damaged_values_are_refused_and_harm_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
