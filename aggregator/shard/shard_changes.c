#include "aggregator/shard/shard_changes.h"

#include "aggregator/shard/shard_truncations.h"
#include "aggregator/store/changed_rows.h"
#include "aggregator/store/row_change.h"

static struct changed_rows rows_of(const struct shard *shard)
{
	return (struct changed_rows){
		.entries = shard->entries,
		.overlay = shard->active.overlay,
		.forgotten = store_forgotten(shard->options.store),
	};
}

static void raise(struct change_tally *tally, enum change_effect effect)
{
	tally->counted += effect == CHANGE_COUNTED;
	tally->corrected += effect == CHANGE_CORRECTED;
	tally->taken_back += effect == CHANGE_TAKEN_BACK;
}

static void keep_books(
	struct shard *shard, const struct reading *reading, enum change_effect effect)
{
	bool is_counted = effect == CHANGE_COUNTED || effect == CHANGE_CORRECTED;

	raise(&shard->ledger.changes[reading->stream.kind], effect);
	raise(&shard->changes_seen[reading->stream.kind], effect);
	if (is_counted && reading->event.ts_ms > shard->ledger.event_ts) {
		shard->ledger.event_ts = reading->event.ts_ms;
	}
}

int shard_drop_row(struct shard *shard, struct slice key, uint64_t log)
{
	const struct changed_rows rows = rows_of(shard);
	enum change_effect effect = CHANGE_KEPT;
	enum kind kind = KIND_ORDER;
	int r = changed_rows_drop(&rows, key, log, &kind, &effect);

	if (r == 0) {
		raise(&shard->ledger.changes[kind], effect);
		raise(&shard->changes_seen[kind], effect);
	}
	return r;
}

int shard_take_change(struct shard *shard, const struct record *record,
	const struct reading *reading, enum fate *ret_fate, const char **ret_why)
{
	const struct row_change *change = reading->row_change;
	const struct changed_rows rows = rows_of(shard);
	enum change_effect effect = CHANGE_REPEATED;

	int r = shard_truncate_row(shard, reading);
	if (r == 0) {
		r = changed_rows_take(&rows, record, reading, &effect);
	}
	if (r < 0) {
		return r;
	}
	keep_books(shard, reading, effect);
	*ret_fate = effect == CHANGE_REPEATED ? FATE_DUPLICATE
		    : change->is_unfit        ? FATE_UNREADABLE
					      : FATE_COUNTED;
	*ret_why = reading->complaint.message;
	return 0;
}
