#include "edge/offer.h"
#include <assert.h>

uint32_t offer_codecs(const struct offer *offer, uint32_t bridge, int64_t now_ms)
{
	assert(bridge < OFFER_BRIDGES_MAX);

	return now_ms < offer->none_until_ms[bridge] ? 0 : offer->codecs;
}

bool offer_has(const struct offer *offer, uint32_t bridge, enum wire_codec codec, int64_t now_ms)
{
	return codec == CODEC_NONE || (offer_codecs(offer, bridge, now_ms) >> codec & 1) != 0;
}

void offer_heard_bye(struct offer *offer, uint32_t bridge, enum bye_code code, int64_t now_ms)
{
	if (code != BYE_BAD_FRAME || offer_codecs(offer, bridge, now_ms) == 0) {
		return;
	}
	offer->none_until_ms[bridge] = now_ms + OFFER_NONE_MS;
	offer->refusals++;
}
