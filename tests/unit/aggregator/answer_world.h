/* answer_world.h - orders spread over the shards and layers of a fake store, and questions about them. Include it in one
 * file of a test. */
#pragma once
#include "aggregator/answer/answer_parts.h"
#include "draw.h"
#include "fake_store.h"
#include <errno.h>
#include <stdio.h>

enum { ORDERS = 900, PRODUCTS = 60, SHARDS = 3 };

struct world {
	struct view_set *views;
	size_t shard_count;
	struct snapshot bases[SHARDS];
	struct overlay *frozen[SHARDS];
	struct overlay *active[SHARDS];
	struct event events[ORDERS];
	char texts[ORDERS][3][16];
	struct answer_context context;
	struct document request;
	struct document answer;
	struct buffer reply;
	size_t renewals;
};

static const char *const edges[] = {"berlin", "oslo", "paris", "rom"};

static inline void draw_order(
	struct draw *draw, struct event *event, char texts[3][16], uint64_t seq)
{
	static const char *const currencies[] = {"EUR", "GBP"};

	snprintf(texts[0], 16, "p%02u", draw_below(draw, PRODUCTS));
	snprintf(texts[1], 16, "u%02u", draw_below(draw, 20));
	snprintf(texts[2], 16, "o%u", draw_below(draw, 200));
	*event = sample_order(seq, INT64_C(1291190400000) + draw_below(draw, 7200000), texts[0],
		(int64_t)draw_below(draw, 12) - 3, draw_below(draw, 5) * 1250000);
	event->certificate.edge = slice_of_text(edges[draw_below(draw, 4)]);
	set_text(event, FIELD_USER_ID, texts[1]);
	set_text(event, FIELD_ORDER_ID, texts[2]);
	set_text(event, FIELD_CURRENCY, currencies[draw_below(draw, 2)]);
}

/* An edge lives in one shard. */
static inline size_t shard_of(const struct world *world, const struct event *event)
{
	return event->certificate.edge.bytes[0] % world->shard_count;
}

/* The first third is in the base, the second is frozen, the last is active. */
static inline void fill_layers(struct world *world, bool has_frozen)
{
	for (size_t i = 0; i < ORDERS; i++) {
		size_t shard = shard_of(world, &world->events[i]);
		bool is_active = i >= 2 * ORDERS / 3;
		apply(is_active ? world->active[shard] : world->frozen[shard], &world->events[i]);
		if (i == ORDERS / 3 || (i == 2 * ORDERS / 3 - 1 && !has_frozen)) {
			for (size_t s = 0; s < world->shard_count; s++) {
				assert_int_equal(overlay_sort(world->frozen[s]), 0);
				fake_commit(&world->bases[s], world->views, world->frozen[s]);
				overlay_free(world->frozen[s]);
				world->frozen[s] = new_overlay(world->views);
			}
		}
	}
}

static inline void set_layers(struct world *world, bool has_frozen)
{
	for (size_t s = 0; s < world->shard_count; s++) {
		world->context.shards[s] = (struct layers){.snapshot = &world->bases[s],
			.frozen = has_frozen ? world->frozen[s] : NULL,
			.active = world->active[s]};
	}
}

static inline struct world *new_world(size_t shard_count, bool has_frozen)
{
	static const char *const gaps[] = {"orders/3:1200-1499", NULL};
	struct draw draw = {31};
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	world->views = sample_views();
	world->shard_count = shard_count;
	for (size_t s = 0; s < shard_count; s++) {
		world->frozen[s] = new_overlay(world->views);
		world->active[s] = new_overlay(world->views);
	}
	for (uint64_t i = 0; i < ORDERS; i++) {
		draw_order(&draw, &world->events[i], world->texts[i], i + 1);
	}
	fill_layers(world, has_frozen);
	world->context.views = world->views;
	world->context.shard_count = shard_count;
	world->context.freshness = (struct freshness){
		.store_id = "5f0c", .commit = 8123, .event_ts = 1291193160000, .gaps = gaps};
	set_layers(world, has_frozen);
	assert_int_equal(document_init(&world->request, QUERY_NODES_MAX), 0);
	assert_int_equal(document_init(&world->answer, 10 * 1000 * 1000), 0);
	buffer_init(&world->reply, 2 * ANSWER_SIZE_MAX);
	return world;
}

/* The world without its orders. */
static inline void clear_world(struct world *world)
{
	for (size_t s = 0; s < world->shard_count; s++) {
		overlay_free(world->frozen[s]);
		overlay_free(world->active[s]);
		world->frozen[s] = new_overlay(world->views);
		world->active[s] = new_overlay(world->views);
		fake_deinit(&world->bases[s]);
	}
	set_layers(world, true);
}

static inline void free_world(struct world *world)
{
	for (size_t s = 0; s < world->shard_count; s++) {
		overlay_free(world->frozen[s]);
		overlay_free(world->active[s]);
		fake_deinit(&world->bases[s]);
	}
	document_deinit(&world->request);
	document_deinit(&world->answer);
	buffer_deinit(&world->reply);
	view_set_free(world->views);
	free(world);
}

/* The answer's map to a request in JSON. */
static inline const struct node *ask(struct world *world, const char *request)
{
	struct complaint complaint = {0};
	struct query query;

	assert_int_equal(
		query_decode(&world->request, slice_of_text(request), &query, &complaint), 0);
	buffer_clear(&world->reply);
	assert_int_equal(answer_query(&world->context, &query, &world->reply), 0);
	assert_int_equal(document_decode(&world->answer, ENCODING_JSON, buffer_slice(&world->reply),
				 NESTING_MAX, &complaint),
		0);
	return world->answer.nodes;
}

static inline const struct node *rows_of(const struct node *answer)
{
	const struct node *rows = node_find(answer, "rows");

	if (rows == NULL) {
		const struct node *message = node_find(node_find(answer, "error"), "message");
		fail_msg("%.*s", (int)message->text.size, (const char *)message->text.bytes);
	}
	return rows;
}

static inline const char *text_at(const struct node *row, const char *column)
{
	static char texts[4][200];
	static size_t next;
	const struct node *node = node_find(row, column);
	char *text = texts[next++ % 4];

	assert_non_null(node);
	assert_int_equal(node->type, NODE_TEXT);
	snprintf(text, 200, "%.*s", (int)node->text.size, (const char *)node->text.bytes);
	return text;
}

static inline int64_t integer_at(const struct node *row, const char *column)
{
	const struct node *node = node_find(row, column);
	int64_t value = 0;

	assert_non_null(node);
	assert_int_equal(node->type, NODE_NUMBER);
	assert_true(node_integer(node, &value));
	return value;
}
