/* cell_type.h - what a cell of a CSV file can be in a table, so that the table says the same as the file: never a digit, a
 * sign or a zero less. So 007 and +49 are text, as are 1e5, NaN and "yes". Pure. */
#pragma once
#include "proto/slice.h"

/* In the order of choice: a column gets the first that all its cells can be. */
enum cell_type {
	CELL_BOOLEAN, /* true, false, in any case */
	CELL_INTEGER, /* 32 bits */
	CELL_BIGINT, /* 64 bits */
	CELL_NUMERIC, /* digits, a point, digits */
	CELL_DATE, /* YYYY-MM-DD */
	CELL_TIMESTAMP, /* that and a time without offset, [T ]HH:MM[:SS[.ffffff]] */
	CELL_TIMESTAMPTZ, /* that and Z or ±HH[:]MM */
	CELL_TEXT,
	CELL_TYPE_COUNT,
};

/* A set of types: bit 1 << type. */
enum { CELL_TYPES_ALL = (1 << CELL_TYPE_COUNT) - 1 };

/* What it can be; an empty cell is null and can be anything. */
unsigned cell_types(struct slice cell);
/* The first of a column's set; a column without any value is text. */
enum cell_type cell_type_choose(unsigned types);
/* SQL's name. */
const char *cell_type_name(enum cell_type type);
