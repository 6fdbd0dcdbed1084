/* Periods: what `range` and `compare` say, as values of the view's finest bucket. */
#include "aggregator/answer/refinement.h"

static bool is_time(const struct group_field *group)
{
	return group->source == GROUP_BY_BUCKET && group->bucket <= BUCKET_MONTH;
}

size_t view_time_bucket(const struct view *view)
{
	size_t finest = GROUP_NONE;

	for (size_t i = 0; i < view->group_count; i++) {
		if (is_time(&view->groups[i]) &&
			(finest == GROUP_NONE ||
				view->groups[i].bucket < view->groups[finest].bucket)) {
			finest = i;
		}
	}
	return finest;
}

bool bucket_coarsens(enum bucket from, enum bucket to)
{
	switch (from) {
	case BUCKET_MINUTE:
	case BUCKET_HOUR:
		return to > from;
	case BUCKET_DAY:
		return to == BUCKET_WEEK || to == BUCKET_MONTH || to == BUCKET_WEEKDAY;
	default: /* weeks cross months, and a month has no weekday */
		return false;
	}
}

/* Any time of the bucket would do to find it; only its start says what lies before and behind. */
bool bucket_start_read(
	struct slice text, enum bucket bucket, const struct zone *zone, int64_t *ret_value)
{
	char name[TIMESTAMP_TEXT_SIZE];
	int64_t start = 0, named = 0;

	if (timestamp_parse_bucket(text, bucket, zone, &start) != 0) {
		return false;
	}
	size_t size = timestamp_format_bucket(start, bucket, zone, name);
	if (!slice_equal(text, slice_of(name, size))) {
		if (timestamp_parse_text(text, zone, &named) != 0 &&
			timestamp_parse_bucket(text, BUCKET_MINUTE, zone, &named) != 0) {
			return false;
		}
		if (named != start) {
			return false;
		}
	}
	*ret_value = start;
	return true;
}

static int refuse(struct complaint *complaint, const char *key, const char *words)
{
	complaint_set(complaint, REASON_BAD_REQUEST, key, "\"%s\" %s", key, words);
	return REASON_BAD_REQUEST;
}

static int read_bound(const struct refinement *refinement, const char *key, struct slice text,
	int64_t *ret_value, struct complaint *complaint)
{
	const struct group_field *group = &refinement->source->groups[refinement->source_bucket];

	if (bucket_start_read(text, group->bucket, refinement->source->zone, ret_value)) {
		return 0;
	}
	complaint_set(complaint, REASON_BAD_REQUEST, key,
		"\"%.*s\" in \"%s\" is not the start of a %s, as view %s has them: it has no parts "
		"of "
		"one",
		(int)text.size, (const char *)text.bytes, key, group->name,
		refinement->source->name);
	return REASON_BAD_REQUEST;
}

/* Is what lies a span before a bucket such a bucket again? */
static bool span_fits(struct span span, enum bucket bucket)
{
	return bucket == BUCKET_WEEK ? span.unit == SPAN_WEEK : span_bucket(span.unit) >= bucket;
}

/* The unit that holds `event_ts` is the last one, whole. */
static int resolve_last(const struct refinement *refinement, const struct query_period *period,
	int64_t event_ts, struct period *ret_period, struct complaint *complaint)
{
	const struct view *view = refinement->source;
	enum bucket bucket = view->groups[refinement->source_bucket].bucket;
	struct span unit = {1, period->last.unit};
	int64_t start = timestamp_bucket(event_ts, span_bucket(unit.unit), view->zone);

	ret_period->to = span_shift(unit, 1, start, view->zone);
	ret_period->from = span_shift(unit, 1 - period->last.count, start, view->zone);
	if (!span_fits(unit, bucket)) {
		complaint_set(complaint, REASON_BAD_REQUEST, "range",
			"\"last\" of \"range\" cuts a %s, and view %s has no parts of one",
			view->groups[refinement->source_bucket].name, view->name);
		return REASON_BAD_REQUEST;
	}
	return 0;
}

static int resolve(const struct refinement *refinement, const char *key,
	const struct query_period *period, struct period *ret_period, struct complaint *complaint)
{
	int r = 0;

	if (period->from.size > 0) {
		r = read_bound(refinement, key, period->from, &ret_period->from, complaint);
	}
	if (r == 0 && period->to.size > 0) {
		r = read_bound(refinement, key, period->to, &ret_period->to, complaint);
	}
	if (r == 0 && ret_period->from >= ret_period->to) {
		r = refuse(complaint, key, "ends before it begins");
	}
	return r;
}

