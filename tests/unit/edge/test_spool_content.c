/* What a spool's rows must be: damage that can't be set aside one block at a time is found before the spool is opened. */
#include "edge/event_id_row.h"
#include "edge/producers.h"
#include "edge/spool_block.h"
#include "edge/spool_content.h"
#include "edge/spool_identity.h"
#include "fixture.h"

static const char *const tables[] = {
	"meta", "blocks", "corrupt", "producers", "event_ids", "event_id_order", "marks"};
enum { TABLES = sizeof tables / sizeof tables[0] };

static int row(
	struct spool_content *content, const char *table, struct slice key, struct slice value)
{
	assert_int_equal(spool_content_table(content, slice_of_text(table)), 0);
	return spool_content_row(content, key, value);
}

/* What it holds is what it should. */
static int tell_sums(struct spool_content *content)
{
	struct spool_sums sums = {.transaction = content->transaction};
	uint8_t bytes[SPOOL_SUMS_SIZE];

	memcpy(sums.tables, content->found, sizeof sums.tables);
	spool_sums_encode(&sums, bytes);
	return spool_content_note(content, slice_of_text("sums"), slice_of(bytes, sizeof bytes));
}

/* A spool with nothing in it but its identity. */
static struct spool_content spool_of_version(uint32_t version)
{
	struct spool_content content = {.transaction = 17};
	const struct spool_identity identity = {.version = version, .edge = "berlin-1"};
	struct buffer buffer;

	for (int i = 1; i < TABLES; i++) {
		assert_int_equal(spool_content_table(&content, slice_of_text(tables[i])), 0);
	}
	buffer_init(&buffer, 1024);
	spool_identity_encode(&identity, &buffer);
	assert_int_equal(
		row(&content, "meta", slice_of_text("identity"), buffer_slice(&buffer)), 0);
	buffer_deinit(&buffer);
	return content;
}

static struct spool_content empty_spool(void)
{
	struct spool_content content = spool_of_version(SPOOL_VERSION);
	assert_int_equal(tell_sums(&content), 0);
	return content;
}

static void test_a_spool_has_all_its_tables_and_an_identity(void **state)
{
	struct spool_content content = {0};

	(void)state;
	assert_int_equal(spool_content_end(&content), 0); /* killed before its first commit */
	content = empty_spool();
	assert_int_equal(spool_content_end(&content), 0);
	content.has[SPOOL_TABLE_MARKS] = false;
	assert_int_equal(spool_content_end(&content), SPOOL_CONTENT_E_DAMAGED);
	content = spool_of_version(SPOOL_VERSION);
	assert_int_equal(spool_content_end(&content), SPOOL_CONTENT_E_DAMAGED); /* without sums */
	content = spool_of_version(SPOOL_VERSION_WITHOUT_SUMS);
	assert_int_equal(spool_content_end(&content), 0);
	content.has[SPOOL_TABLE_MARKS] = false; /* of a till that had no files */
	assert_int_equal(spool_content_end(&content), 0);
	content.has[SPOOL_TABLE_PRODUCERS] = false;
	assert_int_equal(spool_content_end(&content), SPOOL_CONTENT_E_DAMAGED);
	content = (struct spool_content){0};
	assert_int_equal(spool_content_table(&content, slice_of_text("meta")), 0);
	assert_int_equal(spool_content_end(&content), SPOOL_CONTENT_E_FOREIGN);
}

static void test_a_block_lies_under_the_key_of_a_lane(void **state)
{
	struct spool_content content = empty_spool();
	uint8_t key[SPOOL_KEY_SIZE];

	(void)state;
	spool_key_encode(KIND_ORDER, 17, key);
	struct slice damaged_events = slice_of_text("whatever: checked when they are sent");
	assert_int_equal(row(&content, "blocks", slice_of(key, sizeof key), damaged_events), 0);
	key[0] = KIND_COUNT;
	assert_int_equal(row(&content, "blocks", slice_of(key, sizeof key), damaged_events),
		SPOOL_CONTENT_E_DAMAGED);
	assert_int_equal(row(&content, "corrupt", slice_of(key, 3), damaged_events),
		SPOOL_CONTENT_E_DAMAGED);
}

