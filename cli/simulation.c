#include "cli/simulation.h"

#include "cli/batch.h"
#include "cli/edge_watch.h"
#include "cli/pace.h"
#include "runtime/clock.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH_AGE_MS_MAX = 50 };

struct flight {
	bool used;
	uint32_t count;
	struct sale sales[SIMULATION_FRAME_EVENTS_MAX];
};

/* The way to one edge, and the stores that sell there in turn. */
struct feed {
	struct simulation *simulation;
	size_t index;
	struct producer *producer;
	struct simulator *stores; /* owned */
	size_t store_count;
	size_t store; /* whose turn it is */
	struct pace pace;
	struct edge_watch watch;
	struct batch batch;
	int64_t batch_ms;
	struct flight *next; /* of the batch; NULL: all are in the air */
	struct flight flights[SIMULATION_LANES];
};

struct simulation {
	struct simulation_options options;
	struct feed *feeds; /* owned */
	struct sales_ledger ledger;
	struct buffer event;
	uint64_t produced;
	uint64_t refused;
	uint64_t surprises;
	bool stopped;
	const char *silent_endpoint;
};

static struct flight *free_flight(struct feed *feed)
{
	for (size_t i = 0; i < SIMULATION_LANES; i++) {
		if (!feed->flights[i].used) {
			return &feed->flights[i];
		}
	}
	return NULL;
}

/* Why the reply refuses event `index`; REASON_NONE: it was accepted. When not all refusals are listed, the event's own
 * flaw has to tell; the code is not known then. */
static enum reason judge(const struct reply *reply, uint32_t index, const struct sale *sale)
{
	for (uint32_t i = 0; i < reply->error_count; i++) {
		if (reply->errors[i].index == index) {
			return reply->errors[i].complaint.reason;
		}
	}
	bool all_listed = reply->error_count == reply->invalid;
	return all_listed || sale->flaw == FLAW_NONE ? REASON_NONE : REASON_BAD_VALUE;
}

static int book(
	struct simulation *simulation, const struct flight *flight, const struct reply *reply)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < flight->count; i++) {
		const struct sale *sale = &flight->sales[i];
		enum reason reason = judge(reply, i, sale);
		simulation->surprises += (reason != REASON_NONE) != (sale->flaw != FLAW_NONE);
		r = reason == REASON_NONE
			    ? sales_ledger_accept(&simulation->ledger, reply->edge, sale)
			    : sales_ledger_refuse(&simulation->ledger, reply->edge, reason);
	}
	return r;
}

static int on_settled(void *owner, const struct producer_result *result)
{
	struct feed *feed = owner;
	struct flight *flight = &feed->flights[result->tag];
	int r = 0;

	if (result->reply->refusal.reason != REASON_NONE) {
		feed->simulation->refused += flight->count;
	} else {
		r = book(feed->simulation, flight, result->reply);
	}
	flight->used = false;
	flight->count = 0;
	feed->next = feed->next != NULL ? feed->next : flight;
	return r;
}

static int open_feed(struct simulation *simulation, size_t index)
{
	const struct simulation_options *options = &simulation->options;
	struct feed *feed = &simulation->feeds[index];
	char id[PRODUCER_ID_SIZE_MAX + 1];

	feed->simulation = simulation;
	feed->index = index;
	feed->next = &feed->flights[0];
	feed->watch = (struct edge_watch){.command = options->command,
		.endpoint = options->endpoints[index],
		.up_ms = clock_monotonic_ms()};
	batch_init(&feed->batch, ENCODING_MSGPACK);
	pace_init(
		&feed->pace, options->rate / (double)options->endpoint_count, clock_monotonic_ms());
	feed->stores = calloc(options->stores, sizeof *feed->stores);
	if (feed->stores == NULL) {
		return -ENOMEM;
	}
	for (size_t store = index; store < options->stores; store += options->endpoint_count) {
		simulator_init(
			&feed->stores[feed->store_count++], &options->simulator, (uint32_t)store);
	}
	snprintf(id, sizeof id, "till-simulate-%016llx", (unsigned long long)random_u64());
	struct producer_options producer = {.context = options->session->context,
		.loop = options->session->loop,
		.endpoint = options->endpoints[index],
		.keys = session_keys(options->session),
		.id = id,
		.lanes = SIMULATION_LANES,
		.timeout_ms = options->timeout_ms,
		.settled = on_settled,
		.owner = feed};
	return producer_new(&producer, &feed->producer);
}

