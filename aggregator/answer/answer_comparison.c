/* compare: what a row was in the earlier period, and how far it has come since. */
#include "aggregator/answer/answer_parts.h"
#include <errno.h>

static int make_key(
	const struct view *view, const struct group_value *values, struct row_key *ret_key)
{
	ret_key->size = 0;
	for (size_t i = 0; i < view->group_count; i++) {
		if (!row_key_append_of(ret_key, group_field_type(&view->groups[i]), &values[i])) {
			return -EBADMSG;
		}
	}
	return 0;
}

static int look_up(struct answering *answering, struct group_value *values,
	const struct row_key *key, struct row *ret_row)
{
	const struct refinement *refinement = answering->refinement;
	int r = join_values(answering->context, &refinement->join, refinement->source, values);

	if (r < 0) {
		return r;
	}
	if (!refinement_admits_groups(refinement, values, &refinement->earlier)) {
		return 0;
	}
	r = layers_find_row(answering->context, refinement->source, row_key_slice(key), ret_row);
	return r == STORE_E_ABSENT ? 0 : r;
}

/* The row that this one is compared with: empty where there was none. */
static int find_previous(
	struct answering *answering, const struct group_value *values, struct row *ret_row)
{
	const struct refinement *refinement = answering->refinement;
	struct group_value earlier[ROW_VALUES_MAX];
	struct row_key key;

	memcpy(earlier, values, answering->view->group_count * sizeof *values);
	if (refinement->has_shift) {
		refinement_shift(refinement, values, earlier);
	}
	row_init(answering->view, ret_row);
	int r = make_key(answering->view, earlier, &key);
	if (r < 0) {
		return r;
	}
	if (answering->earlier == NULL) {
		return look_up(answering, earlier, &key, ret_row);
	}
	struct slice value = rollup_find(answering->earlier, row_key_slice(&key));
	return value.size == 0 ? 0 : kept_row_read(answering->view, value, ret_row);
}

/* Of numbers and money: what is a time or a text has no difference. */
static bool has_difference(const struct measure *measure)
{
	const char *type = measure_type_name(measure);

	return strcmp(type, "text") != 0 && strcmp(type, "time") != 0;
}

static void write_difference(struct writer *writer, const struct measure *measure, money difference)
{
	if (strcmp(measure_type_name(measure), "integer") == 0) {
		integer_write(writer, difference);
	} else {
		write_money(writer, difference);
	}
}

static uint32_t count_differences(const struct view *view)
{
	uint32_t count = 0;

	for (size_t i = 0; i < view->measure_count; i++) {
		count += has_difference(&view->measures[i]);
	}
	return count;
}

static void write_differences(struct writer *writer, const struct view *view, const struct row *row,
	const struct row *previous)
{
	write_key(writer, "difference");
	write_map(writer, count_differences(view));
	for (size_t i = 0; i < view->measure_count; i++) {
		const struct measure *measure = &view->measures[i];
		money now = 0, then = 0, difference = 0;
		if (!has_difference(measure)) {
			continue;
		}
		write_key(writer, measure->name);
		if (measure_rank(measure, row->event_count, &row->cells[i], &now) &&
			measure_rank(measure, previous->event_count, &previous->cells[i], &then) &&
			!__builtin_sub_overflow(now, then, &difference)) {
			write_difference(writer, measure, difference);
		} else {
			write_nil(writer);
		}
	}
}

int comparison_write(struct answering *answering, struct writer *writer,
	const struct group_value *values, const struct row *row)
{
	const struct view *view = answering->view;
	struct row previous;
	int r = find_previous(answering, values, &previous);

	if (r < 0) {
		return r;
	}
	write_key(writer, "previous");
	write_map(writer, (uint32_t)view->measure_count);
	for (size_t i = 0; i < view->measure_count; i++) {
		write_key(writer, view->measures[i].name);
		measure_write(writer, &view->measures[i], previous.event_count, &previous.cells[i]);
	}
	write_differences(writer, view, row, &previous);
	return 0;
}
