#include "aggregator/desk/bridges.h"
#include <errno.h>
#include <stdlib.h>

struct bridges {
	struct bridge **items; /* owned; sorted by name */
	size_t count, count_max;
	uint64_t taken, forgotten;
	int64_t newest_ms; /* the largest append time read so far */
	int64_t listening_ms; /* since when reports can come, by our monotonic clock */
};

int bridges_new(size_t count_max, struct bridges **ret_bridges)
{
	struct bridges *bridges = calloc(1, sizeof *bridges);
	if (bridges == NULL) {
		return -ENOMEM;
	}
	bridges->items = calloc(count_max, sizeof(struct bridge *));
	if (bridges->items == NULL) {
		free(bridges);
		return -ENOMEM;
	}
	bridges->count_max = count_max;
	*ret_bridges = bridges;
	return 0;
}

struct bridges *bridges_free(struct bridges *bridges)
{
	if (bridges == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < bridges->count; i++) {
		free(bridges->items[i]);
	}
	free(bridges->items);
	free(bridges);
	return NULL;
}

/* The first that is not before `name`. */
static size_t lower_bound(const struct bridges *bridges, struct slice name)
{
	size_t low = 0, high = bridges->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct slice other = bridges->items[middle]->report.bridge;
		size_t size = other.size < name.size ? other.size : name.size;
		int order = memcmp(other.bytes, name.bytes, size);
		if (order < 0 || (order == 0 && other.size < name.size)) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static void forget(struct bridges *bridges, size_t place)
{
	free(bridges->items[place]);
	bridges->count--;
	memmove(bridges->items + place, bridges->items + place + 1,
		(bridges->count - place) * sizeof(struct bridge *));
	bridges->forgotten++;
}

static void forget_old(struct bridges *bridges)
{
	for (size_t i = 0; i < bridges->count;) {
		if (bridges_behind_ms(bridges, bridges->items[i]) > BRIDGE_FORGET_MS) {
			forget(bridges, i);
		} else {
			i++;
		}
	}
}

static void forget_longest_silent(struct bridges *bridges)
{
	size_t oldest = 0;

	for (size_t i = 1; i < bridges->count; i++) {
		if (bridges->items[i]->order < bridges->items[oldest]->order) {
			oldest = i;
		}
	}
	forget(bridges, oldest);
}

static size_t texts_size(const struct bridge_report *report)
{
	size_t size = report->bridge.size + report->program.size;

	for (uint32_t i = 0; i < report->error_count; i++) {
		size += report->errors[i].name.size;
	}
	return size;
}

static void copy_text(struct slice *text, uint8_t **place)
{
	if (text->size > 0) {
		memcpy(*place, text->bytes, text->size);
	}
	*text = slice_of(*place, text->size);
	*place += text->size;
}

/* One piece of memory: the bridge, its texts. */
static struct bridge *copy(const struct bridge_report *report)
{
	struct bridge *bridge = calloc(1, sizeof *bridge + texts_size(report));
	if (bridge == NULL) {
		return NULL;
	}
	uint8_t *place = (uint8_t *)(bridge + 1);
	bridge->report = *report;
	copy_text(&bridge->report.bridge, &place);
	copy_text(&bridge->report.program, &place);
	for (uint32_t i = 0; i < report->error_count; i++) {
		copy_text(&bridge->report.errors[i].name, &place);
	}
	return bridge;
}

/* Counters of a run never fall; where they do, or time does, the two can't be held against each other. */
static void compare(const struct bridge_report *before, const struct bridge_report *report,
	struct bridge_recent *ret_recent)
{
	struct bridge_recent recent = {.over_ms = report->uptime_ms - before->uptime_ms};
	bool is_sane = recent.over_ms > 0;

	for (int i = 0; i < BRIDGE_COUNT_COUNT; i++) {
		is_sane &= report->counts[i] >= before->counts[i];
		recent.counts[i] = report->counts[i] - before->counts[i];
	}
	*ret_recent = is_sane ? recent : (struct bridge_recent){.over_ms = 0};
}

/* What came before under this name. */
static void follow(struct bridge *bridge, const struct bridge *before)
{
	if (before->report.run == bridge->report.run) {
		compare(&before->report, &bridge->report, &bridge->recent);
		bridge->former_run = before->former_run;
		bridge->alone = before->alone + 1;
		bridge->is_shared = before->is_shared && bridge->alone < BRIDGE_ALONE_REPORTS;
	} else {
		bridge->former_run = before->report.run;
		bridge->alone = 1;
		/* One that was followed by another, and speaks again, runs beside it. */
		bridge->is_shared = before->is_shared || before->former_run == bridge->report.run;
	}
}

static void put(struct bridges *bridges, struct bridge *bridge)
{
	struct slice name = bridge->report.bridge;
	size_t place = lower_bound(bridges, name);
	bool is_there =
		place < bridges->count && slice_equal(bridges->items[place]->report.bridge, name);

	if (is_there) {
		follow(bridge, bridges->items[place]);
		free(bridges->items[place]);
		bridges->items[place] = bridge;
		return;
	}
	if (bridges->count == bridges->count_max) {
		forget_longest_silent(bridges);
		place = lower_bound(bridges, name);
	}
	memmove(bridges->items + place + 1, bridges->items + place,
		(bridges->count - place) * sizeof(struct bridge *));
	bridges->items[place] = bridge;
	bridges->count++;
}

int bridges_take(struct bridges *bridges, const struct bridge_report *report, int64_t appended_ms,
	int64_t arrived_ms)
{
	struct bridge *bridge = copy(report);

	if (bridge == NULL) {
		return -ENOMEM;
	}
	bridge->appended_ms = appended_ms;
	bridge->arrived_ms = arrived_ms;
	bridge->order = ++bridges->taken;
	bridge->alone = 1;
	put(bridges, bridge);
	if (appended_ms > bridges->newest_ms) {
		bridges->newest_ms = appended_ms;
		forget_old(bridges);
	}
	return 0;
}

void bridges_listen(struct bridges *bridges, bool can_hear, int64_t now_ms)
{
	if (!can_hear || bridges->listening_ms == 0) {
		bridges->listening_ms = now_ms;
	}
}

size_t bridges_count(const struct bridges *bridges)
{
	return bridges == NULL ? 0 : bridges->count;
}

const struct bridge *bridges_at(const struct bridges *bridges, size_t place)
{
	return bridges->items[place];
}

int64_t bridges_quiet_ms(const struct bridges *bridges, const struct bridge *bridge, int64_t now_ms)
{
	int64_t from_ms = bridge->arrived_ms > bridges->listening_ms ? bridge->arrived_ms
								     : bridges->listening_ms;
	return now_ms > from_ms ? now_ms - from_ms : 0;
}

int64_t bridges_behind_ms(const struct bridges *bridges, const struct bridge *bridge)
{
	return bridges->newest_ms > bridge->appended_ms ? bridges->newest_ms - bridge->appended_ms
							: 0;
}

uint64_t bridges_forgotten(const struct bridges *bridges)
{
	return bridges->forgotten;
}
