/* Rows that change: whatever is delivered again, late or twice, views hold each row as its newest change left it. */
#include "aggregator/overlay/overlay_table.h"
#include "aggregator/store/changed_rows.h"
#include "aggregator/store/row_change.h"
#include "draw.h"
#include "sample_views.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 12, CHANGES = 4000, VERSIONS_MAX = CHANGES };

struct fixture {
	struct view_set *views;
	struct overlay *overlay;
	struct entries *entries;
	struct forgotten forgotten;
};

static int load_nothing(void *owner, struct slice key, struct buffer *ret_value)
{
	(void)owner;
	(void)key;
	(void)ret_value;
	return 1;
}

static int set_up(void **state)
{
	const struct entries_options options = {.clean_bytes_max = 1 << 20, .load = load_nothing};
	struct fixture *fixture = calloc(1, sizeof *fixture);

	fixture->views = new_view_set();
	add_view(fixture->views, "products",
		"kind = order\ngroup_by = product_id\nmeasures = order_count = count(), "
		"total_quantity = sum(quantity), total_revenue = sum(revenue)\n");
	add_view(fixture->views, "users",
		"kind = order\ngroup_by = user_id\nmeasures = order_count = count()\n");
	fixture->overlay = new_overlay(fixture->views);
	assert_int_equal(entries_new(&options, &fixture->entries), 0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	forgotten_deinit(&fixture->forgotten);
	entries_free(fixture->entries);
	overlay_free(fixture->overlay);
	view_set_free(fixture->views);
	free(fixture);
	return 0;
}

/* What is in a row, with its last position. */
struct version {
	uint64_t lsn; /* 0: none yet */
	bool is_there;
	uint32_t product;
	int64_t quantity;
	uint32_t user;
};

static struct change change_of(enum change_op op, uint64_t lsn, const char *key)
{
	return (struct change){.op = op,
		.position = {.database = DATABASE_POSTGRESQL,
			.is_snapshot = op == CHANGE_READ,
			.log = lsn,
			.snapshot = op == CHANGE_READ ? lsn : 0},
		.key = slice_of_text(key),
		.row = op <= CHANGE_READ ? slice_of_text("{}") : slice_of(NULL, 0)};
}

static enum change_effect take_at(struct fixture *fixture, const struct change *change,
	const struct version *version, int64_t append_ms)
{
	const struct changed_rows rows = {fixture->entries, fixture->overlay, &fixture->forgotten};
	const struct row_change row_change = {.source = slice_of_text("pg"), .change = *change};
	const struct record record = {.timestamp_ms = append_ms};
	struct reading reading = {.class = RECORD_CHANGE, .row_change = &row_change};
	enum change_effect effect;
	char product[24], user[24];

	if (version != NULL) {
		snprintf(product, sizeof product, "p%u", version->product);
		snprintf(user, sizeof user, "u%u", version->user);
		reading.event = sample_order(1, 60000, product, version->quantity, 1000000);
		reading.event.certificate =
			(struct certificate){.edge = slice_of_text("pg"), .kind = KIND_ORDER};
		set_text(&reading.event, FIELD_USER_ID, user);
	}
	assert_int_equal(changed_rows_take(&rows, &record, &reading, &effect), 0);
	return effect;
}

static enum change_effect take(
	struct fixture *fixture, enum change_op op, uint64_t lsn, const struct version *version)
{
	struct change change = change_of(op, lsn, "k");

	return take_at(fixture, &change, version, 0);
}

static const struct delta *row_of(const struct fixture *fixture, const char *view, const char *text)
{
	const struct view *found = view_set_find(fixture->views, slice_of_text(view));
	struct row_key key = {0};
	struct group_value values[] = {{.type = GROUP_TEXT, .text = slice_of_text(text)},
		{.type = GROUP_TEXT, .text = slice_of_text("GBP")}};

	for (size_t i = 0; i < found->group_count; i++) {
		assert_true(row_key_append(&key, &values[i]));
	}
	return overlay_find(fixture->overlay, view_id(found), row_key_slice(&key));
}

static void assert_product(
	const struct fixture *fixture, uint32_t product, uint64_t count, int64_t quantity)
{
	char name[24];
	snprintf(name, sizeof name, "p%u", product);
	const struct delta *delta = row_of(fixture, "products", name);

	if (delta == NULL) {
		assert_int_equal(count, 0);
		return;
	}
	assert_int_equal(delta_event_count(delta), count);
	assert_true(delta->cells[1].number == quantity);
	assert_true(delta->cells[2].number == (money)quantity * 1000000);
}

static const struct version one = {.product = 1, .quantity = 2, .user = 1};
static const struct version other = {.product = 2, .quantity = 5, .user = 1};

static void a_newer_change_takes_the_place_of_what_was_counted(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(take(fixture, CHANGE_CREATE, 10, &one), CHANGE_COUNTED);
	assert_product(fixture, 1, 1, 2);
	assert_int_equal(take(fixture, CHANGE_UPDATE, 20, &other), CHANGE_CORRECTED);
	assert_product(fixture, 1, 0, 0);
	assert_product(fixture, 2, 1, 5);
	assert_int_equal(take(fixture, CHANGE_DELETE, 30, NULL), CHANGE_TAKEN_BACK);
	assert_product(fixture, 2, 0, 0);
	assert_int_equal(take(fixture, CHANGE_TOMBSTONE, 0, NULL), CHANGE_REPEATED);
	assert_int_equal(take(fixture, CHANGE_CREATE, 40, &one), CHANGE_COUNTED);
	assert_product(fixture, 1, 1, 2);
}

static void what_was_delivered_before_changes_nothing(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(take(fixture, CHANGE_CREATE, 10, &one), CHANGE_COUNTED);
	assert_int_equal(take(fixture, CHANGE_CREATE, 10, &one), CHANGE_REPEATED);
	assert_int_equal(take(fixture, CHANGE_UPDATE, 20, &other), CHANGE_CORRECTED);
	assert_int_equal(take(fixture, CHANGE_CREATE, 10, &one), CHANGE_REPEATED);
	assert_int_equal(take(fixture, CHANGE_DELETE, 30, NULL), CHANGE_TAKEN_BACK);
	assert_int_equal(take(fixture, CHANGE_CREATE, 10, &one), CHANGE_REPEATED);
	assert_int_equal(take(fixture, CHANGE_UPDATE, 20, &other), CHANGE_REPEATED);
	assert_int_equal(take(fixture, CHANGE_DELETE, 30, NULL), CHANGE_REPEATED);
	assert_product(fixture, 1, 0, 0);
	assert_product(fixture, 2, 0, 0);
}

static void another_snapshot_of_the_same_row_changes_nothing(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(take(fixture, CHANGE_READ, 10, &one), CHANGE_COUNTED);
	assert_int_equal(take(fixture, CHANGE_READ, 50, &one), CHANGE_KEPT);
	assert_product(fixture, 1, 1, 2);
	assert_int_equal(take(fixture, CHANGE_READ, 60, &other), CHANGE_CORRECTED);
	assert_product(fixture, 2, 1, 5);
}

static void a_delete_that_nothing_came_before_is_remembered(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(take(fixture, CHANGE_DELETE, 30, NULL), CHANGE_KEPT);
	assert_int_equal(take(fixture, CHANGE_CREATE, 10, &one), CHANGE_REPEATED);
	assert_product(fixture, 1, 0, 0);
}

/* Compaction keeps the last record of a key: of a delete that is the tombstone behind it. */
static void a_tombstone_alone_takes_the_row_back(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(take(fixture, CHANGE_TOMBSTONE, 0, NULL), CHANGE_REPEATED);
	assert_int_equal(take(fixture, CHANGE_CREATE, 10, &one), CHANGE_COUNTED);
	assert_int_equal(take(fixture, CHANGE_TOMBSTONE, 0, NULL), CHANGE_TAKEN_BACK);
	assert_product(fixture, 1, 0, 0);
	assert_int_equal(take(fixture, CHANGE_TOMBSTONE, 0, NULL), CHANGE_REPEATED);
}

/* A connector that starts again sends the delete, its tombstone and what came after them once more. */
static void a_tombstone_that_is_delivered_again_is_mended_by_what_follows(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 2; i++) {
		take(fixture, CHANGE_CREATE, 10, &one);
		take(fixture, CHANGE_DELETE, 20, NULL);
		take(fixture, CHANGE_TOMBSTONE, 0, NULL);
		take(fixture, CHANGE_CREATE, 30, &other);
	}
	assert_product(fixture, 1, 0, 0);
	assert_product(fixture, 2, 1, 5);
}

