#include "tests/sim/stage.h"
#include "tests/sim/database.h"
#include "tests/sim/file_reader.h"
#include "tests/sim/forget_requests.h"
#include "tests/sim/kafka.h"
#include "tests/sim/operator.h"
#include "tests/sim/states.h"
#include "tests/sim/surgery.h"
#include "tests/sim/tills.h"
#include <stdio.h>

enum {
	DOWN_MS_MAX = 3000,
	AWAY_MS_MAX = 7000,
	DAY_MS = 24 * 60 * 60 * 1000,
	RESTORE_PATIENCE_MS = 20000,
	NEWS_A_STEP = 30,
	DRAIN_RATE = 40000, /* bytes a second: some tens of sales */
};

struct edge_place {
	bool is_used;
	const char *id;
	struct disk *disk;
	struct disk *backup;
	struct edge_part *part; /* NULL: dead */
	int64_t back_ms;
	int64_t restore_until_ms; /* a backup is to be put back once nothing is under way; 0: no */
};

struct bridge_place {
	struct bridge_part *part;
	bool is_stopping;
	int64_t back_ms;
};

static struct edge_place edges[EDGES_MAX];
static struct bridge_place bridges[BRIDGES_MAX];
static bool live_first;
static int compression_level;
static int64_t drain_rate;
static uint64_t quota_bytes;
static int64_t sync_interval_ms;

/* ---- life */

static void take_answer(const struct edge_answer *answer)
{
	if (answer->ticket == STRANGER_TICKET) {
		if (answer->is_taken) {
			tills_complain("an edge took what is no frame of events");
		}
	} else if ((answer->ticket & FILE_TICKET) != 0) {
		file_reader_answered(answer);
	} else {
		tills_answered(answer);
	}
}

static int64_t down_until_ms(void)
{
	return world.now_ms + (world.has_faults ? (int64_t)world_draw(DOWN_MS_MAX) : 1);
}

static void start_edge(int number, uint64_t run)
{
	struct edge_place *place = &edges[number];
	const struct edge_part_options options = {
		.number = number,
		.id = place->id,
		.disk = place->disk,
		.quota_bytes = quota_bytes,
		.run = run,
		/* Not where a file is read: its reader would have to forget what it heard. */
		.sync_interval_ms = number == file_reader_edge() ? 0 : sync_interval_ms,
		.kept = tills_kept,
		.live_first = live_first,
		.compression_level = compression_level,
		.drain_rate = drain_rate,
		.answered = take_answer,
	};

	place->part = edge_part_new(&options);
	if (place->part == NULL) {
		tills_lost(number);
		place->back_ms = down_until_ms();
	} else if (number == file_reader_edge()) {
		file_reader_resume(place->part);
	}
}

static void open_edge(int number, const char *id, struct disk *disk, uint64_t run)
{
	edges[number] = (struct edge_place){.is_used = true, .id = id, .disk = disk};
	start_edge(number, run);
	tills_open(number);
}

static void kill_edge(int number)
{
	world_note("edge %d: dies", number);
	edges[number].part = edge_part_free(edges[number].part);
	tills_lost(number);
	edges[number].back_ms = down_until_ms();
}

static void kill_bridge(int number)
{
	world_note("bridge %d: dies", number);
	bridges[number].part = bridge_part_free(bridges[number].part);
	bridges[number].is_stopping = false;
	bridges[number].back_ms = down_until_ms();
}

void stage_begin(void)
{
	static const uint64_t quotas[] = {64 * 1024, 256 * 1024, 16 * 1024 * 1024};

	live_first = world_draw(2) == 0;
	compression_level = world_draw(4) == 0 ? 1 : 0;
	drain_rate = world_draw(4) == 0 ? DRAIN_RATE : 0;
	quota_bytes = quotas[world_draw(3)];
	sync_interval_ms = world_draw(4) == 0 ? 100 : 0;
	file_reader_begin(world_draw(2) == 0 ? 1 : -1);
	open_edge(0, "berlin", disk_new(), 0);
	open_edge(1, "oslo", disk_new(), 0);
	bridge_part_begin();
	for (int i = 0; i < BRIDGES_MAX; i++) {
		bridges[i].part = bridge_part_new(i);
	}
	operator_begin();
	surgery_begin();
}

void stage_end(void)
{
	for (int i = 0; i < EDGES_MAX; i++) {
		edge_part_free(edges[i].part);
		disk_free(edges[i].disk);
		disk_free(edges[i].backup);
		edges[i] = (struct edge_place){0};
	}
	for (int i = 0; i < BRIDGES_MAX; i++) {
		bridge_part_free(bridges[i].part);
		bridges[i] = (struct bridge_place){0};
	}
	operator_end();
}

