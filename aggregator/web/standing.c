#include "aggregator/web/standing.h"
#include "proto/query.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

enum {
	REFUSAL_SIZE_MAX = 1024,
	/* However much was asked at once, the others go on after so long. */
	DEBT_US_MAX = 10 * 1000 * 1000,
};

struct standing_query {
	const struct key_holder *holder;
	unsigned watchers;
	uint64_t version;
	struct shared_text *answer; /* NULL: none yet */
	uint64_t moves; /* that its answer knows of */
	int64_t asked_us; /* when it was asked last */
	int64_t next_us; /* not before */
	bool is_postponed; /* and that was counted */
	TAILQ_ENTRY(standing_query) siblings; /* who was asked last is the last */
	size_t size;
	uint8_t text[];
};
TAILQ_HEAD(query_list, standing_query);

struct standing {
	struct standing_options options;
	struct query_list queries;
	size_t answers_size;
	uint64_t moves;
	int64_t free_us; /* from when on anything may be asked again */
	struct standing_counts counts;
};

int standing_new(const struct standing_options *options, struct standing **ret_standing)
{
	struct standing *standing = calloc(1, sizeof *standing);
	if (standing == NULL) {
		return -ENOMEM;
	}
	standing->options = *options;
	if (standing->options.queries_max == 0) {
		standing->options.queries_max = STANDING_QUERIES_MAX;
	}
	TAILQ_INIT(&standing->queries);
	*ret_standing = standing;
	return 0;
}

static void forget(struct standing *standing, struct standing_query *query)
{
	TAILQ_REMOVE(&standing->queries, query, siblings);
	standing->counts.queries--;
	standing->answers_size -= query->answer != NULL ? query->answer->size : 0;
	shared_text_release(query->answer);
	free(query);
}

struct standing *standing_free(struct standing *standing)
{
	if (standing == NULL) {
		return NULL;
	}
	while (!TAILQ_EMPTY(&standing->queries)) {
		forget(standing, TAILQ_FIRST(&standing->queries));
	}
	free(standing);
	return NULL;
}

/* ---- who looks */

static struct standing_query *find(
	const struct standing *standing, const struct key_holder *holder, struct slice text)
{
	struct standing_query *query;

	TAILQ_FOREACH(query, &standing->queries, siblings)
	{
		if (query->holder == holder && query->size == text.size &&
			memcmp(query->text, text.bytes, text.size) == 0) {
			return query;
		}
	}
	return NULL;
}

int standing_join(struct standing *standing, const struct key_holder *holder, struct slice text,
	struct standing_query **ret_query)
{
	struct standing_query *query = find(standing, holder, text);

	if (query == NULL) {
		if (standing->counts.queries >= standing->options.queries_max) {
			return -ENOSPC;
		}
		query = calloc(1, sizeof *query + text.size);
		if (query == NULL) {
			return -ENOMEM;
		}
		query->holder = holder;
		query->size = text.size;
		memcpy(query->text, text.bytes, text.size);
		TAILQ_INSERT_HEAD(&standing->queries, query, siblings);
		standing->counts.queries++;
	}
	query->watchers++;
	*ret_query = query;
	return 0;
}

void standing_leave(struct standing *standing, struct standing_query *query)
{
	if (--query->watchers == 0) {
		forget(standing, query);
	}
}

uint64_t standing_version(const struct standing_query *query)
{
	return query->version;
}

struct shared_text *standing_answer(const struct standing_query *query)
{
	return query->answer;
}

void standing_moved(struct standing *standing)
{
	standing->moves++;
}

/* ---- answers */

/* But for how fresh they are. */
static bool is_same(const struct shared_text *old, struct slice fresh)
{
	if (old == NULL) {
		return false;
	}
	struct slice before = slice_of(old->bytes, old->size);
	struct slice as_of[2] = {query_reply_as_of(before), query_reply_as_of(fresh)};
	if (as_of[0].size == 0 || as_of[1].size == 0) {
		return before.size == fresh.size &&
		       memcmp(before.bytes, fresh.bytes, fresh.size) == 0;
	}
	size_t head = (size_t)(as_of[0].bytes - before.bytes);
	size_t tail = before.size - head - as_of[0].size;
	return head == (size_t)(as_of[1].bytes - fresh.bytes) &&
	       tail == fresh.size - head - as_of[1].size &&
	       memcmp(before.bytes, fresh.bytes, head) == 0 &&
	       memcmp(before.bytes + before.size - tail, fresh.bytes + fresh.size - tail, tail) ==
		       0;
}

static bool has_room(
	const struct standing *standing, const struct standing_query *query, size_t size)
{
	size_t others = standing->answers_size - (query->answer != NULL ? query->answer->size : 0);

	return size <= STANDING_ANSWER_SIZE_MAX && size <= STANDING_ANSWERS_SIZE_MAX - others;
}

