#include "aggregator/books/ledger.h"
#include "aggregator/log/connections.h"
#include "aggregator/log/lookout.h"
#include "runtime/clock.h"
#include "runtime/thread.h"
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	LOOK_MS_MAX = 1000,
	PAUSE_MS = 50, /* after a look that failed */
};

struct lookout {
	struct lookout_options options;
	rd_kafka_t *client;
	atomic_bool is_in_doubt, is_spent;
	pthread_t thread;
	bool is_started;
	char cluster_id[CLUSTER_ID_SIZE]; /* the thread's: of its first look */
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t news;
	bool is_ending;
	struct connections connections;
};

/* ---- what librdkafka tells; the lock is held in what follows from it */

static void conclude(struct lookout *lookout)
{
	const struct connections *connections = &lookout->connections;
	bool is_in_doubt = connections_are_in_doubt(connections);
	bool was_in_doubt = atomic_exchange(&lookout->is_in_doubt, is_in_doubt);
	bool was_spent = atomic_exchange(&lookout->is_spent, connections->is_spent);

	bool is_settled = (was_in_doubt && !is_in_doubt) || (!was_spent && connections->is_spent);

	if (is_settled || connections_want_look(connections)) {
		pthread_cond_broadcast(&lookout->news);
	}
	if (is_settled) {
		lookout->options.wake(lookout->options.owner);
	}
}

static bool is_of_interest(int16_t request)
{
	return request == CONNECTION_FETCH || request == CONNECTION_OFFSETS ||
	       request == CONNECTION_METADATA || request == CONNECTION_VERSIONS;
}

static uint64_t this_thread(void)
{
	return (uint64_t)pthread_self();
}

/* So many arguments are librdkafka's wish. */
static rd_kafka_resp_err_t on_sent(rd_kafka_t *client, int fd, const char *broker, int32_t id,
	int16_t request, int16_t version, int32_t number, size_t size, void *owner)
{
	struct lookout *lookout = owner;

	(void)client, (void)fd, (void)broker, (void)id, (void)version, (void)number, (void)size;
	if (is_of_interest(request)) {
		pthread_mutex_lock(&lookout->lock);
		connections_sent(
			&lookout->connections, this_thread(), (enum connection_request)request);
		conclude(lookout);
		pthread_mutex_unlock(&lookout->lock);
	}
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_received(rd_kafka_t *client, int fd, const char *broker, int32_t id,
	int16_t request, int16_t version, int32_t number, size_t size, int64_t took_us,
	rd_kafka_resp_err_t error, void *owner)
{
	struct lookout *lookout = owner;

	(void)client, (void)fd, (void)broker, (void)id, (void)version, (void)number, (void)size;
	(void)took_us;
	if (is_of_interest(request)) {
		pthread_mutex_lock(&lookout->lock);
		connections_received(&lookout->connections, this_thread(),
			(enum connection_request)request, error != RD_KAFKA_RESP_ERR_NO_ERROR);
		conclude(lookout);
		pthread_mutex_unlock(&lookout->lock);
	}
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *owner,
	char *words, size_t words_size)
{
	static const char name[] = "lookout";

	(void)conf, (void)words, (void)words_size;
	rd_kafka_resp_err_t r =
		rd_kafka_interceptor_add_on_request_sent(client, name, on_sent, owner);
	return r != RD_KAFKA_RESP_ERR_NO_ERROR ? r
					       : rd_kafka_interceptor_add_on_response_received(
							 client, name, on_received, owner);
}

/* "Broker … reports different ClusterId": whichever answered last, it was not always the same. */
void lookout_hear_log(struct lookout *lookout, const char *facility)
{
	if (strcmp(facility, "CLUSTERID") == 0) {
		pthread_mutex_lock(&lookout->lock);
		connections_spend(&lookout->connections);
		conclude(lookout);
		pthread_mutex_unlock(&lookout->lock);
	}
}

/* ---- looks */

/* 0; -EAGAIN when nobody answered; -EREMCHG when it is another cluster. */
static int look(struct lookout *lookout)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t error =
		rd_kafka_metadata(lookout->client, 0, NULL, &metadata, LOOK_MS_MAX);
	if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
		return -EAGAIN;
	}
	rd_kafka_metadata_destroy(metadata);
	char *cluster_id = rd_kafka_clusterid(lookout->client, 0);
	if (cluster_id == NULL) {
		return -EAGAIN;
	}
	if (lookout->cluster_id[0] == '\0') {
		snprintf(lookout->cluster_id, sizeof lookout->cluster_id, "%s", cluster_id);
	}
	int r = strcmp(lookout->cluster_id, cluster_id) == 0 ? 0 : -EREMCHG;
	rd_kafka_mem_free(lookout->client, cluster_id);
	return r;
}