/* Under another name the till that had it would be taken for a new one, and what it repeats counted twice. */
static void test_a_producers_row_is_refused_under_another_name(void **state)
{
	struct spool_content content = empty_spool();
	const struct producer_row till = {.n = 7, .reply = slice_of_text("ok")};
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, 1024);
	producer_row_encode(slice_of_text("till-1"), &till, &buffer);
	assert_int_equal(
		row(&content, "producers", slice_of_text("till-1"), buffer_slice(&buffer)), 0);
	assert_int_equal(row(&content, "producers", slice_of_text("till-3"), buffer_slice(&buffer)),
		SPOOL_CONTENT_E_DAMAGED);
	content.is_read_only = true; /* a tool that saves the blocks */
	assert_int_equal(
		row(&content, "producers", slice_of_text("till-3"), buffer_slice(&buffer)), 0);
	buffer_deinit(&buffer);
}

static int add_id(struct spool_content *content, const char *id, uint64_t order)
{
	uint8_t bytes[64];
	struct slice nothing = {NULL, 0};

	event_id_row_encode(slice_of_text(id), order, nothing, bytes);
	return row(content, "event_ids", slice_of_text(id),
		slice_of(bytes, event_id_row_size(order, nothing)));
}

static int add_order(struct spool_content *content, uint64_t order, const char *id)
{
	uint8_t key[EVENT_ID_ORDER_SIZE];
	spool_put_u64(key, order);
	return row(content, "event_id_order", slice_of(key, sizeof key), slice_of_text(id));
}

static void test_event_ids_are_the_same_in_both_tables(void **state)
{
	struct spool_content content = empty_spool();

	(void)state;
	assert_int_equal(add_id(&content, "a", 2) + add_id(&content, "b", 1), 0);
	assert_int_equal(spool_content_end(&content),
		SPOOL_CONTENT_E_DAMAGED); /* nobody would push them out */
	struct spool_content other = content;
	assert_int_equal(add_order(&content, 1, "b") + add_order(&content, 2, "a"), 0);
	assert_int_equal(tell_sums(&content), 0);
	assert_int_equal(spool_content_end(&content), 0);
	assert_int_equal(add_order(&other, 1, "a") + add_order(&other, 2, "b"), 0); /* crossed */
	assert_int_equal(spool_content_end(&other), SPOOL_CONTENT_E_DAMAGED);
}

static void test_an_id_that_is_kept_for_good_bears_a_seal(void **state)
{
	struct spool_content content = empty_spool();
	uint8_t bytes[64];
	struct slice nothing = {NULL, 0}, id = slice_of_text("dlq:orders.dlq/0/17");

	(void)state;
	assert_int_equal(add_id(&content, "dlq:orders.dlq/0/17", 0), 0);
	assert_int_equal(tell_sums(&content), 0);
	assert_int_equal(spool_content_end(&content), 0);
	event_id_row_encode(id, 0, nothing, bytes);
	struct slice value = slice_of(bytes, event_id_row_size(0, nothing));
	assert_int_equal(event_id_row_kept(value).size, 0);
	assert_int_equal(row(&content, "event_ids", slice_of_text("dlq:orders.dlq/0/16"), value),
		SPOOL_CONTENT_E_DAMAGED);
	assert_int_equal(row(&content, "event_ids", id, slice_of(bytes, EVENT_ID_ORDER_SIZE)),
		0); /* an older one */
	assert_int_equal(
		row(&content, "event_ids", id, slice_of(bytes, 5)), SPOOL_CONTENT_E_DAMAGED);
}

