/* Carries out what mqtt_session.c orders, over mqtt_link.c: bytes from the broker go into the session, its PUBLISHes as
 * submissions to the desk (mqtt_event.c), and what the desk has committed back into the session as acknowledgements.
 * Several messages share a commit: whatever has come in goes to the desk before the desk's round. */
#include "edge/source_mqtt.h"
#include "edge/mqtt_delivery.h"
#include "edge/mqtt_link.h"
#include "edge/mqtt_metrics.h"
#include "proto/timestamp.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include <errno.h>
#include <stdlib.h>

enum {
	/* The others have their turn after so many reads, of a socket's buffer or a TLS record each. */
	READS_A_ROUND = 64,
	/* DISCONNECT and TLS's end are sent; the broker gets so long to close. */
	PARTING_MS = 1000,
	QUOTED_SIZE = 1024,
};

struct source {
	struct source_options options;
	const struct mqtt_config *config;
	struct mqtt_settings settings;
	char client_id[MQTT_CLIENT_ID_SIZE_MAX + 1];
	char filter_texts[MQTT_FILTERS_MAX][MQTT_FILTER_SIZE_MAX + 1];
	struct slice filters[MQTT_FILTERS_MAX];
	struct mqtt_session *session;
	struct mqtt_metrics *metrics;
	struct mqtt_link link; /* the session's; no stream: none */
	const struct mqtt_endpoint *broker; /* of the link, or of the last one */
	bool connected; /* the session knows */
	bool readable; /* something may lie there */
	bool output_waits; /* the session has more to send than the stream took */
	struct mqtt_link parting; /* the one before, saying its last words */
	int64_t parting_until_ms;
	int64_t wait_ms; /* the session's */
	int failure; /* a negative errno that acknowledge could not return */
	struct mqtt_delivery delivery;
};

static int on_ready(void *owner);

/* ---- the link */

static int open_link(struct source *source, uint32_t broker, int64_t now_ms)
{
	struct tls_error error;
	struct mqtt_link_options options = {
		.loop = source->options.loop,
		.config = source->config,
		.broker = &source->settings.brokers[broker],
		.ready = on_ready,
		.owner = source,
	};

	mqtt_link_close(&source->link);
	source->broker = options.broker;
	source->connected = false;
	source->readable = false;
	source->output_waits = false;
	int r = mqtt_link_open(&source->link, &options, now_ms, &error);
	if (r == -ENOMEM || r == 0) {
		return r;
	}
	/* Too many open files, for one, pass. */
	mqtt_session_lost(source->session, r < 0 ? strerror(-r) : error.text, now_ms);
	return 0;
}

/* The link's last words leave while the next one is opened. */
static void part(struct source *source, int64_t now_ms)
{
	mqtt_link_close(&source->parting);
	source->parting = source->link;
	source->link = (struct mqtt_link){0};
	source->parting_until_ms = now_ms + PARTING_MS;
	if (source->parting.stream != NULL) {
		stream_finish(source->parting.stream);
	}
}

static void lose_link(struct source *source, int64_t now_ms)
{
	mqtt_session_lost(source->session, stream_error(source->link.stream), now_ms);
	mqtt_link_close(&source->link);
}

static void hear_link(struct source *source, int64_t now_ms)
{
	struct stream *stream = source->link.stream;

	if (stream == NULL) {
		return;
	}
	if (stream_state(stream) == STREAM_ENDED) {
		lose_link(source, now_ms);
		return;
	}
	if (stream_state(stream) == STREAM_OPEN && !source->connected) {
		source->connected = true;
		mqtt_session_connected(source->session, now_ms);
	}
	if (source->output_waits && stream_write_room(stream) > 0) {
		source->output_waits = false;
		mqtt_session_writable(source->session);
	}
}

static void send_bytes(struct source *source, struct slice bytes, int64_t now_ms)
{
	struct stream *stream = source->link.stream;
	size_t room = stream == NULL ? 0 : stream_write_room(stream);
	size_t size = bytes.size < room ? bytes.size : room;

	if (stream == NULL || stream_write(stream, bytes.bytes, size) != 0) {
		size = 0; /* the next read tells that the link has ended */
	}
	source->output_waits = size < bytes.size;
	mqtt_session_sent(source->session, size, now_ms);
}

