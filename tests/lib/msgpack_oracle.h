/* msgpack_oracle.h - the decoder of proto/ beside msgpack-c's object API, an independent reader of the same bytes. */
#pragma once
#include "proto/document.h"

/* Asserts that `bytes`, whose decoding gave `result`, were rightly taken or refused, and that each node says what
 * msgpack-c's object says. Aborts with a word when they differ. */
void msgpack_oracle_check(
	const struct document *document, struct slice bytes, uint32_t depth_max, int result);
