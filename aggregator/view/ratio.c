#include "aggregator/view/ratio.h"

/* A count, or a sum in its own unit: pieces, or millionths of money. */
static money adding_number(const struct view *view, const struct row *row, size_t index)
{
	switch (view->measures[index].op) {
	case MEASURE_COUNT:
		return (money)row->event_count;
	case MEASURE_COUNT_SOME:
		return (money)row->cells[index].count;
	default:
		return row->cells[index].number;
	}
}

static bool adds_money(const struct measure *measure)
{
	return measure->op == MEASURE_SUM && operand_type_of(measure->operand) == TYPE_MONEY;
}

static bool turn(money *number)
{
	return !__builtin_mul_overflow(*number, (money)-1, number);
}

static bool scale(money *number)
{
	return !__builtin_mul_overflow(*number, (money)MONEY_MICROS_PER_UNIT, number);
}

bool ratio_of_row(const struct view *view, const struct row *row, const struct measure *ratio,
	money *ret_millionths)
{
	money dividend = adding_number(view, row, ratio->dividend);
	money divisor = adding_number(view, row, ratio->divisor);
	bool is_money = adds_money(&view->measures[ratio->dividend]);
	bool is_by_money = adds_money(&view->measures[ratio->divisor]);

	if (is_money != is_by_money && !scale(is_money ? &divisor : &dividend)) {
		return false;
	}
	if (divisor < 0 && (!turn(&divisor) || !turn(&dividend))) {
		return false;
	}
	return money_share(dividend, divisor, ret_millionths);
}
