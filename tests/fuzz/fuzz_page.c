/* Any bytes as a file of LMDB: walked to its end without LMDB. What is shown lies within the file, in order, and a file that is
 * sound is so twice. The first byte is 0, or asks for the state of that transaction less one. */
#include "runtime/page_walk.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"
#include <errno.h>
#include <stdbool.h>

const struct structure fuzz_structure = {.mutate = mutate_page, .prefix_size = 1};

struct sight {
	struct slice file;
	struct page_bytes last_name, last_key;
	bool has_name, has_key;
	uint64_t rows;
	size_t size; /* of keys and values */
};

static void check_within(const struct sight *sight, struct page_bytes bytes)
{
	const uint8_t *end = sight->file.bytes + sight->file.size;

	fuzz_require(bytes.bytes >= sight->file.bytes && bytes.bytes <= end);
	fuzz_require(bytes.size <= (size_t)(end - bytes.bytes));
}

static bool is_above(struct page_bytes low, struct page_bytes high)
{
	size_t common = low.size < high.size ? low.size : high.size;
	int order = memcmp(low.bytes, high.bytes, common);

	return order < 0 || (order == 0 && low.size < high.size);
}

static int see_table(void *owner, struct page_bytes name)
{
	struct sight *sight = owner;

	check_within(sight, name);
	fuzz_require(!sight->has_name || is_above(sight->last_name, name));
	sight->last_name = name;
	sight->has_name = true;
	sight->has_key = false;
	return 0;
}

static int see_row(void *owner, struct page_bytes key, struct page_bytes value)
{
	struct sight *sight = owner;

	check_within(sight, key);
	check_within(sight, value);
	fuzz_require(sight->has_name && (!sight->has_key || is_above(sight->last_key, key)));
	sight->last_key = key;
	sight->has_key = true;
	sight->rows++;
	sight->size += key.size + value.size;
	fuzz_require(sight->size <= sight->file.size); /* nothing is shown twice */
	return 0;
}

static int walk(struct slice bytes, uint64_t transaction, struct sight *sight)
{
	const struct page_visitor visitor = {.owner = sight, .table = see_table, .row = see_row};
	const struct page_walk_file file = {
		.bytes = bytes.bytes, .size = bytes.size, .transaction = transaction};
	const char *why = NULL;

	*sight = (struct sight){.file = bytes};
	int r = page_walk(&file, &visitor, &why);
	fuzz_require(r == 0 || r == PAGE_WALK_E_FOREIGN || r == PAGE_WALK_E_DAMAGED);
	fuzz_require((r != 0) == (why != NULL));
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct page_walk_newest newest;
	struct sight sight, again;

	if (size < 1) {
		return 0;
	}
	uint64_t transaction = data[0] == 0 ? PAGE_WALK_NEWEST : data[0] - 1u;
	struct slice bytes = fuzz_copy(data + 1, size - 1);
	bool has_newest = page_walk_newest(bytes.bytes, bytes.size, &newest);
	fuzz_require(has_newest || walk(bytes, PAGE_WALK_NEWEST, &sight) != 0);
	if (walk(bytes, transaction, &sight) == 0) {
		fuzz_require(walk(bytes, transaction, &again) == 0 && again.rows == sight.rows);
	}
	fuzz_free(bytes);
	return 0;
}
