#include "edge/http_rules.h"
#include <ctype.h>
#include <strings.h>

/* ---- words within headers */

static struct slice trim(struct slice text)
{
	while (text.size > 0 && (text.bytes[0] == ' ' || text.bytes[0] == '\t')) {
		text = slice_of(text.bytes + 1, text.size - 1);
	}
	while (text.size > 0 &&
		(text.bytes[text.size - 1] == ' ' || text.bytes[text.size - 1] == '\t')) {
		text.size--;
	}
	return text;
}

/* What stands before the next `border`, trimmed; the rest moves behind it. */
static struct slice cut_word(struct slice *rest, char border)
{
	const uint8_t *end = rest->size > 0 ? memchr(rest->bytes, border, rest->size) : NULL;
	size_t size = end != NULL ? (size_t)(end - rest->bytes) : rest->size;
	struct slice word = trim(slice_of(rest->bytes, size));

	size += end != NULL;
	*rest = slice_of(rest->bytes + size, rest->size - size);
	return word;
}

static bool word_is(struct slice word, const char *text)
{
	return word.size == strlen(text) &&
	       (word.size == 0 || strncasecmp((const char *)word.bytes, text, word.size) == 0);
}

/* Of a media type's parameters; its value without quotes. */
static bool find_parameter(struct slice parameters, const char *name, struct slice *ret_value)
{
	while (parameters.size > 0) {
		struct slice value = cut_word(&parameters, ';');
		struct slice key = cut_word(&value, '=');
		if (!word_is(key, name)) {
			continue;
		}
		value = trim(value);
		bool quoted = value.size >= 2 && value.bytes[0] == '"' &&
			      value.bytes[value.size - 1] == '"';
		*ret_value = quoted ? slice_of(value.bytes + 1, value.size - 2) : value;
		return true;
	}
	return false;
}

/* ---- types */

static const struct media_type {
	const char *name;
	enum http_format format;
} media_types[] = {
	{"application/json", HTTP_FORMAT_JSON},
	{"application/x-ndjson", HTTP_FORMAT_NDJSON},
	{"application/ndjson", HTTP_FORMAT_NDJSON},
	{"application/jsonl", HTTP_FORMAT_NDJSON},
	{"application/msgpack", HTTP_FORMAT_MSGPACK},
	{"application/x-msgpack", HTTP_FORMAT_MSGPACK},
	{"application/vnd.msgpack", HTTP_FORMAT_MSGPACK},
};

static bool find_media_type(struct slice name, enum http_format *ret_format)
{
	for (size_t i = 0; i < sizeof media_types / sizeof media_types[0]; i++) {
		if (word_is(name, media_types[i].name)) {
			*ret_format = media_types[i].format;
			return true;
		}
	}
	return false;
}

bool http_format_read(const char *type, enum http_format *ret_format)
{
	struct slice rest = slice_of_text(type), charset;
	enum http_format format;

	if (type == NULL) {
		*ret_format = HTTP_FORMAT_ANY;
		return true;
	}
	if (!find_media_type(cut_word(&rest, ';'), &format)) {
		return false;
	}
	if (find_parameter(rest, "charset", &charset) && !word_is(charset, "utf-8") &&
		!word_is(charset, "utf8") && !word_is(charset, "us-ascii")) {
		return false;
	}
	*ret_format = format;
	return true;
}

bool http_coding_is_plain(const char *coding)
{
	return coding == NULL || word_is(trim(slice_of_text(coding)), "identity") ||
	       *coding == '\0';
}

static bool is_unwanted(struct slice parameters)
{
	struct slice quality;

	if (!find_parameter(parameters, "q", &quality)) {
		return false;
	}
	for (size_t i = 0; i < quality.size; i++) {
		if (quality.bytes[i] != '0' && quality.bytes[i] != '.') {
			return false;
		}
	}
	return true;
}

bool http_wants_msgpack(const char *accept, bool sent)
{
	struct slice rest = slice_of_text(accept);
	enum http_format format;

	while (rest.size > 0) {
		struct slice parameters = cut_word(&rest, ',');
		struct slice name = cut_word(&parameters, ';');
		if (!is_unwanted(parameters) && find_media_type(name, &format)) {
			return format == HTTP_FORMAT_MSGPACK;
		}
	}
	return sent;
}

/* ---- Idempotency-Key */

static bool unquote(struct slice text, char *out)
{
	size_t size = 0;

	if (text.size < 2 || text.bytes[text.size - 1] != '"') {
		return false;
	}
	text = slice_of(text.bytes + 1, text.size - 2);
	for (size_t i = 0; i < text.size; i++) {
		bool escapes = text.bytes[i] == '\\';
		i += escapes;
		bool special = i < text.size && (text.bytes[i] == '\\' || text.bytes[i] == '"');
		if (escapes != special ||
			size == REQUEST_KEY_SIZE_MAX) { /* a quote within, or \x */
			return false;
		}
		out[size++] = (char)text.bytes[i];
	}
	out[size] = '\0';
	return true;
}

bool http_key_read(const char *value, char ret_key[REQUEST_KEY_SIZE_MAX + 1])
{
	struct slice text = trim(slice_of_text(value));

	for (size_t i = 0; i < text.size; i++) {
		if (iscntrl(text.bytes[i])) {
			return false;
		}
	}
	if (text.size > 0 && text.bytes[0] == '"') {
		return unquote(text, ret_key) && ret_key[0] != '\0';
	}
	if (text.size == 0 || text.size > REQUEST_KEY_SIZE_MAX) {
		return false;
	}
	memcpy(ret_key, text.bytes, text.size);
	ret_key[text.size] = '\0';
	return true;
}

/* ---- outcomes */

static unsigned status_of_refusal(enum reason reason)
{
	switch (reason) {
	case REASON_SPOOL_FULL:
		return 429;
	case REASON_SHUTTING_DOWN:
		return 503;
	case REASON_TOO_LARGE:
		return 413;
	case REASON_BAD_VALUE: /* the key came before, with other events */
		return 422;
	case REASON_INTERNAL:
		return 500;
	default:
		return 400;
	}
}

unsigned http_status_of(const struct submission_result *result)
{
	if (result->outcome != SUBMISSION_TAKEN) {
		return status_of_refusal(result->refusal);
	}
	bool all_invalid =
		result->invalid > 0 && result->accepted == 0 && result->repeated_events == 0;
	return all_invalid ? 422 : 200;
}
