/* world.h - what all parts of one simulated run share: virtual time, chance, faults, the trace, and which states were
 * seen. There is one world a process, begun anew for each seed; all that happens follows from the seed. One thread. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EDGES_MAX = 3, BRIDGES_MAX = 2 };
/* Of each topic: what bridges use, and what a topic may have. */
enum { PARTITIONS = 2, PARTITIONS_MAX = 3 };

/* What is planted to see whether the simulator finds it. Each lives in a model or in the glue, none in the product. */
enum bug {
	BUG_NONE,
	BUG_EARLY_ACK, /* the sink reports delivery before Kafka has the record */
	BUG_NO_NUMBERS, /* producers repeat their frames without a number */
	BUG_OFFSET_FIRST, /* the store keeps offsets outside the transaction of what was counted */
	BUG_STORED_RUN, /* a run is the next of a stored counter instead of random */
	BUG_LATE_ACK, /* an ACK of an ended session counts in the next session of its edge */
	BUG_RESTAMPED, /* what a restored spool holds is stamped anew */
	BUG_MARK_FIRST, /* what a source marks is on disk before its events are */
	BUG_WINDOW, /* the counted set forgets what is long ago */
	BUG_MERGE, /* the counted set merges intervals with a gap of one between them */
	BUG_SHARED_REPORTS, /* delivery reports count per number of a batch, across two sendings */
	BUG_NO_SYNC, /* the edge's disk may lose its last commit at a crash */
	BUG_REBUILD_SHORT, /* a rebuild does not read one of the partitions to its end */
	BUG_GAP_SILENT, /* whatever the log lacks is skipped without a word */
	BUG_UNCHECKED, /* a damaged block is sent as it is */
	BUG_CONFLICT_REPEAT, /* another event under a certificate that was counted is taken for a repeat */
	BUG_TOLD_EARLY, /* an edge that promises to be durable answers before its commit */
	BUG_IDS_FIRST, /* event_ids and keys are on disk before their events are */
	BUG_NO_ANCHOR, /* nobody looks whether the record before the position is still the same */
	BUG_SHARE_KEPT, /* what a row counted before its change is not taken back */
	BUG_DELETE_IGNORED, /* a table keeps a row whose deletion it reads */
	BUG_REMEMBERED, /* who was forgotten is known again after a restart */
	BUG_LIVE_SKIPS, /* what changed in some commits no subscriber is told */
	BUG_DISK_UNTOLD, /* edges do not report what lies on their disks */
	BUG_UNCOUNTED, /* nobody remembers what was counted: each record counts */
	BUG_MISPLACED, /* a record's partition does not follow from its edge */
	BUG_UNHELD, /* what a reader fetches is counted before anybody has looked of which cluster it is */
	BUG_COUNT,
};
const char *bug_name(enum bug bug);

