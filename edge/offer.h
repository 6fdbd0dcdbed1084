/* offer.h - the codecs that a HELLO offers to a bridge (PROTOCOL.md, 4.3). A bridge that answers with BYE bad_frame may
 * be older than the offer, or can't read what it chose: it is offered none for a while, so that nothing waits for a
 * codec. Pure; times are monotonic ms. */
#pragma once
#include "proto/wire.h"

enum {
	OFFER_BRIDGES_MAX = 16,
	/* A bridge may be upgraded while the edge runs; an edge that tries in vain loses one session an hour. */
	OFFER_NONE_MS = 60 * 60 * 1000,
};

struct offer {
	uint32_t codecs; /* the set that is configured; 0: never anything */
	int64_t none_until_ms[OFFER_BRIDGES_MAX]; /* by bridge */
	uint64_t refusals;
};

/* A zeroed offer offers nothing. */
uint32_t offer_codecs(const struct offer *offer, uint32_t bridge, int64_t now_ms);
/* Was that on offer? CODEC_NONE always is. */
bool offer_has(const struct offer *offer, uint32_t bridge, enum wire_codec codec, int64_t now_ms);
void offer_heard_bye(struct offer *offer, uint32_t bridge, enum bye_code code, int64_t now_ms);