int simulation_new(const struct simulation_options *options, struct simulation **ret_simulation)
{
	if (options->endpoint_count == 0 || options->endpoint_count > SIMULATION_ENDPOINTS_MAX ||
		options->stores < options->endpoint_count ||
		options->stores > SIMULATION_STORES_MAX || options->simulator.products == 0 ||
		options->simulator.products > SIMULATOR_PRODUCTS_MAX ||
		options->simulator.users == 0) {
		return -EINVAL;
	}
	struct simulation *simulation = calloc(1, sizeof *simulation);
	if (simulation == NULL) {
		return -ENOMEM;
	}
	simulation->options = *options;
	buffer_init(&simulation->event, EVENT_SIZE_MAX);
	int r = sales_ledger_init(&simulation->ledger, options->simulator.products);
	simulation->feeds = calloc(options->endpoint_count, sizeof *simulation->feeds);
	if (r == 0 && simulation->feeds == NULL) {
		r = -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < options->endpoint_count; i++) {
		r = open_feed(simulation, i);
	}
	if (r != 0) {
		simulation_free(simulation);
		return r;
	}
	*ret_simulation = simulation;
	return 0;
}

struct simulation *simulation_free(struct simulation *simulation)
{
	if (simulation == NULL) {
		return NULL;
	}
	for (size_t i = 0; simulation->feeds != NULL && i < simulation->options.endpoint_count;
		i++) {
		struct feed *feed = &simulation->feeds[i];
		producer_free(feed->producer);
		batch_deinit(&feed->batch);
		free(feed->stores);
	}
	free(simulation->feeds);
	sales_ledger_deinit(&simulation->ledger);
	buffer_deinit(&simulation->event);
	free(simulation);
	return NULL;
}

static bool batch_is_ready(const struct feed *feed, int64_t now_ms)
{
	return feed->batch.count > 0 &&
	       (feed->batch.count == SIMULATION_FRAME_EVENTS_MAX || feed->simulation->stopped ||
		       now_ms - feed->batch_ms >= BATCH_AGE_MS_MAX);
}

/* Draws the next sale of the store whose turn it is. */
static int produce(struct feed *feed, int64_t now_ms)
{
	struct simulation *simulation = feed->simulation;
	const struct simulation_options *options = &simulation->options;
	struct sale sale;

	simulator_next(&feed->stores[feed->store], options->wall_ms(), &sale);
	buffer_clear(&simulation->event);
	sale_encode(&sale, &simulation->event);
	if (simulation->event.error != 0) {
		return simulation->event.error;
	}
	if (options->may_produce != NULL && !options->may_produce(options->owner, feed->index,
						    sale.kind, simulation->event.size)) {
		simulation->stopped = true;
		return 0;
	}
	if (!batch_add(&feed->batch, buffer_slice(&simulation->event))) {
		return -ENOMEM; /* so few events are far below a frame's limit */
	}
	if (feed->batch.count == 1) {
		feed->batch_ms = now_ms;
	}
	feed->next->sales[feed->next->count++] = sale;
	feed->store = (feed->store + 1) % feed->store_count;
	simulation->produced++;
	simulation->stopped = simulation->stopped || simulation->produced == options->count_max;
	return 0;
}

