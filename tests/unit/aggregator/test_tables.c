/* Tables: what declares them, what records say of a row, and which of two records of one key is the newer. */
#include "aggregator/answer/table_walk.h"
#include "aggregator/store/row_change.h"
#include "aggregator/store/table_record.h"
#include "aggregator/store/table_row.h"
#include "aggregator/store/table_rows.h"
#include "sample_views.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A store that has nothing: all is in memory. */
int snapshot_walk(struct snapshot *snapshot, enum store_table table, struct slice from,
	int (*each)(void *owner, struct slice key, struct slice value), void *owner)
{
	(void)snapshot, (void)table, (void)from, (void)each, (void)owner;
	return 0;
}

enum { SHARDS = 3 };

struct fixture {
	struct view_set *views;
	struct entries *entries[SHARDS];
	struct table_rows *rows[SHARDS];
	struct answer_context context;
	size_t changes;
	int64_t offsets[SHARDS];
	struct forgotten forgotten;
};

static int load_none(void *owner, struct slice key, struct buffer *ret_value)
{
	(void)owner, (void)key, (void)ret_value;
	return 1;
}

static void changed(void *owner, uint32_t table_id, struct slice key, struct slice longs)
{
	struct fixture *fixture = owner;

	(void)table_id, (void)key, (void)longs;
	fixture->changes++;
}

static const struct forgotten *who_was_forgotten(void *owner)
{
	const struct fixture *fixture = owner;

	return &fixture->forgotten;
}

static int set_up(void **state)
{
	static char key[] = "user_id",
		    columns[] = "name, credit money, visits integer, born time as since";
	static char card[] = "card_id", card_columns[] = "user_id, points integer";
	const struct table_declaration declaration = {"users", key, columns};
	const struct table_declaration cards = {"cards", card, card_columns};
	struct fixture *fixture = calloc(1, sizeof *fixture);
	char error[256] = "";

	assert_int_equal(view_set_new(NULL, NULL, &fixture->views), 0);
	assert_int_equal(view_set_add_table(fixture->views, &declaration, error, sizeof error), 0);
	assert_int_equal(view_set_add_table(fixture->views, &cards, error, sizeof error), 0);
	fixture->context = (struct answer_context){.views = fixture->views, .shard_count = SHARDS};
	for (size_t i = 0; i < SHARDS; i++) {
		const struct entries_options entries = {
			.clean_bytes_max = 1 << 20, .load = load_none};
		assert_int_equal(entries_new(&entries, &fixture->entries[i]), 0);
		const struct table_rows_options rows = {.entries = fixture->entries[i],
			.views = fixture->views,
			.forgotten = who_was_forgotten,
			.changed = changed,
			.owner = fixture};
		assert_int_equal(table_rows_new(&rows, &fixture->rows[i]), 0);
		fixture->context.shards[i].entries = fixture->entries[i];
	}
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < SHARDS; i++) {
		table_rows_free(fixture->rows[i]);
		entries_free(fixture->entries[i]);
	}
	view_set_free(fixture->views);
	forgotten_deinit(&fixture->forgotten);
	free(fixture);
	return 0;
}

/* A record of partition and shard `shard`. */
static enum fate put_in(struct fixture *fixture, const char *table, size_t shard, int64_t time_ms,
	const char *key, const char *value)
{
	const struct record record = {.partition = (int32_t)shard,
		.offset = fixture->offsets[shard]++,
		.timestamp_ms = time_ms,
		.key = slice_of_text(key),
		.value = slice_of_text(value)};
	const struct row_change change = {.table = slice_of_text(table),
		.change = {.op = value[0] == '\0' ? CHANGE_DELETE : CHANGE_READ,
			.key = record.key,
			.row = record.value},
		.is_placed_by_log = true};
	const struct reading reading = {.class = RECORD_CHANGE, .row_change = &change};
	enum fate fate = FATE_COUNT;

	assert_int_equal(
		table_rows_take(fixture->rows[shard], "people", &record, &reading, &fate), 0);
	return fate;
}

static enum fate put_at(
	struct fixture *fixture, size_t shard, int64_t time_ms, const char *key, const char *value)
{
	return put_in(fixture, "users", shard, time_ms, key, value);
}

