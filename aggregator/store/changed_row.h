/* changed_row.h - what a store keeps of one row of a source whose rows change (Debezium): where the newest change of it stands in
 * the database's log, and the event that was counted of it, so that its share can be taken back to the last cent. Also how
 * a position is written, for whoever keeps one. Pure. */
#pragma once
#include "aggregator/view/pack.h"
#include "proto/change_position.h"
#include "proto/event.h"

enum changed_row_state {
	CHANGED_ROW_GONE, /* deleted, or no event: nothing of it is counted. The position stays, lest an older change count */
	CHANGED_ROW_COUNTED,
	/* Gone by a tombstone alone: compaction had taken the delete, and nobody knows its position. The kept change itself would
	 * count again. */
	CHANGED_ROW_BURIED,
};

struct changed_row {
	struct change_position position;
	enum changed_row_state state;
	/* Of one that is counted: */
	bool is_hidden; /* its user was forgotten: FORGOTTEN_TEXT stands for him */
	int64_t append_ms; /* of the record that brought it */
	struct event event; /* the fields that views know; the certificate names the source */
};

void change_position_pack(const struct change_position *position, struct buffer *buffer);
/* What can't be a position makes `unpack` fail. */
void change_position_unpack(struct unpack *unpack, struct change_position *ret_position);

void changed_row_encode(const struct changed_row *row, struct buffer *buffer);
/* Texts are borrowed from the bytes, the source's name as it is. false when they are no row. */
bool changed_row_decode(struct slice bytes, struct slice source, struct changed_row *ret_row);
/* Do both count the same of the row? Positions aside. */
bool changed_row_counts_as(const struct changed_row *a, const struct changed_row *b);
