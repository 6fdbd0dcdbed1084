#include "aggregator/reports.h"
#include <errno.h>
#include <stdlib.h>

struct reports {
	struct report **items; /* owned, by edge and run */
	size_t count, capacity, count_max;
	uint64_t taken;
	uint64_t forgotten;
	int64_t settled_ms;
};

int reports_new(size_t count_max, struct reports **ret_reports)
{
	struct reports *reports = calloc(1, sizeof *reports);
	if (reports == NULL) {
		return -ENOMEM;
	}
	reports->count_max = count_max;
	reports->settled_ms = INT64_MIN;
	*ret_reports = reports;
	return 0;
}

struct reports *reports_free(struct reports *reports)
{
	if (reports == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < reports->count; i++) {
		free(reports->items[i]);
	}
	free(reports->items);
	free(reports);
	return NULL;
}

static int compare(const struct report *report, struct slice edge, uint64_t run)
{
	struct slice mine = report->telemetry.edge;
	size_t size = mine.size < edge.size ? mine.size : edge.size;
	int order = memcmp(mine.bytes, edge.bytes, size);

	if (order != 0 || mine.size != edge.size) {
		return order != 0 ? order : mine.size < edge.size ? -1 : 1;
	}
	return report->telemetry.run < run ? -1 : report->telemetry.run > run;
}

/* The first that is not before (edge, run). */
static size_t lower_bound(const struct reports *reports, struct slice edge, uint64_t run)
{
	size_t low = 0, high = reports == NULL ? 0 : reports->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(reports->items[middle], edge, run) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static struct slice copy_into(uint8_t **place, struct slice bytes)
{
	struct slice copy = slice_of(*place, bytes.size);
	if (bytes.size > 0) {
		memcpy(*place, bytes.bytes, bytes.size);
	}
	*place += bytes.size;
	return copy;
}

/* One piece of memory: the report, its ranges, its texts. */
static struct report *copy(const struct telemetry *telemetry)
{
	size_t ranges_size = telemetry->range_count * sizeof *telemetry->ranges;
	struct report *report = malloc(
		sizeof *report + ranges_size + telemetry->edge.size + telemetry->program.size);
	if (report == NULL) {
		return NULL;
	}
	struct telemetry_range *ranges = (struct telemetry_range *)(report + 1);
	uint8_t *place = (uint8_t *)ranges + ranges_size;
	if (ranges_size > 0) {
		memcpy(ranges, telemetry->ranges, ranges_size);
	}
	report->telemetry = *telemetry;
	report->telemetry.ranges = ranges;
	report->telemetry.edge = copy_into(&place, telemetry->edge);
	report->telemetry.program = copy_into(&place, telemetry->program);
	return report;
}

static void remove_at(struct reports *reports, size_t place)
{
	free(reports->items[place]);
	reports->count--;
	memmove(reports->items + place, reports->items + place + 1,
		(reports->count - place) * sizeof *reports->items);
}

static void forget_oldest(struct reports *reports)
{
	size_t oldest = 0;

	for (size_t i = 1; i < reports->count; i++) {
		if (reports->items[i]->order < reports->items[oldest]->order) {
			oldest = i;
		}
	}
	remove_at(reports, oldest);
	reports->forgotten++;
}

static int make_room(struct reports *reports)
{
	if (reports->count == reports->count_max) {
		forget_oldest(reports);
	}
	if (reports->count < reports->capacity) {
		return 0;
	}
	size_t capacity = reports->capacity == 0 ? 16 : reports->capacity * 2;
	struct report **items = realloc(reports->items, capacity * sizeof *items);
	if (items == NULL) {
		return -ENOMEM;
	}
	reports->items = items;
	reports->capacity = capacity;
	return 0;
}

int reports_take(struct reports *reports, const struct telemetry *telemetry, int64_t appended_ms,
	int64_t arrived_ms)
{
	size_t place = lower_bound(reports, telemetry->edge, telemetry->run);
	bool is_there = place < reports->count &&
			compare(reports->items[place], telemetry->edge, telemetry->run) == 0;
	int r = is_there ? 0 : make_room(reports);
	struct report *report = r == 0 ? copy(telemetry) : NULL;

	if (report == NULL) {
		return -ENOMEM;
	}
	report->appended_ms = appended_ms;
	report->arrived_ms = arrived_ms;
	report->order = ++reports->taken;
	if (is_there) {
		free(reports->items[place]);
		reports->items[place] = report;
		return 0;
	}
	place = lower_bound(reports, telemetry->edge, telemetry->run); /* one may have gone */
	memmove(reports->items + place + 1, reports->items + place,
		(reports->count - place) * sizeof *reports->items);
	reports->items[place] = report;
	reports->count++;
	return 0;
}

const struct report *reports_of_run(const struct reports *reports, struct slice edge, uint64_t run)
{
	size_t place = lower_bound(reports, edge, run);
	bool is_there = reports != NULL && place < reports->count &&
			compare(reports->items[place], edge, run) == 0;

	return is_there ? reports->items[place] : NULL;
}

const struct report *reports_of_edge(const struct reports *reports, struct slice edge)
{
	const struct report *newest = NULL;

	for (size_t i = lower_bound(reports, edge, 0); reports != NULL && i < reports->count; i++) {
		const struct report *report = reports->items[i];
		if (!slice_equal(report->telemetry.edge, edge)) {
			break;
		}
		if (newest == NULL || report->order > newest->order) {
			newest = report;
		}
	}
	return newest;
}

size_t reports_count(const struct reports *reports)
{
	return reports == NULL ? 0 : reports->count;
}

const struct report *reports_at(const struct reports *reports, size_t place)
{
	return reports->items[place];
}

uint64_t reports_forgotten(const struct reports *reports)
{
	return reports->forgotten;
}

void reports_settle(struct reports *reports, int64_t until_ms)
{
	reports->settled_ms = until_ms;
}

bool reports_are_settled(const struct reports *reports, const struct report *report)
{
	return report->arrived_ms <= reports->settled_ms;
}
