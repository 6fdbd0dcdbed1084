#include "aggregator/store/table_rows.h"
#include "aggregator/store/row_change.h"
#include "aggregator/store/table_record.h"
#include "aggregator/store/table_row.h"
#include "aggregator/view/pack.h"
#include "proto/checksum.h"
#include "proto/topic.h"
#include <errno.h>
#include <stdlib.h>

/* Behind ids of tables, in the place of one: how far the broker's time was read in a partition, how many rows a table has. */
enum { KEY_OF_COUNT = 0xfe, KEY_OF_CLOCK = 0xff, CLOCK_KEY_SIZE_MAX = 2 + TOPIC_NAME_SIZE + 4 };

struct table_rows {
	struct table_rows_options options;
	struct table_record record;
	struct buffer value;
	struct complaint complaint;
};

int table_rows_new(const struct table_rows_options *options, struct table_rows **ret_rows)
{
	struct table_rows *rows = calloc(1, sizeof *rows);

	if (rows == NULL) {
		return -ENOMEM;
	}
	rows->options = *options;
	buffer_init(&rows->value, ENTRY_VALUE_SIZE_MAX);
	int r = table_record_init(&rows->record);
	if (r < 0) {
		table_rows_free(rows);
		return r;
	}
	*ret_rows = rows;
	return 0;
}

struct table_rows *table_rows_free(struct table_rows *rows)
{
	if (rows != NULL) {
		table_record_deinit(&rows->record);
		buffer_deinit(&rows->value);
		free(rows);
	}
	return NULL;
}

/* ---- numbers that are kept */

static int get_number(struct entries *entries, struct slice key, uint64_t *ret_number)
{
	struct slice value;
	int r = entries_get(entries, key, &value);

	if (r != 0) {
		*ret_number = 0;
		return r == ENTRIES_E_ABSENT ? 0 : r;
	}
	struct unpack unpack = unpack_of(value);
	*ret_number = unpack_u64(&unpack);
	return unpack_is_whole(&unpack) ? 0 : -EBADMSG;
}

static int put_number(struct entries *entries, struct slice key, uint64_t number)
{
	uint8_t bytes[8];

	pack_big_endian(bytes, number, sizeof bytes);
	return entries_put(entries, key, slice_of(bytes, sizeof bytes));
}

static struct slice count_key(uint32_t table_id, uint8_t ret_key[3])
{
	ret_key[0] = ENTRY_TABLE_ROW;
	ret_key[1] = KEY_OF_COUNT;
	ret_key[2] = (uint8_t)table_id;
	return slice_of(ret_key, 3);
}

int table_rows_count(struct entries *entries, uint32_t table_id, uint64_t *ret_count)
{
	uint8_t key[3];

	return get_number(entries, count_key(table_id, key), ret_count);
}

static int change_count(struct table_rows *rows, uint32_t table_id, bool was_there, bool is_there)
{
	uint8_t key[3];
	uint64_t count = 0;

	if (was_there == is_there) {
		return 0;
	}
	int r = table_rows_count(rows->options.entries, table_id, &count);
	return r != 0 ? r
		      : put_number(rows->options.entries, count_key(table_id, key),
				is_there ? count + 1 : count - 1);
}

/* ---- where a record stands */

static struct slice clock_key(
	const char *topic, int32_t partition, uint8_t ret_key[CLOCK_KEY_SIZE_MAX])
{
	size_t size = strnlen(topic, TOPIC_NAME_SIZE - 1);

	ret_key[0] = ENTRY_TABLE_ROW;
	ret_key[1] = KEY_OF_CLOCK;
	memcpy(ret_key + 2, topic, size);
	pack_big_endian(ret_key + 2 + size, (uint32_t)partition, 4);
	return slice_of(ret_key, 2 + size + 4);
}

/* Whoever sets the times of a topic's records may set them back: within a partition what comes later is later. */
static int stand_in_log(struct table_rows *rows, const char *topic, const struct record *record,
	struct table_stand *ret_stand)
{
	uint64_t time_ms = record->timestamp_ms > 0 ? (uint64_t)record->timestamp_ms : 0;
	uint8_t bytes[CLOCK_KEY_SIZE_MAX];
	struct slice key = clock_key(topic, record->partition, bytes);
	uint64_t clock_ms = 0;