static void raise_the_dead(bool all)
{
	for (int i = 0; i < EDGES_MAX; i++) {
		struct edge_place *place = &edges[i];
		if (place->is_used && place->part == NULL &&
			(all || world.now_ms >= place->back_ms)) {
			start_edge(i, 0);
		}
	}
	for (int i = 0; i < BRIDGES_MAX; i++) {
		if (bridges[i].part == NULL && (all || world.now_ms >= bridges[i].back_ms)) {
			bridges[i].part = bridge_part_new(i);
		}
	}
	operator_raise(all);
}

/* ---- faults */

static void jump_clock(void)
{
	int64_t jump_ms = (int64_t)world_draw(2 * DAY_MS) - DAY_MS;

	world.wall_offset_ms += jump_ms;
	world_note_fault(FAULT_CLOCK_JUMP, jump_ms < 0 ? "back" : "ahead");
}

/* A machine is copied, disk and all, and both go on. */
static void clone_edge(void)
{
	if (!edges[EDGES_MAX - 1].is_used) {
		world_note_fault(FAULT_EDGE_CLONED, "");
		open_edge(EDGES_MAX - 1, edges[0].id, disk_copy(edges[0].disk), 0);
	}
}

/* An image of a machine, memory and all, taken when its edge had just begun, goes on beside it. */
static void resume_image(void)
{
	uint64_t run = 1 + world_draw(UINT64_C(1) << 50);

	if (edges[EDGES_MAX - 1].is_used || edges[0].part == NULL) {
		return;
	}
	world_note_fault(FAULT_IMAGE_RESUMED, "");
	kill_edge(0);
	start_edge(0, run);
	open_edge(EDGES_MAX - 1, edges[0].id, disk_copy(edges[0].disk), run);
}

static void back_up(int number)
{
	struct edge_place *place = &edges[number];

	disk_free(place->backup);
	place->backup = disk_copy(place->disk);
	world_note("edge %d: backup", number);
}

static void plan_restore(int number)
{
	struct edge_place *place = &edges[number];

	/* A file would be read again from where the backup stood. */
	if (place->backup != NULL && place->restore_until_ms == 0 && number != file_reader_edge()) {
		place->restore_until_ms = world.now_ms + RESTORE_PATIENCE_MS;
		tills_hold(number, true);
	}
}

/* What was accepted since the backup and is not in Kafka would be lost with any disk, so it waits for that. */
static void restore_if_calm(int number)
{
	struct edge_place *place = &edges[number];

	if (place->restore_until_ms == 0) {
		return;
	}
	if (tills_are_calm(number) && disk_is_empty(place->disk) && world.has_faults) {
		world_note_fault(FAULT_SPOOL_RESTORED,
			disk_is_empty(place->backup) ? "(empty)" : "(with events)");
		place->part = edge_part_free(place->part);
		disk_free(place->disk);
		place->disk = place->backup;
		place->backup = NULL;
		if (world.bug == BUG_RESTAMPED) {
			disk_restamp(place->disk);
		}
		place->back_ms = down_until_ms();
	} else if (world.now_ms < place->restore_until_ms && world.has_faults) {
		return;
	}
	place->restore_until_ms = 0;
	tills_hold(number, false);
}

static void strike_edge(int number)
{
	if (edges[number].part != NULL && world_fails(FAULT_EDGE_CRASH, 1500)) {
		kill_edge(number);
	}
	if (edges[number].part != NULL && edge_part_is_serving(edges[number].part) &&
		world_fails(FAULT_EDGE_STOPPED, 700)) {
		edge_part_terminate(edges[number].part);
	}
	if (edges[number].is_used && world.scales[FAULT_BLOCK_DAMAGED] > 0 && world_happens(2000) &&
		disk_damage(edges[number].disk, tills_endanger)) {
		world_note_fault(FAULT_BLOCK_DAMAGED, "");
	}
	if (edges[number].is_used && world_happens(250)) {
		back_up(number);
	}
	if (edges[number].is_used && world_happens(400)) {
		plan_restore(number);
	}
}

static void strike_bridge(int number)
{
	struct bridge_place *place = &bridges[number];

	if (place->part != NULL && world_fails(FAULT_BRIDGE_CRASH, 1500)) {
		kill_bridge(number);
	}
	if (place->part != NULL && !place->is_stopping && world_fails(FAULT_BRIDGE_STOPPED, 700)) {
		place->is_stopping = true;
		if (bridge_part_terminate(place->part) < 0) {
			kill_bridge(number);
		}
	}
}

