/* Which seqs lie in the spool, by its blocks' headers: what a report of the edge says of its disk. */
#include "edge/spool_lmdb.h"
#include <errno.h>
#include <lmdb.h>

/* Looked at for one report: about 10 ms. An edge reports in a session, and then its disk is nearly empty; after a long
 * outage the next report is not far. */
enum { BLOCKS_MAX = 20000 };

struct listing {
	struct telemetry_range *ranges;
	uint32_t count;
	uint32_t looked;
	bool is_cut;
};

/* Blocks follow each other, but for those that were acknowledged. */
static void add(struct listing *listing, const struct spool_block_header *header, bool is_aside)
{
	uint64_t last = header->first_seq + header->count - 1;

	for (uint32_t i = listing->count; i > 0; i--) {
		struct telemetry_range *range = &listing->ranges[i - 1];
		if (range->run == header->run && range->kind == header->lane &&
			range->is_aside == is_aside && range->last + 1 == header->first_seq) {
			range->last = last;
			return;
		}
	}
	if (listing->count == TELEMETRY_RANGES_MAX) {
		listing->is_cut = true;
		return;
	}
	listing->ranges[listing->count++] = (struct telemetry_range){.run = header->run,
		.kind = header->lane,
		.is_aside = is_aside,
		.first = header->first_seq,
		.last = last};
}

static int list(struct spool *spool, MDB_dbi table, bool is_aside, struct listing *listing)
{
	MDB_cursor *cursor = NULL;
	MDB_val key, value;
	struct spool_block_header header;

	int r = mdb_cursor_open(spool->reader, table, &cursor);
	if (r != 0) {
		return spool_from_mdb(r);
	}
	r = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	while (r == 0 && !listing->is_cut) {
		struct slice block = slice_of(value.mv_data, value.mv_size);
		bool is_readable =
			spool_block_decode_header(block, &header) == 0 && header.count > 0;
		if (is_readable) {
			add(listing, &header, is_aside);
		} else if (!is_aside) { /* it is set aside when its turn comes */
			listing->is_cut = true;
		}
		if (++listing->looked == BLOCKS_MAX) {
			listing->is_cut = true;
		}
		r = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return r == MDB_NOTFOUND ? 0 : spool_from_mdb(r);
}

int spool_list_ranges(struct spool *spool, struct telemetry_range ranges[TELEMETRY_RANGES_MAX],
	uint32_t *ret_count, bool *ret_is_cut)
{
	struct listing listing = {.ranges = ranges};

	int r = spool_from_mdb(mdb_txn_renew(spool->reader));
	if (r != 0) {
		return r;
	}
	r = list(spool, spool->blocks, false, &listing);
	if (r == 0) {
		r = list(spool, spool->corrupt_blocks, true, &listing);
	}
	mdb_txn_reset(spool->reader);
	if (r == 0) {
		*ret_count = listing.count;
		*ret_is_cut = listing.is_cut;
	}
	return r;
}