	int r = get_number(rows->options.entries, key, &clock_ms);
	if (r == 0 && time_ms > clock_ms) {
		clock_ms = time_ms;
		r = put_number(rows->options.entries, key, clock_ms);
	}
	*ret_stand = (struct table_stand){.clock_ms = clock_ms,
		.topic = checksum_crc32c(0, topic, strlen(topic)),
		.partition = (uint32_t)record->partition,
		.offset = (uint64_t)record->offset};
	return r;
}

static int stand_of(struct table_rows *rows, const char *topic, const struct record *record,
	const struct row_change *change, struct table_stand *ret_stand)
{
	if (change->is_placed_by_log) {
		return stand_in_log(rows, topic, record, ret_stand);
	}
	*ret_stand =
		(struct table_stand){.is_of_database = true, .position = change->change.position};
	return 0;
}

/* ---- a record */

static int put(struct table_rows *rows, const struct view *table, const struct table_key *key,
	const struct table_row *row)
{
	buffer_clear(&rows->value);
	table_row_write(table, row, &rows->record.row, &rows->value);
	return rows->value.error != 0 ? rows->value.error
				      : entries_put(rows->options.entries, table_key_slice(key),
						buffer_slice(&rows->value));
}

static void tell(const struct table_rows *rows, const struct view *table)
{
	if (rows->options.changed != NULL) {
		rows->options.changed(rows->options.owner, table->id,
			row_key_slice(&rows->record.key), buffer_slice(&rows->record.longs));
	}
}

/* Of who was forgotten nothing is kept that bears his id: where that is in the key, not even when the record came. What leaves
 * no mark must not take away an older row, either: read before that row, it could not. */
static bool leaves_nothing(const struct table_row *row)
{
	return row->is_hidden && row->is_user_in_key;
}

/* Puts it where nothing newer is. */
static int keep(struct table_rows *rows, const struct view *table, struct table_row *row,
	enum change_order *ret_order)
{
	struct table_row kept = {.is_there = false};
	struct table_key key;
	struct slice value;

	table_key_make(table->id, row_key_slice(&rows->record.key), &key);
	int r = entries_get(rows->options.entries, table_key_slice(&key), &value);
	*ret_order = CHANGE_NEWER;
	if (r == 0) {
		r = table_row_read(table, value, &kept, NULL);
		*ret_order = table_stand_order(&kept.stand, &row->stand);
		row->stand = table_stand_follow(&kept.stand, &row->stand);
	}
	bool is_late = *ret_order == CHANGE_OLDER || *ret_order == CHANGE_SAME;
	if (r < 0 || is_late || leaves_nothing(row)) {
		return r < 0 ? r : 0;
	}
	row->user = row->is_hidden ? slice_of(NULL, 0) : row->user;
	r = put(rows, table, &key, row);
	if (r == 0) {
		r = change_count(rows, table->id, kept.is_there, row->is_there);
	}
	/* Of any deletion: the row may lie in another shard. */
	if (r == 0) {
		tell(rows, table);
	}
	return r;
}

/* Not view_user_group: what a table groups by are columns, which have a name and no field. */
static bool has_user_key(const struct view *table)
{
	for (size_t i = 0; i < table->group_count; i++) {
		if (strcmp(table->groups[i].name, "user_id") == 0) {
			return true;
		}
	}
	return false;
}

static bool is_hidden(const struct table_rows *rows, const struct record *record)
{
	return rows->options.forgotten != NULL &&
	       forgotten_standing(rows->options.forgotten(rows->options.owner), rows->record.user,
		       record->timestamp_ms)
		       .is_hidden;
}

static int take_change(struct table_rows *rows, const struct view *table, const char *topic,
	const struct record *record, const struct reading *reading, enum fate *ret_fate)
{
	struct table_row row = {.is_there = rows->record.is_there,
		.user = rows->record.user,
		.is_user_in_key = has_user_key(table),
		.is_hidden = is_hidden(rows, record)};
	enum change_order order = CHANGE_NEWER;

	row.is_there = row.is_there && !row.is_hidden;
	int r = stand_of(rows, topic, record, reading->row_change, &row.stand);
	if (r == 0) {
		r = keep(rows, table, &row, &order);
	}
	/* What comes again says nothing new, but of records that the log orders each is itself. */
	bool is_repeated = !reading->row_change->is_placed_by_log &&
			   (order == CHANGE_OLDER || order == CHANGE_SAME);
	*ret_fate = is_repeated ? FATE_DUPLICATE : FATE_COUNTED;
	return r;
}

const char *table_rows_why(const struct table_rows *rows)
{
	return rows->complaint.message;
}

