#include "aggregator/store/table_row.h"
#include "aggregator/view/pack.h"
#include <assert.h>
#include <errno.h>

enum {
	FLAG_THERE = 1,
	FLAG_DATABASE = 2,
	FLAG_SNAPSHOT = 4,
	FLAG_MYSQL = 8,
	FLAG_USER = 16,
	FLAG_USER_IN_KEY = 32,
	FLAGS_ALL = 63
};

void table_key_make(uint32_t table_id, struct slice row_key, struct table_key *ret_key)
{
	assert(row_key.size <= ROW_KEY_CAPACITY && table_id < VIEWS_MAX);
	ret_key->bytes[0] = ENTRY_TABLE_ROW;
	ret_key->bytes[1] = (uint8_t)table_id;
	if (row_key.size > 0) {
		memcpy(ret_key->bytes + TABLE_KEY_HEAD_SIZE, row_key.bytes, row_key.size);
	}
	ret_key->size = TABLE_KEY_HEAD_SIZE + row_key.size;
}

void table_row_set(struct row *row, size_t column, struct slice text, int64_t number)
{
	row->stamps[column] = (struct stamp){.certificate.edge = slice_of("", 0), .text = text};
	row->cells[column] =
		(struct cell){.number = number, .count = 1, .stamp = &row->stamps[column]};
}

/* ---- writing */

static uint8_t flags_of(const struct table_row *row)
{
	const struct table_stand *stand = &row->stand;
	int flags = row->is_there ? FLAG_THERE : 0;

	flags |= row->user.size > 0 ? FLAG_USER : 0;
	flags |= row->user.size > 0 && row->is_user_in_key ? FLAG_USER_IN_KEY : 0;
	if (stand->is_of_database) {
		flags |= FLAG_DATABASE;
		flags |= stand->position.is_snapshot ? FLAG_SNAPSHOT : 0;
		flags |= stand->position.database == DATABASE_MYSQL ? FLAG_MYSQL : 0;
	}
	return (uint8_t)flags;
}

static void write_stand(const struct table_stand *stand, struct buffer *value)
{
	const struct change_position *position = &stand->position;

	if (!stand->is_of_database) {
		pack_u64(value, stand->clock_ms);
		pack_u32(value, stand->topic);
		pack_u32(value, stand->partition);
		pack_u64(value, stand->offset);
		return;
	}
	pack_varint(value, position->log);
	pack_varint(value, position->offset);
	pack_varint(value, position->row);
	pack_varint(value, position->server);
	pack_varint(value, position->gtid_origin);
	pack_varint(value, position->transaction);
	pack_varint(value, position->snapshot);
}

void table_row_write(const struct view *table, const struct table_row *row,
	const struct row *columns, struct buffer *ret_value)
{
	pack_u8(ret_value, flags_of(row));
	write_stand(&row->stand, ret_value);
	if (row->user.size > 0) {
		pack_bytes(ret_value, row->user);
	}
	if (!row->is_there) {
		return;
	}
	pack_bytes(ret_value, columns->longs);
	for (size_t i = 0; i < table->measure_count; i++) {
		const struct cell *cell = &columns->cells[i];
		pack_u8(ret_value, cell->count > 0);
		if (cell->count == 0) {
			continue;
		}
		if (operand_type_of(table->measures[i].operand) == TYPE_TEXT) {
			pack_bytes(ret_value, cell->stamp->text);
		} else {
			pack_u64(ret_value, (uint64_t)(int64_t)cell->number);
		}
	}
}

/* ---- reading */

static void read_stand(struct unpack *unpack, uint8_t flags, struct table_stand *stand)
{
	*stand = (struct table_stand){.is_of_database = (flags & FLAG_DATABASE) != 0};
	if (!stand->is_of_database) {
		stand->clock_ms = unpack_u64(unpack);
		stand->topic = unpack_u32(unpack);
		stand->partition = unpack_u32(unpack);
		stand->offset = unpack_u64(unpack);
		return;
	}
	stand->position.database = (flags & FLAG_MYSQL) != 0 ? DATABASE_MYSQL : DATABASE_POSTGRESQL;
	stand->position.is_snapshot = (flags & FLAG_SNAPSHOT) != 0;
	stand->position.log = unpack_varint(unpack);
	stand->position.offset = unpack_varint(unpack);
	stand->position.row = unpack_varint(unpack);
	stand->position.server = unpack_varint(unpack);
	stand->position.gtid_origin = unpack_varint(unpack);
	stand->position.transaction = unpack_varint(unpack);
	stand->position.snapshot = unpack_varint(unpack);
}

static void read_columns(const struct view *table, struct unpack *unpack, struct row *row)
{
	row_init(table, row);
	row->event_count = 1;
	row->longs = unpack_bytes(unpack);
	for (size_t i = 0; i < table->measure_count; i++) {
		if (unpack_u8(unpack) == 0) {
			continue;
		}
		if (operand_type_of(table->measures[i].operand) == TYPE_TEXT) {
			table_row_set(row, i, unpack_bytes(unpack), 0);
		} else {
			table_row_set(row, i, slice_of("", 0), (int64_t)unpack_u64(unpack));
		}
	}
}

int table_row_read(const struct view *table, struct slice value, struct table_row *ret_row,
	struct row *ret_columns)
{
	struct unpack unpack = unpack_of(value);
	uint8_t flags = unpack_u8(&unpack);

	read_stand(&unpack, flags, &ret_row->stand);
	ret_row->is_there = (flags & FLAG_THERE) != 0;
	ret_row->user = (flags & FLAG_USER) != 0 ? unpack_bytes(&unpack) : slice_of(NULL, 0);
	ret_row->is_user_in_key = (flags & FLAG_USER_IN_KEY) != 0;
	bool is_whole = unpack_is_whole(&unpack) == !ret_row->is_there;
	if (ret_row->is_there && ret_columns != NULL) {
		read_columns(table, &unpack, ret_columns);
		is_whole = unpack_is_whole(&unpack);
	}
	return is_whole && flags <= FLAGS_ALL ? 0 : -EBADMSG;
}

/* ---- order */

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static enum change_order order_in_log(
	const struct table_stand *kept, const struct table_stand *next)
{
	int order = compare(next->clock_ms, kept->clock_ms);

	order = order != 0 ? order : compare(next->topic, kept->topic);
	order = order != 0 ? order : compare(next->partition, kept->partition);
	order = order != 0 ? order : compare(next->offset, kept->offset);
	return order > 0 ? CHANGE_NEWER : order < 0 ? CHANGE_OLDER : CHANGE_SAME;
}

enum change_order table_stand_order(const struct table_stand *kept, const struct table_stand *next)
{
	if (kept->is_of_database != next->is_of_database) {
		return CHANGE_UNORDERED; /* the source was declared in another way meanwhile */
	}
	return kept->is_of_database ? change_position_order(&kept->position, &next->position)
				    : order_in_log(kept, next);
}

struct table_stand table_stand_follow(
	const struct table_stand *kept, const struct table_stand *next)
{
	struct table_stand stand = *next;

	if (kept->is_of_database && next->is_of_database) {
		stand.position = change_position_follow(&kept->position, &next->position);
	}
	return stand;
}
