/* spool_error.h - what the spool and its reader answer when they can't go on. */
#pragma once

enum {
	SPOOL_E_FOREIGN =
		1, /* not a spool, of another edge or version, or damaged: needs a decision */
	SPOOL_E_IN_USE, /* another edge has it open */
	SPOOL_E_ABSENT, /* there is no spool in this directory */
	SPOOL_E_FULL, /* no room: nothing was written */
	SPOOL_E_END, /* no further block */
	SPOOL_E_CORRUPT, /* this block's checksum or header is wrong */
	SPOOL_E_UNKNOWN, /* no such row */
	SPOOL_E_LOST, /* rows are missing, and that is accepted */
};

struct spool_error {
	char text[512]; /* a sentence: what happened, to what, what to do */
};