enum fault {
	FAULT_EDGE_CRASH, /* between two rounds */
	FAULT_EDGE_STOPPED, /* as an operator stops it: it drains */
	FAULT_COMMIT_LOST, /* the edge dies in a commit that was not written */
	FAULT_REPLY_LOST, /* the edge dies after the commit and before the reply */
	FAULT_ANSWER_LOST, /* the reply does not reach its producer */
	FAULT_DISK_FULL,
	FAULT_SPOOL_RESTORED,
	FAULT_EDGE_CLONED,
	FAULT_CLOCK_JUMP,
	FAULT_LINK_CUT,
	FAULT_LINK_HALF_OPEN,
	FAULT_KEY_REFUSED, /* an edge's, or the bridge's */
	FAULT_LINK_SILENT, /* a new peer behind the same link, what was last sent comes twice */
	FAULT_FRAME_GARBLED, /* half of it comes */
	FAULT_QUEUE_FULL,
	FAULT_BRIDGE_CRASH,
	FAULT_BRIDGE_STOPPED, /* as an operator stops it: it drains */
	FAULT_KAFKA_AWAY,
	FAULT_DELIVERY_FAILED, /* and the record is not in the log */
	FAULT_DELIVERY_DENIED, /* reported as failed, though the record is in the log */
	FAULT_RECORD_REFUSED,
	FAULT_TOPIC_REFUSED,
	FAULT_PRODUCER_LOST, /* a fatal error; what was on its way may arrive later */
	FAULT_REPORT_LATE,
	FAULT_SINK_FULL,
	FAULT_PUT_REFUSED, /* by the producer itself, before anything is sent */
	FAULT_AGGREGATOR_CRASH,
	FAULT_COMMIT_UNTOLD, /* the aggregator dies between its commit and the loop's hearing of it */
	FAULT_STORE_FULL,
	FAULT_STORE_FAILED, /* nobody knows whether the commit was written */
	FAULT_READER_RESTARTED,
	FAULT_STORE_RESTORED, /* the aggregator's, from an older backup: it reads again what came since */
	FAULT_REBUILD, /* the log is counted anew beside the live store */
	FAULT_REBUILD_KILLED, /* in its middle: the next start goes on with it */
	FAULT_LOG_CUT, /* retention takes what was counted: nothing is missing, but for a rebuild */
	FAULT_LOG_OVERTAKEN, /* retention takes what was not counted: a gap */
	FAULT_TOPIC_EMPTIED, /* retention takes all of a quiet topic */
	FAULT_TOPIC_MADE_AGAIN, /* with fewer records or with more */
	FAULT_OTHER_CLUSTER, /* behind the address, for a while */
	FAULT_PARTITION_ADDED,
	FAULT_BLOCK_DAMAGED, /* a bit of a spool's block is flipped */
	FAULT_IMAGE_RESUMED, /* an image of an edge's memory goes on beside it: the same run, other events */
	FAULT_REOWNED, /* the aggregator is given other partitions than before */
	FAULT_SENT_TWICE, /* by a till that does not wait for the answer */
	FAULT_SENT_AGAIN, /* although it was answered */
	FAULT_INTERVAL_LOST, /* what was told ok and not on disk yet, with sync = interval */
	FAULT_MEMORY_SHORT, /* a part asks for memory and gets none: mostly that is its end */
	FAULT_ROWS_RETOLD, /* a database's changes: the connector begins again where it noted that it was, or its producer repeats some */
	FAULT_SNAPSHOT_AGAIN, /* it reads all rows once more */
	FAULT_USER_FORGOTTEN, /* somebody asks for it */
	FAULT_USER_BACK, /* and to count again */
	FAULT_STAGED, /* a start with views that are staged, */
	FAULT_UNSTAGED, /* and one without */
	FAULT_MESSAGE_LOST, /* of a view's stream */
	FAULT_REPORT_LOST, /* of an edge on itself */
	FAULT_COUNT,
};
const char *fault_name(enum fault fault);

struct world {
	uint64_t random;
	int64_t now_ms; /* monotonic */
	int64_t wall_offset_ms;
	bool has_faults; /* off: what began heals, nothing new fails */
	bool is_traced;
	enum bug bug;
	uint64_t set_aside; /* damaged blocks that spools have moved out of the way */
	uint64_t events; /* whatever happened, faults not counted */
	uint64_t faults[FAULT_COUNT];
	/* How often each fault comes in this run, drawn: runs differ more than chance alone. */
	uint32_t scales[FAULT_COUNT];
	uint64_t
		steps; /* how long faults come, drawn: most runs are short, and in short ones all comes faster */
	uint64_t haste; /* how many times faster */
	uint64_t memory_asks; /* until the product is given no memory; 0: it is given all */
};
extern struct world world;

void world_begin(uint64_t seed, enum bug bug, bool is_traced);
uint64_t world_random(void);
/* 0 … below - 1 */
uint64_t world_draw(uint64_t below);
/* How long something takes: mostly a few ms, now and then up to `max_ms`. */
int64_t world_delay(int64_t max_ms);
/* true once in so many times on average: more often the shorter the run is. */
bool world_happens(uint64_t one_in);
/* true so many times in a million, counted and traced; never once the faults are over. */
bool world_fails(enum fault fault, uint32_t per_million);
/* One that was decided elsewhere. */
void world_note_fault(enum fault fault, const char *what);
uint64_t world_fault_count(void);
/* Between the two the product, not a model, may once be given no memory: in one of so many turns on average. */
void world_memory_begin(uint64_t one_in);
void world_memory_end(void);
/* It asks for some; true: this is the time. */
bool world_memory_is_short(void);
/* Something happened; a line in the trace. */
void world_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The line alone. */
void world_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
