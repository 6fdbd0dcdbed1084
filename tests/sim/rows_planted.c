/* What can be planted in the counting of rows that change, in tables, in who was forgotten, and in what subscribers are told; the linker puts these in front of the real ones (--wrap). */
#include "aggregator/overlay/overlay.h"
#include "aggregator/store/row_change.h"
#include "aggregator/store/store_layout.h"
#include "aggregator/store/table_rows.h"
#include "tests/sim/world.h"

int __real_overlay_take_back(
	struct overlay *overlay, const struct event *event, struct standing standing);
int __wrap_overlay_take_back(
	struct overlay *overlay, const struct event *event, struct standing standing);

int __wrap_overlay_take_back(
	struct overlay *overlay, const struct event *event, struct standing standing)
{
	return world.bug == BUG_SHARE_KEPT ? 0 : __real_overlay_take_back(overlay, event, standing);
}

int __real_table_rows_take(struct table_rows *rows, const char *topic, const struct record *record,
	const struct reading *reading, enum fate *ret_fate);
int __wrap_table_rows_take(struct table_rows *rows, const char *topic, const struct record *record,
	const struct reading *reading, enum fate *ret_fate);

int __wrap_table_rows_take(struct table_rows *rows, const char *topic, const struct record *record,
	const struct reading *reading, enum fate *ret_fate)
{
	if (world.bug == BUG_DELETE_IGNORED && reading->row_change->change.op == CHANGE_DELETE) {
		*ret_fate = FATE_COUNTED;
		return 0;
	}
	return __real_table_rows_take(rows, topic, record, reading, ret_fate);
}

int __real_store_load_forgotten(struct MDB_txn *txn, unsigned meta, struct forgotten *forgotten);
int __wrap_store_load_forgotten(struct MDB_txn *txn, unsigned meta, struct forgotten *forgotten);

int __wrap_store_load_forgotten(struct MDB_txn *txn, unsigned meta, struct forgotten *forgotten)
{
	return world.bug == BUG_REMEMBERED ? 0 : __real_store_load_forgotten(txn, meta, forgotten);
}

typedef void (*changed_fn)(void *owner, struct slice key, struct slice longs);
void __real_overlay_take_changed(
	struct overlay *overlay, uint32_t view_id, changed_fn each, void *owner);
void __wrap_overlay_take_changed(
	struct overlay *overlay, uint32_t view_id, changed_fn each, void *owner);

void __wrap_overlay_take_changed(
	struct overlay *overlay, uint32_t view_id, changed_fn each, void *owner)
{
	if (world.bug != BUG_LIVE_SKIPS || world_draw(4) != 0) {
		__real_overlay_take_changed(overlay, view_id, each, owner);
	}
}
