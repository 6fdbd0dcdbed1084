#include "store_log.h"
#include "aggregator/view/view_plan.h"
#include "proto/document.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	RECORDS_MAX = 8192, /* of one partition */
	EDGES = 8, /* edge i is read in partition i % LOG_PARTITIONS */
	PRODUCTS = 400,
	VALUE_SIZE_MAX = 320,
	NODES_MAX = 65536,
	RUN = 4711,
};

enum what { WHAT_ORDER, WHAT_MARKER, WHAT_NONSENSE };

struct entry {
	enum what what;
	int edge;
	uint64_t seq;
	int product, quantity, cents;
	char key[16];
	char value[VALUE_SIZE_MAX];
};

static struct {
	struct entry *entries; /* owned: RECORDS_MAX of each partition */
	int64_t end[LOG_PARTITIONS];
	uint64_t next_seq[EDGES];
	bool was_refused;
} the_log;

static void add_view(struct view_set *set, const char *name, const char *text)
{
	char error[512] = "";
	if (view_set_add_text(set, slice_of_text(name), slice_of_text(text), error, sizeof error) !=
		0) {
		fprintf(stderr, "%s\n", error);
		abort();
	}
}

struct view_set *log_views(void)
{
	struct view_set *set = NULL;
	if (view_set_new(NULL, NULL, &set) != 0) {
		abort();
	}
	add_view(set, "products",
		"kind = order\ngroup_by = product_id\nmeasures = order_count = count(), "
		"total_quantity = sum(quantity), total_revenue = sum(revenue)\n");
	add_view(set, "stores",
		"kind = order\ngroup_by = edge\nmeasures = order_count = count(), total_revenue = "
		"sum(revenue), basket_count = distinct(basket)\n");
	return set;
}

void log_clear(void)
{
	if (the_log.entries == NULL) {
		the_log.entries =
			calloc((size_t)LOG_PARTITIONS * RECORDS_MAX, sizeof *the_log.entries);
	}
	if (the_log.entries == NULL) {
		abort();
	}
}

static struct entry *entry_at(int32_t partition, int64_t offset)
{
	return &the_log.entries[(int64_t)partition * RECORDS_MAX + offset];
}

static void write_value(struct entry *entry)
{
	snprintf(entry->key, sizeof entry->key, "edge-%d", entry->edge);
	if (entry->what == WHAT_NONSENSE) {
		snprintf(entry->value, sizeof entry->value, "{\"kind\":\"order\",\"edge\":17");
	} else if (entry->what == WHAT_MARKER) {
		snprintf(entry->value, sizeof entry->value,
			"{\"kind\":\"order\",\"edge\":\"%s\",\"run\":%d,\"seq\":%" PRIu64
			",\"rejected\":\"bad_value\"}",
			entry->key, RUN, entry->seq);
	} else {
		snprintf(entry->value, sizeof entry->value,
			"{\"kind\":\"order\",\"edge\":\"%s\",\"run\":%d,\"seq\":%" PRIu64
			",\"ts\":1291191960000,\"order_id\":\"o%" PRIu64
			"\",\"product_id\":\"product-%04d\",\"quantity\":%d,\"unit_price\":%d.%02d,"
			"\"currency\":\"GBP\"}",
			entry->key, RUN, entry->seq, entry->seq / 2, entry->product,
			entry->quantity, entry->cents / 100, entry->cents % 100);
	}
}

static void append_one(struct chance *chance)
{
	int edge = (int)chance_below(chance, EDGES);
	int32_t partition = edge % LOG_PARTITIONS;
	int64_t end = the_log.end[partition];
	if (end == RECORDS_MAX) {
		abort();
	}
	struct entry *entry = entry_at(partition, the_log.end[partition]++);
	if (end > 0 && chance_hits(chance, 10)) { /* once more */
		*entry = *entry_at(partition, (int64_t)chance_below(chance, (uint64_t)end));
		return;
	}
	uint64_t what = chance_below(chance, 100);
	*entry = (struct entry){
		.what = what < 4   ? WHAT_NONSENSE
			: what < 9 ? WHAT_MARKER
				   : WHAT_ORDER,
		.edge = edge,
		.product = (int)chance_below(chance, PRODUCTS),
		.quantity = 1 + (int)chance_below(chance, 9),
		.cents = (int)chance_below(chance, 100000),
	};
	entry->seq = entry->what == WHAT_NONSENSE ? 0 : ++the_log.next_seq[edge];
	write_value(entry);
}

