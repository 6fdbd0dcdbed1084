#include "bridge/checker.h"

int checker_init(struct checker *checker)
{
	*checker = (struct checker){0};
	return document_init(&checker->document, EVENT_NODES_MAX);
}

void checker_deinit(struct checker *checker)
{
	document_deinit(&checker->document);
}

void checker_begin(struct checker *checker, const struct checker_batch *batch)
{
	checker->edge = batch->edge;
	checker->lane = batch->lane;
	checker->rest = batch->events;
	checker->declared_count = batch->count;
	checker->count = 0;
	checker->is_cut = true;
	checker->now_ms = batch->now_ms;
}

bool checker_count_fits(const struct checker *checker)
{
	return !checker->is_cut || checker->count == checker->declared_count;
}

static bool is_ours(const struct checker *checker, const struct certificate *certificate)
{
	return slice_equal(certificate->edge, checker->edge) && certificate->kind == checker->lane;
}

static int complain_of_certificate(struct checker *checker, const struct certificate *certificate)
{
	if (certificate->kind != checker->lane) {
		complaint_set(&checker->complaint, REASON_BAD_CERTIFICATE, "kind",
			"kind \"%s\" came in the lane of \"%s\"", kind_name(certificate->kind),
			kind_name(checker->lane));
	} else {
		complaint_set(&checker->complaint, REASON_BAD_CERTIFICATE, "edge",
			"edge \"%.*s\" is not the edge that sent it (\"%.*s\")",
			(int)certificate->edge.size, (const char *)certificate->edge.bytes,
			(int)checker->edge.size, (const char *)checker->edge.bytes);
	}
	return REASON_BAD_CERTIFICATE;
}

static int check_event(struct checker *checker)
{
	int r = event_decode(&checker->document, ENCODING_MSGPACK, checker->bytes, &checker->event,
		&checker->complaint);
	if (r != 0) {
		return r;
	}
	if (!is_ours(checker, &checker->event.certificate)) {
		return complain_of_certificate(checker, &checker->event.certificate);
	}
	if (checker->event.rejected != REASON_NONE) {
		complaint_set(&checker->complaint, REASON_RESERVED_FIELD, "rejected",
			"only a bridge writes markers");
		return REASON_RESERVED_FIELD;
	}
	return 0;
}

static int check_letter(struct checker *checker)
{
	int r = dead_letter_decode(
		&checker->document, checker->bytes, &checker->letter, &checker->complaint);
	if (r != 0) {
		return r;
	}
	return is_ours(checker, &checker->letter.certificate)
		       ? 0
		       : complain_of_certificate(checker, &checker->letter.certificate);
}

static struct dead_letter letter_of(
	const struct complaint *complaint, struct slice bytes, int64_t now_ms)
{
	return (struct dead_letter){
		.received_ms = now_ms,
		.source = slice_of_text("batch"),
		.refused_by = slice_of_text("bridge"),
		.reason = complaint->reason,
		.field = slice_of_text(complaint->field),
		.message = slice_of_text(complaint->message),
		.bytes = bytes,
	};
}

/* The certificate may be readable though the rest is not. */
static enum check refuse(struct checker *checker)
{
	struct certificate certificate;
	checker->letter = letter_of(&checker->complaint, checker->bytes, checker->now_ms);
	checker->has_certificate = event_peek_certificate(checker->bytes, &certificate) == 0 &&
				   is_ours(checker, &certificate);
	checker->letter.certificate =
		checker->has_certificate
			? certificate
			: (struct certificate){.edge = checker->edge, .kind = checker->lane};
	return CHECK_REFUSED;
}

int checker_next(struct checker *checker)
{
	if (checker->rest.size == 0) {
		return CHECK_END;
	}
	if (!event_cut(&checker->rest, &checker->bytes)) {
		checker->bytes = checker->rest;
		checker->rest = (struct slice){0};
		checker->is_cut = false;
		complaint_set(&checker->complaint, REASON_BAD_FRAME, "",
			"%zu bytes of a batch are no msgpack", checker->bytes.size);
		return refuse(checker);
	}
	checker->count++;
	int r = kind_is_dead_letter(checker->lane) ? check_letter(checker) : check_event(checker);
	if (r < 0) {
		return r;
	}
	return r == 0 ? CHECK_EVENT : refuse(checker);
}

int checker_condemn(struct checker *checker, enum encoding encoding, struct slice value,
	const char *kafka_error, int64_t now_ms)
{
	int r = event_decode(
		&checker->document, encoding, value, &checker->event, &checker->complaint);
	if (r != 0) {
		return r;
	}
	if (checker->event.rejected != REASON_NONE) {
		return REASON_RESERVED_FIELD;
	}
	complaint_set(&checker->complaint, REASON_REFUSED_BY_KAFKA, "",
		"Kafka refuses this record for itself: %s", kafka_error);
	checker->letter = letter_of(&checker->complaint, value, now_ms);
	checker->letter.certificate = checker->event.certificate;
	checker->has_certificate = true;
	return 0;
}