static void test_sums_read_back_and_a_flipped_bit_is_noticed(void **state)
{
	struct spool_sums sums = {.transaction = 99}, read;
	uint8_t bytes[SPOOL_SUMS_SIZE];

	(void)state;
	for (uint64_t i = 0; i < SPOOL_TABLES_SUMMED; i++) {
		sums.tables[i] = (struct spool_sum){i + 1, i + 10, UINT64_MAX - i};
	}
	spool_sums_encode(&sums, bytes);
	assert_true(spool_sums_decode(slice_of(bytes, sizeof bytes), &read));
	assert_memory_equal(&read, &sums, sizeof sums);
	assert_false(spool_sums_decode(slice_of(bytes, sizeof bytes - 1), &read));
	for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(spool_sums_decode(slice_of(bytes, sizeof bytes), &read));
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* As a table's name is when a bit says that it is none. */
static void test_no_row_but_the_sums_stands_among_the_names_of_tables(void **state)
{
	struct spool_content content = empty_spool();

	(void)state;
	assert_int_equal(spool_content_note(&content, slice_of_text("marks"), slice_of_text("x")),
		SPOOL_CONTENT_E_DAMAGED);
	assert_int_equal(spool_content_note(&content, slice_of_text("sums"), slice_of_text("x")),
		SPOOL_CONTENT_E_DAMAGED);
}

static void test_rows_that_changed_places_do_not_add_up(void **state)
{
	struct spool_sum told = {0}, found = {0};
	struct slice a = slice_of_text("a"), b = slice_of_text("b");
	struct slice one = slice_of_text("one"), two = slice_of_text("two");

	(void)state;
	spool_sum_add(&told, SPOOL_TABLE_PRODUCERS, a, one);
	spool_sum_add(&told, SPOOL_TABLE_PRODUCERS, b, two);
	spool_sum_add(&found, SPOOL_TABLE_PRODUCERS, b, one);
	spool_sum_add(&found, SPOOL_TABLE_PRODUCERS, a, two);
	assert_false(spool_sum_fits(&told, &found));
	spool_sum_subtract(&found, SPOOL_TABLE_PRODUCERS, b, one);
	spool_sum_subtract(&found, SPOOL_TABLE_PRODUCERS, a, two);
	assert_int_equal(found.count + found.hash_sum, 0);
}

/* What it was nobody knows: but one row hides none of the others. */
static void test_beside_a_damaged_mark_only_the_number_of_rows_tells(void **state)
{
	struct spool_sum told = {.count = 2, .hash_sum = 1};
	struct spool_sum found = {.count = 2, .damaged = 1, .hash_sum = 2};

	(void)state;
	assert_true(spool_sum_fits(&told, &found));
	found.count = 1;
	assert_false(spool_sum_fits(&told, &found));
	found.count = 2;
	told.damaged = 1; /* known since the last start */
	assert_false(spool_sum_fits(&told, &found));
	told.damaged = 2;
	assert_false(spool_sum_fits(&told, &found));
}

static void test_a_state_of_another_transaction_is_refused_but_for_a_copy(void **state)
{
	struct spool_content content = empty_spool();

	(void)state;
	content.transaction++;
	assert_int_equal(spool_content_end(&content), SPOOL_CONTENT_E_DAMAGED);
	content.is_read_only = true;
	assert_int_equal(spool_content_end(&content), 0);
	content.found[SPOOL_TABLE_BLOCKS].count++; /* a tool reads what is there, and says so */
	assert_int_equal(spool_content_end(&content), SPOOL_CONTENT_E_LOST);
	content.found[SPOOL_TABLE_BLOCKS].count--;
	content.is_read_only = false;
	content.transaction = 1; /* made small by LMDB, whose numbers begin anew */
	assert_int_equal(spool_content_end(&content), 0);
}

static void test_what_is_kept_with_an_id_reads_back(void **state)
{
	uint8_t bytes[64];
	struct slice kept = slice_of_text("the reply");

	(void)state;
	for (uint64_t order = 0; order < 2; order++) {
		event_id_row_encode(slice_of_text("key"), order, kept, bytes);
		struct slice value = slice_of(bytes, event_id_row_size(order, kept));
		assert_int_equal(event_id_row_order(value), order);
		assert_true(slice_equal(event_id_row_kept(value), kept));
		assert_true(event_id_row_is_whole(slice_of_text("key"), value));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_spool_has_all_its_tables_and_an_identity),
		cmocka_unit_test(test_a_block_lies_under_the_key_of_a_lane),
		cmocka_unit_test(test_a_producers_row_is_refused_under_another_name),
		cmocka_unit_test(test_event_ids_are_the_same_in_both_tables),
		cmocka_unit_test(test_an_id_that_is_kept_for_good_bears_a_seal),
		cmocka_unit_test(test_sums_read_back_and_a_flipped_bit_is_noticed),
		cmocka_unit_test(test_no_row_but_the_sums_stands_among_the_names_of_tables),
		cmocka_unit_test(test_rows_that_changed_places_do_not_add_up),
		cmocka_unit_test(test_beside_a_damaged_mark_only_the_number_of_rows_tells),
		cmocka_unit_test(test_a_state_of_another_transaction_is_refused_but_for_a_copy),
		cmocka_unit_test(test_what_is_kept_with_an_id_reads_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