void log_append(struct chance *chance, int count)
{
	for (int i = 0; i < count; i++) {
		append_one(chance);
	}
}

int64_t log_end(int32_t partition)
{
	return the_log.end[partition];
}

struct record log_record(int32_t partition, int64_t offset)
{
	const struct entry *entry = entry_at(partition, offset);
	return (struct record){
		.topic = KIND_ORDER,
		.partition = partition,
		.offset = offset,
		.timestamp_ms = 1000000 + offset,
		.key = slice_of_text(entry->key),
		.value = slice_of_text(entry->value),
	};
}

/* ---- what it adds up to */

struct sum {
	int64_t count, quantity, cents;
};

struct sums {
	struct sum products[PRODUCTS];
	struct sum edges[EDGES];
	int64_t baskets[EDGES];
};

static void count_entry(struct sums *sums, const struct entry *entry)
{
	struct sum *sum = &sums->products[entry->product];
	sum->count++;
	sum->quantity += entry->quantity;
	sum->cents += (int64_t)entry->quantity * entry->cents;
	sum = &sums->edges[entry->edge];
	sum->count++;
	sum->cents += (int64_t)entry->quantity * entry->cents;
}

/* The first record of a certificate decides; two numbers share a basket. */
static void add_up(const int64_t next[LOG_PARTITIONS], struct sums *sums)
{
	static bool seen[EDGES][RECORDS_MAX * 2], baskets[EDGES][RECORDS_MAX];

	memset(seen, 0, sizeof seen);
	memset(baskets, 0, sizeof baskets);
	for (int32_t partition = 0; partition < LOG_PARTITIONS; partition++) {
		for (int64_t offset = 0; offset < next[partition]; offset++) {
			const struct entry *entry = entry_at(partition, offset);
			if (entry->what == WHAT_NONSENSE || seen[entry->edge][entry->seq]) {
				continue;
			}
			seen[entry->edge][entry->seq] = true;
			if (entry->what == WHAT_ORDER) {
				count_entry(sums, entry);
				sums->baskets[entry->edge] += !baskets[entry->edge][entry->seq / 2];
				baskets[entry->edge][entry->seq / 2] = true;
			}
		}
	}
}

/* ---- what is answered */

/* "12.5" or "12.50" in cents. */
static int64_t cents_of(const struct node *node)
{
	char text[64];
	int whole = 0, cents = 0;
	snprintf(text, sizeof text, "%.*s", (int)node->text.size, (const char *)node->text.bytes);
	return sscanf(text, "%d.%2d", &whole, &cents) == 2 ? (int64_t)whole * 100 + cents : -1;
}

static int64_t integer_of(const struct node *row, const char *column)
{
	int64_t value = -1;
	const struct node *node = node_find(row, column);
	return node != NULL && node_integer(node, &value) ? value : -1;
}

static int number_behind(const struct node *row, const char *column, const char *prefix)
{
	char text[64];
	const struct node *node = node_find(row, column);
	if (node == NULL) {
		return -1;
	}
	snprintf(text, sizeof text, "%.*s", (int)node->text.size, (const char *)node->text.bytes);
	return strncmp(text, prefix, strlen(prefix)) == 0
		       ? (int)strtol(text + strlen(prefix), NULL, 10)
		       : -1;
}

