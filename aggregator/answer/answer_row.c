/* A row as people see it: a map of column to value. */
#include "aggregator/answer/answer_parts.h"
#include <errno.h>

/* Beside the rows an answer holds little: as_of and a cursor. */
enum { ROWS_SIZE_MAX = ANSWER_SIZE_MAX - 64 * 1024 };

static enum operand_type result_type(const struct measure *measure)
{
	if (measure_takes_nothing(measure) || measure->op == MEASURE_DISTINCT) {
		return TYPE_INTEGER;
	}
	return operand_type_of(measure->operand);
}

static const char *const type_names[] = {[TYPE_INTEGER] = "integer",
	[TYPE_MONEY] = "money",
	[TYPE_TIME] = "time",
	[TYPE_TEXT] = "text"};

const char *measure_type_name(const struct measure *measure)
{
	enum operand_type type = result_type(measure);

	if (measure->op == MEASURE_RATIO) {
		return "decimal";
	}
	return measure->op == MEASURE_AVERAGE && type == TYPE_INTEGER ? "decimal"
								      : type_names[type];
}

const char *group_type_name(const struct group_field *group)
{
	bool is_time = group->source == GROUP_BY_BUCKET && group->bucket != BUCKET_WEEKDAY &&
		       group->bucket != BUCKET_HOUR_OF_DAY;

	if (group->source == GROUP_BY_COLUMN) {
		return type_names[group->type];
	}
	return is_time ? "time" : group_field_type(group) == GROUP_TEXT ? "text" : "integer";
}

/* The sum in micros, whatever was averaged. false when it leaves 128 bits, which no real quantity does. */
static bool average_sum(const struct measure *measure, const struct cell *cell, money *ret_sum)
{
	if (operand_type_of(measure->operand) == TYPE_MONEY) {
		*ret_sum = cell->number;
		return true;
	}
	return !__builtin_mul_overflow(cell->number, (money)MONEY_MICROS_PER_UNIT, ret_sum);
}

bool measure_rank(const struct measure *measure, uint64_t event_count, const struct cell *cell,
	money *ret_rank)
{
	char text[MONEY_TEXT_SIZE];
	money sum;

	switch (measure->op) {
	case MEASURE_COUNT:
		*ret_rank = (money)event_count;
		return true;
	case MEASURE_DISTINCT:
	case MEASURE_COUNT_SOME:
		*ret_rank = (money)cell->count;
		return true;
	case MEASURE_SUM:
		*ret_rank = cell->number;
		return true;
	case MEASURE_AVERAGE:
		/* As it is shown, so that what looks alike is alike and goes by key. */
		return cell->count > 0 && average_sum(measure, cell, &sum) &&
		       money_parse_sum(slice_of(text, money_format_average(sum, cell->count, text)),
			       ret_rank) == 0;
	default:
		*ret_rank = cell->number;
		return cell->count > 0;
	}
}

void integer_write(struct writer *writer, money number)
{
	if (number >= INT64_MIN && number <= INT64_MAX) {
		write_integer(writer, (int64_t)number);
		return;
	}
	char text[MONEY_TEXT_SIZE];
	char *at = text + sizeof text;
	money rest = number;
	do {
		int digit = (int)(rest % 10);
		*--at = (char)('0' + (digit < 0 ? -digit : digit));
		rest /= 10;
	} while (rest != 0);
	if (number < 0) {
		*--at = '-';
	}
	struct slice digits = slice_of(at, (size_t)(text + sizeof text - at));
	if (writer->encoding == ENCODING_JSON) {
		write_raw(writer, digits);
	} else {
		write_text(writer, digits); /* msgpack's integers end at 64 bits */
	}
}

static void write_average(
	struct writer *writer, const struct measure *measure, const struct cell *cell)
{
	char text[MONEY_TEXT_SIZE];
	money sum;

	if (average_sum(measure, cell, &sum)) {
		write_text(writer, slice_of(text, money_format_average(sum, cell->count, text)));
	} else {
		write_nil(writer);
	}
}

static void write_typed(
	struct writer *writer, enum operand_type type, money number, struct slice words)
{
	char text[TIMESTAMP_TEXT_SIZE];

	switch (type) {
	case TYPE_INTEGER:
		integer_write(writer, number);
		break;
	case TYPE_MONEY:
		write_money(writer, number);
		break;
	case TYPE_TIME:
		write_text(writer, slice_of(text, timestamp_format((int64_t)number, text)));
		break;
	case TYPE_TEXT:
		write_text(writer, words);
		break;
	}
}

static void write_number(
	struct writer *writer, const struct measure *measure, const struct cell *cell)
{
	enum operand_type type = result_type(measure);

	write_typed(writer, type, cell->number,
		type == TYPE_TEXT ? cell->stamp->text : slice_of(NULL, 0));
}