/* What needs no look into the record. */
static bool is_decided(const struct view *table, enum change_op op, enum fate *ret_fate)
{
	if (table == NULL || op == CHANGE_TOMBSTONE) {
		/* Of a table that a rebuild is filling; or behind a deletion that was told. */
		*ret_fate = FATE_FOREIGN;
		return true;
	}
	return false;
}

int table_rows_take(struct table_rows *rows, const char *topic, const struct record *record,
	const struct reading *reading, enum fate *ret_fate)
{
	const struct row_change *change = reading->row_change;
	const struct view *table = view_set_find_table(rows->options.views, change->table);
	const struct table_record_bytes bytes = {change->change.key,
		change->change.op == CHANGE_DELETE ? slice_of(NULL, 0) : change->change.row};

	if (is_decided(table, change->change.op, ret_fate)) {
		return 0;
	}
	int r = table_record_read(&rows->record, table, &bytes, &rows->complaint);
	if (r > 0) {
		*ret_fate = FATE_UNREADABLE;
		return 0;
	}
	return r < 0 ? r : take_change(rows, table, topic, record, reading, ret_fate);
}

/* ---- a table that was truncated */

static int drop(struct table_rows *rows, const struct view *table, struct slice key,
	struct table_row *row, const struct row *columns)
{
	struct slice row_key =
		slice_of(key.bytes + TABLE_KEY_HEAD_SIZE, key.size - TABLE_KEY_HEAD_SIZE);

	row->is_there = false;
	row->user = row->is_user_in_key ? row->user : slice_of(NULL, 0);
	if (rows->options.changed != NULL) {
		rows->options.changed(rows->options.owner, table->id, row_key, columns->longs);
	}
	buffer_clear(&rows->value);
	table_row_write(table, row, NULL, &rows->value);
	int r = rows->value.error != 0
			? rows->value.error
			: entries_put(rows->options.entries, key, buffer_slice(&rows->value));
	return r == 0 ? change_count(rows, table->id, true, false) : r;
}

int table_rows_drop(struct table_rows *rows, struct slice key, struct slice value, uint64_t log)
{
	const struct view_set *views = rows->options.views;
	struct table_row row;
	struct row columns;

	if (key.size < TABLE_KEY_HEAD_SIZE || key.bytes[1] >= view_set_count(views)) {
		return -EBADMSG;
	}
	const struct view *table = view_set_at(views, key.bytes[1]);
	int r = view_is_table(table) ? table_row_read(table, value, &row, &columns) : -EBADMSG;
	if (r < 0 || !row.is_there || !row.stand.is_of_database || row.stand.position.log >= log) {
		return r;
	}
	return drop(rows, table, key, &row, &columns);
}

/* ---- forgetting */

/* Counts come behind all rows in the order of keys: what went is known by then. */
static enum entry_fate recount(const struct entry_sweep *sweep, struct slice key,
	struct slice value, struct buffer *ret_value)
{
	struct unpack unpack = unpack_of(value);
	uint64_t count = unpack_u64(&unpack);
	uint64_t gone = key.size == 3 && key.bytes[2] < VIEWS_MAX
				? sweep->table_rows_gone[key.bytes[2]]
				: UINT64_MAX;

	if (!unpack_is_whole(&unpack) || gone > count) {
		return ENTRY_UNREADABLE;
	}
	pack_u64(ret_value, count - gone);
	return gone == 0 ? ENTRY_STAYS : ENTRY_IS_RECOUNTED;
}

enum entry_fate table_row_forget(
	struct entry_sweep *sweep, struct slice key, struct slice value, struct buffer *ret_value)
{
	struct table_row row;

	if (key.size < TABLE_KEY_HEAD_SIZE || key.bytes[1] == KEY_OF_CLOCK) {
		return key.size < TABLE_KEY_HEAD_SIZE ? ENTRY_UNREADABLE : ENTRY_STAYS;
	}
	if (key.bytes[1] == KEY_OF_COUNT) {
		return recount(sweep, key, value, ret_value);
	}
	if (key.bytes[1] >= VIEWS_MAX || table_row_read(NULL, value, &row, NULL) < 0) {
		return ENTRY_UNREADABLE;
	}
	if (!forgotten_has(sweep->forgotten, row.user)) {
		return ENTRY_STAYS;
	}
	sweep->table_rows_gone[key.bytes[1]] += row.is_there;
	if (row.is_user_in_key) {
		return ENTRY_GOES;
	}
	row.is_there = false;
	row.user = slice_of(NULL, 0);
	table_row_write(NULL, &row, NULL, ret_value);
	return ENTRY_IS_MARKED;
}
