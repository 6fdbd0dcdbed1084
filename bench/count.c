/* till-count: what one order costs the aggregator's processor, without Kafka and disk: decoding it, counting it in the
 * shipped views, sorting the rows and merging them as a commit does. Prints one JSON object; times are nanoseconds of
 * processor time. */
#include "aggregator/overlay.h"
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

static void make_views(struct bench *bench)
{
	static const uint8_t hash_key[OVERLAY_HASH_KEY_SIZE] = "a bench's key..";
	char error[512];

	require(view_set_new(NULL, NULL, &bench->views) == 0, "making views");
	for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
		require(view_set_add_text(bench->views, slice_of_text(views[i].name),
				slice_of_text(views[i].text), error, sizeof error) == 0,
			error);
	}
	require(overlay_new(bench->views, hash_key, &bench->overlay) == 0, "making an overlay");
}

static void make_orders(struct bench *bench)
{
	const struct bench_shape shape = {
		.users = bench->users, .products = bench->products, .lines = bench->lines};

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

static double merge_rows(struct bench *bench, size_t *ret_row_count)
{
	static const uint64_t new_members[VIEW_MEASURES_MAX];
	struct buffer value;
	size_t row_count = 0;
	double begin = processor_ns();

	buffer_init(&value, 1 << 20);
	for (uint32_t id = 0; id < view_set_count(bench->views); id++) {
		for (size_t i = 0; i < overlay_row_count(bench->overlay, id); i++, row_count++) {
			buffer_clear(&value);
			require(delta_merge(view_set_at(bench->views, id), slice_of(NULL, 0),
					overlay_row_at(bench->overlay, id, i), new_members,
					&value) == 0,
				"merging");
		}
	}
	buffer_deinit(&value);
	*ret_row_count = row_count;
	return processor_ns() - begin;
}

static void run(struct bench *bench)
{
	double count = (double)bench->count;
	size_t row_count = 0;

	make_views(bench);
	make_orders(bench);
	read_orders(bench, false); /* warms up */
	double decoding = read_orders(bench, false);
	double both = read_orders(bench, true);
	size_t bytes = overlay_bytes(bench->overlay);
	double sorting = sort_rows(bench);
	double merging = merge_rows(bench, &row_count);
	printf("{\"orders\":%lld,\"rows\":%zu,\"overlay_bytes\":%zu,\"decode_ns\":%.0f,\"count_"
	       "ns\":%.0f,"
	       "\"sort_ns_per_row\":%.0f,\"merge_ns_per_row\":%.0f}\n",
		(long long)bench->count, row_count, bytes, decoding / count,
		(both - decoding) / count, sorting / (double)row_count,
		merging / (double)row_count);
	document_deinit(&bench->document);
	buffer_deinit(&bench->orders);
	overlay_free(bench->overlay);
	view_set_free(bench->views);
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