/* Lets go of the lock meanwhile. */
static void pause_for_a_while(struct lookout *lookout)
{
	int64_t until_ms = clock_monotonic_ms() + PAUSE_MS;

	while (!lookout->is_ending &&
		condition_wait(&lookout->news, &lookout->lock, until_ms) == 0) {
	}
}

static void look_once(struct lookout *lookout)
{
	connections_look(&lookout->connections);
	pthread_mutex_unlock(&lookout->lock);
	int r = look(lookout);
	pthread_mutex_lock(&lookout->lock);
	if (r == 0) {
		connections_saw(&lookout->connections);
	} else if (r == -EREMCHG) {
		connections_spend(&lookout->connections);
	}
	conclude(lookout);
	if (r == -EAGAIN) {
		pause_for_a_while(lookout);
	}
}

static void *keep_looking(void *owner)
{
	struct lookout *lookout = owner;

	pthread_mutex_lock(&lookout->lock);
	while (!lookout->is_ending) {
		if (connections_want_look(&lookout->connections)) {
			look_once(lookout);
		} else {
			pthread_cond_wait(&lookout->news, &lookout->lock);
		}
	}
	pthread_mutex_unlock(&lookout->lock);
	return NULL;
}

/* ---- life */

int lookout_new(struct rd_kafka_conf_s *conf, const struct lookout_options *options,
	struct lookout **ret_lookout)
{
	struct lookout *lookout = calloc(1, sizeof *lookout);

	if (lookout == NULL) {
		return -ENOMEM;
	}
	lookout->options = *options;
	atomic_init(&lookout->is_in_doubt, false);
	atomic_init(&lookout->is_spent, false);
	pthread_mutex_init(&lookout->lock, NULL);
	condition_init(&lookout->news);
	if (rd_kafka_conf_interceptor_add_on_new(conf, "lookout", on_new, lookout) !=
		RD_KAFKA_RESP_ERR_NO_ERROR) {
		lookout_free(lookout);
		return -EINVAL;
	}
	*ret_lookout = lookout;
	return 0;
}

int lookout_start(struct lookout *lookout, struct rd_kafka_s *client)
{
	lookout->client = client;
	int r = -pthread_create(&lookout->thread, NULL, keep_looking, lookout);
	lookout->is_started = r == 0;
	return r;
}

void lookout_stop(struct lookout *lookout)
{
	if (lookout == NULL || !lookout->is_started) {
		return;
	}
	pthread_mutex_lock(&lookout->lock);
	lookout->is_ending = true;
	pthread_cond_broadcast(&lookout->news);
	pthread_mutex_unlock(&lookout->lock);
	pthread_join(lookout->thread, NULL);
	lookout->is_started = false;
}

struct lookout *lookout_free(struct lookout *lookout)
{
	if (lookout != NULL) {
		connections_deinit(&lookout->connections);
		pthread_cond_destroy(&lookout->news);
		pthread_mutex_destroy(&lookout->lock);
		free(lookout);
	}
	return NULL;
}

bool lookout_settles(struct lookout *lookout, int64_t wait_ms)
{
	int64_t until_ms = clock_monotonic_ms() + wait_ms;
	int r = 0;

	pthread_mutex_lock(&lookout->lock);
	while (r == 0 && connections_are_in_doubt(&lookout->connections) &&
		!lookout->connections.is_spent) {
		r = condition_wait(&lookout->news, &lookout->lock, until_ms);
	}
	bool is_settled = !connections_are_in_doubt(&lookout->connections);
	pthread_mutex_unlock(&lookout->lock);
	return is_settled;
}

bool lookout_is_in_doubt(const struct lookout *lookout)
{
	return atomic_load(&lookout->is_in_doubt);
}

bool lookout_is_spent(const struct lookout *lookout)
{
	return atomic_load(&lookout->is_spent);
}
