/* kafka_options.h - from configuration to librdkafka's own: one way for producers and consumers.
 * The types of librdkafka appear by tag only; <librdkafka/rdkafka.h> stays in kafka_options_kafka.c. */
#pragma once
#include "runtime/kafka_properties.h"
#include "runtime/kafka_trouble.h"

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_queue_s;

/* Tables of these end with name NULL. */
struct kafka_setting {
	const char *name;
	const char *value;
};

struct kafka_options {
	const char *brokers; /* "host:port,host:port" */
	enum kafka_role role; /* KAFKA_PRODUCER or KAFKA_CONSUMER */
	const struct kafka_properties *properties; /* the operator's; may be NULL */
	const struct kafka_setting *defaults; /* ours, the operator's win; may be NULL */
	const struct kafka_setting *fixed; /* what the guarantees rest on: set last; may be NULL */
};

/* *ret_conf is the caller's, until rd_kafka_new takes it. 0, or -EINVAL with the error: a bare sentence that names
 * the property. */
int kafka_options_new(const struct kafka_options *options, struct rd_kafka_conf_s **ret_conf,
	struct config_error *error);
/* Takes conf, in any case. 0, or with the error -EINVAL where the configuration is wrong, -ENOMEM where the system had no
 * memory, no thread or no descriptor for it. */
int kafka_client_new(struct rd_kafka_conf_s *conf, enum kafka_role role,
	struct rd_kafka_s **ret_client, struct config_error *error);
/* Tries every property on a scratch configuration: for `validate` of program_spec, so that --check finds them. */
int kafka_options_check(const struct kafka_properties *properties, struct config_error *error);

/* kafka_trouble.h for the librdkafka that is linked, and for now: what a log callback calls. */
void kafka_trouble_init_here(struct kafka_trouble *trouble);
bool kafka_trouble_hear_now(struct kafka_trouble *trouble, const char *facility, const char *text);

/* Makes librdkafka write to a new eventfd (the caller's to close, after the queue is destroyed) when `queue` turns
 * non-empty. On readable: kafka_queue_clear, then poll the queue until it is empty; and poll every few hundred ms in
 * any case, because only the change from empty to non-empty is told. 0 or -errno. */
int kafka_queue_watch(struct rd_kafka_queue_s *queue, int *ret_fd);
/* The same with an eventfd that is there (non-blocking!), so that several queues share one; -1: no more. */
void kafka_queue_watch_by(struct rd_kafka_queue_s *queue, int fd);
void kafka_queue_clear(int fd);