static void a_row_that_is_no_event_any_more_is_taken_back(void **state)
{
	struct fixture *fixture = *state;
	const struct changed_rows rows = {fixture->entries, fixture->overlay, &fixture->forgotten};
	const struct row_change unfit = {.source = slice_of_text("pg"),
		.change = change_of(CHANGE_UPDATE, 20, "k"),
		.is_unfit = true};
	const struct reading reading = {.class = RECORD_CHANGE, .row_change = &unfit};
	const struct record record = {0};
	enum change_effect effect;

	take(fixture, CHANGE_CREATE, 10, &one);
	assert_int_equal(changed_rows_take(&rows, &record, &reading, &effect), 0);
	assert_int_equal(effect, CHANGE_TAKEN_BACK);
	assert_product(fixture, 1, 0, 0);
}

static enum change_effect drop_before(struct fixture *fixture, uint64_t log)
{
	const struct changed_rows rows = {fixture->entries, fixture->overlay, &fixture->forgotten};
	const struct row_change change = {
		.source = slice_of_text("pg"), .change = change_of(CHANGE_UPDATE, 0, "k")};
	uint8_t key[ENTRY_KEY_SIZE_MAX];
	enum change_effect effect;
	enum kind kind = KIND_CART;

	assert_int_equal(
		changed_rows_drop(&rows, changed_rows_key(&change, key), log, &kind, &effect), 0);
	assert_int_equal(kind, effect == CHANGE_TAKEN_BACK ? KIND_ORDER : KIND_CART);
	return effect;
}

