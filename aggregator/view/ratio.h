/* ratio.h - ratio(A, B): what a row shows of one count or sum, divided by what it shows of another. Pure. */
#pragma once
#include "aggregator/view/measure_row.h"

/* In millionths, half to even. false, and *ret_millionths untouched, where the divisor is 0 or a number on the way leaves 128 bits. */
bool ratio_of_row(const struct view *view, const struct row *row, const struct measure *ratio,
	money *ret_millionths);
