/* changed_rows.h - counts rows that change (Debezium): of each primary key what was counted last is kept (changed_row.h), and a
 * newer change takes it back and counts what the row is now. So redelivery changes nothing, and what order the changes of different rows
 * come in does not matter. Everything lies in the shard's entries and the overlay, and goes into one transaction with the
 * record's offset. The loop's thread. */
#pragma once
#include "aggregator/books/forgotten.h"
#include "aggregator/books/record.h"
#include "aggregator/overlay/overlay.h"
#include "aggregator/store/changed_row.h"
#include "aggregator/store/entries.h"
#include "aggregator/store/entry_forget.h"

/* What became of a change. */
enum change_effect {
	CHANGE_REPEATED, /* it was taken before, or a later one was: nothing changed */
	CHANGE_KEPT, /* newer, and nothing that is counted changed by it */
	CHANGE_COUNTED, /* a row that was not there */
	CHANGE_CORRECTED, /* a row is another one now */
	CHANGE_TAKEN_BACK, /* a row is there no more */
};

/* All borrowed. */
struct changed_rows {
	struct entries *entries;
	struct overlay *overlay; /* the active one */
	const struct forgotten *forgotten;
};

/* A reading of class RECORD_CHANGE whose row is an event, and no truncation. 0; -EBADMSG: what is kept of the row can't be read;
 * -ENOMEM, -EOVERFLOW: the overlay and the entries are of no more use. */
int changed_rows_take(const struct changed_rows *rows, const struct record *record,
	const struct reading *reading, enum change_effect *ret_effect);
/* The space, the source's name with its size before it, and the primary key: whole, or where it is too long for a key by its
 * hash. */
struct slice changed_rows_key(const struct row_change *change, uint8_t ret_key[ENTRY_KEY_SIZE_MAX]);
/* What all keys of a source begin with. */
struct slice changed_rows_prefix(struct slice source, uint8_t ret_prefix[2 + EDGE_ID_SIZE_MAX]);
/* The row of this key is taken back if its last change was written before `log`: CHANGE_TAKEN_BACK with the kind that it
 * counted as, else CHANGE_KEPT. Its position stays. As changed_rows_take. */
int changed_rows_drop(const struct changed_rows *rows, struct slice key, uint64_t log,
	enum kind *ret_kind, enum change_effect *ret_effect);
/* entry_forget of ENTRY_CHANGED_ROW. */
enum entry_fate changed_row_forget(const struct forgotten *forgotten, struct slice key,
	struct slice value, struct buffer *ret_value);
