/* change_position.h - where a change stands in its database's log, and which of two changes of one row is the later.
 *
 * PostgreSQL: the LSN of the change. Two transactions that change one row hold its lock one after the other, so for one
 * row the LSN orders as the commits do. A row that a snapshot read (op r) bears the LSN of the snapshot; a change that is
 * streamed after it may stand before that LSN, when its transaction was open as the snapshot was taken: what is streamed
 * follows the snapshot that was read before it, whatever the numbers say.
 * MySQL, MariaDB: the GTID where both have one of the same origin, else binlog file, position and row.
 * Positions of different servers have no order: then the order of the topic's partition decides. Pure. */
#pragma once
#include "proto/document.h"

enum database { DATABASE_POSTGRESQL, DATABASE_MYSQL };

struct change_position {
	enum database database;
	bool is_snapshot; /* read by a snapshot, not from the log */
	uint64_t log; /* LSN; the binlog file's number */
	uint64_t offset; /* MySQL: in that file */
	uint64_t row; /* MySQL: of the rows that one binlog event holds */
	uint64_t server; /* MySQL's server_id; 0 in snapshots */
	uint64_t gtid_origin; /* a hash of who numbered the transaction; 0 without GTID */
	uint64_t transaction; /* txId; the GTID's number */
	uint64_t
		snapshot; /* PostgreSQL: the LSN of the newest snapshot that this row was seen in; 0 for none */
};

/* How the change that comes stands to the one that is kept. */
enum change_order {
	CHANGE_OLDER,
	CHANGE_SAME,
	CHANGE_NEWER,
	CHANGE_UNORDERED, /* of different servers: who comes later is later */
};

/* Reads the envelope's `source`. 0 or a reason with the complaint. */
int change_position_read(const struct node *source, struct change_position *ret_position,
	struct complaint *complaint);
enum change_order change_position_order(
	const struct change_position *kept, const struct change_position *next);
/* What is to be kept once `next` has taken the place of `kept`. */
struct change_position change_position_follow(
	const struct change_position *kept, const struct change_position *next);
