#include "bridge/letter.h"
#include <inttypes.h>
#include <stdio.h>

static void add(struct letter_headers *headers, enum dead_letter_header header, struct slice value)
{
	if (value.size > 0) {
		headers->items[headers->count++] =
			(struct letter_header){dead_letter_header_name(header), value};
	}
}

static struct slice number_text(uint64_t number, char text[24])
{
	int size = snprintf(text, 24, "%" PRIu64, number);
	return slice_of(text, (size_t)size);
}

void letter_headers_fill(
	struct letter_headers *headers, const struct dead_letter *letter, const char *topic)
{
	const struct certificate *certificate = &letter->certificate;
	headers->count = 0;
	add(headers, DLQ_HEADER_EDGE, certificate->edge);
	if (certificate->seq > 0) {
		add(headers, DLQ_HEADER_RUN, number_text(certificate->run, headers->run));
	}
	add(headers, DLQ_HEADER_KIND, slice_of_text(kind_name(certificate->kind)));
	if (certificate->seq > 0) {
		add(headers, DLQ_HEADER_SEQ, number_text(certificate->seq, headers->seq));
	}
	add(headers, DLQ_HEADER_RECEIVED_MS,
		number_text((uint64_t)letter->received_ms, headers->received_ms));
	add(headers, DLQ_HEADER_SOURCE, letter->source);
	add(headers, DLQ_HEADER_REFUSED_BY, letter->refused_by);
	add(headers, DLQ_HEADER_TOPIC, slice_of_text(topic));
	add(headers, DLQ_HEADER_CODE, slice_of_text(reason_code(letter->reason)));
	add(headers, DLQ_HEADER_MESSAGE, letter->message);
}
