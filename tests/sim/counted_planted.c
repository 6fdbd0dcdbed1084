/* counted_add, anchor_equal and fingerprint_compare with what can be planted in them; the linker puts these in front of the real
 * ones (--wrap). */
#include "aggregator/books/counted.h"
#include "aggregator/books/fingerprints.h"
#include "aggregator/books/position.h"
#include "tests/sim/world.h"

enum { WINDOW_SEQS = 30 };

int __real_counted_add(struct counted *counted, uint64_t seq);
int __wrap_counted_add(struct counted *counted, uint64_t seq);

int __wrap_counted_add(struct counted *counted, uint64_t seq)
{
	int r = __real_counted_add(counted, seq);

	if (world.bug == BUG_UNCOUNTED && r == COUNTED_E_REPEATED) {
		return 0;
	}
	if (world.bug == BUG_WINDOW && r == COUNTED_E_REPEATED &&
		seq + WINDOW_SEQS < counted_max(counted)) {
		return 0; /* long ago: forgotten */
	}
	if (world.bug == BUG_MERGE && r == 0 && seq > 2 && !counted_has(counted, seq - 1) &&
		counted_has(counted, seq - 2)) {
		__real_counted_add(counted, seq - 1); /* a gap of one is none */
	}
	return r;
}

bool __real_anchor_equal(const struct anchor *a, const struct anchor *b);
bool __wrap_anchor_equal(const struct anchor *a, const struct anchor *b);

bool __wrap_anchor_equal(const struct anchor *a, const struct anchor *b)
{
	return world.bug == BUG_NO_ANCHOR || __real_anchor_equal(a, b);
}

enum fingerprint_match __real_fingerprint_compare(uint32_t first, uint32_t second);
enum fingerprint_match __wrap_fingerprint_compare(uint32_t first, uint32_t second);

enum fingerprint_match __wrap_fingerprint_compare(uint32_t first, uint32_t second)
{
	return world.bug == BUG_CONFLICT_REPEAT ? FINGERPRINT_SAME
						: __real_fingerprint_compare(first, second);
}
