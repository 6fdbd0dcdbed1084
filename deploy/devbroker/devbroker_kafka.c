#include "deploy/devbroker/devbroker.h"
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

struct devbroker {
	rd_kafka_t *client; /* the mock cluster hangs on a client, which itself does nothing */
	rd_kafka_mock_cluster_t *cluster;
	int brokers;
};

static rd_kafka_t *open_client(void)
{
	char words[256];

	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	if (conf == NULL) {
		return NULL;
	}
	/* Warnings and worse: that this client knows no broker is as it should be. */
	(void)rd_kafka_conf_set(conf, "log_level", "4", words, sizeof words);
	rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, sizeof words);
	if (client == NULL) {
		rd_kafka_conf_destroy(conf);
	}
	return client;
}

int devbroker_new(int brokers, struct devbroker **ret_devbroker)
{
	struct devbroker *devbroker = calloc(1, sizeof *devbroker);
	if (devbroker == NULL) {
		return -ENOMEM;
	}
	devbroker->brokers = brokers;
	devbroker->client = open_client();
	if (devbroker->client != NULL) {
		devbroker->cluster = rd_kafka_mock_cluster_new(devbroker->client, brokers);
	}
	if (devbroker->cluster == NULL) {
		devbroker_free(devbroker);
		return -EIO;
	}
	*ret_devbroker = devbroker;
	return 0;
}

struct devbroker *devbroker_free(struct devbroker *devbroker)
{
	if (devbroker == NULL) {
		return NULL;
	}
	if (devbroker->cluster != NULL) {
		rd_kafka_mock_cluster_destroy(devbroker->cluster);
	}
	if (devbroker->client != NULL) {
		rd_kafka_destroy(devbroker->client);
	}
	free(devbroker);
	return NULL;
}

int devbroker_add_topic(struct devbroker *devbroker, const char *name, int partitions)
{
	int copies = devbroker->brokers < 3 ? devbroker->brokers : 3;

	rd_kafka_resp_err_t r =
		rd_kafka_mock_topic_create(devbroker->cluster, name, partitions, copies);
	return r == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : -EINVAL;
}

const char *devbroker_bootstrap(const struct devbroker *devbroker)
{
	return rd_kafka_mock_cluster_bootstraps(devbroker->cluster);
}
