#include "aggregator/view/view_retain.h"
#include "aggregator/view/pack.h"

int64_t view_cutoff(const struct view *view, int64_t clock_ms)
{
	if (view->retain_ms == 0 || clock_ms < view->retain_ms) {
		return INT64_MIN;
	}
	/* Of buckets that begin before the one of this time all have ended by then, and no other has. */
	return timestamp_bucket(
		clock_ms - view->retain_ms, view->groups[view->retain_group].bucket, view->zone);
}

bool view_key_bucket(
	const struct view *view, struct slice key, size_t *ret_offset, int64_t *ret_bucket)
{
	struct slice rest = key;

	for (size_t i = 0; i < view->retain_group; i++) {
		if (!row_key_skip(&rest, group_field_type(&view->groups[i]))) {
			return false;
		}
	}
	*ret_offset = key.size - rest.size;
	return row_key_take_integer(&rest, ret_bucket);
}

bool view_key_has_ended(const struct view *view, struct slice key, int64_t cutoff)
{
	size_t offset;
	int64_t bucket;

	return cutoff != INT64_MIN && view_key_bucket(view, key, &offset, &bucket) &&
	       bucket < cutoff;
}
