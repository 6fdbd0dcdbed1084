/* Shares of a whole: what a row makes up of all rows, and all rows up to it. */
#include "aggregator/answer/answer_parts.h"
#include <errno.h>

int view_currency_group(const struct view *view)
{
	for (size_t i = 0; i < view->group_count; i++) {
		if (view->groups[i].source == GROUP_BY_FIELD &&
			view->groups[i].field == FIELD_CURRENCY) {
			return (int)i;
		}
	}
	return -1;
}

int shares_check_measure(struct answering *answering, size_t measure)
{
	const struct view *view = answering->view;

	if (measure_adds_up(&view->measures[measure])) {
		return 0;
	}
	complaint_set(&answering->complaint, REASON_BAD_REQUEST, "by",
		"%s of view %s is %s(), of which rows have no share: name a sum() or a count()",
		view->measures[measure].name, view->name,
		measure_op_name(view->measures[measure].op));
	return REASON_BAD_REQUEST;
}

/* Amounts of two currencies are no whole. */
static int check_currency(struct answering *answering, const struct group_value *values)
{
	struct shares *shares = answering->shares;
	int group = view_currency_group(answering->view);

	if (group < 0 || strcmp(measure_type_name(&answering->view->measures[shares->measure]),
				 "money") != 0) {
		return 0;
	}
	struct slice currency = values[group].text, first = buffer_slice(&shares->currency);
	if (values[group].type == GROUP_ABSENT) {
		return 0; /* a row of zeros */
	}
	if (first.size == 0) {
		buffer_append(&shares->currency, currency.bytes, currency.size);
		return shares->currency.error;
	}
	if (slice_equal(first, currency)) {
		return 0;
	}
	complaint_set(&answering->complaint, REASON_BAD_REQUEST, "by",
		"%s is of %.*s in some rows and of %.*s in others, and of both together there is "
		"no share: name one by "
		"\"where\":[{\"field\":\"currency\",\"op\":\"=\",\"value\":\"%.*s\"}]",
		answering->view->measures[shares->measure].name, (int)first.size,
		(const char *)first.bytes, (int)currency.size, (const char *)currency.bytes,
		(int)first.size, (const char *)first.bytes);
	return REASON_BAD_REQUEST;
}

static money number_of(const struct answering *answering, const struct row *row)
{
	size_t measure = answering->shares->measure;
	money number = 0;

	measure_rank(&answering->view->measures[measure], row->event_count, &row->cells[measure],
		&number);
	return number;
}

int shares_add(struct answering *answering, const struct group_value *values, const struct row *row)
{
	int r = check_currency(answering, values);

	if (r == 0 && !money_add(&answering->shares->whole, number_of(answering, row))) {
		r = -EOVERFLOW;
	}
	return r;
}

void share_write(struct writer *writer, money part, money whole)
{
	char text[MONEY_TEXT_SIZE];
	money share = 0;

	if (money_share(part, whole, &share)) {
		write_text(writer, slice_of(text, money_format(share, text)));
	} else {
		write_nil(writer);
	}
}

void shares_write(struct answering *answering, struct writer *writer, const struct row *row)
{
	struct shares *shares = answering->shares;
	money number = number_of(answering, row);

	/* Sums of some of the rows that add up to `whole` stay in 128 bits but for sums that no real till makes. */
	if (!money_add(&shares->so_far, number)) {
		shares->whole = 0;
	}
	write_key(writer, "share");
	share_write(writer, number, shares->whole);
	write_key(writer, "cumulative_share");
	share_write(writer, shares->so_far, shares->whole);
}
