/* A pattern, NUL, a topic: a pattern that is taken subscribes a filter that is a pattern too, and both take the same
 * topics as the definition does, level by level. */
#include <stdio.h>

#include "proto/mqtt_topic.h"
#include "tests/fuzz/fuzz.h"

static struct slice level_of(struct slice topic, struct slice *rest)
{
	const uint8_t *slash = topic.size == 0 ? NULL : memchr(topic.bytes, '/', topic.size);

	if (slash == NULL) {
		*rest = slice_of(NULL, 0);
		return topic;
	}
	size_t size = (size_t)(slash - topic.bytes);
	*rest = slice_of(slash + 1, topic.size - size - 1);
	return slice_of(topic.bytes, size);
}

/* MQTT 5, 4.7, told in another way: by recursion over the filter's own text. `ended`: no level is left. */
static bool takes(struct slice filter, bool filter_ended, struct slice topic, bool topic_ended)
{
	struct slice filter_rest, topic_rest;

	if (filter_ended) {
		return topic_ended;
	}
	struct slice wanted = level_of(filter, &filter_rest);
	if (slice_equals_text(wanted, "#")) {
		return true;
	}
	if (topic_ended) {
		return false;
	}
	struct slice level = level_of(topic, &topic_rest);
	return (slice_equals_text(wanted, "+") || slice_equal(wanted, level)) &&
	       takes(filter_rest, filter_rest.bytes == NULL, topic_rest, topic_rest.bytes == NULL);
}

static bool is_taken(struct slice filter, struct slice topic)
{
	bool is_hidden = topic.size > 0 && topic.bytes[0] == '$';

	if (is_hidden && (filter.bytes[0] == '+' || filter.bytes[0] == '#')) {
		return false;
	}
	return takes(filter, false, topic, false);
}

static void check_match(const struct mqtt_pattern *pattern, struct slice filter, struct slice topic)
{
	struct mqtt_capture captures[MQTT_NAMES_MAX];
	bool matches = mqtt_pattern_match(pattern, topic, captures);

	fuzz_require(matches == is_taken(filter, topic));
	for (uint32_t i = 0; matches && i < pattern->name_count; i++) {
		fuzz_require(captures[i].name.size > 0);
		fuzz_require(captures[i].value.size == 0 ||
			     memchr(captures[i].value.bytes, '/', captures[i].value.size) == NULL);
	}
}

static void check_filter(const struct mqtt_pattern *pattern, struct slice topic)
{
	char filter[MQTT_FILTER_SIZE_MAX + 1], again[MQTT_FILTER_SIZE_MAX + 1];
	char error[MQTT_TOPIC_ERROR_SIZE];
	struct mqtt_pattern same;
	size_t size = mqtt_pattern_filter(pattern, filter);

	fuzz_require(size == strlen(filter) && size > 0);
	fuzz_require(mqtt_pattern_parse(slice_of_text(filter), &same, error) == 0);
	fuzz_require(same.name_count == 0 && same.level_count == pattern->level_count);
	mqtt_pattern_filter(&same, again);
	fuzz_require(strcmp(filter, again) == 0);
	size_t shared = pattern->group.size == 0 ? 0 : strlen("$share//") + pattern->group.size;
	check_match(pattern, slice_of(filter + shared, size - shared), topic);
	check_match(&same, slice_of(filter + shared, size - shared), topic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size == 0 ? NULL : memchr(data, '\0', size);
	size_t pattern_size = end == NULL ? size : (size_t)(end - data);
	struct slice text = fuzz_copy(data, pattern_size);
	struct slice topic =
		end == NULL ? fuzz_copy(data, 0) : fuzz_copy(end + 1, size - pattern_size - 1);
	char error[MQTT_TOPIC_ERROR_SIZE] = "";
	struct mqtt_pattern pattern;

	if (mqtt_pattern_parse(text, &pattern, error) == 0) {
		check_filter(&pattern, topic);
	} else {
		fuzz_require(strlen(error) > 0);
	}
	fuzz_free(text);
	fuzz_free(topic);
	return 0;
}
