/* mqtt_topic.h - topics and patterns of topics. A pattern is what [source.NAME] subscribes: an MQTT filter, in which a
 * level may also be a name in braces that takes the place of `+` and gives the level to a field:
 *
 *	stores/{store}/orders        subscribes stores/+/orders; stores/berlin/orders gives store = berlin
 *	carts/{user_id}/{event_id}   $share/edges/tills/#      stores/+/{kind}
 *
 * Pure; one thread; slices are borrowed from the pattern's text and from the topic. */
#pragma once
#include "proto/limits.h"
#include "proto/slice.h"

struct mqtt_level {
	enum { MQTT_LEVEL_TEXT, MQTT_LEVEL_ANY, MQTT_LEVEL_NAMED, MQTT_LEVEL_REST } type;
	struct slice text; /* of TEXT; the name of NAMED, without braces */
};

/* Borrows the text that it was made of. */
struct mqtt_pattern {
	struct slice text; /* as configured */
	struct slice group; /* $share/GROUP/…; {NULL, 0}: not shared */
	struct mqtt_level levels[MQTT_LEVELS_MAX];
	uint32_t level_count;
	uint32_t name_count;
};

struct mqtt_capture {
	struct slice name; /* borrowed from the pattern */
	struct slice value; /* borrowed from the topic; may be empty, as a level may */
};

enum { MQTT_TOPIC_ERROR_SIZE = 200 };

/* 0 or -EINVAL with a sentence in `error` (what is wrong with which pattern, and what to write). Names: a … z, 0 … 9 and
 * `_`, beginning with a letter, each at most once; which fields they may be is the caller's to check. */
int mqtt_pattern_parse(
	struct slice text, struct mqtt_pattern *ret_pattern, char error[MQTT_TOPIC_ERROR_SIZE]);

/* The filter to subscribe, NUL-terminated, $share included: never longer than MQTT_FILTER_SIZE_MAX. Returns its size. */
size_t mqtt_pattern_filter(
	const struct mqtt_pattern *pattern, char ret_filter[MQTT_FILTER_SIZE_MAX + 1]);

/* Does the topic match? Then the named levels are in ret_captures (name_count of them, in order). Topics that begin
 * with `$` match no pattern that begins with a wildcard or a name. */
bool mqtt_pattern_match(const struct mqtt_pattern *pattern, struct slice topic,
	struct mqtt_capture ret_captures[MQTT_NAMES_MAX]);
