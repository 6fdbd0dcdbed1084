#include "edge/source_table.h"
#include "edge/source_tail.h"

const struct source_type *const source_types[] = {
	&source_tail_type,
	NULL,
};
