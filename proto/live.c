#include "proto/live.h"
#include "proto/query.h"

static const char *const type_names[] = {
	[LIVE_HELLO] = "hello",
	[LIVE_ROWS] = "rows",
	[LIVE_IDLE] = "idle",
	[LIVE_RESET] = "reset",
	[LIVE_ERROR] = "error",
};

enum { TYPE_COUNT = sizeof type_names / sizeof type_names[0], PREFIX_SIZE = 2 };

const char *live_type_name(enum live_type type)
{
	return type_names[type];
}

size_t live_topic_write(const struct live_topic *topic, uint8_t ret_bytes[LIVE_TOPIC_SIZE_MAX])
{
	ret_bytes[0] = topic->encoding == ENCODING_JSON ? 'j' : 'm';
	ret_bytes[1] = '/';
	memcpy(ret_bytes + PREFIX_SIZE, topic->view.bytes, topic->view.size);
	ret_bytes[PREFIX_SIZE + topic->view.size] = '\0';
	return PREFIX_SIZE + topic->view.size + 1;
}

/* Views' names are letters, digits and _, behind "table." those of tables: what is repeated to others can only be such. */
static bool is_name(struct slice name)
{
	size_t prefix = strlen(QUERY_TABLE_PREFIX);

	if (name.size > prefix && memcmp(name.bytes, QUERY_TABLE_PREFIX, prefix) == 0) {
		name = slice_of(name.bytes + prefix, name.size - prefix);
	}
	for (size_t i = 0; i < name.size; i++) {
		uint8_t byte = name.bytes[i];
		bool is_letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
		if (!is_letter && !(byte >= '0' && byte <= '9') && byte != '_') {
			return false;
		}
	}
	return true;
}

bool live_topic_read(struct slice bytes, struct live_topic *ret_topic)
{
	if (bytes.size <= PREFIX_SIZE + 1 || bytes.size > LIVE_TOPIC_SIZE_MAX ||
		(bytes.bytes[0] != 'j' && bytes.bytes[0] != 'm') || bytes.bytes[1] != '/' ||
		bytes.bytes[bytes.size - 1] != '\0') {
		return false;
	}
	const struct live_topic topic = {
		.encoding = bytes.bytes[0] == 'j' ? ENCODING_JSON : ENCODING_MSGPACK,
		.view = slice_of(bytes.bytes + PREFIX_SIZE, bytes.size - PREFIX_SIZE - 1),
	};
	if (!is_name(topic.view)) {
		return false;
	}
	*ret_topic = topic;
	return true;
}

static const struct node *array_of(const struct node *map, const char *key)
{
	const struct node *node = node_find(map, key);

	return node != NULL && node->type == NODE_ARRAY ? node : NULL;
}

static bool read_type(const struct node *root, enum live_type *ret_type)
{
	struct slice name = node_text_at(root, "type");

	for (int type = 0; type < TYPE_COUNT; type++) {
		if (slice_equals_text(name, type_names[type])) {
			*ret_type = (enum live_type)type;
			return true;
		}
	}
	return false;
}

static bool read_error(const struct node *root, struct live_message *message)
{
	const struct node *error = node_find(root, "error");

	message->error_code = node_text_at(error, "code");
	message->error_message = node_text_at(error, "message");
	return message->error_code.size > 0;
}

static bool read_place(const struct node *root, struct live_message *message)
{
	const struct node *n = node_find(root, "n");
	int64_t number = -1;

	message->stream = node_text_at(root, "stream");
	message->as_of = node_find(root, "as_of");
	message->rows = array_of(root, "rows");
	message->gone = array_of(root, "gone");
	bool has_rows = message->rows != NULL && message->gone != NULL;
	if (n == NULL || !node_integer(n, &number) || number < 0 || message->stream.size == 0) {
		return false;
	}
	message->n = (uint64_t)number;
	return has_rows || message->type != LIVE_ROWS;
}

int live_message_read(const struct node *root, struct live_message *ret_message)
{
	struct live_message message = {.rows = NULL};

	if (root->type != NODE_MAP || !read_type(root, &message.type)) {
		return LIVE_E_MALFORMED;
	}
	bool is_whole = message.type == LIVE_ERROR ? read_error(root, &message)
						   : read_place(root, &message);
	if (!is_whole) {
		return LIVE_E_MALFORMED;
	}
	*ret_message = message;
	return 0;
}
