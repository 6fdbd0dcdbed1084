/* desk_bench.h - a desk over a real spool, and somebody who listens to it. */
#pragma once
#include "edge/desk.h"
#include "edge/spool.h"
#include "fixture.h"
#include "proto/producer.h"

enum { WALL_MS = 1700000000, HEARD_MAX = 64 };

struct heard {
	uint64_t ticket;
	enum submission_outcome outcome;
	char reply[512];
};

struct bench {
	char dir[FIXTURE_PATH_SIZE];
	struct spool_options options;
	struct spool *spool;
	struct desk *desk;
	struct port *port;
	struct heard heard[HEARD_MAX];
	int heard_count;
	int64_t now_ms;
	int64_t wait_ms;
};

static inline void on_done(void *owner, uint64_t ticket, const struct submission_result *result)
{
	struct bench *bench = owner;
	struct heard *heard = &bench->heard[bench->heard_count++ % HEARD_MAX];
	heard->ticket = ticket;
	heard->outcome = result->outcome;
	snprintf(heard->reply, sizeof heard->reply, "%.*s", (int)result->reply.size,
		result->reply.size == 0 ? "" : (const char *)result->reply.bytes);
}

static inline struct port *open_port(struct bench *bench, const char *label)
{
	const struct port_options options = {
		.label = label, .owner = bench, .acknowledge = on_done};
	struct port *port = NULL;

	assert_int_equal(desk_open_port(bench->desk, &options, &port), 0);
	return port;
}

static inline void open_desk(struct bench *bench, int64_t sync_interval_ms)
{
	struct spool_error error;
	struct desk_options options = {.edge = "berlin-1",
		.default_currency = "EUR",
		.sync_interval_ms = sync_interval_ms,
		.run = 4711};

	assert_int_equal(spool_new(&bench->options, &bench->spool, &error), 0);
	options.spool = bench->spool;
	assert_int_equal(desk_new(&options, &bench->desk), 0);
	bench->port = open_port(bench, "zmq");
}

static inline void close_desk(struct bench *bench)
{
	bench->desk = desk_free(bench->desk);
	bench->spool = spool_free(bench->spool);
}

static inline int make_bench(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);
	make_temp_dir(bench->dir);
	bench->now_ms = 5000;
	bench->options = (struct spool_options){.dir = bench->dir,
		.edge = "berlin-1",
		.quota_bytes = 1 << 20,
		.share_percent = {100, 10, 10, 10, 10, 10},
		.event_id_window = 0,
		.producer_ttl_ms = 1000};
	*state = bench;
	return 0;
}

static inline int drop_bench(void **state)
{
	struct bench *bench = *state;
	close_desk(bench);
	remove_temp_dir(bench->dir);
	free(bench);
	return 0;
}

static inline int submit(struct bench *bench, uint64_t ticket, const char *events, bool unattended)
{
	struct submission submission = {.events = slice_of_text(events),
		.reply = unattended ? SUBMISSION_SILENT : SUBMISSION_REPLY_JSON,
		.unattended = unattended,
		.ticket = ticket};
	return port_submit(bench->port, &submission, WALL_MS);
}

static inline void round_of(struct bench *bench)
{
	bench->wait_ms = 60000;
	assert_int_equal(desk_round(bench->desk, bench->now_ms, WALL_MS, &bench->wait_ms), 0);
}

static inline bool heard_text(const struct bench *bench, int index, const char *text)
{
	return strstr(bench->heard[index].reply, text) != NULL;
}

static inline uint64_t orders_on_disk(const struct bench *bench)
{
	return spool_index(bench->spool)->lanes[KIND_ORDER].events;
}

static inline void check_books(const struct bench *bench)
{
	struct intake_counts counts;
	desk_count(bench->desk, &counts);
	uint64_t sum = counts.repeated;
	for (int i = 0; i < KIND_EVENT_COUNT; i++) {
		sum += counts.accepted[i];
	}
	for (int i = 0; i < REASON_COUNT; i++) {
		sum += counts.invalid[i] + counts.refused[i];
	}
	assert_int_equal(counts.received, sum);
}

/* ---- no room: a map that fills up before the quota does, as when the disk is full */

/* The last block that still fits is smaller than `smallest`. */
static inline void shrink_room(struct bench *bench, size_t smallest)
{
	/* Blocks that nobody asked room for, until the map is full. */
	struct draft draft;
	static const uint8_t seed[16];
	uint64_t seq;
	int r = 0;

	assert_int_equal(draft_init(&draft, 1, seed), 0);
	for (size_t size = 100000; size >= smallest; size /= 10) {
		r = 0;
		while (r == 0) {
			draft_clear(&draft);
			memset(buffer_extend(draft_begin(&draft, KIND_CART, &seq), size), 'x',
				size);
			assert_int_equal(draft_end(&draft, KIND_CART, WALL_MS), 0);
			r = spool_commit(bench->spool, &draft, NULL, WALL_MS);
		}
		assert_int_equal(r, SPOOL_E_FULL);
	}
	draft_deinit(&draft);
	/* By the quota's books there is room: only the map knows better. */
	struct spool_index *index = (struct spool_index *)(uintptr_t)spool_index(bench->spool);
	index->short_of_pages = false;
	index->short_of_disk = false;
	index->quota_bytes *= 64;
	for (int i = 0; i < KIND_COUNT; i++) {
		index->lane_quota_bytes[i] = index->quota_bytes;
	}
}

static inline char *many_orders(size_t count)
{
	size_t size = sizeof ORDER_JSON;
	char *text = malloc(count * size + 2);
	char *at = text;

	*at++ = '[';
	for (size_t i = 0; i < count; i++) {
		memcpy(at, ORDER_JSON, size - 1);
		at += size - 1;
		*at++ = i + 1 < count ? ',' : ']';
	}
	*at = '\0';
	return text;
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, drop_bench)
