/* Columns into fields: what is renamed, set, left out, refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/mapping.h"
#include "proto/writer.h"
#include <errno.h>
#include <string.h>

struct stage {
	const char *map[3], *set[3], *where[3]; /* end with NULL */
	const char *kind;
	struct mapping *mapping;
	struct pairs_error error;
	struct buffer buffer;
	struct document document;
	char json[512];
};

static int make(struct stage *stage)
{
	struct mapping_options options = {stage->map, stage->set, stage->where, stage->kind, "--"};

	buffer_init(&stage->buffer, 64 * 1024);
	assert_int_equal(document_init(&stage->document, 1000), 0);
	return mapping_new(&options, &stage->mapping, &stage->error);
}

static void done(struct stage *stage)
{
	mapping_free(stage->mapping);
	buffer_deinit(&stage->buffer);
	document_deinit(&stage->document);
}

static uint32_t split(const char *line, struct slice *cells)
{
	uint32_t count = 0;

	for (;;) {
		const char *comma = strchr(line, ',');
		size_t size = comma != NULL ? (size_t)(comma - line) : strlen(line);
		cells[count++] = slice_of(line, size);
		if (comma == NULL) {
			return count;
		}
		line = comma + 1;
	}
}

static int bind(struct stage *stage, const char *names)
{
	struct slice cells[16];
	uint32_t count = split(names, cells);

	return mapping_bind(stage->mapping, cells, count, &stage->error);
}

/* The encoded event as JSON, so that it can be read here. */
static const char *rendered(struct stage *stage)
{
	struct complaint complaint;
	struct buffer text;
	struct writer writer;
	struct slice bytes = buffer_slice(&stage->buffer);

	assert_int_equal(
		document_decode(&stage->document, encoding_of(bytes), bytes, 8, &complaint), 0);
	buffer_init(&text, sizeof stage->json - 1);
	writer_init(&writer, ENCODING_JSON, &text);
	write_node(&writer, stage->document.nodes, stage->document.encoding);
	assert_int_equal(text.error, 0);
	memcpy(stage->json, text.bytes, text.size);
	stage->json[text.size] = '\0';
	buffer_deinit(&text);
	return stage->json;
}

static int row(struct stage *stage, const char *line)
{
	struct slice cells[16];
	uint32_t count = split(line, cells);

	buffer_clear(&stage->buffer);
	return mapping_row(stage->mapping, cells, count, &stage->buffer);
}

static void test_mapped_columns_are_renamed_and_others_keep_their_name(void **state)
{
	(void)state;
	struct stage stage = {.map = {"order_id=Invoice,quantity=Q"}};

	assert_int_equal(make(&stage), 0);
	assert_int_equal(mapping_columns(stage.mapping), 0);
	assert_int_equal(bind(&stage, "Invoice,Q,Country"), 0);
	assert_int_equal(mapping_columns(stage.mapping), 3);
	assert_int_equal(row(&stage, "536365,6,France"), 0);
	assert_string_equal(rendered(&stage),
		"{\"order_id\":\"536365\",\"quantity\":\"6\",\"Country\":\"France\"}");
	done(&stage);
}

static void test_an_empty_cell_is_absent(void **state)
{
	(void)state;
	struct stage stage = {.kind = NULL};

	assert_int_equal(make(&stage), 0);
	assert_int_equal(bind(&stage, "a,,c"), 0);
	assert_int_equal(row(&stage, ",,"), 0);
	assert_string_equal(rendered(&stage), "{}");
	assert_int_equal(row(&stage, ",x,"), 0);
	assert_string_equal(rendered(&stage), "{\"column_2\":\"x\"}");
	done(&stage);
}

static void test_what_is_set_wins_over_a_column(void **state)
{
	(void)state;
	struct stage stage = {.set = {"currency=GBP", "note="}, .kind = "cart"};

	assert_int_equal(make(&stage), 0);
	assert_int_equal(bind(&stage, "currency,a"), 0);
	assert_int_equal(row(&stage, "EUR,1"), 0);
	assert_string_equal(
		rendered(&stage), "{\"currency\":\"GBP\",\"kind\":\"cart\",\"a\":\"1\"}");
	done(&stage);
}

static void test_only_wanted_rows_with_all_their_cells(void **state)
{
	(void)state;
	struct stage stage = {.where = {"Country=United Kingdom", "a=1"}};

	assert_int_equal(make(&stage), 0);
	assert_int_equal(bind(&stage, "a,Country"), 0);
	assert_int_equal(row(&stage, "1,France"), MAPPING_E_UNWANTED);
	assert_int_equal(row(&stage, "2,United Kingdom"), MAPPING_E_UNWANTED);
	assert_int_equal(row(&stage, "1,United Kingdom"), 0);
	assert_int_equal(row(&stage, "1"), MAPPING_E_CELLS);
	assert_int_equal(row(&stage, "1,United Kingdom,3"), MAPPING_E_CELLS);
	done(&stage);
}

