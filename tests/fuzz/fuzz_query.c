/* Any bytes as a request: refused with a code of queries, or within every limit; then what it asks beyond rows as they
 * are is made ready against a view, refused or within its bounds. */
#include "aggregator/answer/refinement.h"
#include "aggregator/store/table_row.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/sample_view.h"

const struct structure fuzz_structure = {.mutate = mutate_value};

static void check_refusal(int r, const struct complaint *complaint)
{
	struct document document;
	struct complaint ignored;
	struct buffer buffer;

	fuzz_require(r == (int)complaint->reason);
	fuzz_require(r == REASON_BAD_REQUEST || r == REASON_UNKNOWN_QUERY || r == REASON_TOO_LARGE);
	buffer_init(&buffer, 4096);
	query_encode_error(complaint, ENCODING_JSON, &buffer);
	fuzz_require(buffer.error == 0 && document_init(&document, 64) == 0);
	fuzz_require(
		document_decode(&document, ENCODING_JSON, buffer_slice(&buffer), 2, &ignored) == 0);
	document_deinit(&document);
	buffer_deinit(&buffer);
}

/* Letters to be sent again: each named once, by the place that it is written as, and under no id but that. */
static void check_replay(const struct query_replay *replay)
{
	char text[LETTER_PLACE_SIZE], other[LETTER_PLACE_SIZE];
	struct letter_place again;

	fuzz_require(replay->place_count > 0 && replay->place_count <= REPLAY_PLACES_MAX);
	fuzz_require(replay->set_count <= REPLAY_FIELDS_MAX);
	for (uint32_t i = 0; i < replay->place_count; i++) {
		fuzz_require(
			letter_place_parse(letter_place_format(&replay->places[i], text), &again));
		for (uint32_t j = 0; j < i; j++) {
			letter_place_format(&replay->places[j], other);
			fuzz_require(strcmp(text, other) != 0);
		}
	}
	for (uint32_t i = 0; i < replay->set_count; i++) {
		fuzz_require(replay->set[i].left.size > 0 &&
			     !slice_equals_text(replay->set[i].left, "event_id"));
	}
}

static const struct view *sample_view(void)
{
	static const char text[] =
		"kind = order\ngroup_by = edge, minute(ts)\nmeasures = n = count(), m = "
		"sum(revenue), f = first(channel), newest = last(ts)\n";
	static struct view_set *set;

	if (set == NULL) {
		set = fuzz_make_view(text);
	}
	return view_set_at(set, 0);
}

/* A table that the view can be joined with, by the store. */
static const struct view *sample_table(void)
{
	static char key[] = "edge", columns[] = "name, credit money, since time, visits integer";
	static const struct table_declaration declaration = {"t", key, columns};
	static struct view_set *set;

	if (set == NULL) {
		set = fuzz_make_table(&declaration);
	}
	return view_set_at(set, 0);
}

/* What is admitted must lie in the key range that is walked for it. */
static void check_row(const struct refinement *refinement)
{
	struct group_value values[ROW_VALUES_MAX] = {
		{GROUP_TEXT, slice_of_text("a"), 0},
		{GROUP_BUCKET, slice_of(NULL, 0), INT64_C(1291191960000)},
		{GROUP_TEXT, slice_of_text("GBP"), 0},
	};
	struct group_value shown[VIEW_GROUPS_MAX];
	struct row_key from, to, key = {0};

	refinement_key_range(refinement, &refinement->period, &from, &to);
	for (size_t i = 0; i < refinement->source->group_count; i++) {
		fuzz_require(row_key_append(&key, &values[i]));
	}
	if (refinement_admits_groups(refinement, values, &refinement->period)) {
		fuzz_require(row_key_compare(row_key_slice(&from), row_key_slice(&key)) <= 0);
		fuzz_require(to.size == 0 ||
			     row_key_compare(row_key_slice(&key), row_key_slice(&to)) < 0);
	}
	if (refinement_is_grouped(refinement)) {
		refinement_group(refinement, values, shown);
	} else {
		memcpy(shown, values, sizeof shown);
	}
	if (refinement->has_shift) {
		refinement_shift(refinement, shown, values);
	}
}