static enum fate put(struct fixture *fixture, size_t shard, const char *key, const char *value)
{
	return put_at(fixture, shard, 1000, key, value);
}

/* A record of any partition, as the first shard reads it. */
static enum fate put_of(struct fixture *fixture, int32_t partition, int64_t time_ms,
	const char *key, const char *row)
{
	const struct record record = {.partition = partition, .timestamp_ms = time_ms};
	const struct row_change change = {.table = slice_of_text("users"),
		.change = {.op = CHANGE_READ, .key = slice_of_text(key), .row = slice_of_text(row)},
		.is_placed_by_log = true};
	const struct reading reading = {.class = RECORD_CHANGE, .row_change = &change};
	enum fate fate = FATE_COUNT;

	assert_int_equal(table_rows_take(fixture->rows[0], "people", &record, &reading, &fate), 0);
	return fate;
}

static const struct view *users(const struct fixture *fixture)
{
	return view_set_find_table(fixture->views, slice_of_text("users"));
}

/* The name in the row of this user; NULL: there is no row. */
static const char *name_of(struct fixture *fixture, const char *user)
{
	static char name[64];
	struct row_key key = {0};
	struct row row;

	assert_true(
		row_key_append(&key, &(struct group_value){GROUP_TEXT, slice_of_text(user), 0}));
	int r = table_find_row(&fixture->context, users(fixture), row_key_slice(&key), &row);
	if (r == STORE_E_ABSENT) {
		return NULL;
	}
	assert_int_equal(r, 0);
	struct slice text = row.cells[0].count > 0 ? row.stamps[0].text : slice_of("", 0);
	snprintf(name, sizeof name, "%.*s", (int)text.size, (const char *)text.bytes);
	return name;
}

static uint64_t count(struct fixture *fixture)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < SHARDS; i++) {
		uint64_t part = 0;
		assert_int_equal(
			table_rows_count(fixture->entries[i], users(fixture)->id, &part), 0);
		sum += part;
	}
	return sum;
}

/* ---- declarations */

static void refused(const char *key, const char *columns, const char *words)
{
	struct table_declaration declaration = {.name = "users",
		.key = key == NULL ? NULL : strdup(key),
		.columns = strdup(columns)};
	struct view view = {.id = 0};
	char error[256] = "";

	int r = table_parse(&declaration, &view, error, sizeof error);
	if (words == NULL) {
		assert_int_equal(r, 0);
	} else {
		assert_int_equal(r, -EINVAL);
		assert_non_null(strstr(error, words));
	}
	view_deinit(&view);
	table_declaration_deinit(&declaration);
}

static void test_a_declaration_says_what_is_wrong_with_it(void **state)
{
	(void)state;
	refused("id as user_id", "\"first name\" as name, price money as list_price", NULL);
	refused(NULL, "name", "key is missing");
	refused("user_id money", "name", "columns of a key are text");
	refused("user_id", "credit mony", "did you mean \"money\"?");
	refused("user_id", "user_id", "\"user_id\" is there twice");
	refused("user_id", "a, b as a", "\"a\" is there twice");
	refused("user_id", "\"first name\"", "give one");
	refused("user_id", "name as 7", "a name");
	refused("user_id", "name; x", "no part of a declaration");
	refused("a, b, c, d, e", "name", "at most 4 columns");
	refused("user_id", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "at most 16 columns");
}

static void test_the_canonical_text_declares_the_same_table(void **state)
{
	static char key[] = "id as user_id", columns[] = "\"say \"\"hi\"\"\" as name, price money";
	const struct table_declaration declaration = {"users", key, columns};
	struct view_set *first = NULL, *second = NULL;
	char error[256] = "";

	(void)state;
	assert_int_equal(view_set_new(NULL, NULL, &first), 0);
	assert_int_equal(view_set_new(NULL, NULL, &second), 0);
	assert_int_equal(view_set_add_table(first, &declaration, error, sizeof error), 0);
	const char *text = view_text(view_set_at(first, 0));
	assert_int_equal(view_set_add_text(second, slice_of_text("table.users"),
				 slice_of_text(text), error, sizeof error),
		0);
	assert_string_equal(view_text(view_set_at(second, 0)), text);
	assert_string_equal(view_set_at(second, 0)->table->columns[0].source, "say \"hi\"");
	view_set_free(first);
	view_set_free(second);
}

