#include "tests/sim/audit.h"
#include "tests/sim/database.h"
#include "tests/sim/forget_requests.h"
#include "tests/sim/kafka.h"
#include "tests/sim/ledger_check.h"
#include "tests/sim/operator.h"
#include "tests/sim/stage.h"
#include "tests/sim/tills.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCTS_MAX = 64 };

/* What of a sale the log lost, and an operator went on without. */
enum { LOST_EVENT = 1, LOST_LETTER = 2 };

/* What the aggregator says, by sale and by product, and how many letters of which reason. */
struct count {
	uint64_t *sales; /* owned */
	int64_t by_order[PRODUCTS_MAX], by_product[PRODUCTS_MAX]; /* millionths */
	int64_t by_shape[PRODUCTS_MAX];
	uint64_t orders[PRODUCTS_MAX], distinct[PRODUCTS_MAX];
	uint64_t letters_of_edges, letters_of_bridges;
	uint8_t *lost; /* owned; by sale */
	uint64_t lost_records, lost_markers, conflicts;
	char *words;
};

/* Between what is sure and what is possible. */
struct bounds {
	uint64_t least, most;
};

static bool fail(struct count *count, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool fail(struct count *count, const char *format, ...)
{
	va_list arguments;

	if (count->words[0] == '\0') {
		va_start(arguments, format);
		vsnprintf(count->words, AUDIT_WORDS_SIZE, format, arguments);
		va_end(arguments);
	}
	return false;
}

static void take_order(void *owner, const char *name, uint64_t events, int64_t millionths)
{
	struct count *count = owner;
	size_t i = (size_t)strtoull(name + 1, NULL, 10);

	if (name[0] != 'e' || i >= tills_sale_count()) {
		fail(count, "an order %s was counted that nobody made", name);
		return;
	}
	const struct sale *sale = tills_sale(i);
	count->sales[i] = events;
	count->orders[sale->product]++;
	count->by_order[sale->product] += millionths;
	if (millionths != (int64_t)events * sale->millionths) {
		fail(count, "sale e%zu has %lld millionths, not %lld", i, (long long)millionths,
			(long long)sale->millionths);
	}
}

static void take_product(void *owner, const char *name, uint64_t events, int64_t millionths)
{
	struct count *count = owner;

	(void)events;
	count->by_product[strtoull(name + 1, NULL, 10) % PRODUCTS_MAX] = millionths;
}

static void take_shape(void *owner, const char *name, uint64_t orders, int64_t millionths)
{
	struct count *count = owner;
	size_t product = strtoull(name + 1, NULL, 10) % PRODUCTS_MAX;

	count->distinct[product] = orders;
	count->by_shape[product] = millionths;
}

static void take_letter(void *owner, const char *name, uint64_t events, int64_t millionths)
{
	struct count *count = owner;

	(void)millionths;
	if (strcmp(name, "missing_field") == 0 || strcmp(name, "bad_frame") == 0) {
		count->letters_of_edges += events;
	} else if (strcmp(name, "refused_by_kafka") == 0) {
		count->letters_of_bridges += events;
	} else {
		fail(count, "%llu letters have the reason %s", (unsigned long long)events, name);
	}
}

static void take_lost(void *owner, int topic, const struct kafka_record *record)
{
	struct count *count = owner;
	size_t sale = topic < TILL_TOPICS ? tills_sale_of(record) : 0;

	if (topic >= TILL_TOPICS) {
		return;
	}
	if (sale == SIZE_MAX) {
		count->lost_markers += topic < TILL_TOPICS / 2;
		return;
	}
	if (sale < tills_sale_count()) {
		count->lost[sale] |= topic < TILL_TOPICS / 2 ? LOST_EVENT : LOST_LETTER;
	}
}

/* A damaged block may have held both of a sale's copies; none is missing unless a block was set aside. */
static void find_lost(struct count *count)
{
	for (size_t i = 0; world.set_aside > 0 && i < tills_sale_count(); i++) {
		count->lost[i] |= tills_sale(i)->is_endangered ? LOST_EVENT | LOST_LETTER : 0;
		count->lost_markers += tills_sale(i)->is_endangered && tills_sale(i)->is_poison;
	}
	count->lost_records = kafka_each_lost(take_lost, count);
	if (world.faults[FAULT_IMAGE_RESUMED] > 0) {
		count->conflicts = aggregator_part_each_conflict(take_lost, count);
	}
}

static bool sale_is_right(struct count *count, size_t i)
{
	const struct sale *sale = tills_sale(i);
	bool is_letter = sale->is_invalid || sale->is_poison;
	uint64_t most = sale->outcome == OUTCOME_REFUSED || is_letter ? 0 : 1;
	bool is_sure = sale->outcome == OUTCOME_OK && (count->lost[i] & LOST_EVENT) == 0;
	uint64_t least = is_sure ? most : 0;
	static const char *const outcomes[] = {"unknown", "ok", "refused"};

	if (count->sales[i] < least || count->sales[i] > most) {
		return fail(count, "sale e%zu%s, whose till heard %s, is counted %llu times", i,
			is_letter ? " (a dead letter)" : "", outcomes[sale->outcome],
			(unsigned long long)count->sales[i]);
	}
	return true;
}

static bool sums_are_right(struct count *count)
{
	for (int i = 0; i < PRODUCTS_MAX; i++) {
		if (count->by_order[i] != count->by_product[i]) {
			return fail(count, "product p%d has %lld millionths, its orders %lld", i,
				(long long)count->by_product[i], (long long)count->by_order[i]);
		}
		if (count->distinct[i] != count->orders[i] ||
			count->by_shape[i] != count->by_order[i]) {
			return fail(count, "product p%d has %llu distinct orders, not %llu", i,
				(unsigned long long)count->distinct[i],
				(unsigned long long)count->orders[i]);
		}
	}
	return true;
}

static struct bounds bounds_of(const struct count *count, bool of_bridges)
{
	struct bounds bounds = {0};

	for (size_t i = 0; i < tills_sale_count(); i++) {
		const struct sale *sale = tills_sale(i);
		bool is_one = of_bridges ? sale->is_poison : sale->is_invalid;
		bool is_sure = sale->outcome == OUTCOME_OK && (count->lost[i] & LOST_LETTER) == 0;
		bounds.least += is_one && is_sure;
		bounds.most += is_one && sale->outcome != OUTCOME_REFUSED;
	}
	return bounds;
}

static bool is_within(struct count *count, const char *what, uint64_t number, bool of_bridges)
{
	struct bounds bounds = bounds_of(count, of_bridges);
	uint64_t lost = of_bridges ? count->lost_markers : 0;

	bounds.least -= lost < bounds.least ? lost : bounds.least;
	if (number < bounds.least || number > bounds.most) {
		return fail(count, "%llu %s, not %llu to %llu", (unsigned long long)number, what,
			(unsigned long long)bounds.least, (unsigned long long)bounds.most);
	}
	return true;
}

static bool books_are_right(struct count *count)
{
	struct aggregator_books books = aggregator_part_books(operator_aggregator());
	uint64_t written = kafka_written();
	/* It has begun anew, maybe more than once; a rebuild, or what was staged, had what the live one lacked. */
	bool has_read_more = world.faults[FAULT_TOPIC_MADE_AGAIN] > 0 ||
			     (world.faults[FAULT_REBUILD] + world.faults[FAULT_STAGED] > 0 &&
				     count->lost_records > 0);

	if (!books.add_up || books.problem[0] != '\0') {
		return fail(count, "the aggregator's books do not add up: %s", books.problem);
	}
	if (count->conflicts > 0 && count->lost_records == 0 && !has_read_more &&
		!books.names_conflict) {
		return fail(count, "%llu conflicts of certificates, and nobody says so",
			(unsigned long long)count->conflicts);
	}
	if (count->conflicts == 0 && books.names_conflict && !has_read_more) {
		return fail(count, "a conflict of certificates that is none");
	}
	/* Where the first of two events with one certificate was given up, the others may be the ones set aside, all of them. */
	bool may_differ = world.faults[FAULT_IMAGE_RESUMED] > 0 && count->lost_records > 0;
	bool fits = books.read + count->lost_records == written &&
		    (may_differ || books.foreign + books.unreadable <=
					   world.faults[FAULT_PARTITION_ADDED] +
						   database_odd_records() + count->conflicts);
	if (!fits && !has_read_more) {
		return fail(count,
			"of %llu records %llu were read, %llu given up, %llu foreign, %llu "
			"unreadable",
			(unsigned long long)written, (unsigned long long)books.read,
			(unsigned long long)count->lost_records, (unsigned long long)books.foreign,
			(unsigned long long)books.unreadable);
	}
	return is_within(count, "dead letters of edges", books.accepted[3], false) &&
	       is_within(count, "markers", books.markers[0], true) &&
	       is_within(count, "letters of edges in the view", count->letters_of_edges, false) &&
	       is_within(count, "letters of bridges in the view", count->letters_of_bridges, true);
}

static bool edges_are_right(struct count *count)
{
	for (int i = 0; i < EDGES_MAX; i++) {
		if (stage_edge(i) == NULL) {
			continue;
		}
		struct edge_books books = edge_part_books(stage_edge(i));
		if (books.received !=
			books.accepted + books.invalid + books.refused + books.repeated) {
			return fail(count, "the books of edge %d do not add up", i);
		}
	}
	return true;
}

/* What some runs have besides. */
static bool others_are_right(struct count *count)
{
	struct aggregator_part *aggregator = operator_aggregator();
	bool has_users = forget_requests_are_in_play();

	return forget_requests_learn(aggregator, count->words, AUDIT_WORDS_SIZE) &&
	       (!has_users || forget_requests_audit(
				      aggregator, count->sales, count->words, AUDIT_WORDS_SIZE)) &&
	       (!database_is_in_play() || database_audit(count->words, AUDIT_WORDS_SIZE)) &&
	       ledger_check_end(aggregator, count->words, AUDIT_WORDS_SIZE) &&
	       aggregator_part_listened(aggregator, count->words, AUDIT_WORDS_SIZE);
}

bool audit(char ret_words[AUDIT_WORDS_SIZE])
{
	struct count count = {.words = ret_words};
	struct aggregator_part *aggregator = operator_aggregator();

	ret_words[0] = '\0';
	count.sales = calloc(tills_sale_count() + 1, sizeof *count.sales);
	count.lost = calloc(tills_sale_count() + 1, sizeof *count.lost);
	if (count.sales == NULL || count.lost == NULL) {
		abort();
	}
	find_lost(&count);
	aggregator_part_each_row(aggregator, "by_order", take_order, &count);
	aggregator_part_each_row(aggregator, "by_product", take_product, &count);
	aggregator_part_each_row(aggregator, "by_shape", take_shape, &count);
	aggregator_part_each_row(aggregator, "by_letter", take_letter, &count);
	bool is_right = ret_words[0] == '\0';
	for (size_t i = 0; is_right && i < tills_sale_count(); i++) {
		is_right = sale_is_right(&count, i);
	}
	is_right = is_right && sums_are_right(&count) && books_are_right(&count) &&
		   edges_are_right(&count) && others_are_right(&count);
	free(count.sales);
	free(count.lost);
	return is_right;
}
