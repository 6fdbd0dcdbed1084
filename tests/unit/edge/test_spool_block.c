#include "edge/spool_block.h"
#include "edge/spool_identity.h"
#include "fixture.h"

static const char events_text[] = "any bytes will do here";

static size_t make_block(uint8_t *out)
{
	struct slice events = slice_of_text(events_text);
	struct spool_block_header header = {
		.lane = KIND_VIEW_DLQ,
		.count = 3,
		.run = RUN_MAX,
		.first_seq = UINT64_C(0x0102030405060708),
		.received_first_ms = 1291191960000,
		.received_last_ms = 1291191960001,
		.size = (uint32_t)events.size,
	};

	spool_block_encode_header(&header, events, out);
	memcpy(out + SPOOL_BLOCK_HEADER_SIZE, events.bytes, events.size);
	return SPOOL_BLOCK_HEADER_SIZE + events.size;
}

static void test_a_block_reads_back_as_it_was_written(void **state)
{
	uint8_t block[256];
	struct spool_block_header header;
	struct slice events;

	(void)state;
	size_t size = make_block(block);
	assert_int_equal(spool_block_decode(slice_of(block, size), &header, &events), 0);
	assert_int_equal(header.lane, KIND_VIEW_DLQ);
	assert_int_equal(header.count, 3);
	assert_int_equal(header.run, RUN_MAX);
	assert_int_equal(header.first_seq, UINT64_C(0x0102030405060708));
	assert_int_equal(header.received_first_ms, 1291191960000);
	assert_int_equal(header.received_last_ms, 1291191960001);
	assert_true(slice_equals_text(events, events_text));
}

/* The form is on disks: these bytes must never change. */
static void test_the_header_is_big_endian_and_fixed(void **state)
{
	static const uint8_t expected[44] = {1, 5, 0, 0, 0, 0, 0, 3, 0, 0x1f, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 1, 0x2c, 0xa1, 0x09, 0xc1, 0xc0, 0,
		0, 1, 0x2c, 0xa1, 0x09, 0xc1, 0xc1, 0, 0, 0, 22};
	uint8_t block[256];

	(void)state;
	make_block(block);
	assert_memory_equal(block, expected, sizeof expected);
}

