/* pipeline_archive.h - the way of an archive's items into a pipeline, before it reads the log: by the pipeline's own positions, so
 * that what was read before is passed over, whichever of the two it came from. What the archive left out (records that the one who
 * wrote it had seen before, or could not read) enters a partition's books at the end, with its position, in one commit. What
 * the log still has then is read from there, and what it lacks is missing as ever. Pure: the loop's thread. */
#pragma once
#include "aggregator/log/archive_stream.h"
#include "aggregator/log/pipeline.h"

enum { PIPELINE_ARCHIVE_E_REFUSED = 2 }; /* it can't be used here: `why` says it */

struct archive_part; /* what the archive holds of one partition */

/* Zero-initialised but for the pipeline: of an archive of which nothing was taken. */
struct pipeline_archive {
	struct pipeline *pipeline; /* borrowed */
	struct archive_part *parts; /* by topic and number; owned */
	size_t count, capacity;
	bool has_head; /* all of it */
	bool has_begun; /* with the records */
	bool is_over; /* its end was taken */
	uint64_t taken,
		passed_over; /* records: counted now; counted before, or of partitions of others */
	uint64_t strange; /* of topics that are not read here */
	char strange_topic[ARCHIVE_TOPIC_SIZE_MAX + 1]; /* one of them */
	char cluster_id[CLUSTER_ID_SIZE];
	char why[2 * ARCHIVE_WHY_SIZE];
};

void pipeline_archive_deinit(struct pipeline_archive *archive);
/* *ret_is_taken false: the pipeline can take nothing now (a shard is broken), offer it again. 0, PIPELINE_ARCHIVE_E_REFUSED,
 * -errno. */
int pipeline_archive_take(
	struct pipeline_archive *archive, const struct archive_item *item, bool *ret_is_taken);
/* Instead of pipeline_observe while it is read: would the log do, once the archive is over? 0, PIPELINE_E_DECISION, -errno. */
int pipeline_archive_foresee(struct pipeline_archive *archive, const struct log_report *report);
