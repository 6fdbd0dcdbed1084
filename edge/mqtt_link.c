#include "edge/mqtt_link.h"
#include <errno.h>

/* CONNECT with its password goes in pieces; acknowledgements have four bytes: those of all that may be in flight fit. */
enum { WRITE_MAX = 64 * 1024 };

static int read_files(
	const struct mqtt_config *config, struct tls **ret_tls, struct tls_error *error)
{
	struct tls_options options = {
		.ca = config->tls_ca,
		.certificate = config->tls_cert,
		.key = config->tls_key,
		.insecure = !config->tls_verify,
	};

	return tls_new(&options, ret_tls, error);
}

int mqtt_link_check_files(const struct mqtt_config *config, struct tls_error *error)
{
	struct tls *tls = NULL;

	int r = read_files(config, &tls, error);
	tls_free(tls);
	return r;
}

int mqtt_link_open(struct mqtt_link *link, const struct mqtt_link_options *options, int64_t now_ms,
	struct tls_error *error)
{
	struct mqtt_link opened = {0};

	if (options->broker->tls) {
		int r = read_files(options->config, &opened.tls, error);
		if (r < 0) {
			return r == -EINVAL ? MQTT_LINK_E_FILES : r;
		}
	}
	struct stream_options stream = {
		.loop = options->loop,
		.host = options->broker->host,
		.port = options->broker->port,
		.tls = opened.tls,
		.connect_timeout_ms = MQTT_CONNECT_MS,
		.write_max = WRITE_MAX,
		.ready = options->ready,
		.owner = options->owner,
	};
	int r = stream_new(&stream, now_ms, &opened.stream);
	if (r < 0) {
		mqtt_link_close(&opened);
		return r;
	}
	*link = opened;
	return 0;
}

void mqtt_link_close(struct mqtt_link *link)
{
	link->stream = stream_free(link->stream);
	link->tls = tls_free(link->tls);
}
