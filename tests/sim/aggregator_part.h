/* aggregator_part.h - a till-aggregator as a whole, rebuild and answers included, over modelled disks, threads and log. Its
 * disk outlives the part. One thread. */
#pragma once
#include "tests/sim/world.h"

struct aggregator_part;
struct mdb_files;

/* A run's store, and what is configured. */
struct aggregator_part_features {
	bool has_database; /* topics of others */
	bool has_users;
	bool has_subscriber; /* changed rows are published */
	bool has_stage; /* some starts may stage views */
};
void aggregator_part_begin(const struct aggregator_part_features *features);
void aggregator_part_end(void);

struct aggregator_part_options {
	const char *const
		*accepted; /* gaps, ends with NULL; NULL: none. Borrowed for aggregator_part_new */
	bool wants_rebuild;
	bool stages; /* views beside the live ones */
	int own; /* this partition of each topic alone; OWN_ALL */
};
enum { OWN_ALL = -1 };
/* NULL: it ended at once, and may be started again. */
struct aggregator_part *aggregator_part_new(const struct aggregator_part_options *options);
/* As kill -9 leaves it: what was committed is in the store. */
struct aggregator_part *aggregator_part_free(struct aggregator_part *part);
/* One round. 0; AGGREGATOR_PART_DECISION or a negative errno: it has ended. */
enum { AGGREGATOR_PART_DECISION = 1 };
int aggregator_part_round(struct aggregator_part *part);
/* Somebody asks something, whatever goes on; the answer comes in later rounds. */
void aggregator_part_wonder(void);
/* `asker` wants an answer. false: another question is open, or its answer was not taken. */
bool aggregator_part_request(const void *asker, const char *question);
/* Nobody but `asker` waits any more for what he asked. */
void aggregator_part_end_requests(struct aggregator_part *part, const void *asker);
/* NULL: none yet; "": it will never come. Borrowed until the next request. */
const char *aggregator_part_reply(const void *asker);
/* What the last one that ended with a decision named for its live store; ends with NULL. What only a rebuild lacks is no
 * reason to accept anything: the rebuild is given up. */
const char *const *aggregator_part_missing(void);

/* All of the log is counted, and on disk; no rebuild is under way. */
bool aggregator_part_is_settled(const struct aggregator_part *part);
/* All that edges reported of themselves is read. */
bool aggregator_part_has_read_reports(void);
/* All of the log is read, by a rebuild and staged views too. */
bool aggregator_part_has_read_all(const struct aggregator_part *part);
/* What is rebuilt or staged has read as many records of orders as the live store: neither lacks what the log lost. */
bool aggregator_part_has_read_alike(const struct aggregator_part *part);
/* A rebuild is under way, or views are staged. */
bool aggregator_part_is_rebuilding(const struct aggregator_part *part);
/* A commit is on disk of which the loop has not heard. */
bool aggregator_part_is_untold(const struct aggregator_part *part);
uint64_t aggregator_part_shape(const struct aggregator_part *part);

/* Its disk as it is now; a copy is put in its place. The part must be dead for that. */
struct mdb_files *aggregator_part_back_up(void);
void aggregator_part_restore(struct mdb_files *backup); /* takes it */
/* Of a store that is still to be made. */
void aggregator_part_set_shards(int count);
/* How far its disk says that a partition was read. */
struct aggregator_mark {
	int64_t next;
	int64_t anchor, anchor_ms; /* offset and timestamp of the last record read; -1: none */
	bool knows_cluster;
};
struct aggregator_mark aggregator_part_mark(int topic, int partition);
const char *aggregator_part_topic(int topic); /* its name */
/* The canonical dump of the store, the caller's to free. The part must be dead. */
char *aggregator_part_dump(void);

/* Rows of a view or a table, as an answer gives them: its first column, the number of events (of a table 1), their revenue in
 * millionths or, where there is none, their quantity. */
typedef void (*aggregator_row_fn)(void *owner, const char *name, uint64_t count, int64_t amount);
void aggregator_part_each_row(
	struct aggregator_part *part, const char *view, aggregator_row_fn take, void *owner);

/* Of a view as it is staged. */
void aggregator_part_each_staged_row(
	struct aggregator_part *part, const char *view, aggregator_row_fn take, void *owner);
/* Any answer, as text; of one that can answer. Borrowed until the next call. */
const char *aggregator_part_ask(struct aggregator_part *part, const char *question);

/* As the answer to `status` gives them. */
struct aggregator_books {
	uint64_t read, counted, rejected, duplicates, foreign, unreadable; /* of all partitions */
	uint64_t accepted[6], markers[6]; /* by lane, as the ledger has them */
	bool add_up;
	bool names_conflict; /* of certificates */
	char problem[200]; /* the first other one that it names; "": none */
};
/* Records of the log whose certificate an earlier one of other bytes has: for each, `take`. */
struct kafka_record;
typedef void (*aggregator_record_fn)(void *owner, int topic, const struct kafka_record *record);
uint64_t aggregator_part_each_conflict(aggregator_record_fn take, void *owner);
struct aggregator_books aggregator_part_books(struct aggregator_part *part);
/* Hears the stream of a view. */
void aggregator_part_listen(void);
/* What it heard is the view: false with a sentence. */
bool aggregator_part_listened(struct aggregator_part *part, char *ret_words, size_t words_size);