static int check_shift(const struct refinement *refinement, struct complaint *complaint)
{
	const struct view *view =
		refinement->result_bucket != GROUP_NONE ? refinement->result : refinement->source;
	size_t finest = view_time_bucket(view);

	if (span_fits(refinement->shift, view->groups[finest].bucket)) {
		return 0;
	}
	complaint_set(complaint, REASON_BAD_REQUEST, "compare",
		"\"shift\" of \"compare\" moves no %s onto another %s: take a longer unit",
		view->groups[finest].name, view->groups[finest].name);
	return REASON_BAD_REQUEST;
}

static int make_shift(struct refinement *refinement, bool has_range, struct complaint *complaint)
{
	const struct zone *zone = refinement->source->zone;
	const struct period *period = &refinement->period;

	if (refinement->result_bucket == GROUP_NONE && !has_range) {
		return refuse(complaint, "compare",
			"needs a \"range\" where the rows are of no point in time");
	}
	int r = check_shift(refinement, complaint);
	if (r == 0 && period->from != INT64_MIN) {
		refinement->earlier.from = span_shift(refinement->shift, -1, period->from, zone);
	}
	if (r == 0 && period->to != INT64_MAX) {
		refinement->earlier.to = span_shift(refinement->shift, -1, period->to, zone);
	}
	return r;
}

/* A condition on time would leave out the earlier rows. */
static bool has_time_condition(const struct refinement *refinement)
{
	for (size_t i = 0; i < refinement->condition_count; i++) {
		const struct row_condition *condition = &refinement->conditions[i];
		if (!condition->is_measure && is_time(&condition->origin.field)) {
			return true;
		}
	}
	return false;
}

static bool has_column(const struct view *view, const char *name)
{
	for (size_t i = 0; i < view->measure_count; i++) {
		if (strcmp(view->measures[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

static int make_comparison(
	struct refinement *refinement, const struct query *query, struct complaint *complaint)
{
	const struct query_comparison *compare = &query->compare;

	if (refinement->source_bucket == GROUP_NONE) {
		return refuse(complaint, "compare",
			"needs a view with minute, hour, day, week or "
			"month among its group fields");
	}
	if (has_time_condition(refinement)) {
		return refuse(complaint, "compare",
			"and a condition on time don't go together: say the period by \"range\"");
	}
	if (refinement->with_missing && refinement->result_bucket != GROUP_NONE) {
		return refuse(complaint, "compare",
			"and \"with_missing\" go together in rows of no point in time only: what "
			"is "
			"missing has none to be earlier than; leave it out of \"group_by\"");
	}
	if (has_column(refinement->source, "previous") ||
		has_column(refinement->source, "difference")) {
		return refuse(complaint, "compare",
			"would give a row two columns of one name: a measure is called "
			"\"previous\" or "
			"\"difference\"");
	}
	refinement->compares = true;
	refinement->has_shift = compare->has_shift;
	refinement->shift = compare->shift;
	if (compare->has_shift) {
		return make_shift(refinement, query->range.is_given, complaint);
	}
	if (refinement->result_bucket != GROUP_NONE || !query->range.is_given) {
		return refuse(complaint, "compare",
			"with a period of its own needs a \"range\", and rows that are of no point "
			"in "
			"time; \"shift\" compares each bucket with an earlier one");
	}
	return resolve(refinement, "compare", &compare->earlier, &refinement->earlier, complaint);
}

int refinement_make_periods(struct refinement *refinement, const struct query *query,
	int64_t event_ts, struct complaint *complaint)
{
	int r = 0;

	refinement->period = refinement->earlier = (struct period){INT64_MIN, INT64_MAX};
	if (query->range.is_given && refinement->source_bucket == GROUP_NONE) {
		return refuse(complaint, "range",
			"needs a view with minute, hour, day, week or "
			"month among its group fields");
	}
	if (query->range.has_last) {
		r = resolve_last(
			refinement, &query->range, event_ts, &refinement->period, complaint);
	} else if (query->range.is_given) {
		r = resolve(refinement, "range", &query->range, &refinement->period, complaint);
	}
	if (r == 0 && (query->compare.has_shift || query->compare.earlier.is_given)) {
		r = make_comparison(refinement, query, complaint);
	}
	return r;
}