/* ---- records */

static void test_the_newest_record_of_a_key_is_its_row(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(put(fixture, 0, "7", "{\"user_id\":7,\"name\":\"Ada\"}"), FATE_COUNTED);
	assert_string_equal(name_of(fixture, "7"), "Ada");
	assert_int_equal(
		put(fixture, 0, "7", "{\"user_id\":\"7\",\"name\":\"Eva\"}"), FATE_COUNTED);
	assert_string_equal(name_of(fixture, "7"), "Eva");
	assert_int_equal(count(fixture), 1);
	assert_int_equal(put(fixture, 0, "7", ""), FATE_COUNTED);
	assert_null(name_of(fixture, "7"));
	assert_int_equal(count(fixture), 0);
	assert_int_equal(put(fixture, 0, "7", ""), FATE_COUNTED);
	assert_int_equal(count(fixture), 0);
	assert_int_equal(
		fixture->changes, 4); /* the second deletion may be of another shard's row */
	put(fixture, 0, "7", "{\"user_id\":7}");
	assert_string_equal(name_of(fixture, "7"), "");
	assert_int_equal(count(fixture), 1);
}

/* Whoever was read first: the broker's time decides between partitions, and within one what comes later. */
static void test_a_key_in_several_partitions_has_the_newest_row_in_whatever_order_they_are_read(
	void **state)
{
	static const struct {
		size_t shard;
		int64_t time_ms;
		const char *value;
	} records[] = {{0, 100, "{\"name\":\"a\"}"}, {0, 50, "{\"name\":\"b\"}"},
		{1, 70, "{\"name\":\"c\"}"}, {1, 90, ""}, {2, 80, "{\"name\":\"d\"}"}};
	static const size_t orders[][5] = {
		{0, 1, 2, 3, 4}, {2, 3, 4, 0, 1}, {4, 2, 0, 1, 3}, {2, 0, 3, 1, 4}};

	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		struct fixture *fixture;
		void *own = NULL;
		set_up(&own);
		fixture = own;
		for (size_t j = 0; j < 5; j++) {
			size_t at = orders[i][j];
			put_at(fixture, records[at].shard, records[at].time_ms, "7",
				records[at].value);
		}
		assert_string_equal(name_of(fixture, "7"), "b");
		tear_down(&own);
	}
	(void)state;
}

/* What the key's row was lies in the shard that read it, and what came last says that it is no more. */
static void test_a_deletion_is_told_by_a_shard_that_never_had_the_row(void **state)
{
	struct fixture *fixture = *state;

	put_at(fixture, 1, 100, "7", "{\"name\":\"a\"}");
	assert_int_equal(fixture->changes, 1);
	put_at(fixture, 0, 200, "7", "");
	assert_null(name_of(fixture, "7"));
	assert_int_equal(fixture->changes, 2);
	put_at(fixture, 1, 300, "7", "{\"name\":\"b\"}");
	put_at(fixture, 0, 400, "7", "");
	assert_null(name_of(fixture, "7"));
	assert_int_equal(fixture->changes, 4);
	put_at(fixture, 0, 350, "7",
		"{\"name\":\"c\"}"); /* its partition's time was read further */
	assert_int_equal(fixture->changes, 5);
}

/* The same where one shard reads all partitions. */
static void test_an_older_record_of_another_partition_does_not_come_through(void **state)
{
	struct fixture *fixture = *state;

	put_at(fixture, 0, 100, "7", "");
	assert_int_equal(put_of(fixture, 9, 10, "7", "{\"name\":\"old\"}"), FATE_COUNTED);
	assert_null(name_of(fixture, "7"));
}

