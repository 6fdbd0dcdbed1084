#include "aggregator/view/histogram.h"
#include <assert.h>

enum {
	DETAIL_BITS = 6,
	DETAIL = 1 << DETAIL_BITS, /* buckets from one power of two to the next */
	MILLION = 1000000,
};

__extension__ typedef unsigned __int128 magnitude;

static int bit_length(magnitude number)
{
	uint64_t high = (uint64_t)(number >> 64), low = (uint64_t)number;

	if (high != 0) {
		return 128 - __builtin_clzll(high);
	}
	return low == 0 ? 0 : 64 - __builtin_clzll(low);
}

int32_t histogram_bucket(money number)
{
	magnitude size = number < 0 ? -(magnitude)number : (magnitude)number;
	int shift = bit_length(size) - (DETAIL_BITS + 1);
	int32_t bucket = shift <= 0 ? (int32_t)size : DETAIL * shift + (int32_t)(size >> shift);

	bucket = bucket < HISTOGRAM_INDEX_MAX ? bucket : HISTOGRAM_INDEX_MAX;
	return number < 0 ? -bucket : bucket;
}

money histogram_value(int32_t bucket)
{
	int32_t index = bucket < 0 ? -bucket : bucket;
	int32_t shift = index < 2 * DETAIL ? 0 : index / DETAIL - 1;
	money lowest = (money)(index - DETAIL * shift) << shift;
	money middle = shift == 0 ? lowest : lowest + ((money)1 << (shift - 1));

	return bucket < 0 ? -middle : middle;
}

size_t bins_size(size_t capacity)
{
	return sizeof(struct bins) + capacity * sizeof(struct bin);
}

/* The place of the first bin that is not below this bucket. */
static uint32_t find_bin(const struct bins *bins, int32_t bucket)
{
	uint32_t low = 0, high = bins->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (bins->items[middle].bucket < bucket) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

bool bins_add(struct bins *bins, int32_t bucket, uint64_t step)
{
	uint32_t place = find_bin(bins, bucket);
	struct bin *bin = &bins->items[place];

	if (place < bins->count && bin->bucket == bucket) {
		bin->count += step;
		return true;
	}
	if (bins->count == bins->capacity) {
		return false;
	}
	memmove(bin + 1, bin, (bins->count - place) * sizeof *bin);
	*bin = (struct bin){.count = step, .bucket = bucket};
	bins->count++;
	return true;
}

/* Stands at one bin of a part. */
struct reader {
	struct bin bin;
	bool is_at_end;
	struct unpack rest; /* of an encoded part */
	const struct bins *bins;
	uint32_t next;
};

static void read_encoded(struct reader *reader)
{
	if (reader->rest.rest.size == 0) {
		reader->is_at_end = true;
		return;
	}
	uint64_t distance = unpack_varint(&reader->rest);
	uint64_t most = (uint64_t)(HISTOGRAM_INDEX_MAX - reader->bin.bucket);
	reader->rest.failed |= distance == 0 || distance > most;
	reader->bin.count = unpack_varint(&reader->rest);
	if (reader->rest.failed) {
		reader->is_at_end = true;
		return;
	}
	reader->bin.bucket += (int32_t)distance;
}

static void read_bin(struct reader *reader)
{
	if (reader->bins == NULL) {
		read_encoded(reader);
	} else if (reader->next < reader->bins->count) {
		reader->bin = reader->bins->items[reader->next++];
	} else {
		reader->is_at_end = true;
	}
}

static struct reader reader_of(const struct histogram_part *part)
{
	struct reader reader = {
		.bin.bucket = -HISTOGRAM_INDEX_MAX - 1,
		.rest = unpack_of(part->encoded),
		.bins = part->bins,
	};

	read_bin(&reader);
	return reader;
}

bool histogram_check(struct slice encoded, uint64_t *ret_count)
{
	struct reader reader = reader_of(&(struct histogram_part){.encoded = encoded});
	uint64_t count = 0;

	while (!reader.is_at_end) {
		if (reader.bin.count == 0 ||
			__builtin_add_overflow(count, reader.bin.count, &count)) {
			return false;
		}
		read_bin(&reader);
	}
	if (reader.rest.failed) {
		return false;
	}
	*ret_count = count;
	return true;
}

bool histogram_add(struct histogram *histogram, struct histogram_part part)
{
	if (histogram->part_count == HISTOGRAM_PARTS_MAX) {
		return false;
	}
	histogram->parts[histogram->part_count++] = part;
	return true;
}

/* Walks all parts at once, bucket by bucket. */
struct adding {
	size_t count;
	struct reader readers[HISTOGRAM_PARTS_MAX];
};

static void adding_start(struct adding *adding, const struct histogram *histogram)
{
	adding->count = histogram->part_count;
	for (size_t i = 0; i < adding->count; i++) {
		adding->readers[i] = reader_of(&histogram->parts[i]);
	}
}

/* The next bucket of which any part says something. */
static bool next_of_parts(struct adding *adding, struct bin *ret_bin)
{
	struct bin sum = {.bucket = HISTOGRAM_INDEX_MAX + 1};

	for (size_t i = 0; i < adding->count; i++) {
		const struct reader *reader = &adding->readers[i];
		if (!reader->is_at_end && reader->bin.bucket < sum.bucket) {
			sum.bucket = reader->bin.bucket;
		}
	}
	for (size_t i = 0; i < adding->count; i++) {
		struct reader *reader = &adding->readers[i];
		if (!reader->is_at_end && reader->bin.bucket == sum.bucket) {
			sum.count += reader->bin.count;
			read_bin(reader);
		}
	}
	*ret_bin = sum;
	return sum.bucket <= HISTOGRAM_INDEX_MAX;
}

/* The next one that is not empty: what one part counts another may take back. */
static bool adding_next(struct adding *adding, struct bin *ret_bin)
{
	bool is_there;

	do {
		is_there = next_of_parts(adding, ret_bin);
	} while (is_there && ret_bin->count == 0);
	return is_there;
}

void histogram_write(const struct histogram *histogram, struct buffer *ret_bytes)
{
	int32_t before = -HISTOGRAM_INDEX_MAX - 1;
	struct adding adding;
	struct bin bin;

	adding_start(&adding, histogram);
	while (adding_next(&adding, &bin)) {
		pack_varint(ret_bytes, (uint64_t)(bin.bucket - before));
		pack_varint(ret_bytes, bin.count);
		before = bin.bucket;
	}
}

money histogram_quantile(const struct histogram *histogram, uint64_t count, uint32_t millionths)
{
	magnitude wanted = ((magnitude)count * millionths + MILLION - 1) / MILLION;
	magnitude passed = 0;
	struct adding adding;
	struct bin bin = {0};

	assert(count > 0);
	adding_start(&adding, histogram);
	while (adding_next(&adding, &bin)) {
		passed += bin.count;
		if (passed >= wanted) {
			break;
		}
	}
	return histogram_value(bin.bucket);
}
