#include "tests/sim/edge_part.h"
#include "edge/courier.h"
#include "edge/reporter.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include "runtime/program.h"
#include "tests/sim/spool_model.h"
#include "tests/sim/telemetry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TOLD_EARLY_MS = 100,
	DRAIN_MS = 2000,
	TURNS_A_SHORTAGE = 2500,
	STARTS_A_SHORTAGE = 12,
	REPORT_MS = 3000
};

enum edge_phase { EDGE_SERVING, EDGE_DRAINING, EDGE_PARTING };

struct edge_part {
	struct edge_part_options options;
	struct spool *spool;
	struct desk *desk;
	struct port *port; /* of tills */
	struct port *file_port;
	struct courier *courier;
	struct reporter reporter;
	struct buffer report;
	uint64_t conflicts;
	enum edge_phase phase;
	int64_t drain_until_ms;
};

static int current;

int edge_part_current(void)
{
	return current;
}

void edge_part_select(const struct edge_part *part)
{
	current = part->options.number;
}

/* The rim that the courier asks for the time. */
int64_t loop_now_ms(const struct loop *loop)
{
	(void)loop;
	return world.now_ms;
}

const char *program_version(void)
{
	return "simulated";
}

/* ---- making */

static uint64_t draw_run(struct edge_part *part)
{
	uint64_t run = 0;

	if (world.bug == BUG_STORED_RUN) {
		return disk_next_run(part->options.disk);
	}
	while (run == 0) {
		run = world_random() & RUN_MAX;
	}
	return run;
}

static void acknowledge(void *owner, uint64_t ticket, const struct submission_result *result)
{
	const struct edge_part *part = owner;
	const struct edge_answer answer = {
		.ticket = ticket,
		.is_taken = result->outcome == SUBMISSION_TAKEN,
		.is_repeated = result->repeated,
		.is_durable = part->options.sync_interval_ms == 0,
		.repeated_events = result->repeated_events,
		.accepted = result->accepted,
		.invalid = result->invalid,
	};

	part->options.answered(&answer);
}

static int make_desk(struct edge_part *part)
{
	struct desk_options options = {
		.spool = part->spool,
		.edge = part->options.id,
		.default_currency = "EUR",
		.sync_interval_ms = world.bug == BUG_TOLD_EARLY ? TOLD_EARLY_MS
								: part->options.sync_interval_ms,
		.run = part->options.run != 0 ? part->options.run : draw_run(part),
	};
	const struct port_options port = {
		.label = "zmq", .owner = part, .acknowledge = acknowledge};
	const struct port_options file_port = {
		.label = "tail:file", .owner = part, .acknowledge = acknowledge};

	random_bytes(options.seed, sizeof options.seed);
	int r = desk_new(&options, &part->desk);
	if (r == 0) {
		r = desk_open_port(part->desk, &port, &part->port);
	}
	return r == 0 ? desk_open_port(part->desk, &file_port, &part->file_port) : r;
}

static int make_courier(struct edge_part *part)
{
	const struct courier_options options = {
		.spool = part->spool,
		.desk = part->desk,
		.edge = part->options.id,
		.bridges = "0, 1",
		.live_first = part->options.live_first,
		.compression_level = part->options.compression_level,
		.drain_rate = part->options.drain_rate,
		.reports = telemetry_is_in_play(),
	};

	return courier_new(&options, &part->courier);
}

static void begin_reports(struct edge_part *part)
{
	const struct reporter_options options = {
		.spool = part->spool,
		.desk = part->desk,
		.edge = part->options.id,
		.program = "simulated",
		.interval_ms = REPORT_MS,
		.started_ms = clock_wall_ms(),
	};

	reporter_init(&part->reporter, &options);
	buffer_init(&part->report, TELEMETRY_SIZE_MAX);
}

struct edge_part *edge_part_new(const struct edge_part_options *options)
{
	struct edge_part *part = calloc(1, sizeof *part);

	if (part == NULL) {
		abort();
	}
	part->options = *options;
	edge_part_select(part);
	part->spool = spool_model_new(options->disk, options->id, options->quota_bytes);
	spool_model_on_commit(part->spool, options->kept, options->number);
	world_memory_begin(STARTS_A_SHORTAGE);
	int r = make_desk(part);
	if (r == 0) {
		r = make_courier(part);
	}
	world_memory_end();
	if (r != 0) {
		world_note("edge %d: does not start", options->number);
		return edge_part_free(part);
	}
	begin_reports(part);
	world_note("edge %d: starts as %s, run %llu", options->number, options->id,
		(unsigned long long)desk_view(part->desk).run);
	return part;
}

