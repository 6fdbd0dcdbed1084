/* source_http.h - events in by HTTP: POST one, an array, NDJSON or msgpack; answered when they are on disk. PROTOCOL.md
 * 3.6 is the specification. One thread. */
#pragma once
#include "edge/source.h"

extern const struct source_type source_http_type;