static void test_a_change_out_of_a_database_counts_by_its_place_there(void **state)
{
	struct fixture *fixture = *state;
	const struct record record = {.partition = 0};
	static const struct {
		uint64_t log;
		const char *row;
		enum fate fate;
		const char *name;
	} steps[] = {{100, "{\"user_id\":7,\"name\":\"a\"}", FATE_COUNTED, "a"},
		{300, "{\"user_id\":7,\"name\":\"c\"}", FATE_COUNTED, "c"},
		{200, "{\"user_id\":7,\"name\":\"b\"}", FATE_DUPLICATE, "c"},
		{300, "{\"user_id\":7,\"name\":\"c\"}", FATE_DUPLICATE, "c"},
		{400, "", FATE_COUNTED, NULL},
		{300, "{\"user_id\":7,\"name\":\"c\"}", FATE_DUPLICATE, NULL}};

	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		const struct row_change change = {.table = slice_of_text("users"),
			.change = {.op = steps[i].row[0] == '\0' ? CHANGE_DELETE : CHANGE_UPDATE,
				.key = slice_of("\x81\xa7user_id\x07", 10),
				.row = slice_of_text(steps[i].row),
				.position = {
					.database = DATABASE_POSTGRESQL, .log = steps[i].log}}};
		const struct reading reading = {.class = RECORD_CHANGE, .row_change = &change};
		enum fate fate = FATE_COUNT;
		assert_int_equal(
			table_rows_take(fixture->rows[0], "db.users", &record, &reading, &fate), 0);
		assert_int_equal(fate, steps[i].fate);
		const char *name = name_of(fixture, "7");
		assert_true(
			steps[i].name == NULL ? name == NULL : strcmp(name, steps[i].name) == 0);
	}
}

static void test_a_row_of_before_a_truncation_goes_and_is_counted_no_more(void **state)
{
	struct fixture *fixture = *state;
	const struct view *table = view_set_find_table(fixture->views, slice_of_text("users"));
	const struct row_change change = {.table = slice_of_text("users"),
		.change = {.op = CHANGE_CREATE,
			.key = slice_of("\x81\xa7user_id\x07", 10),
			.row = slice_of_text("{\"user_id\":7,\"name\":\"a\"}"),
			.position = {.database = DATABASE_POSTGRESQL, .log = 100}}};
	const struct reading reading = {.class = RECORD_CHANGE, .row_change = &change};
	const struct record record = {.timestamp_ms = 1000};
	struct slice value;
	struct row_key row_key = {0};
	struct table_key key;
	enum fate fate;
	uint64_t count = 0;

	for (uint64_t log = 100; log <= 101; log++) {
		assert_int_equal(
			table_rows_take(fixture->rows[0], "db.users", &record, &reading, &fate), 0);
		assert_true(row_key_append(&row_key,
			&(struct group_value){.type = GROUP_TEXT, .text = slice_of_text("7")}));
		table_key_make(table->id, row_key_slice(&row_key), &key);
		row_key.size = 0;
		assert_int_equal(
			entries_get(fixture->entries[0], table_key_slice(&key), &value), 0);
		fixture->changes = 0;
		assert_int_equal(
			table_rows_drop(fixture->rows[0], table_key_slice(&key), value, log), 0);
		assert_int_equal(table_rows_count(fixture->entries[0], table->id, &count), 0);
		assert_int_equal(count, log == 100); /* what was written there stays */
		assert_int_equal(fixture->changes, log == 101);
		assert_true((name_of(fixture, "7") == NULL) == (log == 101));
	}
	assert_int_equal(table_rows_drop(fixture->rows[0], slice_of_text("t"), value, 9), -EBADMSG);
}

static void test_what_is_no_row_is_set_aside_with_the_column_that_is_wrong(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *key, *value, *words;
	} bad[] = {
		{"7", "{\"user_id\":8}", "the record's key says \"7\""},
		{"", "{\"name\":\"x\"}", "user_id is missing"},
		{"", "", "user_id is missing"},
		{"7", "[1]", "must be a map"},
		{"7", "{", "JSON"},
		{"7", "{\"credit\":\"2,55\"}", "credit is no decimal number"},
		{"7", "{\"visits\":1.5}", "visits is no 64-bit integer"},
		{"7", "{\"born\":\"today\"}", "born is no time"},
		{"7", "{\"name\":[1]}", "name must be text"},
		{"\xff\xfe", "{}", "neither a map"},
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(put(fixture, 0, bad[i].key, bad[i].value), FATE_UNREADABLE);
		if (strstr(table_rows_why(fixture->rows[0]), bad[i].words) == NULL) {
			fail_msg("%s %s: %s", bad[i].key, bad[i].value,
				table_rows_why(fixture->rows[0]));
		}
	}
	assert_int_equal(count(fixture), 0);
}