static void a_row_of_before_a_truncation_goes_and_is_not_brought_back_by_what_is_told_again(
	void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(drop_before(fixture, 99), CHANGE_KEPT); /* there is none */
	take(fixture, CHANGE_CREATE, 10, &one);
	assert_int_equal(drop_before(fixture, 10), CHANGE_KEPT);
	assert_product(fixture, 1, 1, 2);
	assert_int_equal(drop_before(fixture, 11), CHANGE_TAKEN_BACK);
	assert_int_equal(drop_before(fixture, 11), CHANGE_KEPT);
	assert_product(fixture, 1, 0, 0);
	assert_int_equal(take(fixture, CHANGE_CREATE, 10, &one), CHANGE_REPEATED);
	assert_int_equal(take(fixture, CHANGE_CREATE, 12, &other), CHANGE_COUNTED);
	assert_int_equal(drop_before(fixture, 11), CHANGE_KEPT);
	assert_product(fixture, 2, 1, 5);
}

static void long_keys_are_told_apart(void **state)
{
	struct fixture *fixture = *state;
	char keys[2][901];

	for (int i = 0; i < 2; i++) {
		memset(keys[i], 'k', 900);
		keys[i][899] = (char)('0' + i);
		keys[i][900] = '\0';
		struct change change = change_of(CHANGE_CREATE, 10, keys[i]);
		assert_int_equal(take_at(fixture, &change, &one, 0), CHANGE_COUNTED);
		assert_int_equal(take_at(fixture, &change, &one, 0), CHANGE_REPEATED);
	}
	assert_product(fixture, 1, 2, 4);
}