static bool row_fits(
	const struct node *row, struct sum *sum, const char *what, int which, char why[WHY_SIZE])
{
	const struct node *revenue = node_find(row, "total_revenue");
	int64_t quantity = node_find(row, "total_quantity") == NULL
				   ? sum->quantity
				   : integer_of(row, "total_quantity");
	if (revenue == NULL || integer_of(row, "order_count") != sum->count ||
		cents_of(revenue) != sum->cents || quantity != sum->quantity) {
		snprintf(why, WHY_SIZE,
			"%s %d: %.*s, but the log says %" PRId64 " orders, %" PRId64 " cents", what,
			which, (int)row->raw.size, (const char *)row->raw.bytes, sum->count,
			sum->cents);
		return false;
	}
	*sum = (struct sum){0}; /* each row once */
	return true;
}

static bool product_fits(struct sums *sums, const struct node *row, char why[WHY_SIZE])
{
	int product = number_behind(row, "product_id", "product-");
	if (product < 0 || product >= PRODUCTS) {
		snprintf(why, WHY_SIZE, "a product that nobody sold");
		return false;
	}
	return row_fits(row, &sums->products[product], "product", product, why);
}

static bool edge_fits(struct sums *sums, const struct node *row, char why[WHY_SIZE])
{
	int edge = number_behind(row, "edge", "edge-");
	if (edge < 0 || edge >= EDGES || integer_of(row, "basket_count") != sums->baskets[edge]) {
		snprintf(why, WHY_SIZE, "edge %d: other baskets than the log has", edge);
		return false;
	}
	return row_fits(row, &sums->edges[edge], "edge", edge, why);
}

typedef bool row_check(struct sums *sums, const struct node *row, char why[WHY_SIZE]);

static bool reply_fits(struct document *document, struct slice reply, struct sums *sums,
	row_check *check, char why[WHY_SIZE])
{
	struct complaint complaint;
	if (document_decode(document, ENCODING_JSON, reply, 8, &complaint) != 0) {
		snprintf(why, WHY_SIZE, "an answer can't be read");
		return false;
	}
	const struct node *rows = node_find(document->nodes, "rows");
	if (rows == NULL) {
		the_log.was_refused = true;
		snprintf(why, WHY_SIZE, "%.*s", (int)reply.size, (const char *)reply.bytes);
		return false;
	}
	const struct node *row = node_first(rows);
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		if (!check(sums, row, why)) {
			return false;
		}
	}
	return true;
}

static bool ask(struct answer_context *context, const char *view, struct sums *sums,
	row_check *check, char why[WHY_SIZE])
{
	const struct query query = {.type = QUERY_SCAN,
		.encoding = ENCODING_JSON,
		.view = slice_of_text(view),
		.limit = 10000,
		.max_lag = -1};
	struct document document;
	struct buffer reply;

	buffer_init(&reply, ANSWER_SIZE_MAX + 1024 * 1024);
	if (document_init(&document, NODES_MAX) != 0) {
		abort();
	}
	int r = answer_query(context, &query, &reply);
	the_log.was_refused = r != 0;
	bool fits = r == 0 && reply_fits(&document, buffer_slice(&reply), sums, check, why);
	document_deinit(&document);
	buffer_deinit(&reply);
	return fits;
}

static bool nothing_is_left(const struct sums *sums, char why[WHY_SIZE])
{
	for (int i = 0; i < PRODUCTS + EDGES; i++) {
		const struct sum *sum =
			i < PRODUCTS ? &sums->products[i] : &sums->edges[i - PRODUCTS];
		if (sum->count != 0) {
			snprintf(why, WHY_SIZE,
				"%s %d is not in the answer; the log has %" PRId64 " orders",
				i < PRODUCTS ? "product" : "edge", i < PRODUCTS ? i : i - PRODUCTS,
				sum->count);
			return false;
		}
	}
	return true;
}

bool log_totals_fit(
	struct answer_context *context, const int64_t next[LOG_PARTITIONS], char why[WHY_SIZE])
{
	struct sums sums = {0};
	add_up(next, &sums);
	return ask(context, "products", &sums, product_fits, why) &&
	       ask(context, "stores", &sums, edge_fits, why) && nothing_is_left(&sums, why);
}

bool log_was_refused(void)
{
	return the_log.was_refused;
}
