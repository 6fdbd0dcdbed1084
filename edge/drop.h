/* drop.h - takes whole files out of a folder: oldest first, each line counted once whatever is killed, a report beside each
 * when it is through. Works on a drop_folder and a drop_port. One thread.
 *
 * A file is summed up first (its digest says whether the same content was counted before), then read batch by batch; position
 * and counts are marks in the transaction of the lines. When all is durable the report is written, the file moved, and the
 * marks are deleted: each step can be done again after a kill, and then changes nothing. */
#pragma once
#include "edge/drop_folder.h"
#include "edge/drop_state.h"
#include "edge/line_batch.h"

struct drop;

enum drop_news {
	DROP_NEWS_OVER, /* text: outcome; a lines, b of them accepted */
	DROP_NEWS_UNREADABLE, /* text: why; it stays where it is */
	DROP_NEWS_CHANGED, /* while it was read: it waits until it has settled again */
	DROP_NEWS_WAITS, /* its report or its move is not possible now; text: why */
	DROP_NEWS_LISTING, /* the folder can't be listed; text: why */
	DROP_NEWS_FORGOTTEN, /* its position is damaged: it is read again from its beginning */
};

struct drop_told {
	enum drop_news news;
	const char *name; /* of a file; "" */
	uint64_t a, b;
	const char *text; /* NULL: none */
};

struct drop_port {
	void *owner;
	bool (*takes_more)(void *owner);
	/* As port_submit: 0, PORT_E_*, -errno. */
	int (*submit)(void *owner, const struct submission *submission);
	void (*tell)(void *owner, const struct drop_told *told);
};

enum {
	DROP_ACTIVE_MAX =
		16, /* files at work: while one is committed others are summed up or moved */
	DROP_LIST_ROUND = 1000, /* names looked at in one round of the loop */
	DROP_LIST_REST =
		4, /* after a listing so many times as long as it took: a folder of a million names */
	DROP_ROUND_BYTES = 8 * 1024 * 1024, /* read in one round */
	DROP_FINISH_ROUND = 8, /* files moved in one round: each costs an fsync */
	DROP_DIGESTS_MAX = 100000, /* of contents that are known again */
	DROP_RETRY_MS = 200, /* after a submission that found no room */
	DROP_RETRY_DISK_MS = 5000, /* after a report that could not be written */
};

struct drop_options {
	struct line_rules rules; /* texts borrowed */
	bool has_format; /* else each file's ending says it */
	bool has_delimiter; /* else a comma, and a tab in .tsv */
	bool skip_repeated;
	struct drop_folder *folder; /* borrowed */
	struct drop_port port;
	const char *edge; /* for reports */
	const char *source;
	int64_t settle_ms; /* a file that did not change for so long is whole */
	int64_t poll_ms;
};

struct drop_counts {
	uint64_t done, failed, repeated; /* files */
	uint64_t bytes_read;
	uint64_t lines_too_long;
	uint64_t changed;
};
struct drop_gauges {
	uint32_t active;
	uint64_t waiting; /* seen at the last listing and not begun */
	uint64_t ignored; /* seen at the last listing, and nothing says what they are */
	uint32_t stuck; /* read, and their report can't be written */
};

/* 0, -ENOMEM, or -EINVAL with the error set. */
int drop_new(const struct drop_options *options, struct drop **ret_drop, struct pairs_error *error);
struct drop *drop_free(struct drop *drop);
/* Marks of an earlier run, before the first poll. 0 or -ENOMEM. */
int drop_remember(struct drop *drop, struct slice key, struct slice value);
/* All marks are remembered. */
int drop_resume(struct drop *drop);
void drop_wake(struct drop *drop);
int drop_poll(struct drop *drop, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms);
void drop_settled(struct drop *drop, uint64_t ticket, bool taken);
void drop_stop(struct drop *drop);

const struct drop_counts *drop_counts(const struct drop *drop);
struct drop_gauges drop_gauges(const struct drop *drop);
/* A file whose report can't be written; NULL. For /readyz. */
const char *drop_trouble(const struct drop *drop);