static int dispatch(struct feed *feed)
{
	struct flight *flight = feed->next;
	struct slice frame = batch_take_frame(&feed->batch);

	if (frame.size == 0) {
		return -ENOMEM;
	}
	int r = producer_send(feed->producer, frame, 0, (uint64_t)(flight - feed->flights));
	if (r != 0) {
		return r < 0 ? r : -EBUSY; /* a free flight means a free lane */
	}
	flight->used = true;
	feed->next = free_flight(feed);
	return 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_wait_ms(const struct feed *feed, int64_t now_ms, int64_t wait_ms)
{
	if (feed->next == NULL) {
		return wait_ms; /* for an answer */
	}
	if (feed->batch.count > 0) {
		wait_ms = earlier(wait_ms, feed->batch_ms + BATCH_AGE_MS_MAX - now_ms);
	}
	if (!feed->simulation->stopped) {
		wait_ms = earlier(wait_ms, pace_wait_ms(&feed->pace));
	}
	return wait_ms < 0 ? 0 : wait_ms;
}

static void watch_edge(struct feed *feed, int64_t now_ms)
{
	const struct simulation_options *options = &feed->simulation->options;

	if (options->command != NULL && edge_watch_look(&feed->watch, feed->producer, now_ms)) {
		if (options->progress != NULL) {
			progress_clear(options->progress);
		}
		edge_watch_tell(&feed->watch, feed->producer);
	}
}

static int step_feed(struct feed *feed, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t wait_ms = 0;
	int r = 0;

	pace_fill(&feed->pace, now_ms);
	while (r == 0 && feed->next != NULL) {
		if (batch_is_ready(feed, now_ms)) {
			r = dispatch(feed);
		} else if (!feed->simulation->stopped && pace_take(&feed->pace)) {
			r = produce(feed, now_ms);
		} else {
			break;
		}
	}
	if (r == 0) {
		r = producer_step(feed->producer, now_ms, &wait_ms);
	}
	watch_edge(feed, now_ms);
	if (r == PRODUCER_E_TIMEOUT) {
		feed->simulation->silent_endpoint =
			feed->simulation->options.endpoints[feed->index];
	}
	*ret_wait_ms = r == 0 ? next_wait_ms(feed, now_ms, wait_ms) : 0;
	return r;
}

int simulation_step(struct simulation *simulation, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t shortest_ms = INT64_MAX;

	for (size_t i = 0; i < simulation->options.endpoint_count; i++) {
		int64_t wait_ms = 0;
		int r = step_feed(&simulation->feeds[i], now_ms, &wait_ms);
		if (r != 0) {
			return r;
		}
		shortest_ms = earlier(shortest_ms, wait_ms);
	}
	*ret_wait_ms = shortest_ms;
	return 0;
}

void simulation_stop(struct simulation *simulation)
{
	simulation->stopped = true;
}

bool simulation_is_over(const struct simulation *simulation)
{
	struct simulation_counts counts;

	simulation_count(simulation, &counts);
	return simulation->stopped && counts.in_flight == 0;
}

void simulation_count(const struct simulation *simulation, struct simulation_counts *ret_counts)
{
	*ret_counts = (struct simulation_counts){.produced = simulation->produced,
		.refused = simulation->refused,
		.surprises = simulation->surprises};
	for (size_t i = 0; i < simulation->options.endpoint_count; i++) {
		const struct feed *feed = &simulation->feeds[i];
		const struct producer_counts *counts = producer_counts(feed->producer);
		for (size_t k = 0; k < SIMULATION_LANES; k++) {
			ret_counts->in_flight += feed->flights[k].count;
		}
		ret_counts->resent_frames += counts->resent;
		ret_counts->waited += counts->waited;
	}
}

const struct sales_ledger *simulation_ledger(const struct simulation *simulation)
{
	return &simulation->ledger;
}

const char *simulation_silent_endpoint(const struct simulation *simulation)
{
	return simulation->silent_endpoint;
}