struct edge_part *edge_part_free(struct edge_part *part)
{
	if (part != NULL) {
		net_edge_died(part->options.number);
		courier_free(part->courier);
		desk_free(part->desk);
		spool_free(part->spool);
		buffer_deinit(&part->report);
		disk_crash(part->options.disk);
		free(part);
	}
	return NULL;
}

/* ---- turns */

bool edge_part_submit(struct edge_part *part, const struct edge_frame *frame, int *ret_result)
{
	const struct submission submission = {
		.header = slice_of_text(frame->header),
		.request_key = slice_of_text(frame->key),
		.events = slice_of_text(frame->events),
		.reply = SUBMISSION_REPLY_JSON,
		.ticket = frame->ticket,
	};

	edge_part_select(part);
	*ret_result = 0;
	if (!port_takes_more(part->port)) {
		return false;
	}
	world_memory_begin(TURNS_A_SHORTAGE);
	*ret_result = port_submit(part->port, &submission, clock_wall_ms());
	world_memory_end();
	return *ret_result == 0;
}

/* Not events, no header, too much of it, or of a peer whom its source has had enough of. */
static int bother(struct port *port)
{
	static const char large[FRAME_SIZE_MAX + 1];
	struct submission submission = {.events = slice_of_text("[]"),
		.reply = SUBMISSION_REPLY_JSON,
		.ticket = STRANGER_TICKET};

	switch (world_draw(6)) {
	case 0:
		return port_refuse(port, NULL);
	case 1:
		return port_refuse(port, &submission);
	case 2:
		return port_refuse_busy(port, &submission);
	case 3:
		submission.events = slice_of(large, sizeof large);
		break;
	case 4:
		submission.events = slice_of_text("[{\"kind\":");
		break;
	default:
		submission.header = slice_of_text("{\"producer\":7}");
		break;
	}
	return port_submit(port, &submission, clock_wall_ms());
}

bool edge_part_bother(struct edge_part *part, int *ret_result)
{
	edge_part_select(part);
	*ret_result = 0;
	if (!port_takes_more(part->port)) {
		return false;
	}
	*ret_result = bother(part->port);
	return *ret_result == 0;
}

/* The mark is asked for when it is known what became of the event. */
static size_t judge(void *owner, const struct reply *reply, const struct source_mark **ret_marks)
{
	(void)reply;
	*ret_marks = owner;
	return 1;
}

/* A reader that cuts its file itself hands in what lies between the brackets of a single sale. */
static bool cut_single(struct slice frame, struct submission_item *ret_item)
{
	if (frame.bytes[frame.size - 1] != ']' ||
		memmem(frame.bytes, frame.size, "},{", 3) != NULL) {
		return false;
	}
	ret_item->event = ret_item->raw = slice_of(frame.bytes + 1, frame.size - 2);
	return true;
}

bool edge_part_submit_read(struct edge_part *part, const char *events, uint64_t position,
	uint64_t ticket, int *ret_result)
{
	char text[24];
	struct source_mark mark = {.key = slice_of_text("position")};
	struct submission_item item = {0};
	struct submission submission = {
		.events = slice_of_text(events), .unattended = true, .ticket = ticket};

	if (position % 2 == 0 && cut_single(submission.events, &item)) {
		submission.events = slice_of(NULL, 0);
		submission.items = &item;
		submission.item_count = 1;
		submission.judge = judge;
		submission.owner = &mark;
	} else {
		submission.marks = &mark;
		submission.mark_count = 1;
	}
	edge_part_select(part);
	snprintf(text, sizeof text, "%llu", (unsigned long long)position);
	mark.value = slice_of_text(text);
	*ret_result = 0;
	if (!port_takes_more(part->file_port)) {
		return false;
	}
	int r = port_submit(part->file_port, &submission, clock_wall_ms());
	*ret_result = r < 0 ? r : 0;
	return r == 0;
}

static int take_position(void *owner, struct slice key, struct slice value)
{
	char text[24];

	(void)key;
	snprintf(text, sizeof text, "%.*s", (int)value.size, (const char *)value.bytes);
	*(uint64_t *)owner = strtoull(text, NULL, 10);
	return 0;
}

uint64_t edge_part_position(struct edge_part *part)
{
	uint64_t position = 0;

	if (port_each_mark(part->file_port, &position, take_position) != 0) {
		abort();
	}
	return position;
}

/* Another process said HELLO with our run. */
static void renew_run(struct edge_part *part)
{
	uint64_t conflicts = courier_sender(part->courier)->counts.id_conflicts;

	if (conflicts != part->conflicts && desk_set_run(part->desk, draw_run(part))) {
		part->conflicts = conflicts;
	}
}

void edge_part_terminate(struct edge_part *part)
{
	edge_part_select(part);
	desk_close(part->desk);
	courier_hurry(part->courier);
	part->phase = EDGE_DRAINING;
	part->drain_until_ms = world.now_ms + DRAIN_MS;
}

