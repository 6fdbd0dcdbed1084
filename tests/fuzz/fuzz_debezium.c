/* Any bytes as a record's key and value: a change holds together, and its row is what event_normalise can read. The first
 * byte chooses the settings, the next two say where the key ends. */
#include "proto/debezium.h"
#include "proto/event.h"
#include "proto/plain_row.h"
#include "proto/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_change};

enum { HEAD_SIZE = 3 };

static struct pair_list fields;
static struct pair_list key_columns;
static struct column_types types;

static void set_up(void)
{
	struct pairs_error error;

	if (fields.count == 0) {
		fuzz_require(pairs_add_columns(&fields, "fields",
				     "order_id:order_id, product_id:product_id, quantity:quantity, "
				     "price:unit_price, created_at:ts",
				     &error) == 0);
		fuzz_require(column_types_parse(&types, "types",
				     "price:decimal(2), created_at:timestamp_us", &error) == 0);
		key_columns.items[key_columns.count++].left = slice_of_text("id");
	}
}

static void check_row(struct slice row, const char *kind)
{
	struct event_rules rules = {.default_currency = "EUR"};
	struct complaint complaint;
	struct document document;
	struct event event;
	enum kind read;

	fuzz_require(document_init(&document, CHANGE_NODES_MAX) == 0);
	fuzz_require(document_decode(&document, ENCODING_JSON, row, CHANGE_DEPTH_MAX + 1,
			     &complaint) == 0 ||
		     kind == NULL || row.size > EVENT_RAW_SIZE_MAX);
	int r = event_normalise(&document, ENCODING_JSON, row, &rules, &event, &read, &complaint);
	fuzz_require(r == 0 || r == (int)complaint.reason);
	document_deinit(&document);
}

static void check_change(const struct change *change, const char *kind)
{
	bool has_row = change->op <= CHANGE_READ;
	bool has_key = change->op != CHANGE_TRUNCATE && change->op != CHANGE_MESSAGE;

	fuzz_require((change->row.size > 0) == has_row && (change->key.size > 0) == has_key);
	fuzz_require(change->key.size <= CHANGE_KEY_SIZE_MAX && change->ts_ms >= 0);
	if (change->op != CHANGE_TOMBSTONE) {
		const struct change_position next =
			change_position_follow(&change->position, &change->position);
		fuzz_require(
			change_position_order(&change->position, &change->position) == CHANGE_SAME);
		fuzz_require(change_position_order(&change->position, &next) == CHANGE_SAME);
	}
	if (has_row) {
		check_row(change->row, kind);
	}
}

/* The same value as a record of a home-made producer. */
static void check_plain(struct slice value)
{
	struct complaint complaint;
	struct document document;
	struct buffer row;

	buffer_init(&row, EVENT_RAW_SIZE_MAX);
	fuzz_require(document_init(&document, EVENT_NODES_MAX) == 0);
	int r = plain_row_write(&document, value, "order", &fields, &row, &complaint);
	fuzz_require(r == 0 || r == (int)complaint.reason);
	document_deinit(&document);
	if (r == 0) {
		check_row(buffer_slice(&row), "order");
	}
	buffer_deinit(&row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct debezium *debezium = NULL;
	struct complaint complaint;
	struct change change;

	if (size < HEAD_SIZE) {
		return 0;
	}
	set_up();
	size_t key_size = (size_t)data[1] | (size_t)data[2] << 8;
	size_t rest = size - HEAD_SIZE;
	key_size = key_size < rest ? key_size : rest;
	struct slice key = fuzz_copy(data + HEAD_SIZE, key_size);
	struct slice value = fuzz_copy(data + HEAD_SIZE + key_size, rest - key_size);
	struct debezium_rules rules = {.fields = data[0] & 1 ? NULL : &fields,
		.types = data[0] & 2 ? &types : NULL,
		.key = data[0] & 4 ? &key_columns : NULL,
		.kind = data[0] & 9 ? NULL : "order"};
	fuzz_require(debezium_new(&rules, &debezium) == 0);
	int r = debezium_decode(debezium, key, value, &change, &complaint);
	if (r == 0) {
		check_change(&change, rules.kind);
	} else {
		fuzz_require(r == (int)complaint.reason &&
			     utf8_is_valid(slice_of_text(complaint.message)));
	}
	debezium_free(debezium);
	check_plain(value);
	fuzz_free(key);
	fuzz_free(value);
	return 0;
}