static void test_the_records_key_may_be_a_map_a_text_or_missing(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(put(fixture, 0, "{\"user_id\":1}", "{\"name\":\"a\"}"), FATE_COUNTED);
	assert_int_equal(put(fixture, 0, "\"2\"", "{\"name\":\"b\"}"), FATE_COUNTED);
	assert_int_equal(put(fixture, 0, "", "{\"user_id\":3,\"name\":\"c\"}"), FATE_COUNTED);
	assert_int_equal(put(fixture, 0, "\x81\xa7user_id\x04", "{\"name\":\"d\"}"), FATE_COUNTED);
	assert_string_equal(name_of(fixture, "1"), "a");
	assert_string_equal(name_of(fixture, "2"), "b");
	assert_string_equal(name_of(fixture, "3"), "c");
	assert_string_equal(name_of(fixture, "4"), "d");
	assert_int_equal(put(fixture, 0, "{\"user_id\":1}", ""), FATE_COUNTED);
	assert_null(name_of(fixture, "1"));
}

/* ---- walks */

static void test_a_walk_gives_every_row_of_all_shards_once_in_key_order(void **state)
{
	enum { ROWS = 3000 };
	struct fixture *fixture = *state;
	char key[16], value[64], last[16] = "";
	struct table_walk walk;
	size_t seen = 0;

	for (int i = 0; i < ROWS; i += 5) { /* some have an older record elsewhere */
		snprintf(key, sizeof key, "u%05d", i * 7919 % ROWS);
		put_at(fixture, (size_t)(i + 1) % SHARDS, 1, key, "{\"name\":\"older\"}");
	}
	for (int i = 0; i < ROWS; i++) {
		snprintf(key, sizeof key, "u%05d", i * 7919 % ROWS);
		snprintf(value, sizeof value, "{\"name\":\"%s\",\"visits\":%d}", key, i);
		put(fixture, (size_t)i % SHARDS, key, i % 10 == 0 ? "" : value);
	}
	assert_int_equal(table_walk_open(&walk, &fixture->context, users(fixture),
				 slice_of(NULL, 0), slice_of(NULL, 0)),
		0);
	int r;
	while ((r = table_walk_next(&walk)) == 0) {
		assert_true(walk.key.size < sizeof last);
		assert_true(strcmp((const char *)walk.key.bytes, last) > 0);
		memcpy(last, walk.key.bytes, walk.key.size); /* its end is a NUL */
		assert_true(slice_equals_text(walk.row.stamps[0].text, last));
		seen++;
	}
	assert_int_equal(r, TABLE_WALK_E_END);
	assert_int_equal(seen, ROWS - ROWS / 10);
	table_walk_close(&walk);
}

static void test_a_cut_value_is_corrupt_and_never_a_row(void **state)
{
	struct fixture *fixture = *state;
	struct table_row row = {.stand.clock_ms = 5, .is_there = true}, read;
	struct row columns, read_columns;
	struct buffer value;

	buffer_init(&value, 4096);
	row_init(users(fixture), &columns);
	columns.longs = slice_of("", 0);
	table_row_set(&columns, 0, slice_of_text("Ada"), 0);
	table_row_set(&columns, 1, slice_of("", 0), -1500000);
	table_row_write(users(fixture), &row, &columns, &value);
	assert_int_equal(
		table_row_read(users(fixture), buffer_slice(&value), &read, &read_columns), 0);
	assert_true(read_columns.cells[1].number == -1500000);
	for (size_t size = 0; size < value.size; size++) {
		assert_int_equal(table_row_read(users(fixture), slice_of(value.bytes, size), &read,
					 &read_columns),
			-EBADMSG);
	}
	buffer_deinit(&value);
}

/* ---- forgetting */

