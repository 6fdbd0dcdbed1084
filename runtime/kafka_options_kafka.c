#include "runtime/certificate_words_ssl.h"
#include "runtime/clock.h"
#include "runtime/kafka_options.h"
#include "runtime/thread.h"
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	CLIENT_THREADS = 4
}; /* its main one, those of its own broker and of a group's, one of a real broker */

static int set(
	rd_kafka_conf_t *conf, const char *name, const char *value, struct config_error *error)
{
	char reason[256];
	if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) == RD_KAFKA_CONF_OK) {
		return 0;
	}
	return config_fail(error, "librdkafka refuses %s: %s", name, reason);
}

static int set_table(
	rd_kafka_conf_t *conf, const struct kafka_setting *table, struct config_error *error)
{
	int r = 0;
	for (; table != NULL && table->name != NULL && r == 0; table++) {
		r = set(conf, table->name, table->value, error);
	}
	return r;
}

/* [kafka] first, so that [kafka.producer] and [kafka.consumer] win. */
static int set_properties(rd_kafka_conf_t *conf, const struct kafka_properties *properties,
	enum kafka_role role, struct config_error *error)
{
	const enum kafka_role order[] = {KAFKA_BOTH, role};
	for (size_t pass = 0; properties != NULL && pass < 2; pass++) {
		for (size_t i = 0; i < properties->count; i++) {
			const struct kafka_property *item = &properties->items[i];
			int r = item->role != order[pass]
					? 0
					: set(conf, item->name, item->value, error);
			if (r < 0) {
				return r;
			}
		}
	}
	return 0;
}

/* Decides as librdkafka would without it, and says why: librdkafka itself tells all refusals in the same words. */
static int judge_certificate(rd_kafka_t *client, const char *broker, int32_t broker_id, int *error,
	int depth, const char *bytes, size_t size, char *words, size_t words_size, void *opaque)
{
	(void)client, (void)broker, (void)broker_id, (void)depth, (void)bytes, (void)size;
	(void)opaque;
	if (*error == 0) {
		return 1;
	}
	snprintf(words, words_size, "%s", certificate_words(*error));
	return 0;
}

int kafka_options_new(const struct kafka_options *options, struct rd_kafka_conf_s **ret_conf,
	struct config_error *error)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	int r = set_table(conf, options->defaults, error);
	if (r == 0) {
		r = set_properties(conf, options->properties, options->role, error);
	}
	if (r == 0) {
		r = set_table(conf, options->fixed, error);
	}
	if (r == 0 && options->brokers != NULL) {
		r = set(conf, "bootstrap.servers", options->brokers, error);
	}
	if (r == 0 &&
		rd_kafka_conf_set_ssl_cert_verify_cb(conf, judge_certificate) != RD_KAFKA_CONF_OK) {
		r = config_fail(error, "this librdkafka knows no TLS");
	}
	if (r < 0) {
		rd_kafka_conf_destroy(conf);
		return r;
	}
	*ret_conf = conf;
	return 0;
}

/* A client that finds no room for its main thread waits for ever for the end of those that it has started. */
static bool has_room(struct config_error *error)
{
	int r = thread_room_check(CLIENT_THREADS);

	if (r < 0) {
		snprintf(error->text, sizeof error->text,
			"no room for %d threads of a client of Kafka: %s", CLIENT_THREADS,
			strerror(-r));
	}
	return r == 0;
}

int kafka_client_new(struct rd_kafka_conf_s *conf, enum kafka_role role,
	struct rd_kafka_s **ret_client, struct config_error *error)
{
	rd_kafka_type_t type = role == KAFKA_PRODUCER ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;

	if (!has_room(error)) {
		rd_kafka_conf_destroy(conf);
		return -ENOMEM;
	}
	rd_kafka_t *client = rd_kafka_new(type, conf, error->text, sizeof error->text);
	if (client == NULL) {
		bool is_wrong = rd_kafka_last_error() == RD_KAFKA_RESP_ERR__INVALID_ARG;
		rd_kafka_conf_destroy(conf);
		return is_wrong ? -EINVAL : -ENOMEM;
	}
	*ret_client = client;
	return 0;
}

int kafka_options_check(const struct kafka_properties *properties, struct config_error *error)
{
	int r = 0;
	for (int role = KAFKA_PRODUCER; role <= KAFKA_CONSUMER && r == 0; role++) {
		const struct kafka_options options = {
			.role = (enum kafka_role)role, .properties = properties};
		rd_kafka_conf_t *conf = NULL;
		r = kafka_options_new(&options, &conf, error);
		if (r == 0) {
			rd_kafka_conf_destroy(conf);
		}
	}
	return r;
}

void kafka_trouble_init_here(struct kafka_trouble *trouble)
{
	kafka_trouble_init(trouble, rd_kafka_version());
}

bool kafka_trouble_hear_now(struct kafka_trouble *trouble, const char *facility, const char *text)
{
	return kafka_trouble_hear(trouble, facility, text, clock_monotonic_ms());
}

int kafka_queue_watch(struct rd_kafka_queue_s *queue, int *ret_fd)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	kafka_queue_watch_by(queue, fd);
	*ret_fd = fd;
	return 0;
}

void kafka_queue_watch_by(struct rd_kafka_queue_s *queue, int fd)
{
	/* librdkafka writes these 8 bytes while it holds a lock: the descriptor must never block. */
	static const uint64_t one = 1;
	rd_kafka_queue_io_event_enable(queue, fd, &one, sizeof one);
}

void kafka_queue_clear(int fd)
{
	uint64_t count;
	while (read(fd, &count, sizeof count) > 0) {
	}
}