static void test_columns_that_are_not_there_are_named(void **state)
{
	(void)state;
	struct stage stage = {.map = {"quantity=Quantty"}};

	assert_int_equal(make(&stage), 0);
	assert_int_equal(bind(&stage, "Invoice,Quantity"), -EINVAL);
	assert_string_equal(stage.error.text, "no column \"Quantty\"");
	assert_true(slice_equals_text(mapping_missing(stage.mapping), "Quantty"));
	assert_true(slice_equals_text(mapping_column(stage.mapping, 1), "Quantity"));
	done(&stage);
}

/* The edge would refuse every row. */
static void test_two_columns_must_not_give_one_field(void **state)
{
	(void)state;
	struct stage stage = {.map = {"quantity=Q"}};

	assert_int_equal(make(&stage), 0);
	assert_int_equal(bind(&stage, "Q,quantity"), -EINVAL);
	assert_string_equal(stage.error.text, "two columns give the field \"quantity\"");
	done(&stage);
	struct stage twice = {.map = {"a=B,a=C"}};
	assert_int_equal(make(&twice), -EINVAL);
	done(&twice);
	struct stage both = {.map = {"a=B"}, .set = {"a=1"}};
	assert_int_equal(make(&both), -EINVAL);
	assert_string_equal(both.error.text, "field \"a\" is given twice");
	done(&both);
}

static void test_malformed_pairs_are_refused(void **state)
{
	(void)state;
	struct stage stage = {.map = {"quantity"}};

	assert_int_equal(make(&stage), -EINVAL);
	assert_string_equal(stage.error.text, "--map wants NAME=VALUE, not \"quantity\"");
	done(&stage);
	struct stage bad = {.kind = NULL};
	assert_int_equal(make(&bad), 0);
	assert_int_equal(bind(&bad, "a,\xff"), -EINVAL);
	done(&bad);
}

static int map_json(struct stage *stage, const char *json)
{
	struct document document;
	struct complaint complaint;

	assert_int_equal(document_init(&document, 1000), 0);
	assert_int_equal(
		document_decode(&document, ENCODING_JSON, slice_of_text(json), 8, &complaint), 0);
	buffer_clear(&stage->buffer);
	int r = mapping_map(stage->mapping, &document, &stage->buffer);
	document_deinit(&document);
	return r;
}

/* Exact digits are the reason not to decode and encode what need not be changed. */
static void test_a_map_without_changes_keeps_its_very_bytes(void **state)
{
	(void)state;
	struct stage stage = {.kind = NULL};
	const char *json = "{ \"unit_price\" : 2.550 }";

	assert_int_equal(make(&stage), 0);
	assert_int_equal(map_json(&stage, json), 0);
	assert_true(slice_equals_text(buffer_slice(&stage.buffer), json));
	done(&stage);
}

static void test_keys_of_maps_are_renamed_set_and_chosen(void **state)
{
	(void)state;
	struct stage stage = {.map = {"unit_price=p"}, .set = {"kind=order"}, .where = {"shop=7"}};

	assert_int_equal(make(&stage), 0);
	assert_int_equal(map_json(&stage, "{\"p\":2.50,\"kind\":\"x\",\"shop\":7}"), 0);
	assert_true(slice_equals_text(buffer_slice(&stage.buffer),
		"{\"kind\":\"order\",\"unit_price\":2.50,\"shop\":7}"));
	assert_int_equal(map_json(&stage, "{\"p\":2.50,\"shop\":\"7\"}"), 0);
	assert_int_equal(map_json(&stage, "{\"p\":2.50,\"shop\":8}"), MAPPING_E_UNWANTED);
	assert_int_equal(map_json(&stage, "{\"p\":2.50}"), MAPPING_E_UNWANTED);
	done(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mapped_columns_are_renamed_and_others_keep_their_name),
		cmocka_unit_test(test_an_empty_cell_is_absent),
		cmocka_unit_test(test_what_is_set_wins_over_a_column),
		cmocka_unit_test(test_only_wanted_rows_with_all_their_cells),
		cmocka_unit_test(test_columns_that_are_not_there_are_named),
		cmocka_unit_test(test_two_columns_must_not_give_one_field),
		cmocka_unit_test(test_malformed_pairs_are_refused),
		cmocka_unit_test(test_a_map_without_changes_keeps_its_very_bytes),
		cmocka_unit_test(test_keys_of_maps_are_renamed_set_and_chosen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
