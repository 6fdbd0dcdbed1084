#include "proto/mqtt_topic.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "proto/utf8.h"

static const char share_prefix[] = "$share/";

struct parser {
	struct mqtt_pattern *pattern;
	char *error; /* MQTT_TOPIC_ERROR_SIZE */
};

/* The pattern is cut in the middle of a sentence rather than the sentence at its end. */
static int __attribute__((format(printf, 2, 3)))
complain(struct parser *parser, const char *format, ...)
{
	struct slice text = parser->pattern->text;
	int shown = text.size > 60 ? 60 : (int)text.size;
	int size = snprintf(parser->error, MQTT_TOPIC_ERROR_SIZE, "pattern \"%.*s%s\": ", shown,
		shown == 0 ? "" : (const char *)text.bytes, text.size > 60 ? "…" : "");
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(parser->error + size, MQTT_TOPIC_ERROR_SIZE - (size_t)size, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static bool has_byte(struct slice text, char byte)
{
	return text.size > 0 && memchr(text.bytes, byte, text.size) != NULL;
}

static bool starts_with_text(struct slice text, const char *prefix)
{
	size_t size = strlen(prefix);

	return text.size >= size && memcmp(text.bytes, prefix, size) == 0;
}

/* Takes the bytes before the next '/' off; false when it was the last level. */
static bool next_level(struct slice *rest, struct slice *ret_level)
{
	const uint8_t *slash = rest->size == 0 ? NULL : memchr(rest->bytes, '/', rest->size);

	if (slash == NULL) {
		*ret_level = *rest;
		return false;
	}
	*ret_level = slice_of(rest->bytes, (size_t)(slash - rest->bytes));
	*rest = slice_of(slash + 1, rest->size - ret_level->size - 1);
	return true;
}

static bool is_name(struct slice name)
{
	for (size_t i = 0; i < name.size; i++) {
		uint8_t c = name.bytes[i];
		bool is_letter = c >= 'a' && c <= 'z';
		if (!is_letter && (i == 0 || !((c >= '0' && c <= '9') || c == '_'))) {
			return false;
		}
	}
	return name.size > 0;
}

static int parse_name(struct parser *parser, struct slice name, struct mqtt_level *level)
{
	struct mqtt_pattern *pattern = parser->pattern;

	if (!is_name(name)) {
		return complain(parser,
			"the name \"%.*s\" is none: small letters, digits and _, beginning with a "
			"letter",
			name.size > 30 ? 30 : (int)name.size, (const char *)name.bytes);
	}
	for (uint32_t i = 0; i < pattern->level_count; i++) {
		if (pattern->levels[i].type == MQTT_LEVEL_NAMED &&
			slice_equal(pattern->levels[i].text, name)) {
			return complain(parser, "{%.*s} is there twice", (int)name.size,
				(const char *)name.bytes);
		}
	}
	if (pattern->name_count == MQTT_NAMES_MAX) {
		return complain(parser, "more than %d names", MQTT_NAMES_MAX);
	}
	pattern->name_count++;
	*level = (struct mqtt_level){MQTT_LEVEL_NAMED, name};
	return 0;
}

static int parse_level(
	struct parser *parser, struct slice text, bool is_last, struct mqtt_level *level)
{
	if (slice_equals_text(text, "+")) {
		*level = (struct mqtt_level){MQTT_LEVEL_ANY, text};
		return 0;
	}
	if (slice_equals_text(text, "#")) {
		*level = (struct mqtt_level){MQTT_LEVEL_REST, text};
		return is_last ? 0
			       : complain(parser, "# stands for all that follows: it must be last");
	}
	if (has_byte(text, '+') || has_byte(text, '#')) {
		return complain(parser, "+ and # must be alone between two slashes");
	}
	if (text.size >= 2 && text.bytes[0] == '{' && text.bytes[text.size - 1] == '}') {
		return parse_name(parser, slice_of(text.bytes + 1, text.size - 2), level);
	}
	if (has_byte(text, '{') || has_byte(text, '}')) {
		return complain(parser, "a {name} must be a whole level, between two slashes");
	}
	*level = (struct mqtt_level){MQTT_LEVEL_TEXT, text};
	return 0;
}

static int parse_levels(struct parser *parser, struct slice rest)
{
	struct mqtt_pattern *pattern = parser->pattern;
	bool more = true;

	while (more) {
		struct slice text;
		more = next_level(&rest, &text);
		if (pattern->level_count == MQTT_LEVELS_MAX) {
			return complain(parser, "more than %d levels", MQTT_LEVELS_MAX);
		}
		int r = parse_level(parser, text, !more, &pattern->levels[pattern->level_count]);
		if (r < 0) {
			return r;
		}
		pattern->level_count++;
	}
	return 0;
}

/* Takes $share/GROUP/ off. */
static int parse_group(struct parser *parser, struct slice *rest)
{
	struct slice *group = &parser->pattern->group;

	if (!starts_with_text(*rest, share_prefix)) {
		return slice_equals_text(*rest, "$share")
			       ? complain(parser, "write $share/GROUP/ and a pattern")
			       : 0;
	}
	*rest = slice_of(rest->bytes + strlen(share_prefix), rest->size - strlen(share_prefix));
	if (!next_level(rest, group) || group->size == 0 || rest->size == 0) {
		return complain(parser, "write $share/GROUP/ and a pattern");
	}
	if (group->size > MQTT_GROUP_SIZE_MAX) {
		return complain(parser, "the group is longer than %d bytes", MQTT_GROUP_SIZE_MAX);
	}
	if (has_byte(*group, '+') || has_byte(*group, '#') || has_byte(*group, '{') ||
		has_byte(*group, '}')) {
		return complain(parser, "the group of $share/GROUP/ is plain text");
	}
	return 0;
}

int mqtt_pattern_parse(
	struct slice text, struct mqtt_pattern *ret_pattern, char error[MQTT_TOPIC_ERROR_SIZE])
{
	struct mqtt_pattern pattern = {.text = text};
	struct parser parser = {&pattern, error};
	struct slice rest = text;

	if (!utf8_is_valid(text)) {
		snprintf(error, MQTT_TOPIC_ERROR_SIZE, "a pattern that is not UTF-8, or has a NUL");
		return -EINVAL;
	}
	if (text.size == 0) {
		return complain(&parser, "is empty: write # for all topics");
	}
	if (text.size > MQTT_FILTER_SIZE_MAX) {
		return complain(&parser, "is longer than %d bytes", MQTT_FILTER_SIZE_MAX);
	}
	int r = parse_group(&parser, &rest);
	if (r == 0) {
		r = parse_levels(&parser, rest);
	}
	if (r == 0) {
		*ret_pattern = pattern;
	}
	return r;
}

static size_t put(char *to, size_t at, struct slice text)
{
	if (text.size > 0) {
		memcpy(to + at, text.bytes, text.size);
	}
	return at + text.size;
}

size_t mqtt_pattern_filter(
	const struct mqtt_pattern *pattern, char ret_filter[MQTT_FILTER_SIZE_MAX + 1])
{
	size_t size = 0;

	if (pattern->group.size > 0) {
		size = put(ret_filter, size, slice_of_text(share_prefix));
		size = put(ret_filter, size, pattern->group);
		size = put(ret_filter, size, slice_of_text("/"));
	}
	for (uint32_t i = 0; i < pattern->level_count; i++) {
		const struct mqtt_level *level = &pattern->levels[i];
		size = put(ret_filter, size, slice_of_text(i == 0 ? "" : "/"));
		size = put(ret_filter, size,
			level->type == MQTT_LEVEL_NAMED ? slice_of_text("+") : level->text);
	}
	ret_filter[size] = '\0';
	return size;
}

/* Topics that begin with $ are the broker's own: no wildcard at the start reaches them. */
static bool is_hidden(const struct mqtt_pattern *pattern, struct slice topic)
{
	return topic.size > 0 && topic.bytes[0] == '$' &&
	       pattern->levels[0].type != MQTT_LEVEL_TEXT;
}

bool mqtt_pattern_match(const struct mqtt_pattern *pattern, struct slice topic,
	struct mqtt_capture ret_captures[MQTT_NAMES_MAX])
{
	struct mqtt_capture captures[MQTT_NAMES_MAX];
	uint32_t found = 0, i = 0;
	bool more = true;

	if (is_hidden(pattern, topic)) {
		return false;
	}
	for (; more && i < pattern->level_count; i++) {
		const struct mqtt_level *level = &pattern->levels[i];
		struct slice text;
		if (level->type == MQTT_LEVEL_REST) {
			more = false;
			continue;
		}
		more = next_level(&topic, &text);
		if (level->type == MQTT_LEVEL_TEXT && !slice_equal(level->text, text)) {
			return false;
		}
		if (level->type == MQTT_LEVEL_NAMED) {
			captures[found++] = (struct mqtt_capture){level->text, text};
		}
	}
	/* `a/#` is also `a` itself. */
	bool rest_is_empty =
		i + 1 == pattern->level_count && pattern->levels[i].type == MQTT_LEVEL_REST;
	if (more || (i < pattern->level_count && !rest_is_empty)) {
		return false;
	}
	memcpy(ret_captures, captures, found * sizeof *captures);
	return true;
}
