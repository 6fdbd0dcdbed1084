#include "bridge/verdict.h"
#include <stddef.h>
#include <string.h>

/* Whatever is not here (timeouts, missing leaders, too few replicas, brokers gone) passes by itself. */
static const struct {
	const char *error;
	enum verdict verdict;
} table[] = {
	/* One bad record fails its whole batch, so these are only true of a record that was sent alone. */
	{"MSG_SIZE_TOO_LARGE", VERDICT_RECORD_REFUSED},
	{"RECORD_LIST_TOO_LARGE", VERDICT_RECORD_REFUSED},
	{"INVALID_MSG", VERDICT_RECORD_REFUSED},
	{"INVALID_MSG_SIZE", VERDICT_RECORD_REFUSED},
	{"INVALID_RECORD", VERDICT_RECORD_REFUSED},
	{"_BAD_MSG", VERDICT_RECORD_REFUSED},

	{"_UNKNOWN_TOPIC", VERDICT_TOPIC_REFUSED},
	{"_UNKNOWN_PARTITION", VERDICT_TOPIC_REFUSED},
	{"UNKNOWN_TOPIC_OR_PART", VERDICT_TOPIC_REFUSED},
	{"UNKNOWN_TOPIC_ID", VERDICT_TOPIC_REFUSED},
	{"TOPIC_EXCEPTION", VERDICT_TOPIC_REFUSED},
	{"TOPIC_AUTHORIZATION_FAILED", VERDICT_TOPIC_REFUSED},
	{"POLICY_VIOLATION", VERDICT_TOPIC_REFUSED},
	/* The topic demands the producer's clock, and ours is not the record's fault. */
	{"INVALID_TIMESTAMP", VERDICT_TOPIC_REFUSED},
	{"UNSUPPORTED_FOR_MESSAGE_FORMAT", VERDICT_TOPIC_REFUSED},
	{"UNSUPPORTED_COMPRESSION_TYPE", VERDICT_TOPIC_REFUSED},
	{"INVALID_REQUIRED_ACKS", VERDICT_TOPIC_REFUSED},

	{"_FATAL", VERDICT_REBUILD},
	{"_OTHER_CLUSTER", VERDICT_REBUILD}, /* sink.h: delivered where nobody looks for it */
	{"_FENCED", VERDICT_REBUILD},
	{"_DESTROY", VERDICT_REBUILD},
	{"_GAPLESS_GUARANTEE", VERDICT_REBUILD},
	{"_INCONSISTENT", VERDICT_REBUILD},
	{"OUT_OF_ORDER_SEQUENCE_NUMBER", VERDICT_REBUILD},
	{"UNKNOWN_PRODUCER_ID", VERDICT_REBUILD},
	{"INVALID_PRODUCER_EPOCH", VERDICT_REBUILD},
	{"INVALID_PRODUCER_ID_MAPPING", VERDICT_REBUILD},
	{"PRODUCER_FENCED", VERDICT_REBUILD},
	{"CLUSTER_AUTHORIZATION_FAILED", VERDICT_REBUILD},

	{"_PURGE_QUEUE", VERDICT_GIVEN_UP},
	{"_PURGE_INFLIGHT", VERDICT_GIVEN_UP},
};

enum verdict verdict_of(const char *error)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (strcmp(table[i].error, error) == 0) {
			return table[i].verdict;
		}
	}
	return VERDICT_RETRY;
}

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		"retry", "record_refused", "topic_refused", "rebuild", "given_up"};
	return names[verdict];
}