/* ---- orders */

static void tell(const struct source *source, const struct mqtt_order *order)
{
	static const enum log_level levels[] = {
		[MQTT_TELL_INFO] = LOG_INFO,
		[MQTT_TELL_WARNING] = LOG_WARNING,
		[MQTT_TELL_ERROR] = LOG_ERROR,
	};
	char words[QUOTED_SIZE];

	log_line(levels[order->level], "MQTT source", "source=%s broker=%s what=%s",
		source->options.name, source->settings.brokers[order->broker].name,
		log_quote(order->words, strlen(order->words), words, sizeof words));
}

static int carry_out_one(struct source *source, const struct mqtt_order *order, int64_t now_ms)
{
	switch (order->act) {
	case MQTT_ORDER_OPEN:
		return open_link(source, order->broker, now_ms);
	case MQTT_ORDER_SEND:
		send_bytes(source, order->bytes, now_ms);
		return 0;
	case MQTT_ORDER_DELIVER:
	case MQTT_ORDER_RELEASE:
	case MQTT_ORDER_FORGET:
	case MQTT_ORDER_NOTE:
		return mqtt_delivery_carry_out(&source->delivery, order, now_ms, clock_wall_ms());
	case MQTT_ORDER_TELL:
		tell(source, order);
		return 0;
	case MQTT_ORDER_CLOSE:
		part(source, now_ms);
		return 0;
	default:
		return 0;
	}
}

static int carry_out(struct source *source, int64_t now_ms)
{
	struct mqtt_order order;
	int r = 0;

	do {
		r = mqtt_session_step(source->session, now_ms, &order);
		if (r == 0) {
			r = carry_out_one(source, &order, now_ms);
		}
	} while (r == 0 && order.act != MQTT_ORDER_WAIT);
	source->wait_ms = order.wait_ms;
	return r;
}

/* ---- reading */

/* Reads once, if the session has room and the link something to read. */
static int read_once(struct source *source, int64_t now_ms)
{
	struct mqtt_room room = {0};
	size_t size = 0;

	int r = mqtt_session_room(source->session, &room);
	if (r < 0 || source->link.stream == NULL) {
		source->readable = false;
		return r;
	}
	stream_pause(source->link.stream, room.size == 0);
	if (room.size == 0) { /* `readable` stays: it is read when there is room again */
		return 0;
	}
	r = stream_read(source->link.stream, room.bytes, room.size, &size);
	if (r == 0) {
		mqtt_session_heard(source->session, size, now_ms);
		return 0;
	}
	source->readable = false;
	if (r == STREAM_E_ENDED) {
		lose_link(source, now_ms);
	}
	return 0;
}

static bool is_paused(const struct source *source)
{
	struct mqtt_session_view view;

	mqtt_session_look(source->session, &view);
	return !view.reading;
}

static int pump(struct source *source, int64_t now_ms)
{
	hear_link(source, now_ms);
	int r = carry_out(source, now_ms);
	for (int i = 0; r == 0 && i < READS_A_ROUND && source->readable; i++) {
		r = read_once(source, now_ms);
		if (r == 0) {
			r = carry_out(source, now_ms);
		}
		if (is_paused(source)) {
			break;
		}
	}
	return r;
}

static int on_ready(void *owner)
{
	struct source *source = owner;

	source->readable = true;
	return pump(source, loop_now_ms(source->options.loop));
}

/* ---- what the edge calls */

static void shorten(int64_t *wait_ms, int64_t other_ms)
{
	*wait_ms = other_ms < *wait_ms ? other_ms : *wait_ms;
}

static int poll_parting(struct source *source, int64_t now_ms, int64_t *wait_ms)
{
	int64_t parting_wait_ms = INT64_MAX;

	if (source->parting.stream == NULL) {
		return 0;
	}
	int r = stream_poll(source->parting.stream, now_ms, &parting_wait_ms);
	if (source->parting.stream == NULL) {
		return r; /* on_ready was called, and another link without a stream has parted */
	}
	if (stream_state(source->parting.stream) == STREAM_ENDED ||
		now_ms >= source->parting_until_ms) {
		mqtt_link_close(&source->parting);
		return r;
	}
	shorten(wait_ms, source->parting_until_ms - now_ms);
	return r;
}

