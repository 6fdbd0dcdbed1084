#include "aggregator/shard/baskets.h"
#include "proto/topic.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* When to look at an open basket: not before the horizon is behind this line. It may have had others since. */
struct turn {
	int64_t last_ms;
	size_t key_size;
	uint8_t *key; /* owned */
};

/* One partition. */
struct lane {
	uint8_t place[BASKET_PLACE_SIZE];
	int64_t clock_ms;
	bool is_changed; /* the clock, since it was kept */
	struct turn *turns; /* a heap: the earliest comes first */
	size_t turn_count, turn_capacity;
};

struct baskets {
	struct baskets_options options;
	struct lane **lanes;
	size_t lane_count;
	struct lane *found; /* the last time */
	struct lane *lane; /* of the record that is read, */
	char topic[TOPIC_NAME_SIZE]; /* and what it is called */
	int32_t partition;
	struct basket basket; /* that is worked on */
	struct buffer scratch;
};

int baskets_new(const struct baskets_options *options, struct baskets **ret_baskets)
{
	struct baskets *baskets = calloc(1, sizeof *baskets);

	if (baskets == NULL) {
		return -ENOMEM;
	}
	baskets->options = *options;
	buffer_init(&baskets->scratch, ENTRY_VALUE_SIZE_MAX);
	*ret_baskets = baskets;
	return 0;
}

static void lane_free(struct lane *lane)
{
	for (size_t i = 0; i < lane->turn_count; i++) {
		free(lane->turns[i].key);
	}
	free(lane->turns);
	free(lane);
}

struct baskets *baskets_free(struct baskets *baskets)
{
	if (baskets == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < baskets->lane_count; i++) {
		lane_free(baskets->lanes[i]);
	}
	free(baskets->lanes);
	buffer_deinit(&baskets->scratch);
	free(baskets);
	return NULL;
}

/* ---- turns */

static bool is_before(const struct turn *a, const struct turn *b)
{
	return a->last_ms < b->last_ms;
}

static void swap(struct turn *a, struct turn *b)
{
	struct turn kept = *a;
	*a = *b;
	*b = kept;
}

