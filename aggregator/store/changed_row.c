#include "aggregator/store/changed_row.h"

#include "proto/limits.h"

enum { FLAG_SNAPSHOT = 1, FLAG_MYSQL = 2, FLAGS_ALL = 3 };
enum { STATE_HIDDEN = 4 }; /* beside the state */

/* ---- positions */

void change_position_pack(const struct change_position *position, struct buffer *buffer)
{
	pack_u8(buffer, (uint8_t)((position->is_snapshot ? FLAG_SNAPSHOT : 0) |
				  (position->database == DATABASE_MYSQL ? FLAG_MYSQL : 0)));
	pack_varint(buffer, position->log);
	pack_varint(buffer, position->offset);
	pack_varint(buffer, position->row);
	pack_varint(buffer, position->server);
	pack_u64(buffer, position->gtid_origin);
	pack_varint(buffer, position->transaction);
	pack_varint(buffer, position->snapshot);
}

void change_position_unpack(struct unpack *unpack, struct change_position *ret_position)
{
	uint8_t flags = unpack_u8(unpack);

	*ret_position = (struct change_position){
		.database = (flags & FLAG_MYSQL) != 0 ? DATABASE_MYSQL : DATABASE_POSTGRESQL,
		.is_snapshot = (flags & FLAG_SNAPSHOT) != 0,
	};
	ret_position->log = unpack_varint(unpack);
	ret_position->offset = unpack_varint(unpack);
	ret_position->row = unpack_varint(unpack);
	ret_position->server = unpack_varint(unpack);
	ret_position->gtid_origin = unpack_u64(unpack);
	ret_position->transaction = unpack_varint(unpack);
	ret_position->snapshot = unpack_varint(unpack);
	unpack->failed |= (flags & ~FLAGS_ALL) != 0;
}

/* ---- events */

static void pack_signed(struct buffer *buffer, int64_t value)
{
	pack_varint(buffer, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

static int64_t unpack_signed(struct unpack *unpack)
{
	uint64_t value = unpack_varint(unpack);

	return (int64_t)(value >> 1 ^ ((value & 1) != 0 ? UINT64_MAX : 0));
}

/* Where the event has the number of a field; NULL: the field is text. */
static int64_t *number_of(struct event *event, enum field field)
{
	switch (field) {
	case FIELD_TS:
		return &event->ts_ms;
	case FIELD_QUANTITY:
		return &event->quantity;
	case FIELD_UNIT_PRICE:
		return &event->unit_price;
	case FIELD_AMOUNT:
		return &event->amount;
	case FIELD_DISCOUNT:
		return &event->discount;
	case FIELD_TAX:
		return &event->tax;
	default:
		return NULL;
	}
}

static void pack_event(const struct event *event, struct buffer *buffer)
{
	struct event *fields = (struct event *)event; /* read only */

	pack_u8(buffer, (uint8_t)event->kind);
	pack_varint(buffer, event->present);
	for (uint32_t left = event->present; left != 0; left &= left - 1) {
		enum field field = (enum field)__builtin_ctz(left);
		const int64_t *number = number_of(fields, field);
		if (number != NULL) {
			pack_signed(buffer, *number);
		} else {
			pack_bytes(buffer, event->text[field]);
		}
	}
}

static void unpack_event(struct unpack *unpack, struct slice source, struct event *event)
{
	uint8_t kind = unpack_u8(unpack);
	uint64_t present = unpack_varint(unpack);

	if (kind >= KIND_EVENT_COUNT || present >> FIELD_COUNT != 0) {
		unpack->failed = true;
		return;
	}
	*event = (struct event){.kind = (enum kind)kind,
		.certificate = {.edge = source, .kind = (enum kind)kind},
		.present = (uint32_t)present};
	for (uint32_t left = event->present; left != 0; left &= left - 1) {
		enum field field = (enum field)__builtin_ctz(left);
		int64_t *number = number_of(event, field);
		if (number != NULL) {
			*number = unpack_signed(unpack);
			continue;
		}
		event->text[field] = unpack_bytes(unpack);
		unpack->failed |= event->text[field].size > TEXT_SIZE_MAX;
	}
}

/* ---- rows */

void changed_row_encode(const struct changed_row *row, struct buffer *buffer)
{
	bool is_hidden = row->state == CHANGED_ROW_COUNTED && row->is_hidden;

	change_position_pack(&row->position, buffer);
	pack_u8(buffer, (uint8_t)(row->state | (is_hidden ? STATE_HIDDEN : 0)));
	if (row->state == CHANGED_ROW_COUNTED) {
		pack_signed(buffer, row->append_ms);
		pack_event(&row->event, buffer);
	}
}

bool changed_row_decode(struct slice bytes, struct slice source, struct changed_row *ret_row)
{
	struct unpack unpack = unpack_of(bytes);

	change_position_unpack(&unpack, &ret_row->position);
	uint8_t state = unpack_u8(&unpack);
	ret_row->is_hidden = (state & STATE_HIDDEN) != 0;
	ret_row->state = (enum changed_row_state)(state & ~STATE_HIDDEN);
	if (ret_row->state > CHANGED_ROW_BURIED ||
		(ret_row->is_hidden && ret_row->state != CHANGED_ROW_COUNTED)) {
		return false;
	}
	if (ret_row->state == CHANGED_ROW_COUNTED) {
		ret_row->append_ms = unpack_signed(&unpack);
		unpack_event(&unpack, source, &ret_row->event);
	}
	return unpack_is_whole(&unpack);
}

static bool fields_equal(struct event *a, struct event *b)
{
	for (uint32_t left = a->present; left != 0; left &= left - 1) {
		enum field field = (enum field)__builtin_ctz(left);
		const int64_t *number = number_of(a, field);
		if (number != NULL ? *number != *number_of(b, field)
				   : !slice_equal(a->text[field], b->text[field])) {
			return false;
		}
	}
	return true;
}

bool changed_row_counts_as(const struct changed_row *a, const struct changed_row *b)
{
	if (a->state != CHANGED_ROW_COUNTED || b->state != CHANGED_ROW_COUNTED) {
		return a->state == b->state;
	}
	return a->is_hidden == b->is_hidden && a->event.kind == b->event.kind &&
	       a->event.present == b->event.present &&
	       fields_equal((struct event *)&a->event, (struct event *)&b->event);
}