/* Each key's changes come in order of the log, again from anywhere, and some late. */
static void the_newest_change_of_each_row_is_what_counts(void **state)
{
	struct fixture *fixture = *state;
	struct draw draw = {11};
	struct version *log = calloc(VERSIONS_MAX, sizeof *log);
	uint32_t *keys = calloc(VERSIONS_MAX, sizeof *keys);
	struct version newest[KEYS] = {0};

	for (uint32_t i = 0; i < CHANGES; i++) {
		uint32_t at = draw_below(&draw, 4) == 0 && i > 0 ? draw_below(&draw, i) : i;
		if (at == i) {
			keys[i] = draw_below(&draw, KEYS);
			log[i] = (struct version){.lsn = i + 1,
				.is_there = draw_below(&draw, 5) != 0,
				.product = draw_below(&draw, 4),
				.quantity = (int64_t)draw_below(&draw, 9) + 1};
		} else { /* what was said before takes this place, too */
			keys[i] = keys[at];
			log[i] = log[at];
		}
		char key[16];
		snprintf(key, sizeof key, "k%u", keys[i]);
		struct change change =
			change_of(log[i].is_there ? CHANGE_UPDATE : CHANGE_DELETE, log[i].lsn, key);
		take_at(fixture, &change, log[i].is_there ? &log[i] : NULL, 0);
		if (log[i].lsn > newest[keys[i]].lsn) {
			newest[keys[i]] = log[i];
		}
	}
	for (uint32_t product = 0; product < 4; product++) {
		uint64_t count = 0;
		int64_t quantity = 0;
		for (int i = 0; i < KEYS; i++) {
			bool is_in = newest[i].is_there && newest[i].product == product;
			count += is_in;
			quantity += is_in ? newest[i].quantity : 0;
		}
		assert_product(fixture, product, count, quantity);
	}
	free(keys);
	free(log);
}

/* ---- who was forgotten */

static void forget_user(struct fixture *fixture, const char *user, int64_t until_ms)
{
	struct tombstone tombstone = {.until_ms = until_ms};

	fixture->forgotten.has_key = true;
	forgotten_hash(&fixture->forgotten, slice_of_text(user), tombstone.hash);
	assert_int_equal(forgotten_put(&fixture->forgotten, &tombstone), 0);
}

static uint64_t users_held(const struct fixture *fixture)
{
	return overlay_held(
		fixture->overlay, view_id(view_set_find(fixture->views, slice_of_text("users"))));
}

/* What the store does when somebody is forgotten: his rows go, and what was in them is held; here only the entry. */
static void forget_entry(struct fixture *fixture, enum entry_fate wanted)
{
	static const uint8_t key[] = {'c', 2, 'p', 'g', 0, 'k'};
	struct slice value;
	struct buffer changed;

	assert_int_equal(entries_get(fixture->entries, slice_of(key, sizeof key), &value), 0);
	buffer_init(&changed, 4096);
	assert_int_equal(entry_forget(&(struct entry_sweep){.forgotten = &fixture->forgotten},
				 slice_of(key, sizeof key), value, &changed),
		wanted);
	if (wanted == ENTRY_CHANGES) {
		assert_null(memmem(changed.bytes, changed.size, "u1", 2));
		assert_int_equal(entries_put(fixture->entries, slice_of(key, sizeof key),
					 buffer_slice(&changed)),
			0);
	}
	buffer_deinit(&changed);
}

static void what_a_forgotten_user_had_is_taken_back_once(void **state)
{
	struct fixture *fixture = *state;

	take(fixture, CHANGE_CREATE, 10, &one);
	forget_user(fixture, "u1", FORGOTTEN_FOR_EVER);
	forget_entry(fixture, ENTRY_CHANGES);
	forget_entry(fixture, ENTRY_STAYS);
	uint64_t matched = overlay_matched(
		fixture->overlay, view_id(view_set_find(fixture->views, slice_of_text("users"))));
	assert_int_equal(take(fixture, CHANGE_DELETE, 20, NULL), CHANGE_TAKEN_BACK);
	assert_true(users_held(fixture) == UINT64_MAX); /* from what the store holds since */
	assert_int_equal(overlay_matched(fixture->overlay,
				 view_id(view_set_find(fixture->views, slice_of_text("users")))),
		matched);
	assert_product(fixture, 1, 0, 0);
}

