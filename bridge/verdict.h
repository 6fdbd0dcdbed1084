/* verdict.h - what to do about each way in which Kafka fails to take a record: one table, by librdkafka's names of its
 * errors. Pure. */
#pragma once

enum verdict {
	/* Nothing is known against the record: send it again. */
	VERDICT_RETRY,
	/* This record, or one that shared its Kafka batch, is refused for what it is: send it again alone, and when
	 * that fails in the same way, it is a dead letter. */
	VERDICT_RECORD_REFUSED,
	/* The whole topic is refused: its lane waits, the others go on. */
	VERDICT_TOPIC_REFUSED,
	/* The producer is of no use any more: rebuild it, the edges send again. */
	VERDICT_REBUILD,
	/* We took the record back ourselves: it was not delivered, and that is all. */
	VERDICT_GIVEN_UP,
};

/* `error` is as rd_kafka_err2name says it: "MSG_SIZE_TOO_LARGE". Unknown ones are tried again. */
enum verdict verdict_of(const char *error);
const char *verdict_name(enum verdict verdict);
