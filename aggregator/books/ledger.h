/* ledger.h - what one shard of one generation knows as a whole, kept in every commit: how often it committed, the
 * cluster that it read, what an operator accepted as missing, and per kind of stream what was accepted, rejected and
 * seen again. The self-check holds the counted sets against these sums. Pure. */
#pragma once
#include "aggregator/books/books.h"
#include "aggregator/books/stream.h"
#include "aggregator/books/text_set.h"

enum { CLUSTER_ID_SIZE = 129 };

struct tally {
	uint64_t accepted;
	uint64_t rejected;
	uint64_t duplicates;
};

/* Rows of sources whose rows change: counted - taken_back of them are there. */
struct change_tally {
	uint64_t counted; /* rows that were not there, or no more */
	uint64_t corrected; /* rows that became others */
	uint64_t taken_back;
};

/* Zero-initialised: of a generation that read nothing. */
struct ledger {
	uint64_t commit; /* number of the last one */
	int64_t event_ts; /* largest counted; 0: none */
	uint64_t quarantined; /* records ever put into the quarantine: the next one's key */
	char cluster_id[CLUSTER_ID_SIZE]; /* "": not yet known */
	struct tally tallies[STREAM_KIND_COUNT];
	struct text_set gaps; /* accepted */
	struct text_set streams_quarantined; /* by name, for /readyz */
	struct text_set streams_in_conflict; /* likewise: two events bore one certificate */
	uint64_t fingerprint_chunks; /* ever made */
	int64_t append_ms; /* the broker's append time, the largest of a record that was taken */
	int64_t clock_ms; /* the broker's time read so far, by all shards, in whole seconds; 0: none */
	struct basket_books baskets; /* all zero where no view counts them */
	struct change_tally changes[KIND_EVENT_COUNT];
	struct text_set
		sources_truncated; /* by name, for /readyz: what was counted of them is there still */
};

void ledger_deinit(struct ledger *ledger);
void ledger_encode(const struct ledger *ledger, struct buffer *buffer);
/* 0, -EBADMSG, -ENOMEM. Replaces what it holds. */
int ledger_decode(struct slice bytes, struct ledger *ledger);
