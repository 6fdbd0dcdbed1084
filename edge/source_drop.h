/* source_drop.h - type = drop: a folder into which other programs put whole files. What becomes of them is drop.h's matter; this
 * joins it to the configuration, the loop, the port, metrics and the log. */
#pragma once
#include "edge/source.h"

extern const struct source_type source_drop_type;