static void rise(struct lane *lane, size_t place)
{
	while (place > 0 && is_before(&lane->turns[place], &lane->turns[(place - 1) / 2])) {
		swap(&lane->turns[place], &lane->turns[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
}

static void sink(struct lane *lane)
{
	size_t place = 0;

	for (;;) {
		size_t child = 2 * place + 1;
		if (child + 1 < lane->turn_count &&
			is_before(&lane->turns[child + 1], &lane->turns[child])) {
			child++;
		}
		if (child >= lane->turn_count ||
			!is_before(&lane->turns[child], &lane->turns[place])) {
			return;
		}
		swap(&lane->turns[place], &lane->turns[child]);
		place = child;
	}
}

static int make_room(struct lane *lane)
{
	if (lane->turn_count < lane->turn_capacity) {
		return 0;
	}
	size_t capacity = lane->turn_capacity == 0 ? 64 : lane->turn_capacity * 2;
	struct turn *turns = realloc(lane->turns, capacity * sizeof *turns);
	if (turns == NULL) {
		return -ENOMEM;
	}
	lane->turns = turns;
	lane->turn_capacity = capacity;
	return 0;
}

static int add_turn(struct lane *lane, struct slice key, int64_t last_ms)
{
	struct turn turn = {.last_ms = last_ms, .key_size = key.size};

	int r = make_room(lane);
	if (r < 0) {
		return r;
	}
	turn.key = malloc(key.size);
	if (turn.key == NULL) {
		return -ENOMEM;
	}
	memcpy(turn.key, key.bytes, key.size);
	lane->turns[lane->turn_count++] = turn;
	rise(lane, lane->turn_count - 1);
	return 0;
}

static void drop_first_turn(struct lane *lane)
{
	free(lane->turns[0].key);
	lane->turns[0] = lane->turns[--lane->turn_count];
	sink(lane);
}

/* ---- partitions */

static bool is_at(const struct lane *lane, const uint8_t place[BASKET_PLACE_SIZE])
{
	return memcmp(lane->place, place, BASKET_PLACE_SIZE) == 0;
}

/* Whoever asks mostly asks for the same again. */
static struct lane *find_lane(struct baskets *baskets, const uint8_t place[BASKET_PLACE_SIZE])
{
	if (baskets->found != NULL && is_at(baskets->found, place)) {
		return baskets->found;
	}
	for (size_t i = 0; i < baskets->lane_count; i++) {
		if (is_at(baskets->lanes[i], place)) {
			baskets->found = baskets->lanes[i];
			return baskets->found;
		}
	}
	return NULL;
}

/* NULL without memory. */
static struct lane *get_lane(struct baskets *baskets, const uint8_t place[BASKET_PLACE_SIZE])
{
	struct lane *lane = find_lane(baskets, place);

	if (lane != NULL) {
		return lane;
	}
	struct lane **grown = realloc(baskets->lanes, (baskets->lane_count + 1) * sizeof *grown);
	if (grown == NULL) {
		return NULL;
	}
	baskets->lanes = grown;
	lane = calloc(1, sizeof *lane);
	if (lane != NULL) {
		memcpy(lane->place, place, BASKET_PLACE_SIZE);
		grown[baskets->lane_count++] = lane;
	}
	return lane;
}

int baskets_follow(struct baskets *baskets, const char *topic, int32_t partition, int64_t append_ms)
{
	uint8_t place[BASKET_PLACE_SIZE];

	if (baskets->lane == NULL || baskets->partition != partition ||
		strcmp(baskets->topic, topic) != 0) {
		basket_place(topic, partition, place);
		baskets->lane = get_lane(baskets, place);
		if (baskets->lane == NULL) {
			return -ENOMEM;
		}
		snprintf(baskets->topic, sizeof baskets->topic, "%s", topic);
		baskets->partition = partition;
	}
	if (append_ms > baskets->lane->clock_ms) {
		baskets->lane->clock_ms = append_ms;
		baskets->lane->is_changed = true;
	}
	return 0;
}

static bool is_over(const struct baskets *baskets, const struct lane *lane, int64_t last_ms)
{
	return lane->clock_ms - last_ms > baskets->options.horizon_ms;
}

static bool is_past_memory(const struct baskets *baskets, const struct lane *lane, int64_t last_ms)
{
	return lane->clock_ms - last_ms > baskets->options.memory_ms;
}

/* ---- baskets */

/* 0 with the basket in baskets->basket, ENTRIES_E_ABSENT, -EBADMSG, -ENOMEM. */
static int get_open(struct baskets *baskets, struct slice key)
{
	struct slice value;

	int r = entries_peek(baskets->options.entries, key, &value);
	return r == 0 && !basket_decode(value, &baskets->basket) ? -EBADMSG : r;
}

static int put_open(struct baskets *baskets, struct slice key)
{
	buffer_clear(&baskets->scratch);
	basket_encode(&baskets->basket, &baskets->scratch);
	return baskets->scratch.error != 0 ? baskets->scratch.error
					   : entries_put(baskets->options.entries, key,
						     buffer_slice(&baskets->scratch));
}

static struct slice closed_key(struct slice open, uint8_t ret_key[BASKET_KEY_SIZE_MAX])
{
	memcpy(ret_key, open.bytes, open.size);
	ret_key[1] = BASKET_CLOSED;
	return slice_of(ret_key, open.size);
}

/* 0 when its last line came, ENTRIES_E_ABSENT, -EBADMSG, -ENOMEM. */
static int get_closed(struct baskets *baskets, struct slice open, int64_t *ret_last_ms)
{
	uint8_t bytes[BASKET_KEY_SIZE_MAX];
	struct slice value;

	int r = entries_peek(baskets->options.entries, closed_key(open, bytes), &value);
	if (r == 0) {
		struct unpack unpack = unpack_of(value);
		*ret_last_ms = (int64_t)unpack_varint(&unpack);
		r = unpack_is_whole(&unpack) ? 0 : -EBADMSG;
	}
	return r;
}

static int put_time(struct baskets *baskets, struct slice key, int64_t time_ms)
{
	buffer_clear(&baskets->scratch);
	pack_varint(&baskets->scratch, (uint64_t)time_ms);
	return baskets->scratch.error != 0 ? baskets->scratch.error
					   : entries_put(baskets->options.entries, key,
						     buffer_slice(&baskets->scratch));
}

static int give_all(struct baskets *baskets, struct slice key)
{
	const struct basket *basket = &baskets->basket;
	struct event event;

	for (size_t i = 0; i < basket->sum_count; i++) {
		if (!basket_event(basket, i, key, &event)) {
			return -EBADMSG;
		}
		int r = baskets->options.give(baskets->options.owner, &event, basket);
		if (r < 0) {
			return r;
		}
		baskets->options.books->given++;
	}
	return 0;
}

/* The basket of this key, which was got, is closed: what it holds is borrowed from its entry, which goes last. */
static int close_basket(struct baskets *baskets, struct slice key)
{
	uint8_t bytes[BASKET_KEY_SIZE_MAX];

	int r = give_all(baskets, key);
	if (r == 0) {
		r = put_time(baskets, closed_key(key, bytes), baskets->basket.last_ms);
	}
	if (r == 0) {
		r = entries_delete(baskets->options.entries, key);
	}
	baskets->options.books->closed += r == 0;
	return r;
}

static int add_line(struct baskets *baskets, struct slice key, const struct event *line)
{
	if (!basket_add(&baskets->basket, line, baskets->lane->clock_ms)) {
		baskets->options.books->late++;
		return 0;
	}
	baskets->options.books->lines++;
	return put_open(baskets, key);
}

static int open_basket(struct baskets *baskets, struct slice key, const struct event *line)
{
	basket_init(&baskets->basket);
	int r = add_turn(baskets->lane, key, baskets->lane->clock_ms);
	if (r == 0) {
		r = add_line(baskets, key, line);
	}
	baskets->options.books->opened += r == 0;
	return r;
}

/* There is no open basket: is this line late for one, or the first of another? */
static int open_or_leave(struct baskets *baskets, struct slice key, const struct event *line)
{
	int64_t last_ms = 0;

	int r = get_closed(baskets, key, &last_ms);
	if (r < 0) {
		return r;
	}
	if (r == 0 && !is_past_memory(baskets, baskets->lane, last_ms)) {
		baskets->options.books->late++;
		return 0;
	}
	return open_basket(baskets, key, line);
}

int baskets_take(struct baskets *baskets, const struct event *line)
{
	uint8_t bytes[BASKET_KEY_SIZE_MAX];
	struct slice key = basket_key(
		baskets->lane->place, line->certificate.edge, line->text[FIELD_ORDER_ID], bytes);

	if (key.size == 0) {
		return -EINVAL; /* no event that was read has such ids */
	}
	int r = get_open(baskets, key);
	if (r == 0 && !is_over(baskets, baskets->lane, baskets->basket.last_ms)) {
		return add_line(baskets, key, line);
	}
	if (r == 0) {
		r = close_basket(baskets, key); /* its turn has not come yet */
	}
	return r < 0 ? r : open_or_leave(baskets, key, line);
}

/* Looks at the basket whose turn it is. */
static int take_turn(struct baskets *baskets, struct lane *lane)
{
	struct slice key = slice_of(lane->turns[0].key, lane->turns[0].key_size);

	int r = get_open(baskets, key);
	if (r == 0 && !is_over(baskets, lane, baskets->basket.last_ms)) {
		lane->turns[0].last_ms = baskets->basket.last_ms;
		sink(lane);
		return 0;
	}
	if (r == 0) {
		r = close_basket(baskets, key);
	}
	if (r < 0) {
		return r;
	}
	drop_first_turn(lane);
	return 0;
}

static bool is_due(const struct baskets *baskets, const struct lane *lane)
{
	return lane->turn_count > 0 && is_over(baskets, lane, lane->turns[0].last_ms);
}

int baskets_close_due(struct baskets *baskets, size_t count_max, bool *ret_is_behind)
{
	bool is_behind = false;

	for (size_t i = 0; i < baskets->lane_count; i++) {
		struct lane *lane = baskets->lanes[i];
		while (is_due(baskets, lane) && count_max > 0) {
			int r = take_turn(baskets, lane);
			if (r < 0) {
				return r;
			}
			count_max--;
		}
		is_behind |= is_due(baskets, lane);
	}
	*ret_is_behind = is_behind;
	return 0;
}

/* Of the heap below this place: whatever lies below one that is not over is not over either. */
static size_t count_before(const struct lane *lane, size_t place, int64_t last_ms)
{
	return place >= lane->turn_count || lane->turns[place].last_ms >= last_ms
		       ? 0
		       : 1 + count_before(lane, 2 * place + 1, last_ms) +
				 count_before(lane, 2 * place + 2, last_ms);
}

size_t baskets_overdue(const struct baskets *baskets, int64_t now_ms)
{
	size_t count = 0;

	for (size_t i = 0; i < baskets->lane_count; i++) {
		count += count_before(baskets->lanes[i], 0, now_ms - baskets->options.horizon_ms);
	}
	return count;
}

/* ---- what is kept */

static struct slice clock_key(const struct lane *lane, uint8_t ret_key[2 + BASKET_PLACE_SIZE])
{
	ret_key[0] = ENTRY_BASKET;
	ret_key[1] = BASKET_CLOCK;
	memcpy(ret_key + 2, lane->place, BASKET_PLACE_SIZE);
	return slice_of(ret_key, 2 + BASKET_PLACE_SIZE);
}

int baskets_keep_clocks(struct baskets *baskets)
{
	uint8_t bytes[2 + BASKET_PLACE_SIZE];

	for (size_t i = 0; i < baskets->lane_count; i++) {
		struct lane *lane = baskets->lanes[i];
		int r = lane->is_changed ? put_time(baskets, clock_key(lane, bytes), lane->clock_ms)
					 : 0;
		if (r < 0) {
			return r;
		}
		lane->is_changed = false;
	}
	return 0;
}

static int load_clock(struct lane *lane, struct slice value)
{
	struct unpack unpack = unpack_of(value);

	lane->clock_ms = (int64_t)unpack_varint(&unpack);
	return unpack_is_whole(&unpack) ? 0 : -EBADMSG;
}

int baskets_load(void *owner, struct slice key, struct slice value)
{
	struct baskets *baskets = owner;

	if (key.size == 0 || key.bytes[0] != ENTRY_BASKET) {
		return BASKETS_E_PASSED;
	}
	if (key.size < 2 + BASKET_PLACE_SIZE) {
		return -EBADMSG;
	}
	struct lane *lane = get_lane(baskets, key.bytes + 2);
	if (lane == NULL) {
		return -ENOMEM;
	}
	if (key.bytes[1] == BASKET_CLOCK) {
		return load_clock(lane, value);
	}
	return basket_decode(value, &baskets->basket) ? add_turn(lane, key, baskets->basket.last_ms)
						      : -EBADMSG;
}

int baskets_review(struct baskets *baskets, struct slice key, struct slice value)
{
	uint8_t bytes[BASKET_KEY_SIZE_MAX];
	struct unpack unpack = unpack_of(value);
	int64_t last_ms = (int64_t)unpack_varint(&unpack);

	if (key.size < 2 + BASKET_PLACE_SIZE || key.size > sizeof bytes ||
		!unpack_is_whole(&unpack)) {
		return -EBADMSG;
	}
	const struct lane *lane = find_lane(baskets, key.bytes + 2);
	if (lane == NULL || !is_past_memory(baskets, lane, last_ms)) {
		return 0;
	}
	int r = get_closed(baskets, key, &last_ms); /* another of this key may have closed since */
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	return is_past_memory(baskets, lane, last_ms)
		       ? entries_delete(baskets->options.entries, key)
		       : 0;
}