static void test_every_flipped_bit_is_noticed(void **state)
{
	uint8_t block[256];
	struct spool_block_header header;
	struct slice events;

	(void)state;
	size_t size = make_block(block);
	for (size_t bit = 0; bit < size * 8; bit++) {
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
		int expected = bit / 8 < SPOOL_BLOCK_HEADER_SIZE ? SPOOL_BLOCK_E_HEADER
								 : SPOOL_BLOCK_E_EVENTS;
		assert_int_equal(
			spool_block_decode(slice_of(block, size), &header, &events), expected);
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* What is missing is still known when only the events are damaged. */
static void test_damaged_events_leave_the_header_readable(void **state)
{
	uint8_t block[256];
	struct spool_block_header header = {0};
	struct slice events;

	(void)state;
	size_t size = make_block(block);
	block[size - 1] ^= 1;
	assert_int_equal(
		spool_block_decode(slice_of(block, size), &header, &events), SPOOL_BLOCK_E_EVENTS);
	assert_int_equal(header.count, 3);
	assert_int_equal(spool_block_decode_header(slice_of(block, size), &header), 0);
}

static void test_a_block_of_the_wrong_length_is_refused(void **state)
{
	uint8_t block[257] = {0};
	struct spool_block_header header;
	struct slice events;

	(void)state;
	size_t size = make_block(block);
	for (size_t shorter = 0; shorter < size; shorter++) {
		assert_int_equal(spool_block_decode(slice_of(block, shorter), &header, &events),
			SPOOL_BLOCK_E_HEADER);
	}
	assert_int_equal(spool_block_decode(slice_of(block, size + 1), &header, &events),
		SPOOL_BLOCK_E_HEADER);
}

/* A good checksum over nonsense: written by something that is not an edge. */
static void test_headers_that_no_edge_writes_are_refused(void **state)
{
	struct slice events = slice_of_text(events_text);
	const struct spool_block_header good = {.lane = KIND_ORDER,
		.count = 1,
		.run = 1,
		.first_seq = 1,
		.size = (uint32_t)events.size};
	struct spool_block_header bad[6] = {good, good, good, good, good, good};
	uint8_t block[256];
	struct spool_block_header header;

	(void)state;
	bad[0].count = 0;
	bad[1].run = 0;
	bad[2].first_seq = 0;
	bad[3].count = good.size + 1;
	bad[4].run = RUN_MAX + 1;
	bad[5].first_seq = (uint64_t)INT64_MAX; /* no certificate has the seqs behind it */
	memcpy(block + SPOOL_BLOCK_HEADER_SIZE, events.bytes, events.size);
	for (int i = 0; i < 6; i++) {
		spool_block_encode_header(&bad[i], events, block);
		assert_int_equal(
			spool_block_decode_header(
				slice_of(block, SPOOL_BLOCK_HEADER_SIZE + events.size), &header),
			SPOOL_BLOCK_E_HEADER);
	}
}

static void test_keys_sort_by_lane_then_index(void **state)
{
	uint8_t low[SPOOL_KEY_SIZE];
	uint8_t high[SPOOL_KEY_SIZE];
	enum kind lane;
	uint64_t index;

	(void)state;
	spool_key_encode(KIND_ORDER, UINT64_MAX, low);
	spool_key_encode(KIND_CART, 0, high);
	assert_true(memcmp(low, high, sizeof low) < 0);
	spool_key_encode(KIND_CART, 255, low);
	spool_key_encode(KIND_CART, 256, high);
	assert_true(memcmp(low, high, sizeof low) < 0);
	assert_true(spool_key_decode(slice_of(high, sizeof high), &lane, &index));
	assert_int_equal(lane, KIND_CART);
	assert_int_equal(index, 256);
	high[0] = KIND_COUNT;
	assert_false(spool_key_decode(slice_of(high, sizeof high), &lane, &index));
	assert_false(spool_key_decode(slice_of(low, sizeof low - 1), &lane, &index));
}

static void test_large_values_cost_whole_pages(void **state)
{
	(void)state;
	assert_true(spool_cost(9, 100) < 400);
	assert_true(spool_cost(9, 5000) >= 8192);
	assert_true(spool_cost(9, 128 * 1024) < 140 * 1024);
}

static struct spool_identity an_identity(void)
{
	return (struct spool_identity){.version = SPOOL_VERSION,
		.edge = "United Kingdom",
		.cluster = "abc",
		.topics_hash = UINT64_C(0x1122334455667788)};
}

static void test_an_identity_reads_back_and_notices_flipped_bits(void **state)
{
	struct spool_identity identity = an_identity();
	struct spool_identity read = {0};
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 1024);
	spool_identity_encode(&identity, &buffer);
	assert_int_equal(spool_identity_decode(buffer_slice(&buffer), &read), 0);
	assert_string_equal(read.edge, "United Kingdom");
	assert_string_equal(read.cluster, "abc");
	assert_int_equal(read.topics_hash, UINT64_C(0x1122334455667788));
	for (size_t bit = 0; bit < buffer.size * 8; bit++) {
		buffer.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(spool_identity_decode(buffer_slice(&buffer), &read), 0);
		buffer.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(
		spool_identity_decode(slice_of(buffer.bytes, 8), &read), SPOOL_IDENTITY_E_FOREIGN);
	buffer_deinit(&buffer);
}

static void test_an_identity_of_a_later_version_is_told_from_damage(void **state)
{
	struct spool_identity identity = an_identity();
	struct spool_identity read = {0};
	struct buffer buffer;

	(void)state;
	identity.version = SPOOL_VERSION + 1;
	buffer_init(&buffer, 1024);
	spool_identity_encode(&identity, &buffer);
	assert_int_equal(
		spool_identity_decode(buffer_slice(&buffer), &read), SPOOL_IDENTITY_E_VERSION);
	assert_int_equal(read.version, SPOOL_VERSION + 1);
	buffer_deinit(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_block_reads_back_as_it_was_written),
		cmocka_unit_test(test_the_header_is_big_endian_and_fixed),
		cmocka_unit_test(test_every_flipped_bit_is_noticed),
		cmocka_unit_test(test_damaged_events_leave_the_header_readable),
		cmocka_unit_test(test_a_block_of_the_wrong_length_is_refused),
		cmocka_unit_test(test_headers_that_no_edge_writes_are_refused),
		cmocka_unit_test(test_keys_sort_by_lane_then_index),
		cmocka_unit_test(test_large_values_cost_whole_pages),
		cmocka_unit_test(test_an_identity_reads_back_and_notices_flipped_bits),
		cmocka_unit_test(test_an_identity_of_a_later_version_is_told_from_damage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
