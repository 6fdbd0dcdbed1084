/* report_reader.h - reads what edges report of themselves, from the beginning of their topic at every start. A topic that is not
 * there is waited for. It has no group, keeps no offsets, and nothing that it meets stops the program. It hands on nothing of
 * which it is not sure that it is of the store's cluster (lookout.h). One thread. */
#pragma once
#include "proto/slice.h"
#include "runtime/kafka_properties.h"

struct report_reader;

struct report_reader_options {
	const char *brokers;
	const struct kafka_properties *properties; /* borrowed for report_reader_new */
	const char *topic;
	/* 0 or a negative errno, which ends the poll. */
	int (*take)(void *owner, struct slice key, struct slice value, int64_t appended_ms);
	void *owner;
};

/* 0, -errno, or -EINVAL with the error. Kafka need not be there. */
int report_reader_new(const struct report_reader_options *options,
	struct report_reader **ret_reader, struct config_error *error);
struct report_reader *report_reader_free(struct report_reader *reader);
int report_reader_fd(const struct report_reader *reader);
/* Hands on some, while the reader is at this cluster ("": nobody knows yet which it should be); when the fd was readable, and
 * now and then. *ret_has_more: come again soon. 0 or what `take` said. */
int report_reader_poll(struct report_reader *reader, const char *cluster_id, bool *ret_has_more);
