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

/* A spool with nothing in it but its identity. */
static struct spool_content empty_spool(void)
{
	struct spool_content content = {0};
	const struct spool_identity identity = {.version = SPOOL_VERSION, .edge = "berlin-1"};
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

static void test_a_spool_has_all_its_tables_and_an_identity(void **state)
{
	struct spool_content content = {0};

	(void)state;
	assert_int_equal(spool_content_end(&content), 0); /* killed before its first commit */
	content = empty_spool();
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
		cmocka_unit_test(test_what_is_kept_with_an_id_reads_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
