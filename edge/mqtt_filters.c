#include "edge/mqtt_filters.h"
#include "edge/mqtt_session_internal.h"

bool mqtt_filters_next(struct slice *rest, struct slice *ret_filter)
{
	while (rest->size > 0) {
		const uint8_t *end = memchr(rest->bytes, '\0', rest->size);
		size_t size = end == NULL ? rest->size : (size_t)(end - rest->bytes);
		size_t step = end == NULL ? size : size + 1;
		*ret_filter = slice_of(rest->bytes, size);
		*rest = slice_of(rest->bytes + step, rest->size - step);
		if (size > 0) {
			return true;
		}
	}
	return false;
}

bool mqtt_filters_have(struct slice list, struct slice filter)
{
	struct slice other;

	while (mqtt_filters_next(&list, &other)) {
		if (slice_equal(other, filter)) {
			return true;
		}
	}
	return false;
}

static uint32_t count(struct slice list)
{
	struct slice filter;
	uint32_t found = 0;

	while (mqtt_filters_next(&list, &filter)) {
		found++;
	}
	return found;
}

void mqtt_filters_add(struct buffer *list, struct slice filter)
{
	bool has_room = filter.size < list->limit - list->size &&
			count(buffer_slice(list)) < MQTT_LIST_FILTERS_MAX;

	if (has_room && !mqtt_filters_have(buffer_slice(list), filter)) {
		buffer_append(list, filter.bytes, filter.size);
		buffer_append_byte(list, '\0');
	}
}
