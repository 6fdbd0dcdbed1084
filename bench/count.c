/* till-count: what one order costs the aggregator's processor, without Kafka and disk: decoding it, counting it in four
 * views of orders, sorting the rows and merging them as a commit does; then the same in all shipped views; then what baskets cost,
 * which are kept beside. Prints one JSON object; times are nanoseconds of processor time. */
#include "aggregator/aggregator_config.h"
#include "aggregator/overlay/overlay.h"
#include "aggregator/shard/baskets.h"
#include "bench/options.h"
#include "bench/order.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct bench {
	int64_t count, edges, users, products, lines;
	struct view_set *views;
	struct overlay *overlay;
	struct buffer orders; /* normal form, back to back */
	struct document document;
};

static const struct {
	const char *name, *text;
} views[] = {
	{"products", "kind = order\ngroup_by = product_id\n"
		     "measures = n = count(), q = sum(quantity), r = sum(revenue)\n"},
	{"users", "kind = order\ngroup_by = user_id\n"
		  "measures = b = distinct(basket), n = count(), q = sum(quantity), r = "
		  "sum(revenue), l = last(ts)\n"},
	{"sales_per_minute", "kind = order\ngroup_by = minute(ts)\n"
			     "measures = n = count(), q = sum(quantity), r = sum(revenue)\n"},
	{"stores", "kind = order\ngroup_by = edge\n"
		   "measures = n = count(), r = sum(revenue), b = distinct(basket)\n"},
};

static void require(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "till-count: %s failed\n", what);
		exit(1);
	}
}

static double processor_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void declare_four(struct bench *bench)
{
	char error[512];

	for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
		require(view_set_add_text(bench->views, slice_of_text(views[i].name),
				slice_of_text(views[i].text), error, sizeof error) == 0,
			error);
	}
}

static void declare_shipped(struct bench *bench)
{
	static struct aggregator_config config;
	const char *text = view_shipped_text();
	struct config_error error;
	char complaint[512];

	require(config_init(&aggregator_config_schema, &config, &error) == 0, error.text);
	require(config_read_text(&aggregator_config_schema, &config, "the shipped views", text,
			strlen(text), &error) == 0,
		error.text);
	for (size_t i = 0; i < config.views.count; i++) {
		require(view_set_add(bench->views, &config.views.items[i], complaint,
				sizeof complaint) == 0,
			complaint);
	}
	aggregator_config_deinit(&config);
}

static void make_views(struct bench *bench, bool all_shipped)
{
	static const uint8_t hash_key[OVERLAY_HASH_KEY_SIZE] = "a bench's key..";

	require(view_set_new(NULL, NULL, &bench->views) == 0, "making views");
	if (all_shipped) {
		declare_shipped(bench);
	} else {
		declare_four(bench);
	}
	require(overlay_new(bench->views, hash_key, &bench->overlay) == 0, "making an overlay");
}

static void make_orders(struct bench *bench)
{
	const struct bench_shape shape = {.users = bench->users,
		.products = bench->products,
		.lines = bench->lines,
		.has_details = true};

	buffer_init(&bench->orders, SIZE_MAX);
	for (int64_t i = 0; i < bench->count; i++) {
		char edge[32];
		int64_t edge_number = i / 1000 % bench->edges;
		int size = snprintf(edge, sizeof edge, "store-%lld", (long long)edge_number);
		struct certificate certificate = {
			slice_of(edge, (size_t)size), 4711, KIND_ORDER, (uint64_t)i + 1};
		bench_order_encode_certified(&shape, (uint64_t)i, &certificate, &bench->orders);
	}
	require(bench->orders.error == 0, "making orders");
	require(document_init(&bench->document, EVENT_NODES_MAX) == 0, "making a document");
}

/* Decodes every order, and counts it when asked to: the difference of two runs is the counting alone. */
static double read_orders(struct bench *bench, bool counts)
{
	struct slice rest = buffer_slice(&bench->orders);
	struct slice bytes;
	struct event event;
	struct complaint complaint;
	double begin = processor_ns();

	while (event_cut(&rest, &bytes)) {
		require(event_decode(
				&bench->document, ENCODING_MSGPACK, bytes, &event, &complaint) == 0,
			"decoding");
		if (counts) {
			require(overlay_apply(bench->overlay, &event, slice_of(NULL, 0)) == 0,
				"counting");
		}
	}
	return processor_ns() - begin;
}

static double sort_rows(struct bench *bench)
{
	double begin = processor_ns();

	require(overlay_sort(bench->overlay) == 0, "sorting");
	return processor_ns() - begin;
}

static double merge_rows(struct bench *bench, size_t *ret_row_count, size_t *ret_bytes)
{
	static const uint64_t new_members[VIEW_MEASURES_MAX];
	struct buffer value;
	size_t row_count = 0, bytes = 0;
	double begin = processor_ns();

	buffer_init(&value, 1 << 20);
	for (uint32_t id = 0; id < view_set_count(bench->views); id++) {
		for (size_t i = 0; i < overlay_row_count(bench->overlay, id); i++, row_count++) {
			const struct delta *delta = overlay_row_at(bench->overlay, id, i);
			buffer_clear(&value);
			require(delta_merge(view_set_at(bench->views, id), slice_of(NULL, 0), delta,
					new_members, &value) == 0,
				"merging");
			bytes += delta_key(delta).size + value.size;
		}
	}
	buffer_deinit(&value);
	*ret_row_count = row_count;
	*ret_bytes = bytes;
	return processor_ns() - begin;
}

