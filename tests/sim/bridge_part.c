#include "tests/sim/bridge_part.h"
#include "bridge/bridge.h"
#include "proto/wire.h"
#include "runtime/program.h"
#include "tests/sim/net.h"
#include "tests/sim/rim_loop.h"
#include "tests/sim/telemetry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ACK_SIZE_MAX = 512,
	TURNS_A_SHORTAGE = 2500,
	STARTS_A_SHORTAGE = 12,
	REPORT_INTERVAL_MS = 10000
};

/* For the planted late ACK: the newest session of each edge, and the last ACK that its bridge said to it. */
struct newest {
	uint64_t session;
	uint8_t ack[ACK_SIZE_MAX];
	size_t ack_size;
	bool is_due; /* the ACK is of the session before */
};

struct bridge_part {
	int number;
	char name[16];
	struct bridge_config config;
	struct bridge *bridge;
	struct loop *loop; /* the bridge's */
};

static int current;
static enum encoding encoding; /* of a run's records */
static bool has_headers; /* they name it */
static struct newest newest[BRIDGES_MAX][EDGES_MAX];

int bridge_part_current(void)
{
	return current;
}

/* ---- the planted bug: what an ended session was told is told to the next one of the same edge */

static void send_late(int bridge, const uint8_t *peer, struct newest *place)
{
	static struct wire_range ranges[WIRE_RANGES_MAX];
	struct wire_message message;
	struct complaint complaint;
	struct buffer buffer;

	place->is_due = false;
	if (wire_decode(slice_of(place->ack, place->ack_size), ranges, &message, &complaint) != 0) {
		abort();
	}
	message.session = place->session;
	buffer_init(&buffer, NET_FRAME_MAX);
	wire_encode(&message, &buffer);
	net_send_down(bridge, peer, buffer.bytes, buffer.size);
	buffer_deinit(&buffer);
}

static void plant_late_ack(int bridge, const uint8_t *peer, const void *bytes, size_t size)
{
	static struct wire_range ranges[WIRE_RANGES_MAX];
	struct wire_message message;
	struct complaint complaint;
	int edge = net_edge_of(peer);

	if (edge < 0 || wire_decode(slice_of(bytes, size), ranges, &message, &complaint) != 0) {
		return;
	}
	struct newest *place = &newest[bridge][edge];
	if (message.type == WIRE_WELCOME) {
		place->session = message.session;
		place->is_due = place->ack_size > 0;
	} else if (message.type == WIRE_ACK && message.session == place->session &&
		   message.ack.range_count > 0 && size <= sizeof place->ack) {
		if (place->is_due) {
			send_late(bridge, peer, place);
		}
		memcpy(place->ack, bytes, size);
		place->ack_size = size;
	}
}

int bridge_part_send(int bridge, const void *peer, const void *bytes, size_t size)
{
	if (world.bug == BUG_LATE_ACK) {
		plant_late_ack(bridge, peer, bytes, size);
	}
	return net_send_down(bridge, peer, bytes, size);
}

/* ---- life */

const char *program_version(void)
{
	return "simulated";
}

void bridge_part_begin(void)
{
	memset(newest, 0, sizeof newest);
	encoding = world_draw(4) == 0 ? ENCODING_JSON : ENCODING_MSGPACK;
	has_headers = world_draw(2) == 0;
}

struct bridge_part *bridge_part_new(int bridge)
{
	static const char *const names[] = {"orders", "cart_events", "page_views"};
	struct bridge_part *part = calloc(1, sizeof *part);
	struct config_error error = {0};
	struct complaint complaint;

	if (part == NULL) {
		abort();
	}
	current = part->number = bridge;
	part->config = (struct bridge_config){
		.listen = "tcp://127.0.0.1:1",
		.brokers = "kafka",
		.http_listen = "",
		.compress = true,
		.partitions = PARTITIONS,
		.drain_ms = 2000,
		.topics = {.partitions = PARTITIONS},
		.encoding = encoding,
		.headers = has_headers,
	};
	if (topic_names_fill(names, part->config.topics.names, &complaint) != 0) {
		abort();
	}
	if (telemetry_is_in_play()) {
		part->config.name = part->name;
		part->config.telemetry_interval_ms = REPORT_INTERVAL_MS;
		snprintf(part->name, sizeof part->name, "bridge %d", bridge);
		snprintf(part->config.topics.telemetry, TOPIC_NAME_SIZE, "telemetry");
	}
	world_memory_begin(STARTS_A_SHORTAGE);
	int r = bridge_new(&part->config, &part->bridge, &error);
	world_memory_end();
	if (r != 0) {
		world_note("bridge %d: does not start: %s", bridge, error.text);
		free(part);
		return NULL;
	}
	part->loop = rim_loop_newest();
	world_note("bridge %d: starts", bridge);
	return part;
}

struct bridge_part *bridge_part_free(struct bridge_part *part)
{
	if (part != NULL) {
		current = part->number;
		net_bridge_died(part->number);
		bridge_free(part->bridge);
		free(part);
	}
	return NULL;
}

int bridge_part_round(struct bridge_part *part)
{
	current = part->number;
	world_memory_begin(TURNS_A_SHORTAGE);
	int r = bridge_run(part->bridge, NULL);
	world_memory_end();
	return r;
}

int bridge_part_terminate(struct bridge_part *part)
{
	current = part->number;
	return rim_loop_terminate(part->loop);
}

bool bridge_part_has_stopped(const struct bridge_part *part)
{
	return rim_loop_is_stopped(part->loop);
}
