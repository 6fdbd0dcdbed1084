#include "edge/source_table.h"

const struct source_type *const source_types[] = {
	NULL,
};