/* From `until_ms` on he is known again. */
static void forget(struct fixture *fixture, const char *user, int64_t until_ms)
{
	struct tombstone tombstone = {.when_ms = 1, .until_ms = until_ms, .by = "me"};

	fixture->forgotten.has_key = true;
	forgotten_hash(&fixture->forgotten, slice_of_text(user), tombstone.hash);
	assert_int_equal(forgotten_put(&fixture->forgotten, &tombstone), 0);
}

struct sweeping {
	struct entry_sweep sweep;
	struct entries *entries;
	struct buffer values[8]; /* what is to be put, by the places of `keys` */
	uint8_t keys[8][ENTRY_KEY_SIZE_MAX];
	size_t key_sizes[8], count;
};

static int sweep_one(void *owner, struct slice key, struct slice value)
{
	struct sweeping *sweeping = owner;
	struct buffer *next = &sweeping->values[sweeping->count];

	buffer_init(next, ENTRY_VALUE_SIZE_MAX);
	enum entry_fate fate = table_row_forget(&sweeping->sweep, key, value, next);
	assert_int_not_equal(fate, ENTRY_UNREADABLE);
	if (fate == ENTRY_STAYS) {
		buffer_deinit(next);
		return 0;
	}
	assert_true(fate == ENTRY_GOES || next->size > 0);
	memcpy(sweeping->keys[sweeping->count], key.bytes, key.size);
	sweeping->key_sizes[sweeping->count++] = key.size;
	assert_true(sweeping->count < 8);
	return 0;
}

/* As a store does it, entry by entry in the order of their keys. */
static void sweep(struct fixture *fixture, size_t shard)
{
	struct sweeping sweeping = {.sweep.forgotten = &fixture->forgotten};

	assert_int_equal(entries_walk(fixture->entries[shard], NULL, slice_of_text("t"),
				 slice_of(NULL, 0), sweep_one, &sweeping),
		0);
	for (size_t i = 0; i < sweeping.count; i++) {
		struct slice key = slice_of(sweeping.keys[i], sweeping.key_sizes[i]);
		struct slice value = buffer_slice(&sweeping.values[i]);
		assert_int_equal(value.size == 0 ? entries_delete(fixture->entries[shard], key)
						 : entries_put(fixture->entries[shard], key, value),
			0);
		buffer_deinit(&sweeping.values[i]);
	}
}

/* Is this text in any entry? */
static int look_for(void *owner, struct slice key, struct slice value)
{
	const char *text = owner;

	assert_null(memmem(key.bytes, key.size, text, strlen(text)));
	assert_null(memmem(value.bytes, value.size, text, strlen(text)));
	return 0;
}

static void assert_nowhere(struct fixture *fixture, size_t shard, char *text)
{
	assert_int_equal(entries_walk(fixture->entries[shard], NULL, slice_of_text("t"),
				 slice_of(NULL, 0), look_for, text),
		0);
}

static uint64_t count_cards(struct fixture *fixture)
{
	uint64_t cards = 0;

	assert_int_equal(
		table_rows_count(fixture->entries[0],
			view_set_find_table(fixture->views, slice_of_text("cards"))->id, &cards),
		0);
	return cards;
}

static void test_who_is_forgotten_is_in_no_table(void **state)
{
	static char anna[] = "anna";
	struct fixture *fixture = *state;

	put(fixture, 0, anna, "{\"name\":\"A\"}");
	put(fixture, 0, "bert", "{\"name\":\"B\"}");
	put_in(fixture, "cards", 0, 1000, "c1", "{\"user_id\":\"anna\",\"points\":7}");
	put_in(fixture, "cards", 0, 1000, "c2", "{\"user_id\":\"bert\",\"points\":8}");
	assert_int_equal(count_cards(fixture), 2);
	forget(fixture, anna, FORGOTTEN_FOR_EVER);
	sweep(fixture, 0);
	assert_nowhere(fixture, 0, anna);
	assert_null(name_of(fixture, anna));
	assert_string_equal(name_of(fixture, "bert"), "B");
	assert_int_equal(count(fixture), 1);
	assert_int_equal(count_cards(fixture), 1);
}

