/* drop_internal.h - what drop.c (the round), drop_look.c (what is there), drop_read.c (one file's bytes) and drop_finish.c (marks, reports, moves) share. */
#pragma once
#include "edge/drop.h"
#include "edge/drop_list.h"

enum drop_step {
	DROP_OPENING,
	DROP_SETTLING, /* it changed: until it is still again */
	DROP_SUMMING,
	DROP_READING, /* when it is its turn */
	DROP_FLYING, /* a submission's outcome is awaited */
	DROP_MOVING, /* all of it is durable */
	DROP_FORGETTING, /* moved: its marks are to be deleted */
	DROP_OVER,
};

enum drop_slot { DROP_SLOT_NDJSON, DROP_SLOT_CSV, DROP_SLOT_TSV, DROP_SLOT_MSGPACK, DROP_SLOTS };

struct drop_file {
	uint64_t ticket;
	enum drop_step step;
	bool is_resumed; /* known from marks */
	bool is_long; /* the submission in flight is one line that is too long */
	bool is_moved; /* in this round */
	bool is_forgetting; /* the submission in flight deletes its marks */
	bool is_told; /* what keeps it waiting */
	int fd; /* -1: closed */
	enum drop_slot slot;
	struct drop_stat stat; /* when its digest was begun */
	struct checksum_digest sum; /* of the bytes before summed */
	struct checksum_digest running; /* of the bytes before state.offset */
	struct checksum_digest next_running;
	uint64_t summed;
	uint64_t skip_offset; /* within a line that is too long; 0: no such line */
	uint64_t names_hash;
	int64_t retry_ms;
	struct drop_state state; /* durable, or that of a file that was not begun */
	struct drop_state next; /* of the submission in flight */
	struct drop_error errors[DROP_ERRORS_MAX];
};

struct drop_digest {
	uint8_t digest[CHECKSUM_DIGEST_SIZE];
	uint64_t size;
	int64_t counted_ms;
};

struct drop {
	struct drop_options options;
	struct line_batch *batches[DROP_SLOTS]; /* made when they are needed */
	struct drop_list list;
	struct drop_file *active[DROP_ACTIVE_MAX]; /* owned; in the order of reading */
	uint32_t active_count;
	struct drop_digest *digests; /* owned; oldest first */
	size_t digest_count;
	size_t digest_capacity;
	struct buffer marks;
	uint64_t next_ticket;
	bool is_listing;
	bool woken;
	bool stopped;
	bool listing_told;
	uint64_t seen, ignored, ignored_now; /* names of the last listing, and of the present one */
	int64_t list_ms; /* when the folder is listed next */
	int64_t began_ms; /* the present listing, or the last */
	int64_t rest_ms; /* and no sooner than this, whatever wakes us */
	int64_t soonest_ms; /* of the present listing: when a file will have settled */
	int64_t retry_ms;
	int64_t now_ms, wall_ms;
	struct drop_counts counts;
	uint8_t window[LINE_WINDOW_SIZE];
};

/* drop_look.c */
struct drop_file *drop_find_file(const struct drop *drop, const char *name);
int drop_add_file(struct drop *drop, const char *name, struct drop_file **ret_file);
/* Lists on, and fills up the files at work. 0 or -errno. */
int drop_look(struct drop *drop);

/* drop_read.c */
/* Opens, or says that it is over. 0 or -errno. */
int drop_file_open(struct drop *drop, struct drop_file *file);
/* A part of the digest; *bytes is added to. */
int drop_file_sum(struct drop *drop, struct drop_file *file, uint64_t *bytes);
/* One submission, when it is its turn. 0, PORT_E_*, -errno. */
int drop_file_read(struct drop *drop, struct drop_file *file, uint64_t *bytes);
void drop_file_close(struct drop_file *file);

/* drop_finish.c */
/* Hands in what the batch holds, with the file's next state. */
int drop_submit_lines(struct drop *drop, struct drop_file *file, struct line_batch *batch);
/* The end of it, without lines: `next` is the present state with this outcome. */
int drop_submit_end(
	struct drop *drop, struct drop_file *file, enum drop_outcome outcome, const char *why);
int drop_submit_forget(struct drop *drop, struct drop_file *file);
/* Report and move, not durable before the folders are. 0, or -errno: not now. -EEXIST: another file has its new name. */
int drop_file_move(struct drop *drop, struct drop_file *file);
/* NULL, or the content's digest as it was counted. */
const struct drop_digest *drop_find_digest(const struct drop *drop, const struct drop_state *state);
int drop_add_digest(struct drop *drop, const struct drop_digest *digest);
enum { DROP_KEY_SIZE = 1 + DROP_NAME_SIZE + 4 };
size_t drop_key_state(const char *name, uint8_t key[DROP_KEY_SIZE]);
size_t drop_key_error(const char *name, uint32_t number, uint8_t key[DROP_KEY_SIZE]);
size_t drop_key_digest(const struct drop_digest *digest, uint8_t key[DROP_KEY_SIZE]);
