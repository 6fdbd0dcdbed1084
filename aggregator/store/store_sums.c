#include "aggregator/store/store_sums.h"
#include "aggregator/store/store_layout.h"

uint64_t sealed_hash(struct slice sealed)
{
	if (sealed.size < SEAL_SIZE) {
		return 0; /* damaged: it never was written so */
	}
	struct unpack seal = unpack_of(slice_of(sealed.bytes + sealed.size - SEAL_SIZE, SEAL_SIZE));
	return row_hash(unpack_u32(&seal), sealed.size - SEAL_SIZE);
}

void table_sum_add(struct table_sum *sum, struct slice sealed)
{
	sum->count++;
	sum->hash_sum += sealed_hash(sealed);
}

void table_sum_subtract(struct table_sum *sum, struct slice sealed)
{
	sum->count--;
	sum->hash_sum -= sealed_hash(sealed);
}

bool table_sum_equal(const struct table_sum *a, const struct table_sum *b)
{
	return a->count == b->count && a->hash_sum == b->hash_sum;
}

bool table_is_of_views(enum store_table table)
{
	return table == TABLE_ROWS || table == TABLE_MEMBERS;
}

struct generation_sums *store_sums_find(struct store_sums *sums, uint32_t number)
{
	for (int i = 0; i < GENERATIONS_MAX; i++) {
		if (sums->generations[i].number == number) {
			return &sums->generations[i];
		}
	}
	return NULL;
}

static void pack_sum(struct buffer *buffer, const struct table_sum *sum)
{
	pack_u64(buffer, sum->count);
	pack_u64(buffer, sum->hash_sum);
}

static struct table_sum unpack_sum(struct unpack *unpack)
{
	struct table_sum sum = {.count = unpack_u64(unpack)};

	sum.hash_sum = unpack_u64(unpack);
	return sum;
}

void store_sums_encode(const struct store_sums *sums, struct buffer *buffer)
{
	pack_u64(buffer, sums->transaction);
	pack_sum(buffer, &sums->meta);
	for (int i = 0; i < GENERATIONS_MAX; i++) {
		const struct generation_sums *generation = &sums->generations[i];
		pack_u32(buffer, generation->number);
		for (int table = 0; table < TABLE_COUNT && generation->number != 0; table++) {
			pack_sum(buffer, &generation->tables[table]);
		}
	}
}

bool store_sums_decode(struct slice bytes, struct store_sums *ret_sums)
{
	struct unpack unpack = unpack_of(bytes);
	struct store_sums sums = {.transaction = unpack_u64(&unpack)};

	sums.meta = unpack_sum(&unpack);
	for (int i = 0; i < GENERATIONS_MAX; i++) {
		struct generation_sums *generation = &sums.generations[i];
		generation->number = unpack_u32(&unpack);
		for (int table = 0; table < TABLE_COUNT && generation->number != 0; table++) {
			generation->tables[table] = unpack_sum(&unpack);
		}
	}
	if (!unpack_is_whole(&unpack)) {
		return false;
	}
	*ret_sums = sums;
	return true;
}
