/* subject.h - what is tried: real code that keeps something on disk, and somebody who knows what must be there. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WHY_SIZE = 512 };

/* What became of damaged files. */
enum verdict {
	VERDICT_WHOLE, /* all is there as it was */
	VERDICT_REFUSED, /* not opened, and it said why */
	VERDICT_KNOWN, /* something is missing; what, or how much, is said */
	VERDICT_WRONG, /* something else was told as the truth */
	VERDICT_COUNT,
};

struct subject {
	const char *name;
	/* Lives for a while below `dir`, as the seed says, while the journal is kept. What it was acknowledged is what
	 * `recovers` goes by, which runs in children of this process. */
	void (*live)(uint64_t seed, const char *dir);
	/* Opens what is below `dir`: all that was acknowledged before change `end` of the journal is there, once, and nothing
	 * that was never written. Else false, and why. */
	bool (*recovers)(const char *dir, size_t end, char why[WHY_SIZE]);
	/* Opens damaged files of the life's end, or with is_older one whole file of an earlier time among them, reads all, goes on
	 * writing, and reads again. */
	enum verdict (*endures)(const char *dir, bool is_older, char why[WHY_SIZE]);
	/* Files whose bits are flipped; ends with NULL. */
	const char *const *files;
};

/* Arguments: see runner.c. The exit code. */
int subject_main(int argc, char **argv, const struct subject *subject);