/* There is something to do that no file descriptor tells of. */
static bool goes_on(const struct source *source, const struct mqtt_session_view *view)
{
	if (source->link.stream == NULL) {
		return false;
	}
	return (source->readable && view->reading) ||
	       (source->output_waits && stream_write_room(source->link.stream) > 0);
}

static int poll_source(void *owner, int64_t now_ms, int64_t wall_ms, int64_t *ret_wait_ms)
{
	struct source *source = owner;
	int64_t link_wait_ms = INT64_MAX;
	struct mqtt_session_view view;
	(void)wall_ms;

	source->delivery.handed_in = false;
	int r = source->failure < 0 ? source->failure : pump(source, now_ms);
	if (r == 0 && source->link.stream != NULL) {
		r = stream_poll(source->link.stream, now_ms, &link_wait_ms);
	}
	if (r < 0) {
		return r;
	}
	*ret_wait_ms = source->wait_ms;
	shorten(ret_wait_ms, link_wait_ms);
	r = poll_parting(source, now_ms, ret_wait_ms);
	mqtt_session_look(source->session, &view);
	mqtt_metrics_set(source->metrics, &view, &source->delivery);
	if (source->delivery.handed_in || goes_on(source, &view)) {
		*ret_wait_ms = 0;
	}
	return r;
}

static void acknowledge(void *owner, uint64_t ticket, const struct submission_result *result)
{
	struct source *source = owner;

	if (result->outcome == SUBMISSION_NOT_KEPT) {
		source->failure = mqtt_session_not_kept(
			source->session, ticket, loop_now_ms(source->options.loop));
		return;
	}
	mqtt_session_durable(source->session, ticket);
}

static void stop_source(void *owner)
{
	struct source *source = owner;
	mqtt_session_stop(source->session, loop_now_ms(source->options.loop));
}

static bool is_stopped(const void *owner)
{
	const struct source *source = owner;
	struct mqtt_session_view view;

	mqtt_session_look(source->session, &view);
	return view.state == MQTT_STOPPED && source->parting.stream == NULL;
}

static void *close_source(void *owner)
{
	struct source *source = owner;

	if (source == NULL) {
		return NULL;
	}
	mqtt_link_close(&source->link);
	mqtt_link_close(&source->parting);
	mqtt_session_free(source->session);
	mqtt_metrics_free(source->metrics);
	free(source);
	return NULL;
}

static void describe_absence(
	const struct source *source, const struct mqtt_session_view *view, FILE *out)
{
	int64_t away_ms = loop_now_ms(source->options.loop) - view->since_ms;
	char since[TIMESTAMP_TEXT_SIZE], words[QUOTED_SIZE];

	timestamp_format(clock_wall_ms() - away_ms, since);
	fprintf(out, "source %s: mqtt broker %s is away since %s", source->options.name,
		source->broker->name, since);
	if (view->words[0] != '\0') {
		fprintf(out, ": %s",
			log_quote(view->words, strlen(view->words), words, sizeof words));
	}
	fputc('\n', out);
}

static void describe(const void *owner, FILE *out)
{
	const struct source *source = owner;
	const char *name = source->options.name;
	struct mqtt_session_view view;

	mqtt_session_look(source->session, &view);
	if (view.state != MQTT_UP) {
		describe_absence(source, &view, out);
		return;
	}
	if (!view.subscribed) {
		fprintf(out,
			"source %s: mqtt broker %s does not grant every subscription as asked; "
			"the log names them\n",
			name, source->broker->name);
	}
	if (source->delivery.full) {
		fprintf(out, "source %s: mqtt broker %s is made to wait: the spool has no room\n",
			name, source->broker->name);
	}
}

/* ---- opening */

