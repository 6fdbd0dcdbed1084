#include "tests/sim/second_reader.h"
#include "tests/sim/forget_requests.h"
#include "tests/sim/kafka.h"
#include "tests/sim/mdb_model.h"
#include "tests/sim/staging.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ONE_RUN_IN = 10,
	PRODUCTS_MAX = 64,
	ROUNDS_MAX = 20000,
	FAULTY_ROUNDS = 300,
	SHARDS_MAX_HERE = 3,
};

enum manner {
	MANNER_NEW,
	MANNER_SHARED, /* two, of which each owns some partitions */
	MANNER_COPY,
	MANNER_COUNT,
};

static bool is_in_play;
static enum manner manner;
static struct mdb_files *copy; /* NULL: none was made */

void second_reader_begin(void)
{
	second_reader_end();
	is_in_play = world_draw(ONE_RUN_IN) == 0;
	manner = (enum manner)world_draw(MANNER_COUNT);
}

void second_reader_end(void)
{
	copy = mdb_files_free(copy);
}

void second_reader_copy(void)
{
	if (is_in_play && manner == MANNER_COPY && world_draw(3) == 0) {
		mdb_files_free(copy);
		copy = aggregator_part_back_up();
	}
}

/* Reads what it owns to its end, with faults to begin with. false: it does not come to its end. */
static struct aggregator_part *read_all(int own)
{
	const struct aggregator_part_options options = {.own = own};
	struct aggregator_part *part = NULL;

	world.has_faults = true;
	for (int i = 0; i < ROUNDS_MAX; i++) {
		world.has_faults = world.has_faults && i < FAULTY_ROUNDS;
		world.now_ms += 1 + (int64_t)world_draw(40);
		if (part == NULL) {
			part = aggregator_part_new(&options);
			continue;
		}
		bool dies = world_fails(FAULT_AGGREGATOR_CRASH, 10000);
		if (dies || aggregator_part_round(part) != 0) {
			part = aggregator_part_free(part);
		} else if (!world.has_faults && aggregator_part_is_settled(part)) {
			return part;
		}
	}
	aggregator_part_free(part);
	return NULL;
}

/* ---- all of it */

/* How many rows a view has each shard counts for itself: where there are other shards, rows alone are compared. */
static void keep_rows(char *dump)
{
	char *to = dump;

	for (char *line = dump; *line != '\0';) {
		size_t size = strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n');
		if (memmem(line, size, "\"row\":", 6) != NULL) {
			memmove(to, line, size);
			to += size;
		}
		line += size;
	}
	*to = '\0';
}

static bool compare_dumps(const char *first, bool is_copy, char *ret_words, size_t words_size)
{
	struct aggregator_part *part = read_all(OWN_ALL);

	if (part == NULL) {
		snprintf(ret_words, words_size, "a second reader does not come to its end");
		return false;
	}
	aggregator_part_free(part);
	char *second = aggregator_part_dump();
	if (!is_copy) {
		keep_rows(second);
	}
	bool is_equal = strcmp(first, second) == 0;
	if (!is_equal) {
		snprintf(ret_words, words_size, "the dump of a second reader (%s) is another one",
			is_copy ? "a copy" : "a new one");
	}
	free(second);
	return is_equal;
}

/* ---- shares of it */

struct sums {
	uint64_t counts[PRODUCTS_MAX];
	int64_t millionths[PRODUCTS_MAX];
};

static void take_row(void *owner, const char *name, uint64_t count, int64_t millionths)
{
	struct sums *sums = owner;
	size_t product = strtoull(name + 1, NULL, 10) % PRODUCTS_MAX;

	sums->counts[product] += count;
	sums->millionths[product] += millionths;
}

static bool add_share(int own, struct sums *sums)
{
	aggregator_part_restore(mdb_files_new());
	struct aggregator_part *part = read_all(own);
	if (part == NULL) {
		return false;
	}
	aggregator_part_each_row(part, "by_product", take_row, sums);
	aggregator_part_free(part);
	return true;
}

static bool compare_sums(const struct sums *first, char *ret_words, size_t words_size)
{
	struct sums both = {0};
	bool is_read = true;

	for (int partition = 0; is_read && partition < PARTITIONS; partition++) {
		is_read = add_share(partition, &both);
	}
	if (!is_read || memcmp(first, &both, sizeof both) != 0) {
		snprintf(ret_words, words_size,
			is_read ? "two readers that share the partitions have "
				  "other totals than one"
				: "a reader of one partition does not come to its end");
		return false;
	}
	return true;
}

static struct sums sums_of_first(void)
{
	const struct aggregator_part_options options = {.own = OWN_ALL};
	struct aggregator_part *part = aggregator_part_new(&options);
	struct sums sums = {0};

	while (!aggregator_part_is_settled(part)) {
		world.now_ms += 10;
		if (aggregator_part_round(part) != 0) {
			abort();
		}
	}
	aggregator_part_each_row(part, "by_product", take_row, &sums);
	aggregator_part_free(part);
	return sums;
}

static bool is_equal(char *ret_words, size_t words_size)
{
	if (manner == MANNER_SHARED) {
		struct sums first = sums_of_first();
		return compare_sums(&first, ret_words, words_size);
	}
	char *first = aggregator_part_dump();
	bool is_copy = manner == MANNER_COPY && copy != NULL;
	if (!is_copy) {
		keep_rows(first);
		aggregator_part_set_shards(1 + (int)world_draw(SHARDS_MAX_HERE));
	}
	aggregator_part_restore(is_copy ? copy : mdb_files_new());
	copy = is_copy ? NULL : copy;
	bool is_same = compare_dumps(first, is_copy, ret_words, words_size);
	free(first);
	return is_same;
}

bool second_reader_is_equal(char *ret_words, size_t words_size)
{
	/* A store of its own knows nothing of what was asked of the first one. */
	bool is_alike = forget_requests_are_none() && !staging_is_in_play();

	if (!is_in_play || !is_alike) {
		return true;
	}
	bool is_same = is_equal(ret_words, words_size);
	world.has_faults = false;
	return is_same;
}
