/* sample_view.h - sets of one view or table. A target makes its own once and keeps it to its end. */
#pragma once
#include "aggregator/view/table.h"
#include "tests/fuzz/fuzz.h"

static inline struct view_set *fuzz_make_view(const char *text)
{
	struct view_set *set = NULL;
	char error[512];

	fuzz_require(view_set_new(NULL, NULL, &set) == 0);
	fuzz_require(view_set_add_text(set, slice_of_text("v"), slice_of_text(text), error,
			     sizeof error) == 0);
	return set;
}

static inline struct view_set *fuzz_make_table(const struct table_declaration *declaration)
{
	struct view_set *set = NULL;
	char error[512];

	fuzz_require(view_set_new(NULL, NULL, &set) == 0);
	fuzz_require(view_set_add_table(set, declaration, error, sizeof error) == 0);
	return set;
}
