/* Any bytes as a view's declaration: refused with a sentence, or its canonical text means itself. */
#include "aggregator/view/view_plan.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_settings};

/* Zones are told apart by name only: the address of anything will do. */
static int any_zone(void *owner, const char *name, const struct zone **ret_zone)
{
	(void)name;
	*ret_zone = owner;
	return 0;
}

static struct view_set *new_set(void)
{
	static int zone;
	struct view_set *set = NULL;

	fuzz_require(view_set_new(any_zone, &zone, &set) == 0);
	return set;
}

static void check_canonical(const struct view *view)
{
	struct view_set *again = new_set();
	char error[512] = "";
	struct slice text = slice_of_text(view_text(view));

	fuzz_require(view_set_add_text(again, slice_of_text("v"), text, error, sizeof error) == 0);
	fuzz_require(slice_equals_text(text, view_text(view_set_at(again, 0))));
	view_set_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_copy(data, size);
	struct view_set *set = new_set();
	char error[512] = "";

	if (view_set_add_text(set, slice_of_text("v"), bytes, error, sizeof error) == 0) {
		check_canonical(view_set_at(set, 0));
	} else {
		fuzz_require(error[0] != 0 && view_set_count(set) == 0);
	}
	view_set_free(set);
	fuzz_free(bytes);
	return 0;
}
