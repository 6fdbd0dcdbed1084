#include "tests/sim/staging.h"
#include "proto/event.h"
#include "tests/sim/kafka.h"
#include "tests/sim/tills.h"
#include "tests/sim/worker_model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ONE_RUN_IN = 8,
	STARTS_MAX =
		4, /* with another choice than before: each may take tables of the modelled LMDB */
	PRODUCTS_MAX = 64,
};

static bool is_in_play, is_wanted, accepts_in_the_end;
static bool is_asked, is_comparable; /* what is staged has read all, as its answer says */
static bool
	is_accepted; /* then its file stays named in the end: else the next start would count the former views anew */
static int starts;
static char complaint[200];

void staging_begin(void)
{
	is_in_play = world_draw(ONE_RUN_IN) == 0;
	accepts_in_the_end = world_draw(2) == 0;
	is_wanted = is_asked = is_comparable = is_accepted = false;
	starts = 0;
	complaint[0] = '\0';
}

bool staging_is_in_play(void)
{
	return is_in_play;
}

bool staging_is_wanted(void)
{
	if (is_in_play && world.has_faults && starts < STARTS_MAX && world_draw(3) == 0) {
		is_wanted = !is_wanted;
		starts++;
		world_note_fault(is_wanted ? FAULT_STAGED : FAULT_UNSTAGED, "");
	}
	return is_wanted || (is_accepted && !world.has_faults);
}

const char *staging_complaint(void)
{
	return complaint;
}

/* ---- comparing */

struct sums {
	uint64_t counts[PRODUCTS_MAX];
	int64_t millionths[PRODUCTS_MAX];
};

struct orders {
	uint64_t *live, *staged; /* owned; events by sale */
	bool *is_given_up, *conflicts; /* owned; by sale */
};

static void take_row(void *owner, const char *name, uint64_t count, int64_t millionths)
{
	struct sums *sums = owner;
	size_t product = strtoull(name + 1, NULL, 10) % PRODUCTS_MAX;

	sums->counts[product] += count;
	sums->millionths[product] += millionths;
}

static void take_order(void *owner, const char *name, uint64_t count, int64_t millionths)
{
	uint64_t *counts = owner;
	size_t sale = strtoull(name + 1, NULL, 10);

	(void)millionths;
	if (sale < tills_sale_count()) {
		counts[sale] = count;
	}
}

static void mark(void *owner, int topic, const struct kafka_record *record)
{
	bool *marks = owner;
	size_t sale = topic == KIND_ORDER ? tills_sale_of(record) : SIZE_MAX;

	if (sale < tills_sale_count()) {
		marks[sale] = true;
	}
}

static void *allocate(size_t size)
{
	void *place = calloc(tills_sale_count() + 1, size);

	if (place == NULL) {
		abort();
	}
	return place;
}

static void orders_init(struct aggregator_part *part, struct orders *ret_orders)
{
	*ret_orders = (struct orders){
		.live = allocate(sizeof *ret_orders->live),
		.staged = allocate(sizeof *ret_orders->staged),
		.is_given_up = allocate(sizeof *ret_orders->is_given_up),
		.conflicts = allocate(sizeof *ret_orders->conflicts),
	};
	aggregator_part_each_row(part, "by_order", take_order, ret_orders->live);
	aggregator_part_each_staged_row(part, "by_order", take_order, ret_orders->staged);
	kafka_each_lost(mark, ret_orders->is_given_up);
	if (world.faults[FAULT_IMAGE_RESUMED] > 0) {
		aggregator_part_each_conflict(mark, ret_orders->conflicts);
	}
}

static void orders_deinit(struct orders *orders)
{
	free(orders->live);
	free(orders->staged);
	free(orders->is_given_up);
	free(orders->conflicts);
}

/* What retention took from the live store may have been staged before: then the staged views have that and nothing else besides.
 * Of two events with one certificate the live store then has the second. */
static bool may_differ(const struct orders *orders, size_t sale)
{
	return (orders->is_given_up[sale] && orders->staged[sale] > orders->live[sale]) ||
	       (orders->conflicts[sale] && orders->staged[sale] < orders->live[sale]);
}

/* Adds to the live sums what the log lost before the live store read it. */
static void add_given_up(const struct orders *orders, struct sums *live)
{
	for (size_t i = 0; i < tills_sale_count(); i++) {
		const struct sale *sale = tills_sale(i);
		if (orders->staged[i] != orders->live[i] && may_differ(orders, i)) {
			int64_t more = (int64_t)(orders->staged[i] - orders->live[i]);
			live->counts[sale->product] += (uint64_t)more;
			live->millionths[sale->product] += more * sale->millionths;
		}
	}
}

/* The same view as it is live and as it will be, which has one measure more. */
static void compare(struct aggregator_part *part)
{
	struct sums live = {0}, staged = {0};

	aggregator_part_each_row(part, "by_product", take_row, &live);
	aggregator_part_each_staged_row(part, "by_product", take_row, &staged);
	if (!aggregator_part_has_read_alike(part)) {
		struct orders orders;
		orders_init(part, &orders);
		add_given_up(&orders, &live);
		orders_deinit(&orders);
	}
	for (int i = 0; i < PRODUCTS_MAX; i++) {
		if (live.counts[i] != staged.counts[i] ||
			live.millionths[i] != staged.millionths[i]) {
			snprintf(complaint, sizeof complaint,
				"of product p%d %llu sales are staged, %llu live", i,
				(unsigned long long)staged.counts[i],
				(unsigned long long)live.counts[i]);
		}
	}
}

/* ---- deciding */

static void ask(const char *question)
{
	is_asked = aggregator_part_request(&is_asked, question);
}

static void decide(bool accepts)
{
	ask(accepts ? "{\"query\":\"accept_staged\"}" : "{\"query\":\"drop_staged\"}");
}

static void hear(const char *reply)
{
	is_asked = false;
	world_note("operator: staged: %.60s", reply);
	is_comparable = strstr(reply, "\"caught_up\":true") != NULL;
	is_accepted = is_accepted || strstr(reply, "\"accepted\"") != NULL;
	if (strstr(reply, "\"dropped\"") != NULL) {
		is_wanted = false; /* else the next start would begin anew */
	}
}

/* What was staged when the faults ended. */
static void conclude(struct aggregator_part *part)
{
	if (is_comparable) {
		compare(part);
		decide(accepts_in_the_end);
		is_comparable = false;
	} else {
		ask("{\"query\":\"staged\"}");
	}
}

void staging_step(struct aggregator_part *part)
{
	const char *reply = is_asked ? aggregator_part_reply(&is_asked) : NULL;

	if (reply != NULL) {
		hear(reply);
	}
	if (!is_in_play || is_asked) {
		return;
	}
	if (world.has_faults) {
		if (world_happens(100)) {
			decide(world_draw(2) == 0);
		}
	} else if (aggregator_part_is_rebuilding(part) && aggregator_part_has_read_all(part) &&
		   !worker_model_is_untold()) { /* else it may end while it is asked */
		conclude(part);
	}
}