static void a_forgotten_users_new_rows_name_him_nowhere_and_go_as_they_came(void **state)
{
	struct fixture *fixture = *state;

	forget_user(fixture, "u1", FORGOTTEN_FOR_EVER);
	take(fixture, CHANGE_CREATE, 10, &one);
	forget_entry(fixture, ENTRY_STAYS);
	assert_int_equal(users_held(fixture), 1);
	assert_int_equal(take(fixture, CHANGE_UPDATE, 20, &other), CHANGE_CORRECTED);
	assert_int_equal(users_held(fixture), 1);
	assert_product(fixture, 2, 1, 5);
	assert_int_equal(take(fixture, CHANGE_DELETE, 30, NULL), CHANGE_TAKEN_BACK);
	assert_int_equal(users_held(fixture), 0);
}

/* He counts again from 100 on; what was appended before stays held until it changes. */
static void who_counts_again_is_taken_back_from_where_he_was_counted(void **state)
{
	struct fixture *fixture = *state;
	struct change create = change_of(CHANGE_CREATE, 10, "k");
	struct change update = change_of(CHANGE_UPDATE, 20, "k");

	forget_user(fixture, "u1", 100);
	take_at(fixture, &create, &one, 50);
	assert_int_equal(users_held(fixture), 1);
	take_at(fixture, &update, &other, 150);
	assert_int_equal(users_held(fixture), 0);
	assert_int_equal(delta_event_count(row_of(fixture, "users", "u1")), 1);
	assert_int_equal(take(fixture, CHANGE_DELETE, 30, NULL), CHANGE_TAKEN_BACK);
	assert_int_equal(delta_event_count(row_of(fixture, "users", "u1")), 0);
}

/* ---- bytes */

static struct changed_row sample_row(void)
{
	struct changed_row row = {
		.position = {.database = DATABASE_MYSQL,
			.log = 3,
			.offset = UINT64_MAX,
			.row = 7,
			.server = 9,
			.gtid_origin = 0x8877665544332211,
			.transaction = 12,
			.snapshot = 5},
		.state = CHANGED_ROW_COUNTED,
		.append_ms = -1,
		.event = sample_order(1, INT64_MIN, "tea", -3, INT64_MAX),
	};

	row.event.certificate =
		(struct certificate){.edge = slice_of_text("pg"), .kind = KIND_ORDER};
	return row;
}

static void a_row_is_read_as_it_was_written(void **state)
{
	struct changed_row row = sample_row(), read;
	struct buffer bytes;

	(void)state;
	buffer_init(&bytes, 4096);
	changed_row_encode(&row, &bytes);
	assert_true(changed_row_decode(buffer_slice(&bytes), slice_of_text("pg"), &read));
	assert_true(changed_row_counts_as(&row, &read));
	assert_int_equal(read.append_ms, -1);
	assert_int_equal(read.event.quantity, -3);
	assert_true(slice_equals_text(read.event.certificate.edge, "pg"));
	assert_int_equal(change_position_order(&row.position, &read.position), CHANGE_SAME);
	assert_true(read.position.offset == UINT64_MAX && read.position.snapshot == 5 &&
		    read.position.gtid_origin == row.position.gtid_origin);
	buffer_deinit(&bytes);
}

static void what_is_no_row_is_refused(void **state)
{
	struct changed_row row = sample_row(), read;
	struct buffer bytes;

	(void)state;
	buffer_init(&bytes, 4096);
	changed_row_encode(&row, &bytes);
	struct slice whole = buffer_slice(&bytes);
	for (size_t size = 0; size < whole.size; size++) {
		assert_false(changed_row_decode(
			slice_of(whole.bytes, size), slice_of_text("pg"), &read));
	}
	buffer_append_byte(&bytes, 0);
	assert_false(changed_row_decode(buffer_slice(&bytes), slice_of_text("pg"), &read));
	buffer_truncate(&bytes, whole.size);
	bytes.bytes[0] = 4; /* no such flag */
	assert_false(changed_row_decode(buffer_slice(&bytes), slice_of_text("pg"), &read));
	buffer_deinit(&bytes);
}

