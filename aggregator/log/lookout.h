/* lookout.h - watches the connections of a consumer of Kafka (connections.h), and looks at the cluster behind a new one from a
 * thread of its own, because asking blocks. The owner uses nothing that it was given while that is in doubt.
 *
 * Threads: librdkafka's tell of requests and responses; the owner's may ask at any time, without waiting.
 * The types of librdkafka appear by tag only; <librdkafka/rdkafka.h> stays in lookout_kafka.c. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct lookout;

struct lookout_options {
	/* The doubt is over, or will never be: look again. From any thread; must not wait, nor call librdkafka. */
	void (*wake)(void *owner);
	void *owner;
};

/* Before the client is made of `conf`, which from then on tells the lookout. 0 or -errno. */
int lookout_new(struct rd_kafka_conf_s *conf, const struct lookout_options *options,
	struct lookout **ret_lookout);
/* 0 or -errno. */
int lookout_start(struct lookout *lookout, struct rd_kafka_s *client);
/* Before the client is destroyed; waits for the look that is under way, a second at most. */
void lookout_stop(struct lookout *lookout);
/* After the client is destroyed. */
struct lookout *lookout_free(struct lookout *lookout);

/* What the client logs, from its log callback: one of its words tells of another cluster. */
void lookout_hear_log(struct lookout *lookout, const char *facility);

/* Ask after what is to be used was taken from the client, not before. */
bool lookout_is_in_doubt(const struct lookout *lookout);
/* Waits so long for the end of a doubt: false if it is none. */
bool lookout_settles(struct lookout *lookout, int64_t wait_ms);
/* It stays in doubt for ever: what was taken is to be thrown away, and the client with it. */
bool lookout_is_spent(const struct lookout *lookout);