static int take(struct standing *standing, struct standing_query *query, struct slice fresh,
	bool *ret_changed)
{
	if (is_same(query->answer, fresh)) {
		return 0;
	}
	struct shared_text *answer = shared_text_new(fresh);
	if (answer == NULL) {
		return -ENOMEM;
	}
	standing->answers_size += answer->size;
	standing->answers_size -= query->answer != NULL ? query->answer->size : 0;
	shared_text_release(query->answer);
	query->answer = answer;
	query->version++;
	*ret_changed = true;
	return 0;
}

static int take_refusal(
	struct standing *standing, struct standing_query *query, size_t size, bool *ret_changed)
{
	struct complaint complaint;
	struct buffer words;

	complaint_set(&complaint, REASON_TOO_LARGE, "limit",
		"the answer has %zu bytes, and live ones have at most %d each and %d together: ask "
		"for fewer rows, or once",
		size, STANDING_ANSWER_SIZE_MAX, STANDING_ANSWERS_SIZE_MAX);
	buffer_init(&words, REFUSAL_SIZE_MAX);
	query_encode_error(&complaint, ENCODING_JSON, &words);
	int r = words.error != 0 ? words.error
				 : take(standing, query, buffer_slice(&words), ret_changed);
	buffer_deinit(&words);
	return r;
}

static int64_t at_least(int64_t value, int64_t floor)
{
	return value > floor ? value : floor;
}

/* When it, and when any other, may be asked again. */
static void charge(
	struct standing *standing, struct standing_query *query, int64_t start_us, int64_t cost_us)
{
	const struct standing_options *options = &standing->options;
	int64_t end_us = options->now_us(options->owner);
	int64_t free_us = at_least(standing->free_us, end_us) + STANDING_PAUSE_OF_ALL * cost_us;

	standing->free_us = free_us < end_us + DEBT_US_MAX ? free_us : end_us + DEBT_US_MAX;
	query->asked_us = start_us;
	query->next_us = start_us + at_least(STANDING_PAUSE_OF_ONE * cost_us,
					    STANDING_INTERVAL_MS * INT64_C(1000));
	query->is_postponed = false;
	standing->counts.asked++;
	standing->counts.took_us += cost_us;
}

static int ask(struct standing *standing, struct standing_query *query, bool *ret_changed)
{
	const struct standing_options *options = &standing->options;
	struct query_reply reply;
	int64_t start_us = options->now_us(options->owner);
	int64_t spent_us = options->spent_us(options->owner);

	query->moves = standing->moves;
	int r = options->ask(
		options->owner, query->holder, slice_of(query->text, query->size), &reply);
	if (r == 0) {
		r = has_room(standing, query, reply.bytes.size)
			    ? take(standing, query, reply.bytes, ret_changed)
			    : take_refusal(standing, query, reply.bytes.size, ret_changed);
	}
	charge(standing, query, start_us, options->spent_us(options->owner) - spent_us);
	TAILQ_REMOVE(&standing->queries, query, siblings);
	TAILQ_INSERT_TAIL(&standing->queries, query, siblings);
	return r;
}

/* ---- turns */

/* When it should be asked: now, where that is past. New ones don't wait for anything. */
static int64_t due_us(struct standing *standing, struct standing_query *query, int64_t now_us)
{
	if (query->answer == NULL) {
		return now_us;
	}
	int64_t wanted_us =
		query->asked_us +
		(query->moves != standing->moves ? STANDING_INTERVAL_MS : STANDING_IDLE_MS) *
			INT64_C(1000);
	int64_t allowed_us = at_least(query->next_us, standing->free_us);
	if (wanted_us <= now_us && allowed_us > now_us && !query->is_postponed) {
		query->is_postponed = true;
		standing->counts.postponed++;
	}
	return at_least(wanted_us, allowed_us);
}

/* NULL: none is due, and *ret_next_us says when one will be. */
static struct standing_query *find_due(
	struct standing *standing, int64_t now_us, int64_t *ret_next_us)
{
	struct standing_query *query;
	int64_t next_us = INT64_MAX;

	TAILQ_FOREACH(query, &standing->queries, siblings)
	{
		int64_t at_us = due_us(standing, query, now_us);
		if (at_us <= now_us) {
			return query;
		}
		next_us = at_us < next_us ? at_us : next_us;
	}
	*ret_next_us = next_us;
	return NULL;
}

int standing_turn(struct standing *standing, bool *ret_changed, int64_t *ret_wait_ms)
{
	const struct standing_options *options = &standing->options;
	int64_t now_us = options->now_us(options->owner);
	int64_t end_us = now_us + STANDING_TURN_US, next_us = 0;
	struct standing_query *query = NULL;
	int r = 0;

	*ret_changed = false;
	do {
		query = find_due(standing, now_us, &next_us);
		if (query != NULL) {
			r = ask(standing, query, ret_changed);
			now_us = options->now_us(options->owner);
		}
	} while (query != NULL && r == 0 && now_us < end_us);
	int64_t wait_ms = query != NULL          ? 0
			  : next_us == INT64_MAX ? INT64_MAX
						 : (next_us - now_us + 999) / 1000;
	*ret_wait_ms = wait_ms < *ret_wait_ms ? wait_ms : *ret_wait_ms;
	return r;
}

struct standing_counts standing_counts(const struct standing *standing)
{
	return standing->counts;
}
