/* The aggregator's reader of what edges report of themselves (aggregator/report_reader.h), over the modelled topic. */
#include "aggregator/report_reader.h"
#include "tests/sim/aggregator_part.h"
#include "tests/sim/telemetry.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FD = 200 /* of nobody else here */, READ_A_POLL = 10 };

struct report_reader {
	struct report_reader_options options;
	size_t next;
};

static struct report_reader *newest;

int report_reader_new(const struct report_reader_options *options,
	struct report_reader **ret_reader, struct config_error *error)
{
	struct report_reader *reader = calloc(1, sizeof *reader);

	(void)error;
	if (reader == NULL) {
		return -ENOMEM;
	}
	reader->options = *options;
	*ret_reader = newest = reader;
	return 0;
}

struct report_reader *report_reader_free(struct report_reader *reader)
{
	newest = newest == reader ? NULL : newest;
	free(reader);
	return NULL;
}

int report_reader_fd(const struct report_reader *reader)
{
	(void)reader;
	return FD;
}

bool aggregator_part_has_read_reports(void)
{
	return newest != NULL && newest->next == telemetry_count();
}

static int take(struct report_reader *reader, struct telemetry_entry entry)
{
	const struct kafka_record *record = entry.record;

	return record == NULL
		       ? 0
		       : reader->options.take(reader->options.owner,
				 slice_of(record->key, record->key_size),
				 slice_of(record->value, record->value_size), entry.timestamp_ms);
}

/* There is no topic of telemetry in the other cluster: what is in it was never written there. */
int report_reader_poll(struct report_reader *reader, const char *cluster_id, bool *ret_has_more)
{
	int r = 0;

	for (int i = 0; r == 0 && i < READ_A_POLL && reader->next < telemetry_count(); i++) {
		if (kafka_is_away() || strcmp(cluster_id, kafka_cluster_id()) != 0) {
			break;
		}
		r = take(reader, telemetry_at(reader->next));
		reader->next += r == 0;
	}
	*ret_has_more = reader->next < telemetry_count();
	return r;
}
