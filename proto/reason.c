#include "proto/reason.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/utf8.h"

static const char *const CODES[REASON_COUNT] = {
	[REASON_NONE] = "",
	[REASON_BAD_FRAME] = "bad_frame",
	[REASON_TOO_LARGE] = "too_large",
	[REASON_TOO_DEEP] = "too_deep",
	[REASON_BAD_TYPE] = "bad_type",
	[REASON_BAD_VALUE] = "bad_value",
	[REASON_MISSING_FIELD] = "missing_field",
	[REASON_UNKNOWN_KIND] = "unknown_kind",
	[REASON_RESERVED_FIELD] = "reserved_field",
	[REASON_FLOAT32_MONEY] = "float32_money",
	[REASON_SPOOL_FULL] = "spool_full",
	[REASON_SHUTTING_DOWN] = "shutting_down",
	[REASON_BUSY] = "busy",
	[REASON_BAD_CERTIFICATE] = "bad_certificate",
	[REASON_REFUSED_BY_KAFKA] = "refused_by_kafka",
	[REASON_BAD_REQUEST] = "bad_request",
	[REASON_UNKNOWN_QUERY] = "unknown_query",
	[REASON_UNKNOWN_VIEW] = "unknown_view",
	[REASON_UNKNOWN_FIELD] = "unknown_field",
	[REASON_BAD_KEY] = "bad_key",
	[REASON_TIMEOUT] = "timeout",
	[REASON_REBUILDING] = "rebuilding",
	[REASON_NOT_READY] = "not_ready",
	[REASON_FORBIDDEN] = "forbidden",
	[REASON_INTERNAL] = "internal",
};

const char *reason_code(enum reason reason)
{
	return CODES[reason];
}

enum reason reason_from_code(const char *code, unsigned long size)
{
	for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
		if (slice_equals_text(slice_of(code, size), CODES[i])) {
			return (enum reason)i;
		}
	}
	return REASON_NONE;
}

static const char ELLIPSIS[] = "\xe2\x80\xa6";

/* Copies `text`, each byte that is no printable UTF-8 as '?', and ends what does not fit with an ellipsis. */
static void copy_clean(char *clean, size_t capacity, const char *text)
{
	struct slice rest = slice_of_text(text);
	size_t used = 0;
	size_t cut = 0; /* the last place where an ellipsis still fits */

	while (rest.size > 0) {
		uint32_t code_point = 0;
		size_t size = utf8_decode(rest, &code_point);
		bool printable = size > 0 && !utf8_is_control(code_point);
		size_t step = size > 0 ? size : 1;
		size_t need = printable ? size : 1;

		if (used + sizeof ELLIPSIS <= capacity) {
			cut = used;
		}
		if (used + need >= capacity) {
			memcpy(clean + cut, ELLIPSIS, sizeof ELLIPSIS);
			return;
		}
		memcpy(clean + used, printable ? (const char *)rest.bytes : "?", need);
		used += need;
		rest = slice_of(rest.bytes + step, rest.size - step);
	}
	clean[used] = '\0';
}

void complaint_set(
	struct complaint *complaint, enum reason reason, const char *field, const char *format, ...)
{
	char message[4 * COMPLAINT_SIZE_MAX]; /* room to see that something was cut */
	va_list arguments;

	va_start(arguments, format);
	int written = vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);

	complaint->reason = reason;
	copy_clean(complaint->field, sizeof complaint->field, field == NULL ? "" : field);
	copy_clean(complaint->message, sizeof complaint->message, written < 0 ? "" : message);
}
