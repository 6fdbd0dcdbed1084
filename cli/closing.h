/* closing.h - a till's closing report beside what was counted, and how it is shown. Pure, but for the FILE. */
#pragma once
#include "cli/receipts.h"
#include <stdio.h>

struct closing {
	const char *edge, *day, *currency; /* borrowed; currency "": nothing was sold */
	money expected, counted;
	int64_t lines_expected; /* -1: not said */
	int64_t lines_counted;
	const struct receipts *expected_orders, *counted_orders; /* settled; NULL: not by order */
};

/* Total, lines where they are said, and each order where they are known. */
bool closing_is_equal(const struct closing *closing);
/* 0 or -ENOMEM. */
int closing_print(const struct closing *closing, FILE *out);
int closing_print_json(const struct closing *closing, FILE *out);
