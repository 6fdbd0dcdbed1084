#include "edge/upkeep.h"
#include "runtime/log.h"
#include <math.h>
#include <stdio.h>

/* ---- the file */

bool upkeep_file_is_wasteful(const struct spool_space *space)
{
	return space->file_bytes > UPKEEP_COMPACT_FILE_MIN &&
	       space->used_bytes <= UPKEEP_COMPACT_USED_MAX &&
	       space->file_bytes / UPKEEP_COMPACT_RATIO > space->used_bytes;
}

static void log_compaction(struct upkeep *upkeep, uint64_t before_bytes)
{
	upkeep->compactions++;
	log_line(LOG_INFO, "the spool has drained: its file was made small again",
		"bytes_before=%llu bytes_after=%llu", (unsigned long long)before_bytes,
		(unsigned long long)spool_space(upkeep->spool).file_bytes);
}

static void log_failure(struct upkeep *upkeep, int r)
{
	upkeep->compactions_failed++;
	log_line(LOG_WARNING, "the spool's file could not be made smaller and stays as it is",
		"why=\"%s\" file_bytes=%llu used_bytes=%llu",
		r == SPOOL_E_FULL ? "no room on the disk for the copy"
				  : "the copy could not be written or read",
		(unsigned long long)spool_space(upkeep->spool).file_bytes,
		(unsigned long long)spool_space(upkeep->spool).used_bytes);
}

static int compact(struct upkeep *upkeep, int64_t now_ms)
{
	const struct spool_space space = spool_space(upkeep->spool);

	if (now_ms < upkeep->compact_at_ms || !upkeep_file_is_wasteful(&space)) {
		return 0;
	}
	upkeep->compact_at_ms = now_ms + UPKEEP_COMPACT_MS;
	int r = spool_compact(upkeep->spool);
	if (r == 0) {
		log_compaction(upkeep, space.file_bytes);
	} else if (r > 0 && r != SPOOL_E_IN_USE) { /* a tool that reads is no failure */
		log_failure(upkeep, r);
	}
	return r < 0 ? r : 0;
}

/* ---- the rate */

static void look(struct upkeep *upkeep, bool flows, int64_t now_ms)
{
	const struct spool_index *index = spool_index(upkeep->spool);

	forecast_look(&upkeep->whole, index->bytes, flows, now_ms);
	for (int i = 0; i < KIND_COUNT; i++) {
		forecast_look(&upkeep->lanes[i], index->lanes[i].bytes, flows, now_ms);
	}
}

int upkeep_tick(struct upkeep *upkeep, bool flows, int64_t now_ms)
{
	if (now_ms < upkeep->measure_at_ms) {
		return 0;
	}
	upkeep->measure_at_ms = now_ms + UPKEEP_MEASURE_MS;
	int r = spool_measure(upkeep->spool);
	look(upkeep, flows, now_ms);
	return r == 0 ? compact(upkeep, now_ms) : r;
}

static uint64_t left_of(uint64_t quota_bytes, uint64_t bytes)
{
	return quota_bytes > bytes ? quota_bytes - bytes : 0;
}

double upkeep_full_seconds(const struct upkeep *upkeep)
{
	const struct spool_index *index = spool_index(upkeep->spool);
	uint64_t room = left_of(index->quota_bytes, index->bytes);
	uint64_t disk = spool_space(upkeep->spool).disk_room_bytes;

	return forecast_seconds(&upkeep->whole, disk < room ? disk : room);
}

double upkeep_lane_full_seconds(const struct upkeep *upkeep, enum kind lane)
{
	const struct spool_index *index = spool_index(upkeep->spool);

	return forecast_seconds(&upkeep->lanes[lane],
		left_of(index->lane_quota_bytes[lane], index->lanes[lane].bytes));
}

static void write_words(char out[UPKEEP_WORDS_SIZE], const char *what, double seconds)
{
	static const struct {
		double seconds;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}};
	int unit = seconds >= 2 * 86400 ? 0 : seconds >= 3600 ? 1 : 2;

	snprintf(out, UPKEEP_WORDS_SIZE, "%s full in %.1f %s at this rate", what,
		seconds / units[unit].seconds, units[unit].name);
}

void upkeep_forecast_words(const struct upkeep *upkeep, char out[UPKEEP_WORDS_SIZE])
{
	double soonest = upkeep_full_seconds(upkeep);
	char what[UPKEEP_WORDS_SIZE / 2] = "spool";

	for (int i = 0; i < KIND_COUNT; i++) {
		double seconds = upkeep_lane_full_seconds(upkeep, (enum kind)i);
		if (seconds < soonest * 0.99) { /* a share of 100 % is the spool, rounded down */
			soonest = seconds;
			snprintf(what, sizeof what, "the spool's share of %s",
				kind_name((enum kind)i));
		}
	}
	out[0] = '\0';
	if (!isinf(soonest)) {
		write_words(out, what, soonest);
	}
}
