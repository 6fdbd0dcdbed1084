/* kafka_trouble.h - why Kafka can not be reached, in words that help: what librdkafka says about one failed connection is
 * several lines, the telling one first ("certificate has expired"), then its consequences ("handshake failed", "all
 * brokers are down"). This keeps the telling one until it is old or the connection stands.
 * Any thread may call; time comes in as an argument (monotonic ms). */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	KAFKA_TROUBLE_SIZE = 512,
	/* librdkafka says the same thing again after 30 s at the soonest. */
	KAFKA_TROUBLE_HOLD_MS = 40 * 1000,
	/* The first librdkafka whose SCRAM a Kafka 4 understands, as rd_kafka_version() gives it: 2.6.1. */
	KAFKA_SCRAM_VERSION = 0x020601ff,
};

struct kafka_trouble {
	pthread_mutex_t lock;
	int library_version;
	bool is_telling;
	int64_t heard_ms;
	char text[KAFKA_TROUBLE_SIZE]; /* "": none */
};

/* `library_version` as rd_kafka_version() gives it. */
void kafka_trouble_init(struct kafka_trouble *trouble, int library_version);
void kafka_trouble_deinit(struct kafka_trouble *trouble);
/* A line of librdkafka's log with its facility. Returns true when the line is about a connection: what must be said of it
 * is said with kafka_trouble_why. */
bool kafka_trouble_hear(
	struct kafka_trouble *trouble, const char *facility, const char *text, int64_t now_ms);
/* Copies what is known; `otherwise` when that is nothing. true: it names what a person must mend. */
bool kafka_trouble_why(
	struct kafka_trouble *trouble, const char *otherwise, char *ret_why, size_t size);
/* The connection stands. */
void kafka_trouble_over(struct kafka_trouble *trouble);
