/* source_tail.h - type = tail: files that other programs write on, NDJSON or CSV. What happens to them is tail.h's matter; this
 * joins it to the configuration, the disk, the loop, the port, metrics and the log. */
#pragma once
#include "edge/source.h"

extern const struct source_type source_tail_type;