static void strike(void)
{
	for (int i = 0; i < EDGES_MAX; i++) {
		strike_edge(i);
	}
	for (int i = 0; i < BRIDGES_MAX; i++) {
		strike_bridge(i);
	}
	operator_strike();
	surgery_strike();
	if (!kafka_is_away() && world_fails(FAULT_KAFKA_AWAY, 1500)) {
		kafka_go_away(200 + (int64_t)world_draw(AWAY_MS_MAX));
	}
	if (world_happens(500)) {
		jump_clock();
	}
	if (world_happens(120)) {
		net_disturb();
	}
	if (world_happens(1500)) {
		clone_edge();
	}
	if (world_happens(3000)) {
		resume_image();
	}
}

/* ---- turns */

static void pass_time(void)
{
	uint64_t kind = world_draw(100);
	uint64_t long_percent =
		world.has_faults ? 3 : 10; /* in the end little but waiting is left */

	world.now_ms += kind < 50                   ? (int64_t)world_draw(4)
			: kind < 100 - long_percent ? (int64_t)world_draw(30)
						    : (int64_t)world_draw(1500);
}

static void bring_news(void)
{
	struct net_event event;

	for (int i = 0; i < NEWS_A_STEP && net_next_event(&event); i++) {
		if (event.news != NET_FRAME) {
			world_note("edge %d: a link %s", event.edge,
				event.news == NET_CONNECTED ? "is up" : "is lost");
		}
		if (edge_part_hear(edges[event.edge].part, &event) < 0) {
			kill_edge(event.edge);
		}
	}
}

static void turn_edge(int number)
{
	struct edge_place *place = &edges[number];

	if (place->part != NULL && world_draw(4) != 0) {
		int r = tills_send(number, place->part);
		if (r == 0 && world_happens(300)) {
			edge_part_bother(place->part, &r);
		}
		if (r == 0 && number == file_reader_edge()) {
			r = file_reader_read(place->part);
		}
		if (r == 0) {
			r = edge_part_round(place->part);
		}
		if (r < 0 || edge_part_has_stopped(place->part)) {
			kill_edge(number);
		}
	}
	restore_if_calm(number);
}

static void turn_bridge(int number)
{
	struct bridge_part *part = bridges[number].part;

	if (part != NULL && world_draw(4) != 0 &&
		(bridge_part_round(part) < 0 || bridge_part_has_stopped(part))) {
		kill_bridge(number);
	}
}

static void take_turns(void)
{
	for (int i = 0; i < EDGES_MAX; i++) {
		turn_edge(i);
	}
	for (int i = 0; i < BRIDGES_MAX; i++) {
		turn_bridge(i);
	}
	operator_turn();
}

static void note_state(void)
{
	uint64_t state = kafka_is_away();

	for (int i = 0; i < EDGES_MAX; i++) {
		state = state * 1000003 +
			(edges[i].part == NULL ? 1 : edge_part_shape(edges[i].part));
	}
	for (int i = 0; i < BRIDGES_MAX; i++) {
		state = state * 2 + (bridges[i].part != NULL);
	}
	state = state * 1000003 +
		(operator_aggregator() == NULL ? 1 : aggregator_part_shape(operator_aggregator()));
	states_reach(state);
}

void stage_step(void)
{
	pass_time();
	kafka_step();
	database_step();
	surgery_step();
	if (world.has_faults) {
		strike();
	}
	raise_the_dead(false);
	bring_news();
	take_turns();
	note_state();
}

void stage_heal(void)
{
	world.has_faults = false;
	raise_the_dead(true);
}

bool stage_is_drained(void)
{
	for (int i = 0; i < EDGES_MAX; i++) {
		if (edges[i].is_used && (edges[i].part == NULL || !tills_are_calm(i) ||
						!disk_is_empty(edges[i].disk))) {
			return false;
		}
	}
	return operator_aggregator() != NULL && file_reader_is_done() && database_is_calm() &&
	       forget_requests_are_done() && kafka_is_quiet() &&
	       aggregator_part_is_settled(operator_aggregator());
}

bool stage_knows_cluster(void)
{
	for (int i = 0; i < EDGES_MAX; i++) {
		const struct edge_place *place = &edges[i];
		if (place->is_used &&
			(!disk_knows_cluster(place->disk) ||
				(place->backup != NULL && !disk_knows_cluster(place->backup)))) {
			return false;
		}
	}
	return true;
}

const struct edge_part *stage_edge(int number)
{
	return edges[number].part;
}