/* A flipped bit may give another row, never a crash or a read past the end (the sanitizers look on). */
static void any_bytes_are_a_row_or_are_not(void **state)
{
	struct draw draw = {3};
	struct changed_row row = sample_row(), read;
	struct buffer bytes;

	(void)state;
	buffer_init(&bytes, 4096);
	changed_row_encode(&row, &bytes);
	for (int i = 0; i < 20000; i++) {
		uint8_t *copy = malloc(bytes.size);
		memcpy(copy, bytes.bytes, bytes.size);
		copy[draw_below(&draw, (uint32_t)bytes.size)] ^=
			(uint8_t)(1 << draw_below(&draw, 8));
		if (changed_row_decode(slice_of(copy, bytes.size), slice_of_text("pg"), &read) &&
			read.state == CHANGED_ROW_COUNTED) {
			assert_true((int)read.event.kind < KIND_EVENT_COUNT);
		}
		free(copy);
	}
	buffer_deinit(&bytes);
}

static void what_is_kept_and_can_not_be_read_is_no_row(void **state)
{
	struct fixture *fixture = *state;
	static const uint8_t key[] = {'c', 2, 'p', 'g', 0, 'k'};
	const struct changed_rows rows = {fixture->entries, fixture->overlay, &fixture->forgotten};
	const struct row_change change = {
		.source = slice_of_text("pg"), .change = change_of(CHANGE_DELETE, 20, "k")};
	const struct reading reading = {.class = RECORD_CHANGE, .row_change = &change};
	const struct record record = {0};
	enum change_effect effect;
	struct buffer ignored;

	assert_int_equal(
		entries_put(fixture->entries, slice_of(key, sizeof key), slice_of_text("x")), 0);
	assert_int_equal(changed_rows_take(&rows, &record, &reading, &effect), -EBADMSG);
	buffer_init(&ignored, 64);
	assert_int_equal(entry_forget(&(struct entry_sweep){.forgotten = &fixture->forgotten},
				 slice_of(key, sizeof key), slice_of_text("x"), &ignored),
		ENTRY_UNREADABLE);
	buffer_deinit(&ignored);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(a_newer_change_takes_the_place_of_what_was_counted),
		WITH_FIXTURE(what_was_delivered_before_changes_nothing),
		WITH_FIXTURE(another_snapshot_of_the_same_row_changes_nothing),
		WITH_FIXTURE(a_delete_that_nothing_came_before_is_remembered),
		WITH_FIXTURE(a_tombstone_alone_takes_the_row_back),
		WITH_FIXTURE(a_tombstone_that_is_delivered_again_is_mended_by_what_follows),
		WITH_FIXTURE(a_row_that_is_no_event_any_more_is_taken_back),
		WITH_FIXTURE(
			a_row_of_before_a_truncation_goes_and_is_not_brought_back_by_what_is_told_again),
		WITH_FIXTURE(long_keys_are_told_apart),
		WITH_FIXTURE(the_newest_change_of_each_row_is_what_counts),
		WITH_FIXTURE(what_a_forgotten_user_had_is_taken_back_once),
		WITH_FIXTURE(a_forgotten_users_new_rows_name_him_nowhere_and_go_as_they_came),
		WITH_FIXTURE(who_counts_again_is_taken_back_from_where_he_was_counted),
		WITH_FIXTURE(what_is_kept_and_can_not_be_read_is_no_row),
		cmocka_unit_test(a_row_is_read_as_it_was_written),
		cmocka_unit_test(what_is_no_row_is_refused),
		cmocka_unit_test(any_bytes_are_a_row_or_are_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
