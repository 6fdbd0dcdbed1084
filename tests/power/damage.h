/* damage.h - damages the files of a life's end: single flipped bits, and now and then a page of zeros, two pages changed over,
 * a page or the file as it was earlier, a file that was cut off. What the real code makes of each is tried in a child process,
 * which must not die: only the product's own checking child may. */
#pragma once
#include "subject.h"

struct damage_options {
	uint64_t seed;
	uint64_t first, count; /* numbers of the damages; each follows from seed and number alone */
	const char *
		only; /* this kind of damage, as the sums name it; NULL: flips, and now and then one of the others */
	const char *live_dir, *image_dir;
};

/* Prints what became of them; how many were wrong. */
uint64_t damage_run(const struct subject *subject, const struct damage_options *options);
