/* findings.h - what came of looking into topics: records as they are to be shown, or dead letters by what was wrong with them.
 * Bounded in records and bytes. Pure; one thread at a time. */
#pragma once
#include "proto/letter.h"
#include "proto/query_look.h"

enum {
	/* What is read in search of dead letters: the newest of all topics together. */
	FINDINGS_LETTERS_MAX = 1000,
	/* What is kept to be shown, of 8 MiB that an answer may have. */
	FINDINGS_SIZE_MAX = 4 * 1024 * 1024,
	/* One more record fits in any case: it may become six times as long as it was. */
	FINDINGS_ITEM_SIZE_MAX = 2 * 1024 * 1024,
};

/* All letters of one code that were read. */
struct findings_code {
	uint64_t count;
	int64_t newest_ms; /* when it was appended */
	struct letter_place newest;
};

struct findings_item {
	int64_t appended_ms;
	size_t begin, end; /* in `items` */
};

struct findings {
	struct query_look look;
	struct complaint complaint; /* REASON_NONE: it was found */
	/* of one partition */
	int64_t low, high;
	int64_t next; /* the first that was not shown; -1: none is there yet */
	/* of all topics of dead letters */
	uint64_t in_log; /* how many there are */
	uint64_t scanned; /* how many of them were read */
	uint64_t unreadable; /* how many of those are no letters of till's */
	bool is_complete; /* all that were to be read, were */
	struct findings_code codes[REASON_COUNT];

	struct buffer items; /* encoded as look.encoding says */
	struct findings_item *list; /* owned */
	size_t count;
	bool is_cut; /* more would have been too many bytes */
	struct document document;
};

/* NULL when out of memory. */
struct findings *findings_new(const struct query_look *look);
struct findings *findings_free(struct findings *findings);
/* Is there room for another? */
bool findings_are_full(const struct findings *findings);
/* A record that is to be shown. 0 or -ENOMEM. */
int findings_take_record(struct findings *findings, const struct topic_record *record);
/* A record of a topic of dead letters: counted, and kept where it is asked for. 0 or -ENOMEM. */
int findings_take_letter(
	struct findings *findings, const char *topic, const struct topic_record *record);
/* After the last letter: the newest come first, and no more than were asked for. */
void findings_sort_letters(struct findings *findings);