/* A row of zeros for a row of the table: its values make a key of the answer, which reads back. */
static void check_zeros(const struct refinement *refinement)
{
	static const uint8_t table_key[] = "a";
	struct group_value values[VIEW_GROUPS_MAX], again[VIEW_GROUPS_MAX];
	enum group_type types[VIEW_GROUPS_MAX];
	struct row_key key = {0};
	struct row row;

	row_init(refinement->join.table, &row);
	table_row_set(&row, 0, slice_of_text("x"), 0);
	table_row_set(&row, 1, slice_of("", 0), -5);
	int r = refinement_make_zeros(
		refinement, slice_of(table_key, sizeof table_key), &row, values);
	fuzz_require(r == 0 || r == MISSING_E_LEFT_OUT);
	for (size_t i = 0; r == 0 && i < refinement->result->group_count; i++) {
		types[i] = group_field_type(&refinement->result->groups[i]);
		fuzz_require(row_key_append_of(&key, types[i], &values[i]));
	}
	fuzz_require(r != 0 || row_key_decode(row_key_slice(&key), slice_of(NULL, 0), types,
				       refinement->result->group_count, again));
}

static void check_refinement(const struct query *query)
{
	struct refinement refinement;
	struct complaint complaint;
	const struct refined_view of = {.view = sample_view(),
		.joined = query->join.size > 0 ? sample_table() : NULL,
		.event_ts = INT64_C(1291191960000)};
	int r = refinement_make(&refinement, &of, query, &complaint);

	fuzz_require(r == 0 || r == REASON_BAD_REQUEST || r == REASON_UNKNOWN_FIELD);
	fuzz_require(r == 0 || r == (int)complaint.reason);
	if (r == 0) {
		fuzz_require(refinement.result->group_count <= VIEW_GROUPS_MAX);
		fuzz_require(refinement.period.from < refinement.period.to);
		check_row(&refinement);
	}
	if (r == 0 && refinement.with_missing) {
		check_zeros(&refinement);
	}
	refinement_deinit(&refinement);
}

/* What is asked of all rows: shares of a top, and bands. */
static void check_whole(const struct query *query)
{
	bool has_bands = query->type == QUERY_BANDS;

	fuzz_require(query->until_share >= 0 && query->until_share <= MONEY_MICROS_PER_UNIT);
	fuzz_require(query->is_cumulative || query->until_share == 0);
	fuzz_require(!query->is_cumulative || query->type == QUERY_TOP);
	fuzz_require(query->band_count <= QUERY_BANDS_MAX && query->edge_count <= QUERY_EDGES_MAX);
	fuzz_require(has_bands == (query->band_count > 0 || query->edge_count > 0));
	for (uint32_t i = 1; i < query->edge_count; i++) {
		fuzz_require(query->edges[i] > query->edges[i - 1]);
	}
}

static void check_query(const struct query *query)
{
	fuzz_require(query->where_count <= QUERY_CONDITIONS_MAX);
	fuzz_require(query->order_count <= QUERY_ORDERS_MAX);
	fuzz_require(!query_is_refined(query) || query_has_rows(query->type));
	fuzz_require(!query->with_missing || query->join.size > 0);
	if (query_is_refined(query)) {
		check_refinement(query);
	}
	check_whole(query);
	fuzz_require((query->type == QUERY_REPLAY) == (query->replay.place_count > 0));
	if (query->type == QUERY_REPLAY) {
		check_replay(&query->replay);
	}
	fuzz_require(query->type < QUERY_TYPE_COUNT);
	fuzz_require(query->limit <= SCAN_LIMIT_MAX && query->timeout_ms <= QUERY_TIMEOUT_MS_MAX);
	fuzz_require(query->max_lag >= -1 && query->after_count <= QUERY_AFTER_MAX);
	fuzz_require(query->type != QUERY_GET || (query->key == NULL) != (query->keys == NULL));
	fuzz_require(query->type != QUERY_TOP || query->by.size > 0);
	fuzz_require(!query_has_rows(query->type) || query->view.size > 0);
	fuzz_require(query->about.run <= RUN_MAX && (int)query->about.kind < KIND_COUNT);
	fuzz_require(query->type != QUERY_TRACE || (query->about.seq > 0 && query->has_kind));
	for (uint32_t i = 0; i < query->after_count; i++) {
		fuzz_require(query->after[i].seq >= 1 && query->after[i].run <= RUN_MAX);
		fuzz_require((int)query->after[i].kind < KIND_COUNT);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct query query;
	struct slice bytes = fuzz_copy(data, size);
	struct document document;
	struct complaint complaint;

	fuzz_require(document_init(&document, QUERY_NODES_MAX) == 0);
	int r = query_decode(&document, bytes, &query, &complaint);
	if (r == 0) {
		check_query(&query);
	} else {
		check_refusal(r, &complaint);
	}
	document_deinit(&document);
	fuzz_free(bytes);
	return 0;
}
