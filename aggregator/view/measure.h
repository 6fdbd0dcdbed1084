/* measure.h - a measure's state in one row, the "cell": how a number changes it and how two merge. Merging is
 * associative and commutative, so equal multisets of events give equal cells in whatever order they came. Pure. */
#pragma once
#include "aggregator/view/histogram.h"
#include "aggregator/view/view_operand.h"

enum measure_op {
	MEASURE_COUNT, /* the row's number of events; its cell stays empty */
	MEASURE_SUM,
	MEASURE_MIN,
	MEASURE_MAX,
	MEASURE_FIRST, /* of the event with the smallest ts; ties go to the greatest certificate */
	MEASURE_LAST,
	MEASURE_AVERAGE,
	MEASURE_DISTINCT, /* exact, by members */
	MEASURE_QUANTILE, /* of a histogram that those of the same field share */
	MEASURE_RATIO, /* of two measures of the same row: keeps nothing, row_settle works it out */
	MEASURE_COUNT_SOME, /* a count() with conditions of its own */
	MEASURE_COLUMN, /* of a table: a value of the newest record, as a stamp that says nothing but its text */
};

/* Conditions that all must hold, by their place in the view's list. */
struct condition_range {
	size_t first, count;
};

struct measure {
	char name[VIEW_NAME_SIZE_MAX + 1];
	enum measure_op op;
	struct operand operand; /* not of count() and ratio() */
	struct condition_range where; /* of its own, beside the view's */
	size_t histogram; /* of a quantile(): its place among the view's */
	uint32_t millionths; /* of a quantile(): 950000 is 0.95 */
	size_t dividend, divisor; /* of a ratio(): their places among the view's measures */
	size_t offset; /* of its state in a row's value; not of first, last, quantile and ratio */
};

/* Which event a first() or last() stands for. Slices are borrowed from where the cell lives. */
struct stamp {
	int64_t ts_ms;
	struct certificate certificate;
	struct slice text; /* of text operands */
};

struct cell {
	money number; /* sum, min, max, or what first and last found, of numbers; a ratio in millionths */
	uint64_t
		count; /* average: events with the field; count with conditions: events; distinct: members; min, max, first, last, ratio: 1 once there is one; quantile: as average, of its histogram's first */
	union { /* NULL: nothing yet, or none of these */
		struct stamp *stamp; /* first and last */
		struct bins *bins; /* of the first quantile() of a histogram, in an overlay */
	};
};

/* "sum"; the name in declarations. */
const char *measure_op_name(enum measure_op op);
static inline bool measure_is_stamped(const struct measure *measure)
{
	return measure->op == MEASURE_FIRST || measure->op == MEASURE_LAST ||
	       measure->op == MEASURE_COLUMN;
}
/* Does it show who the user of an event was? */
static inline bool measure_tells_user(const struct measure *measure)
{
	return measure_is_stamped(measure) && measure->operand.source == OPERAND_TEXT &&
	       measure->operand.field == FIELD_USER_ID;
}
/* Is it a count(), which reads no field? */
static inline bool measure_takes_nothing(const struct measure *measure)
{
	return measure->op == MEASURE_COUNT || measure->op == MEASURE_COUNT_SOME;
}
/* Is it a sum or a count, so that of two rows it adds up? */
static inline bool measure_adds_up(const struct measure *measure)
{
	return measure_takes_nothing(measure) || measure->op == MEASURE_SUM;
}
/* The bytes of its state in the fixed part of a row's value. */
size_t measure_fixed_size(const struct measure *measure);

/* One event's number: sum, min, max, average. Sums must be known not to overflow (overlay.c says why). */
void cell_add(const struct measure *measure, struct cell *cell, money number);
/* Can it be told what its state was before an event? Not of what remembers extremes, ends or members alone. */
static inline bool measure_takes_back(const struct measure *measure)
{
	return measure->op == MEASURE_COUNT || measure->op == MEASURE_COUNT_SOME ||
	       measure->op == MEASURE_SUM || measure->op == MEASURE_AVERAGE ||
	       measure->op == MEASURE_QUANTILE || measure->op == MEASURE_RATIO;
}
/* Of sum and average: undoes cell_add. */
void cell_take(const struct measure *measure, struct cell *cell, money number);
/* Would this event replace what the cell of a first() or last() holds? */
bool cell_yields_to(const struct measure *measure, const struct cell *cell, int64_t ts_ms,
	const struct certificate *certificate);
/* Adds `from` to `into`; stamps are borrowed from `from`. A distinct's from->count must be its new members only.
 * false, and `into` as it was, when a sum leaves 128 bits. */
bool cell_merge(const struct measure *measure, struct cell *into, const struct cell *from);

/* The state in the fixed part, little-endian; stamps lie elsewhere (measure_row.h). */
void cell_write(const struct measure *measure, const struct cell *cell, uint8_t *bytes);
void cell_read(const struct measure *measure, const uint8_t *bytes, struct cell *ret_cell);
void store_u64(uint8_t *bytes, uint64_t value);
uint64_t load_u64(const uint8_t *bytes);
void store_money(uint8_t *bytes, money value); /* 16 bytes */
money load_money(const uint8_t *bytes);