bool edge_part_is_serving(const struct edge_part *part)
{
	return part->phase == EDGE_SERVING;
}

bool edge_part_has_stopped(const struct edge_part *part)
{
	return part->phase == EDGE_PARTING &&
	       courier_sender(part->courier)->state == SENDER_STOPPED;
}

/* As edge.c does. */
static int report(struct edge_part *part, bool is_last)
{
	const struct sender *sender = courier_sender(part->courier);
	const struct reporter_sight sight = {
		.session = sender->counts.sessions,
		.pace_ms = sender->state == SENDER_IN_SESSION ? sender->report_ms : 0,
		.is_stuck = sender_stuck_since_ms(sender) >= 0,
		.is_stopping = is_last,
	};
	int64_t wait_ms = 0;

	if (!reporter_is_due(&part->reporter, &sight, world.now_ms, &wait_ms)) {
		return 0;
	}
	int r = reporter_write(&part->reporter, &sight, clock_wall_ms(), &part->report);
	if (r == 0 && courier_report(part->courier, buffer_slice(&part->report), world.now_ms)) {
		reporter_told(&part->reporter, &sight, world.now_ms);
	}
	return r;
}

/* As edge.c ends. */
static int advance_end(struct edge_part *part)
{
	const struct sender *sender = courier_sender(part->courier);
	bool is_over = world.now_ms >= part->drain_until_ms || sender->state != SENDER_IN_SESSION ||
		       sender_is_drained(sender);

	if (part->phase != EDGE_DRAINING || !is_over) {
		return 0;
	}
	part->phase = EDGE_PARTING;
	int r = desk_flush(part->desk, world.now_ms, clock_wall_ms());
	if (r == 0) {
		r = report(part, true);
	}
	courier_stop(part->courier, world.now_ms);
	return r;
}

int edge_part_round(struct edge_part *part)
{
	int64_t wait_ms = 0;

	edge_part_select(part);
	world_memory_begin(TURNS_A_SHORTAGE);
	int r = desk_round(part->desk, world.now_ms, clock_wall_ms(), &wait_ms);
	if (r == 0) {
		renew_run(part);
		r = courier_tick(part->courier, world.now_ms, &wait_ms);
	}
	if (r == 0) {
		r = report(part, false);
	}
	if (r == 0) {
		r = advance_end(part);
	}
	world_memory_end();
	return r;
}

/* ---- looking */

struct edge_books edge_part_books(const struct edge_part *part)
{
	const struct port *const ports[] = {part->port, part->file_port};
	struct intake_counts counts;
	uint64_t received = 0;

	for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
		port_count(ports[i], &counts);
		received += counts.received;
	}
	desk_count(part->desk, &counts);
	struct edge_books books = {.received = received, .repeated = counts.repeated};
	for (int i = 0; i < KIND_EVENT_COUNT; i++) {
		books.accepted += counts.accepted[i];
	}
	for (int i = 0; i < REASON_COUNT; i++) {
		books.invalid += counts.invalid[i];
		books.refused += counts.refused[i];
	}
	return books;
}

static uint64_t bucket(uint64_t count)
{
	uint64_t bits = 0;

	for (; count > 0; count >>= 1) {
		bits++;
	}
	return bits;
}

uint64_t edge_part_shape(const struct edge_part *part)
{
	const struct sender *sender = courier_sender(part->courier);
	struct courier_traffic traffic = courier_traffic(part->courier);
	const struct probe *probe = courier_probe(part->courier);
	const struct spool_index *index = spool_index(part->spool);
	uint64_t shape = (uint64_t)sender->state;

	shape = shape * 16 + (uint64_t)sender->end;
	shape = shape * 2 + sender->bridge;
	shape = shape * 4 + (uint64_t)probe->state;
	shape = shape * 2 + (traffic.wire_bytes < traffic.event_bytes ? 1 : 0);
	shape = shape * 8 + bucket(sender_unacked_batches(sender));
	for (int i = 0; i < KIND_COUNT; i += KIND_EVENT_COUNT) {
		shape = shape * 16 + bucket(index->lanes[i].blocks);
		shape = shape * 2 + (sender->lanes[i].waiting ? 1 : 0);
		shape = shape * 16 + bucket(index->lanes[i].events);
		shape = shape * 16 + bucket(sender_old_events(sender, (enum kind)i));
	}
	shape = shape * 2 + (desk_view(part->desk).full ? 1 : 0);
	shape = shape * 2 + (desk_is_wanted(part->desk) ? 1 : 0);
	shape = shape * 8 + (uint64_t)courier_link_end(part->courier);
	shape = shape * 2 + (courier_down_since_ms(part->courier) == 0 ? 1 : 0);
	return shape;
}
