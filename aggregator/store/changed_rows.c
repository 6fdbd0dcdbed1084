#include "aggregator/store/changed_rows.h"

#include "aggregator/store/row_change.h"
#include "proto/checksum.h"
#include <errno.h>

enum {
	KEY_IS_WHOLE = 0,
	KEY_IS_HASHED = 1,
	KEY_HASH_SIZE = 16,
	/* Positions and an event: sixteen fields of which ten are texts. */
	ROW_SIZE_MAX = FIELD_COUNT * (TEXT_SIZE_MAX + 8) + 256,
};

struct slice changed_rows_prefix(struct slice source, uint8_t ret_prefix[2 + EDGE_ID_SIZE_MAX])
{
	ret_prefix[0] = ENTRY_CHANGED_ROW;
	ret_prefix[1] = (uint8_t)source.size;
	memcpy(ret_prefix + 2, source.bytes, source.size);
	return slice_of(ret_prefix, 2 + source.size);
}

struct slice changed_rows_key(const struct row_change *change, uint8_t ret_key[ENTRY_KEY_SIZE_MAX])
{
	size_t head = changed_rows_prefix(change->source, ret_key).size;

	if (head + 1 + change->change.key.size <= ENTRY_KEY_SIZE_MAX) {
		ret_key[head] = KEY_IS_WHOLE;
		memcpy(ret_key + head + 1, change->change.key.bytes, change->change.key.size);
		return slice_of(ret_key, head + 1 + change->change.key.size);
	}
	ret_key[head] = KEY_IS_HASHED;
	checksum_hash128(change->change.key, ret_key + head + 1);
	return slice_of(ret_key, head + 1 + KEY_HASH_SIZE);
}

static struct slice source_of(struct slice key)
{
	return key.size > 2 && key.size - 2 > key.bytes[1] ? slice_of(key.bytes + 2, key.bytes[1])
							   : slice_of(NULL, 0);
}

/* 0, ENTRIES_E_ABSENT, -EBADMSG, -errno. Borrowed until the entries' next call. */
static int find(const struct changed_rows *rows, struct slice key, struct changed_row *ret_row)
{
	struct slice value;
	int r = entries_get(rows->entries, key, &value);

	if (r == 0 && !changed_row_decode(value, source_of(key), ret_row)) {
		return -EBADMSG;
	}
	return r;
}

static int keep(const struct changed_rows *rows, struct slice key, const struct changed_row *row)
{
	struct buffer value;

	buffer_init(&value, ROW_SIZE_MAX);
	changed_row_encode(row, &value);
	int r = value.error;
	if (r == 0) {
		r = entries_put(rows->entries, key, buffer_slice(&value));
	}
	buffer_deinit(&value);
	return r;
}

/* ---- how the row is counted */

static struct standing standing_of(const struct changed_rows *rows, const struct changed_row *row)
{
	return row->is_hidden ? (struct standing){.is_hidden = true}
			      : forgotten_standing(rows->forgotten, row->event.text[FIELD_USER_ID],
					row->append_ms);
}

static void hide(struct changed_row *row)
{
	row->is_hidden = true;
	row->event.text[FIELD_USER_ID] = slice_of_text(FORGOTTEN_TEXT);
}

/* What the row is after this change; texts are borrowed from the reading. */
static void read_next(const struct changed_rows *rows, const struct record *record,
	const struct reading *reading, struct changed_row *next)
{
	const struct row_change *change = reading->row_change;
	bool is_there = change->change.row.size > 0 && !change->is_unfit;

	next->position = change->change.position;
	next->state = is_there ? CHANGED_ROW_COUNTED : CHANGED_ROW_GONE;
	next->is_hidden = false;
	if (is_there) {
		next->append_ms = record->timestamp_ms;
		next->event = reading->event;
		if (standing_of(rows, next).is_hidden) {
			hide(next);
		}
	}
}

static int count_instead(const struct changed_rows *rows, const struct changed_row *before,
	const struct changed_row *next)
{
	int r = 0;

	if (before->state == CHANGED_ROW_COUNTED) {
		r = overlay_take_back(rows->overlay, &before->event, standing_of(rows, before));
	}
	if (r == 0 && next->state == CHANGED_ROW_COUNTED) {
		r = overlay_apply_as(
			rows->overlay, &next->event, slice_of(NULL, 0), standing_of(rows, next));
	}
	return r;
}

