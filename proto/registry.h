/* registry.h - the five bytes that Confluent's serialisers put in front of what they write: a zero, and the number of a
 * schema in their registry. With JSON behind them they say nothing that is needed; Avro and Protobuf can't be read without
 * the registry. Pure. */
#pragma once
#include "proto/document.h"

/* `of` is "key" or "value": for the sentence. 0, or REASON_BAD_FRAME with the complaint. */
int registry_strip(
	const char *of, struct slice bytes, struct slice *ret_json, struct complaint *complaint);