static int take_mark(void *owner, struct slice key, struct slice value)
{
	struct source *source = owner;
	uint16_t packet_id = 0;
	uint64_t fingerprint = 0;

	for (uint32_t i = 0; i < source->settings.broker_count; i++) {
		struct mqtt_owner candidate = {
			source->settings.brokers[i].address, source->client_id};
		if (!mqtt_mark_read(&candidate, key, value, &packet_id, &fingerprint)) {
			continue;
		}
		int r = mqtt_session_remember(source->session, i, packet_id, fingerprint);
		if (r == 0 && packet_id == 0) {
			r = mqtt_session_remember_filters(source->session, i, value);
		}
		return r;
	}
	return 0; /* of a broker or client id that is not configured any more: it may be again */
}

static int open_session(struct source *source)
{
	const struct mqtt_settings *settings = &source->settings;

	for (uint32_t i = 0; i < settings->pattern_count; i++) {
		char *text = source->filter_texts[i];
		source->filters[i] =
			slice_of(text, mqtt_pattern_filter(&settings->patterns[i], text));
	}
	struct mqtt_session_options options = {
		.broker_count = settings->broker_count,
		.protocol = settings->protocol,
		.client_id = slice_of_text(source->client_id),
		.user = slice_of_text(source->config->username),
		.password = slice_of_text(source->config->password),
		.filters = source->filters,
		.filter_count = settings->pattern_count,
		.qos = (uint8_t)source->config->qos,
		.retained = settings->retained,
		.session_expiry_s = settings->session_expiry_s,
		.keep_alive_s = (uint16_t)(source->config->keep_alive_ms / 1000),
		.receive_maximum = (uint16_t)source->config->receive_maximum,
		.packet_size_max = MQTT_PACKET_SIZE_MAX,
		.pending_size_max = MQTT_PENDING_SIZE_DEFAULT,
		.random = random_u64(),
	};
	return mqtt_session_new(&options, loop_now_ms(source->options.loop), &source->session);
}

static int set_up(struct source *source, struct source_error *error)
{
	struct config_error why;

	int r = mqtt_settings_read(source->config, &source->settings, &why);
	if (r < 0) {
		snprintf(error->text, sizeof error->text, "%.255s", why.text);
		return r;
	}
	source->broker = &source->settings.brokers[0];
	mqtt_client_id(
		source->config, source->options.edge, source->options.name, source->client_id);
	r = open_session(source);
	source->delivery = (struct mqtt_delivery){.port = source->options.port,
		.session = source->session,
		.settings = &source->settings,
		.client_id = source->client_id};
	if (r == 0) {
		r = port_each_mark(source->options.port, source, take_mark);
	}
	if (r == 0) {
		r = mqtt_metrics_new(
			source->options.metrics, source->options.name, &source->metrics);
	}
	if (r < 0) {
		snprintf(error->text, sizeof error->text, "%s", strerror(-r));
	}
	return r;
}

static int open_source(
	const struct source_options *options, void **ret_source, struct source_error *error)
{
	struct source *source = calloc(1, sizeof *source);
	if (source == NULL) {
		snprintf(error->text, sizeof error->text, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	source->options = *options;
	source->config = options->config;
	int r = set_up(source, error);
	if (r < 0) {
		close_source(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

static int check(void *config, bool insecure, struct config_error *error)
{
	struct mqtt_settings settings;
	struct tls_error why;
	bool tls = false;

	int r = mqtt_config_check(config, insecure, error);
	if (r < 0) {
		return r;
	}
	(void)mqtt_settings_read(config, &settings, error);
	for (uint32_t i = 0; i < settings.broker_count; i++) {
		tls = tls || settings.brokers[i].tls;
	}
	if (tls && mqtt_link_check_files(config, &why) < 0) {
		return config_fail(error, "tls_ca, tls_cert, tls_key: %s", why.text);
	}
	return 0;
}

const struct source_type source_mqtt_type = {
	.name = "mqtt",
	.schema = &mqtt_config_schema,
	.check = check,
	.open = open_source,
	.poll = poll_source,
	.acknowledge = acknowledge,
	.stop = stop_source,
	.is_stopped = is_stopped,
	.close = close_source,
	.describe = describe,
};
