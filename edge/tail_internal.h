/* tail_internal.h - what the files of tail.h share: tail.c (the round), tail_files.c, tail_sight.c, tail_judge.c, tail_read.c. */
#pragma once
#include "edge/tail.h"
#include "edge/tail_position.h"

enum tail_role {
	TAIL_LIVE, /* stands at the group's path */
	TAIL_ROTATED, /* stands at another */
	TAIL_GONE, /* has no name any more, but is open */
	TAIL_VANISHED, /* neither: its position is kept in case it comes back */
};

enum tail_stage {
	TAIL_NEW, /* not judged yet: empty, or it may be a copy of one that is known */
	TAIL_FOLLOWED,
	TAIL_TRUNCATED, /* its position is none any more */
	TAIL_COMPRESSED, /* never read */
};

struct tail_group;

struct tail_file {
	struct tail_file *next; /* in its group, oldest first */
	struct tail_file *same_hash;
	struct tail_group *group;
	char *path; /* owned: where it was seen last */
	uint64_t device, inode;
	uint64_t size; /* when it was seen last */
	uint64_t known_size; /* the largest that was seen since it was empty */
	int64_t mtime_ns;
	int64_t vanished_ms; /* wall clock; 0: it has not */
	enum tail_role role;
	enum tail_stage stage;
	struct tail_position position; /* kept */
	struct tail_position next_position; /* of the submission in flight */
	struct tail_position
		origin; /* has_origin: what was read of it before it was emptied, for the copy of that */
	bool has_origin; /* during a scan */
	bool in_flight;
	bool changed; /* its mark must be written */
	bool sighted; /* in the present scan */
	bool is_judged; /* in the present scan */
	bool is_found; /* it was told that it is followed */
	bool is_copy; /* of one that is whole: left alone */
	bool is_stuck;
	bool is_denied;
	bool is_paired; /* gone, and a compressed file stands for it */
	int handle; /* -1: closed */
	int64_t grown_ms; /* when its size was last seen to change */
	int64_t read_ms; /* when it was last read */
	uint64_t idle_size; /* up to here there is no whole line; 0: not known */
	uint64_t
		skip_offset; /* within a line that is too long: looked through up to here; 0: no such line */
	uint64_t long_size; /* of the line that is in flight, where it was too long */
	uint64_t told_lost; /* bytes up to here have been told as lost */
};

struct tail_group {
	struct tail_group *next;
	struct tail_group *same_hash;
	bool is_wanted; /* its path is configured */
	char path[TAIL_PATH_SIZE_MAX];
	struct tail_file *files;
	uint64_t live_inode, live_device; /* of the last live file; 0: none */
	struct tail_file *live; /* in this scan, while new files are judged; NULL: none */
	bool has_origins; /* the same: something known is not where it was */
	bool is_missing;
	bool is_unsure; /* this scan could not look everywhere: nothing has vanished */
	bool changed; /* marks are to be written before anything is read */
	bool in_flight;
	uint8_t (*dead_keys)[TAIL_KEY_SIZE]; /* owned: marks to be deleted */
	size_t dead_count;
};

struct tail_flight {
	struct tail_group *
		group; /* marks alone, when file is NULL; both NULL: the mark of the first start, or free */
	struct tail_file *file;
};

enum { TAIL_BUCKETS = 4096, TAIL_GROUP_BUCKETS = 1024 };

struct tail {
	struct tail_options options;
	struct line_batch *batch;
	struct buffer marks;
	struct tail_group *groups;
	struct tail_group *group_buckets[TAIL_GROUP_BUCKETS];
	uint32_t group_count;
	struct tail_group *turn; /* whose turn it is to be read */
	struct tail_file *buckets[TAIL_BUCKETS];
	uint32_t file_count;
	uint32_t open_count;
	struct tail_flight flights[TAIL_FLIGHTS_MAX];
	uint32_t flight_count;
	uint32_t settled_count;
	bool has_started; /* the very first start is over, and that is on disk */
	bool start_in_flight;
	bool is_first_scan; /* of the very first start */
	bool woken;
	bool stopped;
	bool limit_told;
	int64_t scanned_ms; /* 0: never */
	int64_t retry_ms; /* nothing is submitted before */
	int64_t now_ms;
	int64_t wall_ms;
	struct tail_counts counts;
	uint8_t window[LINE_WINDOW_SIZE];
};

/* tail.c */
void tail_tell(struct tail *tail, const struct tail_report *report);
/* With the file's marks, `items` of the batch: 0, PORT_E_*, -errno. */
int tail_submit(struct tail *tail, struct tail_file *file);
int tail_submit_marks(struct tail *tail, struct tail_group *group);
bool tail_can_submit(const struct tail *tail);

/* tail_files.c */
struct tail_group *tail_find_group(struct tail *tail, const char *path);
int tail_add_group(struct tail *tail, const char *path, struct tail_group **ret_group);
struct tail_file *tail_find(const struct tail *tail, uint64_t device, uint64_t inode);
int tail_add_file(struct tail *tail, struct tail_group *group, const char *path,
	const struct tail_stat *stat, struct tail_file **ret_file);
/* Forgets the file; its mark is deleted with the group's next ones. 0 or -ENOMEM. */
int tail_drop_file(struct tail *tail, struct tail_file *file);
/* 0, or -errno: it can't be opened now. -ESTALE: another file stands there. */
int tail_open_file(struct tail *tail, struct tail_file *file);
void tail_close_file(struct tail *tail, struct tail_file *file);
/* Nothing is known of its content any more. */
void tail_reset_file(struct tail_file *file);
void tail_mark_changed(struct tail_file *file);

/* tail_sight.c */
void tail_see_stat(struct tail *tail, struct tail_file *file, const struct tail_stat *stat);
/* For tail_disk's lists; `to` is the tail, or a struct tail_rotated_sight. */
struct tail_rotated_sight {
	struct tail *tail;
	struct tail_group *group;
};
int tail_sight_live(void *to, const struct tail_sighting *sighting);
int tail_sight_rotated(void *to, const struct tail_sighting *sighting);

/* tail_judge.c */
int tail_scan(struct tail *tail);

/* tail_read.c: reads on in the file and submits what it found. *ret_bytes: how many bytes that cost; 0: nothing to do. */
int tail_read_file(struct tail *tail, struct tail_file *file, uint64_t *ret_bytes);
/* As far as was seen: not only a part of a line, and nothing that can't be read. */
bool tail_file_may_have_more(const struct tail *tail, const struct tail_file *file);
/* All that is to be read of it at the moment has been. */
bool tail_file_is_drained(const struct tail *tail, const struct tail_file *file);
