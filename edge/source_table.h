/* source_table.h - the types of sources that a section [source.NAME] may say. A new one is a file and a row here. */
#pragma once
#include "edge/source.h"

extern const struct source_type *const source_types[]; /* ends with NULL */
