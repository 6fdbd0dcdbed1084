#include "proto/query_replay.h"
#include "proto/query_parts.h"
#include <stdio.h>

/* As "letters" writes it, and no other way: +3 and 03 are no partitions. */
static bool read_place(struct slice text, struct letter_place *ret_place)
{
	char bytes[LETTER_PLACE_SIZE], again[LETTER_PLACE_SIZE];

	if (text.size >= sizeof bytes || memchr(text.bytes, '\0', text.size) != NULL) {
		return false;
	}
	snprintf(bytes, sizeof bytes, "%.*s", (int)text.size, (const char *)text.bytes);
	return letter_place_parse(bytes, ret_place) &&
	       strcmp(letter_place_format(ret_place, again), bytes) == 0;
}

static bool is_named(const struct query_replay *replay, const struct letter_place *place)
{
	for (uint32_t i = 0; i < replay->place_count; i++) {
		const struct letter_place *other = &replay->places[i];
		if (other->offset == place->offset && other->partition == place->partition &&
			strcmp(other->topic, place->topic) == 0) {
			return true;
		}
	}
	return false;
}

static int refuse_count(const struct request *request, enum query_key key, int max)
{
	complaint_set(request->complaint, REASON_TOO_LARGE, query_key_names[key],
		"\"%s\" may have at most %d", query_key_names[key], max);
	return REASON_TOO_LARGE;
}

static int read_places(struct request *request)
{
	const struct node *list = request->values[KEY_PLACES];
	struct query_replay *replay = &request->query->replay;
	struct letter_place place;

	if (list == NULL) {
		return query_refuse(request, KEY_PLACES, "is missing");
	}
	if (list->type != NODE_ARRAY || list->count == 0) {
		return query_refuse(request, KEY_PLACES, "must be an array of letters' places");
	}
	if (list->count > REPLAY_PLACES_MAX) {
		return refuse_count(request, KEY_PLACES, REPLAY_PLACES_MAX);
	}
	const struct node *node = node_first(list);
	for (uint32_t i = 0; i < list->count; i++, node = node_next(node)) {
		if (node->type != NODE_TEXT || !read_place(node->text, &place)) {
			return query_refuse(request, KEY_PLACES,
				"must hold places as \"letters\" has them: orders.dlq/3/17");
		}
		if (is_named(replay, &place)) {
			return query_refuse(request, KEY_PLACES, "names a letter twice");
		}
		replay->places[replay->place_count++] = place;
	}
	return 0;
}

/* A letter that bore another id than its place would count once more. */
static bool may_set(struct slice field)
{
	return field.size > 0 && !slice_equals_text(field, "event_id");
}

static int read_set(struct request *request)
{
	const struct node *map = request->values[KEY_SET];
	struct query_replay *replay = &request->query->replay;

	if (map == NULL) {
		return 0;
	}
	if (map->type != NODE_MAP) {
		return query_refuse(request, KEY_SET, "must be a map of fields and texts");
	}
	if (map->count > REPLAY_FIELDS_MAX) {
		return refuse_count(request, KEY_SET, REPLAY_FIELDS_MAX);
	}
	const struct node *field = node_first(map);
	for (uint32_t i = 0; i < map->count; i++) {
		const struct node *value = node_next(field);
		if (value->type != NODE_TEXT || !may_set(field->text)) {
			return query_refuse(request, KEY_SET,
				"must be a map of fields and texts, without event_id");
		}
		replay->set[replay->set_count++] = (struct pair){field->text, value->text};
		field = node_next(value);
	}
	return 0;
}

int query_read_replay(struct request *request)
{
	int r = read_places(request);

	request->query->timeout_ms = REPLAY_TIMEOUT_MS;
	return r != 0 ? r : read_set(request);
}