static enum change_effect effect_of(
	const struct changed_row *before, const struct changed_row *next)
{
	bool was_there = before->state == CHANGED_ROW_COUNTED;
	bool is_there = next->state == CHANGED_ROW_COUNTED;

	if (was_there && is_there) {
		return changed_row_counts_as(before, next) ? CHANGE_KEPT : CHANGE_CORRECTED;
	}
	return is_there ? CHANGE_COUNTED : was_there ? CHANGE_TAKEN_BACK : CHANGE_KEPT;
}

/* ---- changes */

static bool is_newer(const struct changed_row *before, const struct changed_row *next)
{
	switch (change_position_order(&before->position, &next->position)) {
	case CHANGE_OLDER:
		return false;
	case CHANGE_SAME:
		return before->state == CHANGED_ROW_BURIED && next->state == CHANGED_ROW_COUNTED;
	case CHANGE_NEWER:
	case CHANGE_UNORDERED:
		break;
	}
	return true;
}

/* It follows a delete, which took the row back already. If compaction took the delete, it is all that tells. */
static int bury(const struct changed_rows *rows, struct slice key, struct changed_row *before,
	enum change_effect *ret_effect)
{
	if (before->state != CHANGED_ROW_COUNTED) {
		*ret_effect = CHANGE_REPEATED;
		return 0;
	}
	int r = overlay_take_back(rows->overlay, &before->event, standing_of(rows, before));
	before->state = CHANGED_ROW_BURIED;
	*ret_effect = CHANGE_TAKEN_BACK;
	return r == 0 ? keep(rows, key, before) : r;
}

static int replace(const struct changed_rows *rows, struct slice key, bool is_known,
	const struct changed_row *before, struct changed_row *next, enum change_effect *ret_effect)
{
	enum change_effect effect = effect_of(before, next);

	if (is_known && !is_newer(before, next)) {
		*ret_effect = CHANGE_REPEATED;
		return 0;
	}
	if (is_known) {
		next->position = change_position_follow(&before->position, &next->position);
	}
	int r = effect != CHANGE_KEPT ? count_instead(rows, before, next) : 0;
	if (effect == CHANGE_KEPT && next->state == CHANGED_ROW_COUNTED) {
		next->append_ms = before->append_ms; /* by which it was counted */
	}
	*ret_effect = effect;
	return r == 0 ? keep(rows, key, next) : r;
}

int changed_rows_take(const struct changed_rows *rows, const struct record *record,
	const struct reading *reading, enum change_effect *ret_effect)
{
	struct changed_row before = {.state = CHANGED_ROW_GONE}, next;
	uint8_t bytes[ENTRY_KEY_SIZE_MAX];
	struct slice key = changed_rows_key(reading->row_change, bytes);
	int r = find(rows, key, &before);

	if (r < 0) {
		return r;
	}
	if (reading->row_change->change.op == CHANGE_TOMBSTONE) {
		return bury(rows, key, &before, ret_effect);
	}
	read_next(rows, record, reading, &next);
	return replace(rows, key, r == 0, &before, &next, ret_effect);
}

/* Positions of rows and truncations are compared as numbers, those of snapshots too: a truncation locks its table, so that no
 * snapshot sees rows that were written before it once it is over. */
int changed_rows_drop(const struct changed_rows *rows, struct slice key, uint64_t log,
	enum kind *ret_kind, enum change_effect *ret_effect)
{
	struct changed_row row;
	int r = find(rows, key, &row);

	*ret_effect = CHANGE_KEPT;
	if (r != 0 || row.state != CHANGED_ROW_COUNTED || row.position.log >= log) {
		return r < 0 ? r : 0;
	}
	*ret_kind = row.event.kind;
	r = overlay_take_back(rows->overlay, &row.event, standing_of(rows, &row));
	row.state = CHANGED_ROW_GONE;
	*ret_effect = CHANGE_TAKEN_BACK;
	return r == 0 ? keep(rows, key, &row) : r;
}

/* ---- forgetting */

enum entry_fate changed_row_forget(const struct forgotten *forgotten, struct slice key,
	struct slice value, struct buffer *ret_value)
{
	const struct changed_rows rows = {.forgotten = forgotten};
	struct changed_row row;

	if (!changed_row_decode(value, source_of(key), &row)) {
		return ENTRY_UNREADABLE;
	}
	if (row.state != CHANGED_ROW_COUNTED || row.is_hidden ||
		!standing_of(&rows, &row).is_hidden) {
		return ENTRY_STAYS;
	}
	hide(&row);
	changed_row_encode(&row, ret_value);
	return ENTRY_CHANGES;
}
