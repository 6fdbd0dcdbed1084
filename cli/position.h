/* position.h - numbering by input position, so that the same command run again counts nothing twice. The number n of
 * a frame is the position of its last record. The first record goes alone: the edge's answer tells how far an
 * earlier run came, and what lies before is not sent again. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct position {
	bool asked; /* the first record is on its way */
	bool known; /* how far an earlier run came */
	uint64_t
		counted; /* up to here all is counted: by an earlier run, or the first record itself */
};

/* The next record is the first: it makes a frame of its own. */
static inline bool position_goes_alone(const struct position *position)
{
	return !position->asked;
}

/* Nothing more may be sent before the answer to the first is there. */
static inline bool position_must_wait(const struct position *position)
{
	return position->asked && !position->known;
}

static inline bool position_is_counted(const struct position *position, uint64_t number)
{
	return position->known && number <= position->counted;
}

/* At every answer: a frame that an earlier run had in the air when it died may be counted late, and then its end is
 * the place to go on from. */
static inline void position_answered(struct position *position, uint64_t n, uint64_t last_n)
{
	position->known = true;
	position->counted = last_n > n ? last_n : n;
}

/* Was a repeated frame counted by an earlier run, or did only our own resending make it a repeat? While one frame
 * is in the air its n is the highest, unless an earlier run went further. */
static inline bool position_is_of_earlier_run(uint64_t n, uint64_t last_n, uint32_t attempts)
{
	return attempts == 1 || last_n > n;
}
