#include "aggregator/desk/reports.h"
#include <errno.h>
#include <stdlib.h>

/* Sorted by edge and run. */
struct table {
	struct report **items; /* owned */
	size_t count, capacity;
};

struct reports {
	struct table by_run; /* the newest of each */
	/* One of each edge. Where reports come faster than the log is read, the newest would never be judged: one is held. */
	struct table held, judged;
	size_t count_max; /* of each table */
	uint64_t taken;
	uint64_t forgotten;
};

int reports_new(size_t count_max, struct reports **ret_reports)
{
	struct reports *reports = calloc(1, sizeof *reports);
	if (reports == NULL) {
		return -ENOMEM;
	}
	reports->count_max = count_max;
	*ret_reports = reports;
	return 0;
}

static void table_free(struct table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		free(table->items[i]);
	}
	free(table->items);
}

struct reports *reports_free(struct reports *reports)
{
	if (reports == NULL) {
		return NULL;
	}
	table_free(&reports->by_run);
	table_free(&reports->held);
	table_free(&reports->judged);
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
static size_t lower_bound(const struct table *table, struct slice edge, uint64_t run)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(table->items[middle], edge, run) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static bool is_of_edge(const struct table *table, size_t place, struct slice edge)
{
	return place < table->count && slice_equal(table->items[place]->telemetry.edge, edge);
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

static struct report *take_out(struct table *table, size_t place)
{
	struct report *report = table->items[place];

	table->count--;
	memmove(table->items + place, table->items + place + 1,
		(table->count - place) * sizeof *table->items);
	return report;
}

static void forget_oldest(struct reports *reports, struct table *table)
{
	size_t oldest = 0;

	for (size_t i = 1; i < table->count; i++) {
		if (table->items[i]->order < table->items[oldest]->order) {
			oldest = i;
		}
	}
	free(take_out(table, oldest));
	reports->forgotten++;
}

static int make_room(struct reports *reports, struct table *table)
{
	if (table->count == reports->count_max) {
		forget_oldest(reports, table);
	}
	if (table->count < table->capacity) {
		return 0;
	}
	size_t capacity = table->capacity == 0 ? 16 : table->capacity * 2;
	struct report **items = realloc(table->items, capacity * sizeof *items);
	if (items == NULL) {
		return -ENOMEM;
	}
	table->items = items;
	table->capacity = capacity;
	return 0;
}

/* In place of the one at `place`, where `is_there`. Takes the report over, in any case. 0 or -ENOMEM. */
static int put(struct reports *reports, struct table *table, struct report *report, bool of_run)
{
	struct slice edge = report->telemetry.edge;
	uint64_t run = of_run ? report->telemetry.run : 0;
	size_t place = lower_bound(table, edge, run);
	bool is_there = is_of_edge(table, place, edge) &&
			(!of_run || table->items[place]->telemetry.run == run);

	if (is_there) {
		free(table->items[place]);
		table->items[place] = report;
		return 0;
	}
	int r = make_room(reports, table);
	if (r < 0) {
		free(report);
		return r;
	}
	place = lower_bound(table, edge, run); /* one may have gone */
	memmove(table->items + place + 1, table->items + place,
		(table->count - place) * sizeof *table->items);
	table->items[place] = report;
	table->count++;
	return 0;
}

static int keep(
	struct reports *reports, struct table *table, const struct report *like, bool of_run)
{
	struct report *report = copy(&like->telemetry);

	if (report == NULL) {
		return -ENOMEM;
	}
	report->appended_ms = like->appended_ms;
	report->arrived_ms = like->arrived_ms;
	report->order = like->order;
	report->is_shared = like->is_shared;
	return put(reports, table, report, of_run);
}

const struct report *reports_of_run(const struct reports *reports, struct slice edge, uint64_t run)
{
	size_t place = reports == NULL ? 0 : lower_bound(&reports->by_run, edge, run);
	bool is_there = reports != NULL && place < reports->by_run.count &&
			compare(reports->by_run.items[place], edge, run) == 0;

	return is_there ? reports->by_run.items[place] : NULL;
}

const struct report *reports_of_edge(const struct reports *reports, struct slice edge)
{
	const struct report *newest = NULL;

	if (reports == NULL) {
		return NULL;
	}
	for (size_t i = lower_bound(&reports->by_run, edge, 0);
		is_of_edge(&reports->by_run, i, edge); i++) {
		const struct report *report = reports->by_run.items[i];
		if (newest == NULL || report->order > newest->order) {
			newest = report;
		}
	}
	return newest;
}

/* What is read once more, or comes late, is no news of a run. */
static bool is_shared(const struct reports *reports, const struct telemetry *telemetry)
{
	const struct report *newest = reports_of_edge(reports, telemetry->edge);
	const struct report *before = reports_of_run(reports, telemetry->edge, telemetry->run);
	bool goes_on = before != NULL && before->telemetry.number < telemetry->number;

	return newest != NULL &&
	       (newest->is_shared || (goes_on && newest->telemetry.run != telemetry->run));
}

static void mark_shared(struct table *table, struct slice edge)
{
	size_t place = lower_bound(table, edge, 0);

	if (is_of_edge(table, place, edge)) {
		table->items[place]->is_shared = true;
	}
}

int reports_take(struct reports *reports, const struct telemetry *telemetry, int64_t appended_ms,
	int64_t arrived_ms)
{
	const struct report like = {.telemetry = *telemetry,
		.appended_ms = appended_ms,
		.arrived_ms = arrived_ms,
		.order = ++reports->taken,
		.is_shared = is_shared(reports, telemetry)};
	struct slice edge = telemetry->edge;
	bool is_held = is_of_edge(&reports->held, lower_bound(&reports->held, edge, 0), edge);

	if (like.is_shared) {
		mark_shared(&reports->held, edge);
		mark_shared(&reports->judged, edge);
	}
	int r = keep(reports, &reports->by_run, &like, true);
	return r == 0 && !is_held ? keep(reports, &reports->held, &like, false) : r;
}

size_t reports_count(const struct reports *reports)
{
	return reports == NULL ? 0 : reports->by_run.count;
}

const struct report *reports_at(const struct reports *reports, size_t place)
{
	return reports->by_run.items[place];
}

uint64_t reports_forgotten(const struct reports *reports)
{
	return reports->forgotten;
}

int reports_settle(struct reports *reports, int64_t until_ms)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < reports->held.count;) {
		if (reports->held.items[i]->arrived_ms > until_ms) {
			i++;
		} else {
			r = put(reports, &reports->judged, take_out(&reports->held, i), false);
		}
	}
	return r;
}

const struct report *reports_judged(const struct reports *reports, struct slice edge)
{
	size_t place = reports == NULL ? 0 : lower_bound(&reports->judged, edge, 0);

	return reports != NULL && is_of_edge(&reports->judged, place, edge)
		       ? reports->judged.items[place]
		       : NULL;
}

/* Of its own run as far as it was then; of a former run to its end. */
uint64_t reports_judged_up_to(
	const struct reports *reports, struct slice edge, uint64_t run, enum kind kind)
{
	const struct report *judged = reports_judged(reports, edge);
	const struct report *of_run = reports_of_run(reports, edge, run);

	if (judged == NULL) {
		return 0;
	}
	if (judged->telemetry.run == run) {
		return judged->telemetry.numbered[kind];
	}
	bool is_former = !judged->is_shared && of_run != NULL && of_run->order < judged->order;
	return is_former ? UINT64_MAX : 0;
}
