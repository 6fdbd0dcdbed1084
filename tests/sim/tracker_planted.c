/* tracker_report with what can be planted in it; the linker puts this in front of the real one (--wrap). */
#include "bridge/tracker.h"
#include "tests/sim/world.h"

bool __real_tracker_report(
	struct tracker *tracker, struct sending *sending, struct sending_end *ret_end);
bool __wrap_tracker_report(
	struct tracker *tracker, struct sending *sending, struct sending_end *ret_end);

/* One of a living session that waits for reports and bears the same number. */
static struct sending *find_namesake(const struct tracker *tracker, const struct sending *sending)
{
	for (uint32_t i = 0; i < tracker->slot_count; i++) {
		struct sending *other = tracker->slots[i];
		if (other->outbox != NULL && other->record_count > 0 && !other->is_held &&
			other->number == sending->number && other->lane == sending->lane) {
			return other;
		}
	}
	return NULL;
}

bool __wrap_tracker_report(
	struct tracker *tracker, struct sending *sending, struct sending_end *ret_end)
{
	struct sending_end end;
	bool is_orphan = world.bug == BUG_SHARED_REPORTS && sending->outbox == NULL;
	struct sending *namesake = is_orphan ? find_namesake(tracker, sending) : NULL;

	if (namesake == NULL) {
		return __real_tracker_report(tracker, sending, ret_end);
	}
	/* It counts for the sending of that number, whichever session that is of. */
	bool has_ended = __real_tracker_report(tracker, sending, &end);
	if (__real_tracker_report(tracker, namesake, ret_end)) {
		return true;
	}
	*ret_end = end;
	return has_ended;
}
