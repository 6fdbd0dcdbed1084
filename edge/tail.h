/* tail.h - follows files: which of them are old, which are new, which were emptied, and what of each is to be read next. Lines
 * go out as submissions that carry the file's position as a mark, so that each is counted once. Works on a tail_disk and a
 * tail_port: no clock, no socket; a simulation drives it. One thread.
 *
 * A *group* is a path and all that was rotated away from it; older files of a group are finished first. */
#pragma once
#include "edge/line_batch.h"
#include "edge/tail_disk.h"

struct tail;

/* What happens to files, for the log. `a` and `b` are bytes of the file unless said otherwise. */
enum tail_news {
	TAIL_NEWS_MISSING, /* is not there; text: why */
	TAIL_NEWS_FOUND, /* is followed from a on */
	TAIL_NEWS_ROTATED, /* another file stands there now; the old one is finished first */
	TAIL_NEWS_CONTINUED, /* its content is known from another inode: read from a on */
	TAIL_NEWS_TRUNCATED, /* emptied or written anew; it was read up to a */
	TAIL_NEWS_LOST, /* bytes a … b went before they were read */
	TAIL_NEWS_UNREAD, /* was compressed before it was read, as far as can be known */
	TAIL_NEWS_TOO_LONG, /* a line of b bytes at a */
	TAIL_NEWS_STUCK, /* can't be read at all, and is left as it is; text: why */
	TAIL_NEWS_DENIED, /* can't be opened; text: why */
	TAIL_NEWS_FORGOTTEN, /* the position of inode a is damaged: it is read again from its beginning */
	TAIL_NEWS_LIMIT, /* is not followed: a files are the most */
};
struct tail_report {
	enum tail_news news;
	const char *path;
	uint64_t a, b;
	const char *text; /* NULL: none */
};

struct tail_port {
	void *owner;
	bool (*takes_more)(void *owner);
	/* As port_submit: 0, PORT_E_*, -errno. */
	int (*submit)(void *owner, const struct submission *submission);
	void (*tell)(void *owner, const struct tail_report *report);
};

enum {
	TAIL_FILES_MAX = 8192, /* about 1 KiB each */
	TAIL_OPEN_MAX = 128, /* files held open */
	TAIL_SCAN_MS_MIN = 100, /* a look at all files, however often they change */
	TAIL_ROUND_BYTES = 8 * 1024 * 1024, /* read in one round of the loop */
	TAIL_FLIGHTS_MAX = 64, /* submissions whose outcome is not known */
	TAIL_RETRY_MS = 200, /* after a submission that found no room */
};

struct tail_options {
	struct line_rules rules; /* texts borrowed */
	struct tail_disk disk;
	struct tail_port port;
	bool from_end; /* what is there at the very first start is not read */
	int64_t poll_ms; /* between looks at the files when nothing wakes it */
	int64_t settle_ms; /* a file that was rotated away and is silent for so long ends where it ends */
	int64_t forget_ms; /* how long the position of a file that is not there is kept */
};

struct tail_counts {
	uint64_t bytes_read; /* counted once each, whatever was read again */
	uint64_t rotations;
	uint64_t truncations;
	uint64_t lost_bytes; /* known to be there, and gone before they were read */
	uint64_t lost_files; /* compressed before they were read, as far as can be known */
	uint64_t lines_too_long;
};
struct tail_state {
	uint32_t files; /* that are there */
	uint32_t open;
	uint32_t stuck;
	uint32_t missing; /* paths */
	uint64_t lag_bytes; /* seen and not yet on disk here */
};

/* 0, -ENOMEM, or -EINVAL with the error set (map, set). */
int tail_new(const struct tail_options *options, struct tail **ret_tail, struct pairs_error *error);
struct tail *tail_free(struct tail *tail);
/* A mark of an earlier run, before the first poll. 0 or -ENOMEM; what is none of its own is passed over. */
int tail_remember(struct tail *tail, struct slice key, struct slice value);
/* Something changed: look at the files as soon as may be. */
void tail_wake(struct tail *tail);
/* Looks, reads and submits what is due. `stopping`: nothing new. 0 or a negative errno that ends the program. */
int tail_poll(struct tail *tail, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms);
/* The outcome of a submission; taken: it and its marks are kept. */
void tail_settled(struct tail *tail, uint64_t ticket, bool taken);
/* Reads no more. */
void tail_stop(struct tail *tail);

const struct tail_counts *tail_counts(const struct tail *tail);
struct tail_state tail_state(const struct tail *tail);
/* One that is stuck or can't be opened; NULL. For /readyz. */
const char *tail_trouble(const struct tail *tail);
