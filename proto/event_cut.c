/* What can be known of an event without decoding it. */
#include "proto/event_fields.h"
#include "proto/framing.h"
#include "proto/unpack.h"
#include "proto/utf8.h"

bool event_cut(struct slice *rest, struct slice *ret_event)
{
	size_t size = framing_extent(*rest);

	if (size == 0) {
		return false;
	}
	*ret_event = slice_of(rest->bytes, size);
	*rest = slice_of(rest->bytes + size, rest->size - size);
	return true;
}

static void expect_key(struct unpack *unpack, const char *key)
{
	if (!slice_equals_text(unpack_text(unpack), key)) {
		unpack->is_broken = true;
	}
}

int event_peek_certificate(struct slice bytes, struct certificate *ret_certificate)
{
	struct unpack unpack = unpack_of(bytes);
	struct certificate certificate;
	struct slice kind;

	if (unpack_map(&unpack) < CERTIFICATE_PAIRS) {
		return REASON_BAD_CERTIFICATE;
	}
	expect_key(&unpack, "kind");
	kind = unpack_text(&unpack);
	expect_key(&unpack, "edge");
	certificate.edge = unpack_text(&unpack);
	expect_key(&unpack, "run");
	certificate.run = unpack_unsigned(&unpack, 1, RUN_MAX);
	expect_key(&unpack, "seq");
	certificate.seq = unpack_unsigned(&unpack, 1, INT64_MAX);
	if (unpack.is_broken || !kind_from_name(kind, &certificate.kind) ||
		!edge_id_is_valid(certificate.edge)) {
		return REASON_BAD_CERTIFICATE;
	}
	*ret_certificate = certificate;
	return 0;
}
