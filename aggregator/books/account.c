#include "aggregator/books/account.h"

static bool is_of_stream(const struct account_sight *sight, const struct telemetry_range *range)
{
	return range->run == sight->run && range->kind == sight->kind;
}

/* A run goes on until the last of what anybody has seen of it. */
static uint64_t last_seq(const struct account_sight *sight)
{
	uint64_t last = counted_max(sight->counted);
	const struct telemetry *disk = sight->of_edge;

	if (sight->of_run != NULL && sight->of_run->numbered[sight->kind] > last) {
		last = sight->of_run->numbered[sight->kind];
	}
	for (uint32_t i = 0; disk != NULL && i < disk->range_count; i++) {
		if (is_of_stream(sight, &disk->ranges[i]) && disk->ranges[i].last > last) {
			last = disk->ranges[i].last;
		}
	}
	return last;
}

/* The range of the report that holds the seq; NULL: none, and none does up to *last. */
static const struct telemetry_range *find_range(const struct account_sight *sight,
	const struct telemetry *report, uint64_t seq, uint64_t *last)
{
	for (uint32_t i = 0; i < report->range_count; i++) {
		const struct telemetry_range *range = &report->ranges[i];
		if (!is_of_stream(sight, range) || range->last < seq) {
			continue;
		}
		uint64_t end = range->first <= seq ? range->last : range->first - 1;
		*last = end < *last ? end : *last;
		if (range->first <= seq) {
			return range;
		}
	}
	return NULL;
}

/* It left the disk, or was never there. */
static enum place judge(const struct account_sight *sight, uint64_t seq, uint64_t *last)
{
	if (sight->judged == NULL || sight->judged->is_cut || seq > sight->judged_up_to) {
		return PLACE_UNREAD;
	}
	*last = sight->judged_up_to < *last ? sight->judged_up_to : *last;
	return find_range(sight, sight->judged, seq, last) != NULL ? PLACE_UNREAD : PLACE_MISSING;
}

/* Where a seq is that was not counted; the same holds for all up to *ret_last. */
static enum place place_of_uncounted(
	const struct account_sight *sight, uint64_t seq, uint64_t *ret_last)
{
	*ret_last = UINT64_MAX;
	if (sight->of_edge == NULL) { /* nobody but the set knows: what is passed over is missed */
		return PLACE_MISSING;
	}
	const struct telemetry_range *range = find_range(sight, sight->of_edge, seq, ret_last);
	if (range != NULL) {
		return range->is_aside ? PLACE_SET_ASIDE : PLACE_ON_DISK;
	}
	return sight->of_edge->is_cut ? PLACE_ON_DISK : judge(sight, seq, ret_last);
}

static void enter(struct account *account, enum place place, uint64_t first, uint64_t last)
{
	uint64_t count = last - first + 1;

	switch (place) {
	case PLACE_ON_DISK:
		account->on_disk += count;
		return;
	case PLACE_SET_ASIDE:
		account->set_aside += count;
		return;
	case PLACE_UNREAD:
		account->unread += count;
		return;
	default:
		break;
	}
	account->missing += count;
	if (account->range_count < ACCOUNT_RANGES_MAX) {
		account->ranges[account->range_count++] = (struct counted_interval){first, last};
	}
}

/* All from `first` to `last` were not counted. */
static void enter_gap(
	const struct account_sight *sight, uint64_t first, uint64_t last, struct account *account)
{
	while (first <= last) {
		uint64_t end = 0;
		enum place place = place_of_uncounted(sight, first, &end);
		end = end < last ? end : last;
		enter(account, place, first, end);
		first = end + 1;
	}
}

void account_make(const struct account_sight *sight, struct account *ret_account)
{
	const struct counted *counted = sight->counted;
	uint64_t next = 1;

	*ret_account = (struct account){
		.is_reported = sight->of_edge != NULL,
		.numbered = last_seq(sight),
		.judged_by = sight->judged != NULL ? sight->judged->run : 0,
		.reported_ms = sight->of_run != NULL ? sight->of_run_ms : 0,
	};
	for (uint32_t i = 0; i < counted->count; i++) {
		if (counted->intervals[i].first > next) {
			enter_gap(sight, next, counted->intervals[i].first - 1, ret_account);
		}
		next = counted->intervals[i].last + 1;
	}
	if (next <= ret_account->numbered) {
		enter_gap(sight, next, ret_account->numbered, ret_account);
	}
}

enum place account_place(const struct account_sight *sight, uint64_t seq)
{
	uint64_t last = 0;

	if (counted_has(sight->counted, seq)) {
		return PLACE_COUNTED;
	}
	return seq > last_seq(sight) ? PLACE_UNKNOWN : place_of_uncounted(sight, seq, &last);
}
