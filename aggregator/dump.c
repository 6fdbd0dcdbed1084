#include "aggregator/dump.h"
#include "aggregator/aggregator.h"
#include "aggregator/answer/answer.h"
#include "aggregator/books/ledger.h"
#include "aggregator/opening.h"
#include "aggregator/view/table.h"
#include "aggregator/view/view_summary.h"
#include <errno.h>
#include <inttypes.h>

enum {
	ROWS_PER_PAGE = 1000,
	/* A row has at most five group values and sixteen measures, each a key and a value. */
	PAGE_NODES_MAX = ROWS_PER_PAGE * 64 + 1024,
	PAGE_DEPTH_MAX = 8,
};

struct dump {
	struct opening opening;
	struct overlay *nothing; /* stands for what is not yet written: a stopped store has none */
	struct entries *no_entries; /* likewise; walks ask it for nothing */
	struct answer_context context;
	struct basket_books baskets; /* of all shards */
	struct document document;
	struct buffer reply;
	FILE *out;
};

/* The clock: a shard without records of its own may have written an older one than the others. */
static int read_ledger(struct dump *dump, struct snapshot *snapshot)
{
	struct ledger ledger = {0};
	struct slice value;
	int r = snapshot_get(snapshot, TABLE_SUMMARY, SUMMARY_LEDGER, &value);

	if (r == 0) {
		r = ledger_decode(value, &ledger);
	}
	if (r == 0) {
		overlay_set_clock(dump->nothing, ledger.clock_ms);
		basket_books_add(&dump->baskets, &ledger.baskets);
	}
	ledger_deinit(&ledger);
	return r;
}

/* Entries are walked, and never looked up one by one. */
static int load_none(void *owner, struct slice key, struct buffer *ret_value)
{
	(void)owner;
	(void)key;
	(void)ret_value;
	return 1;
}

static int begin(struct dump *dump)
{
	const struct stores *stores = dump->opening.stores;
	static const uint8_t hash_key[OVERLAY_HASH_KEY_SIZE];
	const struct entries_options entries = {.load = load_none};
	int r = overlay_new(dump->opening.live_views, hash_key, &dump->nothing);
	if (r == 0) {
		r = entries_new(&entries, &dump->no_entries);
	}
	dump->context.views = dump->opening.live_views;
	dump->context.shard_count = stores->count;
	dump->context.freshness = (struct freshness){
		.store_id = stores_root(stores)->live_id, .gaps = (const char *const[]){NULL}};
	for (size_t i = 0; i < stores->count && r == 0; i++) {
		dump->context.shards[i].active = dump->nothing;
		dump->context.shards[i].entries = dump->no_entries;
		r = snapshot_begin(stores->items[i], stores_root(stores)->live,
			&dump->context.shards[i].snapshot);
		if (r == 0) {
			r = read_ledger(dump, dump->context.shards[i].snapshot);
		}
	}
	return r > 0 ? -EBADMSG : r;
}

static void end(struct dump *dump)
{
	for (size_t i = 0; i < dump->context.shard_count; i++) {
		snapshot_end(dump->context.shards[i].snapshot);
	}
	overlay_free(dump->nothing);
	entries_free(dump->no_entries);
	document_deinit(&dump->document);
	buffer_deinit(&dump->reply);
	opening_deinit(&dump->opening);
}

static int ask_page(struct dump *dump, const struct view *view, struct slice cursor)
{
	struct complaint complaint;
	const struct query query = {
		.type = QUERY_SCAN,
		.encoding = ENCODING_JSON,
		.view = slice_of_text(view_name(view)),
		.cursor = cursor,
		.limit = ROWS_PER_PAGE,
		.max_lag = -1,
	};
	static const char *const no_gaps[] = {NULL};
	dump->context.freshness.gaps = no_gaps;
	buffer_clear(&dump->reply);
	int r = answer_query(&dump->context, &query, &dump->reply);
	if (r < 0) {
		return r;
	}
	r = document_decode(&dump->document, ENCODING_JSON, buffer_slice(&dump->reply),
		PAGE_DEPTH_MAX, &complaint);
	return r > 0 || node_find(dump->document.nodes, "rows") == NULL ? -EBADMSG : r;
}

