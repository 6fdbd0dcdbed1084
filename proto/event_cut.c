/* What can be known of an event without decoding it. */
#include "proto/event_fields.h"
#include "proto/framing.h"
#include "proto/pull.h"
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

static void expect_key(struct pull *pull, const char *key)
{
	if (!slice_equals_text(pull_text(pull), key)) {
		pull->is_broken = true;
	}
}

int event_peek_certificate(struct slice bytes, struct certificate *ret_certificate)
{
	struct pull pull = pull_of(bytes);
	struct certificate certificate;
	struct slice kind;

	if (pull_map(&pull) < CERTIFICATE_PAIRS) {
		return REASON_BAD_CERTIFICATE;
	}
	expect_key(&pull, "kind");
	kind = pull_text(&pull);
	expect_key(&pull, "edge");
	certificate.edge = pull_text(&pull);
	expect_key(&pull, "run");
	certificate.run = pull_unsigned(&pull, 1, RUN_MAX);
	expect_key(&pull, "seq");
	certificate.seq = pull_unsigned(&pull, 1, INT64_MAX);
	if (pull.is_broken || !kind_from_name(kind, &certificate.kind) ||
		!edge_id_is_valid(certificate.edge)) {
		return REASON_BAD_CERTIFICATE;
	}
	*ret_certificate = certificate;
	return 0;
}