/* Ends the object's piece with what counting one order cost. */
static double count_in(struct bench *bench, bool all_shipped, double decoding)
{
	double count = (double)bench->count;
	size_t row_count = 0, row_bytes = 0;

	make_views(bench, all_shipped);
	double counting = read_orders(bench, true) - decoding;
	size_t bytes = overlay_bytes(bench->overlay);
	double sorting = sort_rows(bench);
	double merging = merge_rows(bench, &row_count, &row_bytes);
	printf("{\"views\":%zu,\"rows\":%zu,\"overlay_bytes\":%zu,\"count_ns\":%.0f,"
	       "\"sort_ns_per_row\":%.0f,\"merge_ns_per_row\":%.0f,\"bytes_per_row\":%.1f}",
		view_set_count(bench->views), row_count, bytes, counting / count,
		sorting / (double)row_count, merging / (double)row_count,
		(double)row_bytes / (double)row_count);
	bench->overlay = overlay_free(bench->overlay);
	bench->views = view_set_free(bench->views);
	return counting;
}

/* ---- baskets: an order a millisecond, closed after ten seconds, written every 20,000 changes */

enum { BASKET_HORIZON_MS = 10000, BASKET_WRITTEN_CHANGES = 20000 };

struct basket_bench {
	struct bench *bench;
	struct entries *entries;
	struct baskets *baskets;
	struct basket_books books;
	uint64_t commits, written, written_bytes;
	int64_t now_ms;
};

static int find_nothing(void *owner, struct slice key, struct buffer *ret_value)
{
	(void)owner, (void)key, (void)ret_value;
	return 1;
}

static int give_basket(void *owner, const struct event *event, const struct basket *basket)
{
	struct basket_bench *run = owner;

	(void)basket;
	return overlay_apply_basket(run->bench->overlay, event, (struct standing){0});
}

static int note_written(void *owner, struct slice key, struct slice value)
{
	struct basket_bench *run = owner;

	run->written++;
	run->written_bytes += key.size + value.size;
	return 0;
}

static void take_line(struct basket_bench *run, const struct event *event)
{
	bool is_behind = false;

	require(baskets_follow(run->baskets, "orders", 0, ++run->now_ms) == 0, "the clock");
	require(baskets_take(run->baskets, event) == 0, "taking a line");
	if (run->now_ms % 100 == 0) {
		require(baskets_close_due(run->baskets, SIZE_MAX, &is_behind) == 0, "closing");
	}
	if (entries_changed_count(run->entries) >= BASKET_WRITTEN_CHANGES) {
		require(entries_hand_over(
				run->entries, ++run->commits, SIZE_MAX, note_written, run) == 0,
			"freezing");
		entries_committed(run->entries, run->commits);
		entries_settle(run->entries, SIZE_MAX);
	}
}

static void read_baskets(struct basket_bench *run)
{
	struct slice rest = buffer_slice(&run->bench->orders);
	struct complaint complaint;
	struct slice bytes;
	struct event event;

	while (event_cut(&rest, &bytes)) {
		require(event_decode(&run->bench->document, ENCODING_MSGPACK, bytes, &event,
				&complaint) == 0,
			"decoding");
		take_line(run, &event);
	}
}

static void count_baskets(struct bench *bench, double decoding)
{
	struct basket_bench run = {.bench = bench};
	const struct entries_options entries = {
		.clean_bytes_max = 16 << 20, .load = find_nothing, .owner = &run};

	make_views(bench, true);
	require(entries_new(&entries, &run.entries) == 0, "making entries");
	const struct baskets_options baskets = {
		.entries = run.entries,
		.books = &run.books,
		.horizon_ms = BASKET_HORIZON_MS,
		.memory_ms = BASKET_HORIZON_MS * 100,
		.give = give_basket,
		.owner = &run,
	};
	require(baskets_new(&baskets, &run.baskets) == 0, "making baskets");
	double begin = processor_ns();
	read_baskets(&run);
	double counting = processor_ns() - begin - decoding;
	printf(",\"baskets\":{\"closed\":%llu,\"late\":%llu,\"count_ns\":%.0f,"
	       "\"written_per_order\":%.2f,\"bytes_per_order\":%.1f}",
		(unsigned long long)run.books.closed, (unsigned long long)run.books.late,
		counting / (double)bench->count, (double)run.written / (double)bench->count,
		(double)run.written_bytes / (double)bench->count);
	baskets_free(run.baskets);
	entries_free(run.entries);
	bench->overlay = overlay_free(bench->overlay);
	bench->views = view_set_free(bench->views);
}

static void run(struct bench *bench)
{
	make_orders(bench);
	read_orders(bench, false); /* warms up */
	double decoding = read_orders(bench, false);
	printf("{\"orders\":%lld,\"decode_ns\":%.0f,\"four\":", (long long)bench->count,
		decoding / (double)bench->count);
	double four = count_in(bench, false, decoding);
	printf(",\"shipped\":");
	double shipped = count_in(bench, true, decoding);
	printf(",\"ratio\":%.2f", shipped / four);
	count_baskets(bench, decoding);
	printf("}\n");
	document_deinit(&bench->document);
	buffer_deinit(&bench->orders);
}

int main(int argc, char **argv)
{
	struct bench bench = {
		.count = 1000000, .edges = 30, .users = 100000, .products = 4000, .lines = 3};
	const struct bench_option options[] = {
		{"--count", NULL, &bench.count, "orders (1000000)"},
		{"--edges", NULL, &bench.edges, "stores (30)"},
		{"--users", NULL, &bench.users, "users (100000)"},
		{"--lines", NULL, &bench.lines, "lines of one order (3)"},
		{"--products", NULL, &bench.products, "products (4000)"},
		{NULL, NULL, NULL, NULL},
	};

	bench_options_parse(options, argc, argv);
	require(bench.count > 0 && bench.edges > 0 && bench.users > 0 && bench.products > 0,
		"a number above 0");
	run(&bench);
	return 0;
}