void measure_write(struct writer *writer, const struct measure *measure, uint64_t event_count,
	const struct cell *cell)
{
	switch (measure->op) {
	case MEASURE_COUNT:
		write_unsigned(writer, event_count);
		break;
	case MEASURE_DISTINCT:
	case MEASURE_COUNT_SOME:
		write_unsigned(writer, cell->count);
		break;
	case MEASURE_SUM:
		write_number(writer, measure, cell);
		break;
	default:
		if (cell->count == 0) {
			write_nil(writer); /* no event had the field */
		} else if (measure->op == MEASURE_AVERAGE) {
			write_average(writer, measure, cell);
		} else if (measure->op == MEASURE_RATIO) {
			write_money(writer, cell->number);
		} else {
			write_number(writer, measure, cell);
		}
	}
}

void group_value_write(struct writer *writer, const struct view *view,
	const struct group_field *group, const struct group_value *value)
{
	char text[TIMESTAMP_TEXT_SIZE];

	if (value->type == GROUP_ABSENT) {
		write_nil(writer);
	} else if (group->source == GROUP_BY_COLUMN) {
		write_typed(writer, group->type, value->integer, value->text);
	} else if (value->type == GROUP_TEXT) {
		write_text(writer, value->text);
	} else if (strcmp(group_type_name(group), "integer") == 0) {
		write_integer(writer, value->integer);
	} else {
		size_t size =
			timestamp_format_bucket(value->integer, group->bucket, view->zone, text);
		write_text(writer, slice_of(text, size));
	}
}

int group_values_read(const struct view *view, struct slice key, const struct row *row,
	struct group_value values[VIEW_GROUPS_MAX])
{
	enum group_type types[VIEW_GROUPS_MAX];

	for (size_t i = 0; i < view->group_count; i++) {
		types[i] = group_field_type(&view->groups[i]);
	}
	return row_key_decode(key, row->longs, types, view->group_count, values) ? 0 : -EBADMSG;
}

int row_key_write(
	struct writer *writer, const struct view *view, struct slice key, struct slice longs)
{
	const struct row row = {.longs = longs};
	struct group_value values[VIEW_GROUPS_MAX];

	int r = group_values_read(view, key, &row, values);
	if (r < 0) {
		return r;
	}
	write_array(writer, (uint32_t)view->group_count);
	for (size_t i = 0; i < view->group_count; i++) {
		group_value_write(writer, view, &view->groups[i], &values[i]);
	}
	return 0;
}

static int write_row(struct answering *answering, struct writer *writer,
	const struct group_value *values, const struct row *row)
{
	const struct view *view = answering->view;
	const struct refinement *refinement = answering->refinement;
	bool is_compared = refinement != NULL && refinement->compares, is_joined = false;
	bool is_shared = answering->shares != NULL;
	struct row joined;

	int r = refinement == NULL ? 0
				   : join_look_up(answering->context, &refinement->shown, values,
					     &joined, &is_joined);
	if (r < 0) {
		return r;
	}
	write_map(writer, (uint32_t)(view->group_count + view->measure_count) +
				  (is_joined ? join_count_columns(answering) : 0) +
				  (is_compared ? 2 : 0) + (is_shared ? 2 : 0));
	for (size_t i = 0; i < view->group_count; i++) {
		write_key(writer, view->groups[i].name);
		group_value_write(writer, view, &view->groups[i], &values[i]);
	}
	for (size_t i = 0; i < view->measure_count; i++) {
		const struct measure *measure = &view->measures[i];
		write_key(writer, measure->name);
		measure_write(writer, measure, row->event_count, &row->cells[i]);
	}
	if (is_joined) {
		join_write(answering, writer, &joined);
	}
	if (is_shared) {
		shares_write(answering, writer, row);
	}
	return is_compared ? comparison_write(answering, writer, values, row) : 0;
}

int kept_row_read(const struct view *view, struct slice value, struct row *ret_row)
{
	int r = row_read(view, value, ret_row);

	if (r == 0) {
		row_settle(view, ret_row);
	}
	return r;
}

int row_list_end(struct answering *answering, size_t begin)
{
	struct row_list *rows = &answering->rows;

	if (rows->bytes.error == 0 &&
		rows->bytes.size + rows->count > ROWS_SIZE_MAX) { /* with its commas */
		rows->bytes.error = -EMSGSIZE;
	}
	if (rows->bytes.error == 0) {
		buffer_append(&rows->ends, &rows->bytes.size, sizeof rows->bytes.size);
	}
	if (rows->bytes.error != 0) {
		int r = rows->bytes.error;
		buffer_truncate(&rows->bytes, begin);
		return r;
	}
	rows->count++;
	return rows->ends.error;
}

int row_list_add(struct answering *answering, struct slice key, const struct row *row)
{
	struct row_list *rows = &answering->rows;
	struct group_value values[VIEW_GROUPS_MAX];
	struct writer writer;
	size_t size_before = rows->bytes.size;

	int r = group_values_read(answering->view, key, row, values);
	if (r < 0) {
		return r;
	}
	writer_init(&writer, answering->query->encoding, &rows->bytes);
	r = write_row(answering, &writer, values, row);
	if (r < 0) {
		buffer_truncate(&rows->bytes, size_before);
		return r;
	}
	return row_list_end(answering, size_before);
}
