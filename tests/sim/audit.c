#include "tests/sim/audit.h"
#include "tests/sim/kafka.h"
#include "tests/sim/stage.h"
#include "tests/sim/tills.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRODUCTS_MAX = 64 };

/* What the aggregator says, by sale and by product, and how many letters of which reason. */
struct count {
	uint64_t *sales; /* owned */
	int64_t by_order[PRODUCTS_MAX], by_product[PRODUCTS_MAX]; /* millionths */
	uint64_t letters_of_edges, letters_of_bridges;
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

static void take_letter(void *owner, const char *name, uint64_t events, int64_t millionths)
{
	struct count *count = owner;

	(void)millionths;
	if (strcmp(name, "missing_field") == 0) {
		count->letters_of_edges += events;
	} else if (strcmp(name, "refused_by_kafka") == 0) {
		count->letters_of_bridges += events;
	} else {
		fail(count, "%llu letters have the reason %s", (unsigned long long)events, name);
	}
}

static bool sale_is_right(struct count *count, size_t i)
{
	const struct sale *sale = tills_sale(i);
	bool is_letter = sale->is_invalid || sale->is_poison;
	uint64_t most = sale->outcome == OUTCOME_REFUSED || is_letter ? 0 : 1;
	uint64_t least = sale->outcome == OUTCOME_OK ? most : 0;
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
	}
	return true;
}

static struct bounds bounds_of(bool of_bridges)
{
	struct bounds bounds = {0};

	for (size_t i = 0; i < tills_sale_count(); i++) {
		const struct sale *sale = tills_sale(i);
		bool is_one = of_bridges ? sale->is_poison : sale->is_invalid;
		bounds.least += is_one && sale->outcome == OUTCOME_OK;
		bounds.most += is_one && sale->outcome != OUTCOME_REFUSED;
	}
	return bounds;
}

static bool is_within(struct count *count, const char *what, uint64_t number, bool of_bridges)
{
	struct bounds bounds = bounds_of(of_bridges);

	if (number < bounds.least || number > bounds.most) {
		return fail(count, "%llu %s, not %llu to %llu", (unsigned long long)number, what,
			(unsigned long long)bounds.least, (unsigned long long)bounds.most);
	}
	return true;
}

static bool books_are_right(struct count *count)
{
	struct aggregator_books books = aggregator_part_books(stage_aggregator());
	uint64_t written = 0;

	for (int i = 0; i < TOPICS * PARTITIONS; i++) {
		written += (uint64_t)kafka_size(i % TOPICS, i / TOPICS);
	}
	if (!books.add_up || books.read != written || books.foreign + books.unreadable != 0) {
		return fail(count, "of %llu records %llu were read, %llu foreign, %llu unreadable",
			(unsigned long long)written, (unsigned long long)books.read,
			(unsigned long long)books.foreign, (unsigned long long)books.unreadable);
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

bool audit(char ret_words[AUDIT_WORDS_SIZE])
{
	struct count count = {.words = ret_words};
	struct aggregator_part *aggregator = stage_aggregator();

	ret_words[0] = '\0';
	count.sales = calloc(tills_sale_count() + 1, sizeof *count.sales);
	if (count.sales == NULL) {
		abort();
	}
	aggregator_part_each_row(aggregator, "by_order", take_order, &count);
	aggregator_part_each_row(aggregator, "by_product", take_product, &count);
	aggregator_part_each_row(aggregator, "by_letter", take_letter, &count);
	bool is_right = ret_words[0] == '\0';
	for (size_t i = 0; is_right && i < tills_sale_count(); i++) {
		is_right = sale_is_right(&count, i);
	}
	is_right = is_right && sums_are_right(&count) && books_are_right(&count) &&
		   edges_are_right(&count);
	free(count.sales);
	return is_right;
}
