#include "proto/query_look.h"
#include "proto/query_parts.h"
#include "proto/timestamp.h"
#include "proto/utf8.h"
#include <stdio.h>

static int read_limit(struct request *request)
{
	int64_t limit = LOOK_LIMIT_DEFAULT;
	int r = query_read_number(request, KEY_LIMIT, 1, LOOK_LIMIT_MAX, &limit);

	request->query->limit = request->query->look.limit = (uint32_t)limit;
	return r;
}

static int read_from(struct request *request)
{
	const struct node *from = request->values[KEY_FROM];
	struct query_look *look = &request->query->look;
	int64_t at;

	if (from->type == NODE_TEXT) {
		return slice_equals_text(from->text, "newest")
			       ? 0
			       : query_refuse(request, KEY_FROM,
					 "is neither \"newest\" nor a time in ms since the epoch");
	}
	if (!node_integer(from, &at) || at < 0 || at > TIMESTAMP_MS_MAX) {
		return query_refuse(request, KEY_FROM,
			"is neither \"newest\" nor a time in ms since the epoch");
	}
	look->from = LOOK_TIME;
	look->at = at;
	return 0;
}

static int read_place(struct request *request)
{
	struct query_look *look = &request->query->look;

	if (request->values[KEY_OFFSET] != NULL && request->values[KEY_FROM] != NULL) {
		return query_refuse(request, KEY_OFFSET, "and \"from\" don't go together");
	}
	if (request->values[KEY_FROM] != NULL) {
		return read_from(request);
	}
	if (request->values[KEY_OFFSET] != NULL) {
		look->from = LOOK_OFFSET;
	}
	return query_read_number(request, KEY_OFFSET, 0, INT64_MAX, &look->at);
}

static int read_records(struct request *request)
{
	struct query_look *look = &request->query->look;
	struct slice topic = {NULL, 0};
	int64_t partition = 0;
	int r = query_read_text(request, KEY_TOPIC, &topic);

	if (r != 0) {
		return r;
	}
	if (topic.size == 0) {
		return query_refuse(request, KEY_TOPIC, "is missing");
	}
	if (topic.size >= sizeof look->topic) {
		return query_refuse(request, KEY_TOPIC, "is longer than any topic's name");
	}
	memcpy(look->topic, topic.bytes, topic.size);
	if (request->values[KEY_PARTITION] == NULL) {
		return query_refuse(request, KEY_PARTITION, "is missing");
	}
	r = query_read_number(request, KEY_PARTITION, 0, INT32_MAX, &partition);
	look->partition = (int32_t)partition;
	return r != 0 ? r : read_place(request);
}

static int read_letters(struct request *request)
{
	struct query_look *look = &request->query->look;
	struct slice code = {NULL, 0}, edge = {NULL, 0};
	int r = query_read_text(request, KEY_CODE, &code);

	if (r == 0) {
		r = query_read_text(request, KEY_EDGE, &edge);
	}
	if (r != 0) {
		return r;
	}
	look->code = reason_from_code((const char *)code.bytes, code.size);
	if (code.size > 0 && look->code == REASON_NONE) {
		return query_refuse(
			request, KEY_CODE, "is no code of a dead letter, such as bad_value");
	}
	if (edge.size > 0 && !edge_id_is_valid(edge)) {
		return query_refuse(request, KEY_EDGE, "is no edge id");
	}
	if (edge.size > 0) {
		memcpy(look->edge, edge.bytes, edge.size);
	}
	return 0;
}

int query_read_look(struct request *request)
{
	struct query_look *look = &request->query->look;
	int r = 0;

	switch (request->query->type) {
	case QUERY_RECORDS:
		look->type = LOOK_RECORDS;
		r = read_records(request);
		break;
	case QUERY_LETTERS:
		look->type = LOOK_LETTERS;
		r = read_letters(request);
		break;
	default:
		look->type = LOOK_TOPICS;
		return 0;
	}
	look->encoding = request->query->encoding;
	return r != 0 ? r : read_limit(request);
}
