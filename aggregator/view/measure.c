#include "aggregator/view/measure.h"
#include <assert.h>

enum { MONEY_SIZE = 16, COUNT_SIZE = 8, FLAG_SIZE = 1 };

__extension__ typedef unsigned __int128 money_bits;

const char *measure_op_name(enum measure_op op)
{
	static const char *const names[] = {"count", "sum", "min", "max", "first", "last",
		"average", "distinct", "quantile", "ratio", "count", "column"};

	return names[op];
}

size_t measure_fixed_size(const struct measure *measure)
{
	switch (measure->op) {
	case MEASURE_COUNT:
	case MEASURE_FIRST:
	case MEASURE_LAST:
	case MEASURE_QUANTILE:
	case MEASURE_RATIO:
	case MEASURE_COLUMN:
		return 0;
	case MEASURE_SUM:
		return MONEY_SIZE;
	case MEASURE_MIN:
	case MEASURE_MAX:
		return FLAG_SIZE + MONEY_SIZE;
	case MEASURE_AVERAGE:
		return MONEY_SIZE + COUNT_SIZE;
	case MEASURE_DISTINCT:
	case MEASURE_COUNT_SOME:
		return COUNT_SIZE;
	}
	return 0;
}

void cell_add(const struct measure *measure, struct cell *cell, money number)
{
	switch (measure->op) {
	case MEASURE_SUM:
		cell->number += number;
		break;
	case MEASURE_AVERAGE:
		cell->number += number;
		cell->count++;
		break;
	case MEASURE_MIN:
	case MEASURE_MAX:
		if (cell->count == 0 || (measure->op == MEASURE_MIN) == (number < cell->number)) {
			cell->number = number;
		}
		cell->count = 1;
		break;
	default:
		assert(false); /* this measure takes no numbers */
	}
}

void cell_take(const struct measure *measure, struct cell *cell, money number)
{
	assert(measure->op == MEASURE_SUM || measure->op == MEASURE_AVERAGE);
	cell->number -= number;
	cell->count -= measure->op == MEASURE_AVERAGE;
}

static int certificate_compare(const struct certificate *a, const struct certificate *b)
{
	size_t size = a->edge.size < b->edge.size ? a->edge.size : b->edge.size;
	int order = size == 0 ? 0 : memcmp(a->edge.bytes, b->edge.bytes, size);

	if (order != 0) {
		return order;
	}
	if (a->edge.size != b->edge.size) {
		return a->edge.size < b->edge.size ? -1 : 1;
	}
	if (a->run != b->run) {
		return a->run < b->run ? -1 : 1;
	}
	if (a->kind != b->kind) {
		return a->kind < b->kind ? -1 : 1;
	}
	return (a->seq > b->seq) - (a->seq < b->seq);
}

bool cell_yields_to(const struct measure *measure, const struct cell *cell, int64_t ts_ms,
	const struct certificate *certificate)
{
	if (cell->count == 0) {
		return true;
	}
	if (ts_ms != cell->stamp->ts_ms) {
		return (measure->op == MEASURE_LAST) == (ts_ms > cell->stamp->ts_ms);
	}
	return certificate_compare(certificate, &cell->stamp->certificate) > 0;
}

static void merge_extreme(const struct measure *measure, struct cell *into, const struct cell *from)
{
	if (from->count > 0) {
		cell_add(measure, into, from->number);
	}
}

static void merge_stamped(const struct measure *measure, struct cell *into, const struct cell *from)
{
	if (from->count > 0 &&
		cell_yields_to(measure, into, from->stamp->ts_ms, &from->stamp->certificate)) {
		*into = *from;
	}
}

bool cell_merge(const struct measure *measure, struct cell *into, const struct cell *from)
{
	switch (measure->op) {
	case MEASURE_COUNT:
	case MEASURE_RATIO:
		break;
	case MEASURE_SUM:
	case MEASURE_AVERAGE:
		if (!money_add(&into->number, from->number)) {
			return false;
		}
		into->count += from->count;
		break;
	case MEASURE_DISTINCT:
	case MEASURE_COUNT_SOME:
	case MEASURE_QUANTILE:
		into->count += from->count;
		break;
	case MEASURE_MIN:
	case MEASURE_MAX:
		merge_extreme(measure, into, from);
		break;
	case MEASURE_FIRST:
	case MEASURE_LAST:
	case MEASURE_COLUMN:
		merge_stamped(measure, into, from);
		break;
	}
	return true;
}

void store_u64(uint8_t *bytes, uint64_t value)
{
	for (int i = 0; i < COUNT_SIZE; i++) {
		bytes[i] = (uint8_t)(value >> 8 * i);
	}
}

uint64_t load_u64(const uint8_t *bytes)
{
	uint64_t value = 0;

	for (int i = COUNT_SIZE - 1; i >= 0; i--) {
		value = value << 8 | bytes[i];
	}
	return value;
}

void store_money(uint8_t *bytes, money value)
{
	money_bits bits = (money_bits)value;

	store_u64(bytes, (uint64_t)bits);
	store_u64(bytes + 8, (uint64_t)(bits >> 64));
}

money load_money(const uint8_t *bytes)
{
	return (money)((money_bits)load_u64(bytes + 8) << 64 | load_u64(bytes));
}

void cell_write(const struct measure *measure, const struct cell *cell, uint8_t *bytes)
{
	switch (measure->op) {
	case MEASURE_SUM:
		store_money(bytes, cell->number);
		break;
	case MEASURE_MIN:
	case MEASURE_MAX:
		bytes[0] = cell->count > 0;
		store_money(bytes + FLAG_SIZE, cell->number);
		break;
	case MEASURE_AVERAGE:
		store_money(bytes, cell->number);
		store_u64(bytes + MONEY_SIZE, cell->count);
		break;
	case MEASURE_DISTINCT:
	case MEASURE_COUNT_SOME:
		store_u64(bytes, cell->count);
		break;
	case MEASURE_COUNT:
	case MEASURE_FIRST:
	case MEASURE_LAST:
	case MEASURE_QUANTILE:
	case MEASURE_RATIO:
	case MEASURE_COLUMN:
		break;
	}
}

void cell_read(const struct measure *measure, const uint8_t *bytes, struct cell *ret_cell)
{
	*ret_cell = (struct cell){0};
	switch (measure->op) {
	case MEASURE_SUM:
		ret_cell->number = load_money(bytes);
		break;
	case MEASURE_MIN:
	case MEASURE_MAX:
		ret_cell->count = bytes[0];
		ret_cell->number = load_money(bytes + FLAG_SIZE);
		break;
	case MEASURE_AVERAGE:
		ret_cell->number = load_money(bytes);
		ret_cell->count = load_u64(bytes + MONEY_SIZE);
		break;
	case MEASURE_DISTINCT:
	case MEASURE_COUNT_SOME:
		ret_cell->count = load_u64(bytes);
		break;
	case MEASURE_COUNT:
	case MEASURE_FIRST:
	case MEASURE_LAST:
	case MEASURE_QUANTILE:
	case MEASURE_RATIO:
	case MEASURE_COLUMN:
		break;
	}
}