/* A rebuild knows from its start who was forgotten: it keeps what a sweep leaves. */
static void test_what_comes_of_who_was_forgotten_is_left_out(void **state)
{
	static char anna[] = "anna";
	struct fixture *fixture = *state;

	forget(fixture, anna, FORGOTTEN_FOR_EVER);
	put(fixture, 0, anna, "{\"name\":\"A\"}");
	put_in(fixture, "cards", 0, 1000, "c1", "{\"user_id\":\"bert\",\"points\":7}");
	put_in(fixture, "cards", 0, 1000, "c1", "{\"user_id\":\"anna\",\"points\":7}");
	assert_nowhere(fixture, 0, anna);
	assert_int_equal(count(fixture) + count_cards(fixture), 0);
	forget(fixture, anna, 2000);
	put_at(fixture, 0, 1999, anna, "{\"name\":\"before\"}");
	assert_null(name_of(fixture, anna));
	put_at(fixture, 0, 2000, anna, "{\"name\":\"known again\"}");
	assert_string_equal(name_of(fixture, anna), "known again");
	assert_int_equal(count(fixture), 1);
}

/* The log's times were set back after he was known again: what is hidden of him stands behind what is not. */
static void test_a_row_stays_whether_what_is_hidden_of_its_user_is_read_before_or_after_it(
	void **state)
{
	static const struct {
		int32_t partition;
		int64_t time_ms;
		const char *user, *value;
	} records[] = {{1, 9000, "bert", "{\"name\":\"B\"}"}, {1, 1999, "anna", "{\"name\":\"B\"}"},
		{0, 3000, "anna", "{\"name\":\"A\"}"}};
	static const size_t orders[][3] = {{0, 1, 2}, {2, 0, 1}};

	for (size_t i = 0; i < 2; i++) {
		void *own = NULL;
		set_up(&own);
		struct fixture *fixture = own;
		forget(fixture, "anna", 2000);
		for (size_t j = 0; j < 3; j++) {
			size_t at = orders[i][j];
			put_of(fixture, records[at].partition, records[at].time_ms,
				records[at].user, records[at].value);
		}
		assert_non_null(name_of(fixture, "anna"));
		assert_string_equal(name_of(fixture, "anna"), "A");
		assert_int_equal(count(fixture), 2);
		tear_down(&own);
	}
	(void)state;
}

static void test_who_is_forgotten_takes_the_row_of_another_shard_and_that_is_told(void **state)
{
	struct fixture *fixture = *state;

	put_in(fixture, "cards", 1, 100, "c1", "{\"user_id\":\"bert\",\"points\":7}");
	assert_int_equal(fixture->changes, 1);
	forget(fixture, "anna", FORGOTTEN_FOR_EVER);
	put_in(fixture, "cards", 0, 200, "c1", "{\"user_id\":\"anna\",\"points\":7}");
	assert_int_equal(fixture->changes, 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_declaration_says_what_is_wrong_with_it),
		TEST(test_the_canonical_text_declares_the_same_table),
		TEST(test_the_newest_record_of_a_key_is_its_row),
		TEST(test_a_key_in_several_partitions_has_the_newest_row_in_whatever_order_they_are_read),
		TEST(test_a_deletion_is_told_by_a_shard_that_never_had_the_row),
		TEST(test_an_older_record_of_another_partition_does_not_come_through),
		TEST(test_a_change_out_of_a_database_counts_by_its_place_there),
		TEST(test_a_row_of_before_a_truncation_goes_and_is_counted_no_more),
		TEST(test_what_is_no_row_is_set_aside_with_the_column_that_is_wrong),
		TEST(test_the_records_key_may_be_a_map_a_text_or_missing),
		TEST(test_a_walk_gives_every_row_of_all_shards_once_in_key_order),
		TEST(test_a_cut_value_is_corrupt_and_never_a_row),
		TEST(test_who_is_forgotten_is_in_no_table),
		TEST(test_what_comes_of_who_was_forgotten_is_left_out),
		TEST(test_a_row_stays_whether_what_is_hidden_of_its_user_is_read_before_or_after_it),
		TEST(test_who_is_forgotten_takes_the_row_of_another_shard_and_that_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