static void print_rows(const struct dump *dump, const struct view *view)
{
	const struct node *rows = node_find(dump->document.nodes, "rows");
	const struct node *row = node_first(rows);
	for (uint32_t i = 0; i < rows->count; i++, row = node_next(row)) {
		fprintf(dump->out,
			"{\"%s\":\"%s\",\"row\":", view_is_table(view) ? "table" : "view",
			view_short_name(view));
		fwrite(row->raw.bytes, 1, row->raw.size, dump->out);
		fputs("}\n", dump->out);
	}
}

static int dump_rows(struct dump *dump, const struct view *view)
{
	char cursor[4096];
	struct slice next = {NULL, 0};
	do {
		int r = ask_page(dump, view, next);
		if (r < 0) {
			return r;
		}
		print_rows(dump, view);
		const struct node *node = node_find(dump->document.nodes, "next");
		next = node == NULL ? slice_of(NULL, 0) : node->text;
		if (next.size > sizeof cursor) {
			return -EBADMSG;
		}
		if (next.size > 0) {
			memcpy(cursor, next.bytes, next.size); /* the next page overwrites it */
			next.bytes = (const uint8_t *)cursor;
		}
	} while (next.size > 0);
	return 0;
}

/* Sums over shards: what is stored of the view's rows to the last byte is in `hashes`. */
static int dump_sums(struct dump *dump, const struct view *view)
{
	struct view_summary sums = {0};
	for (size_t i = 0; i < dump->context.shard_count; i++) {
		struct snapshot *snapshot = dump->context.shards[i].snapshot;
		struct view_summary summary;
		int r = snapshot_summary(snapshot, view_id(view), &summary);
		if (r == 0) {
			r = snapshot_settle(snapshot, view,
				overlay_cutoff(dump->nothing, view_id(view)), &summary);
		}
		if (r != 0) {
			return -EBADMSG;
		}
		sums.row_count += summary.row_count;
		sums.matched += summary.matched;
		sums.unmatched += summary.unmatched;
		sums.held += summary.held;
		sums.expired += summary.expired;
		sums.hash_sum += summary.hash_sum;
	}
	fprintf(dump->out,
		"{\"view\":\"%s\",\"rows\":%" PRIu64 ",\"matched\":%" PRIu64
		",\"unmatched\":%" PRIu64 ",\"held\":%" PRIu64 ",\"expired\":%" PRIu64
		",\"hashes\":\"%016" PRIx64 "\"}\n",
		view_name(view), sums.row_count, sums.matched, sums.unmatched, sums.held,
		sums.expired, sums.hash_sum);
	return 0;
}

/* Of those that are not closed yet it tells how many. */
static void print_baskets(const struct dump *dump)
{
	const struct basket_books *baskets = &dump->baskets;

	fprintf(dump->out,
		"{\"baskets\":{\"lines\":%" PRIu64 ",\"late\":%" PRIu64 ",\"opened\":%" PRIu64
		",\"closed\":%" PRIu64 ",\"given\":%" PRIu64 "}}\n",
		baskets->lines, baskets->late, baskets->opened, baskets->closed, baskets->given);
}

static int dump_all(struct dump *dump)
{
	const struct view_set *views = dump->opening.live_views;
	int r = begin(dump);
	for (size_t i = 0; i < view_set_count(views) && r == 0; i++) {
		r = dump_rows(dump, view_set_at(views, i));
		if (r == 0 && !view_is_table(view_set_at(views, i))) {
			r = dump_sums(dump, view_set_at(views, i));
		}
	}
	if (r == 0 && view_set_baskets(views).horizon_ms > 0) {
		print_baskets(dump);
	}
	return r;
}

int dump_write(const struct aggregator_config *config, FILE *out, char *error, size_t error_size)
{
	const struct opening_options options = {.config = config};
	struct dump dump = {.out = out};

	int r = opening_init(&options, &dump.opening, error, error_size);
	if (r != 0) {
		return r == -EINVAL ? AGGREGATOR_E_USAGE : r;
	}
	buffer_init(&dump.reply, ANSWER_SIZE_MAX + 1024 * 1024);
	r = document_init(&dump.document, PAGE_NODES_MAX);
	if (r == 0) {
		r = dump_all(&dump);
	}
	end(&dump);
	if (r == 0 && (fflush(out) != 0 || ferror(out))) {
		r = -EIO;
	}
	if (r < 0) {
		snprintf(error, error_size, "the dump is not complete: %s",
			r == -EBADMSG ? "the store is corrupt" : strerror(-r));
	}
	return r == -EBADMSG ? AGGREGATOR_E_DECISION : r;
}
