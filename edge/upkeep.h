/* upkeep.h - what the spool needs beside events: once a second it is measured and its growth looked at, and when it has
 * drained, its file is made small again. Wiring: it logs. One thread. */
#pragma once
#include "edge/forecast.h"
#include "edge/spool.h"

enum {
	UPKEEP_MEASURE_MS = 1000,
	/* Compacting: at most this often, tried or done. */
	UPKEEP_COMPACT_MS = 5 * 60 * 1000,
	UPKEEP_COMPACT_FILE_MIN = 64 * 1024 * 1024, /* a smaller file bothers nobody */
	UPKEEP_COMPACT_RATIO = 8,
	/* What one round of the loop commits at most: no till waits longer for it than for that, on an SD card well
	 * under a second. */
	UPKEEP_COMPACT_USED_MAX = 8 * 1024 * 1024,
};

struct upkeep {
	struct spool *spool; /* borrowed */
	int64_t measure_at_ms;
	int64_t compact_at_ms;
	uint64_t compactions;
	uint64_t compactions_failed;
	struct forecast whole;
	struct forecast lanes[KIND_COUNT];
};

/* Is the file large, and what is in use small? */
bool upkeep_file_is_wasteful(const struct spool_space *space);

/* flows: a bridge takes events. 0 or a negative errno that ends the program. */
int upkeep_tick(struct upkeep *upkeep, bool flows, int64_t now_ms);

/* Seconds until the spool, or the lane's share of it, is full at the present rate; infinity. */
double upkeep_full_seconds(const struct upkeep *upkeep);
double upkeep_lane_full_seconds(const struct upkeep *upkeep, enum kind lane);
/* "spool full in 3.2 h at this rate", or of the lane whose share is used up before that; "" where nothing grows. */
enum { UPKEEP_WORDS_SIZE = 128 };
void upkeep_forecast_words(const struct upkeep *upkeep, char out[UPKEEP_WORDS_SIZE]);
