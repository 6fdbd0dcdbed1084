#include "cli/json_text.h"

#include "proto/writer.h"

enum { DEPTH_MAX = 32 };

/* An open container of the indented form. */
struct level {
	uint32_t left; /* children still to come: a map's keys and values both count */
	bool is_map;
	bool is_key; /* the next child is a key */
	bool inline_; /* on one line */
	bool first;
};

struct printer {
	enum encoding encoding;
	struct buffer *buffer;
	uint32_t depth;
	struct level levels[DEPTH_MAX];
};

void json_text_plain(const struct node *root, enum encoding encoding, struct buffer *buffer)
{
	struct writer writer;

	writer_init(&writer, ENCODING_JSON, buffer);
	write_node(&writer, root, encoding);
}

static void new_line(struct printer *printer)
{
	buffer_append_byte(printer->buffer, '\n');
	for (uint32_t i = 0; i < printer->depth; i++) {
		buffer_append_text(printer->buffer, "  ");
	}
}

/* What stands in front of a child. */
static void separate(struct printer *printer)
{
	struct level *level = &printer->levels[printer->depth - 1];

	if (level->is_map && !level->is_key) {
		buffer_append_text(printer->buffer, ": ");
		return;
	}
	if (!level->first) {
		buffer_append_byte(printer->buffer, ',');
	}
	if (!level->inline_) {
		new_line(printer);
	} else if (!level->first) {
		buffer_append_byte(printer->buffer, ' ');
	}
}

/* Children without containers of their own read best on one line, as a row of a table. */
static bool is_flat(const struct node *container)
{
	const struct node *end = node_next(container);

	for (const struct node *node = node_first(container); node < end; node++) {
		if (node->type == NODE_ARRAY || node->type == NODE_MAP) {
			return false;
		}
	}
	return true;
}

static void open_container(struct printer *printer, const struct node *node)
{
	bool is_map = node->type == NODE_MAP;
	bool in_array = printer->depth > 0 && !printer->levels[printer->depth - 1].is_map;
	bool small = node->type == NODE_ARRAY ? is_flat(node) : in_array && is_flat(node);

	buffer_append_byte(printer->buffer, is_map ? '{' : '[');
	printer->levels[printer->depth++] = (struct level){.left = node->count * (is_map ? 2 : 1),
		.is_map = is_map,
		.is_key = true,
		.inline_ = small || node->count == 0,
		.first = true};
}

static void close_containers(struct printer *printer)
{
	while (printer->depth > 0 && printer->levels[printer->depth - 1].left == 0) {
		const struct level *level = &printer->levels[--printer->depth];
		if (!level->inline_) {
			new_line(printer);
		}
		buffer_append_byte(printer->buffer, level->is_map ? '}' : ']');
	}
}

static void count_child(struct printer *printer)
{
	if (printer->depth > 0) {
		struct level *level = &printer->levels[printer->depth - 1];
		level->left--;
		level->first = false;
		level->is_key = !level->is_key;
	}
}

void json_text_pretty(const struct node *root, enum encoding encoding, struct buffer *buffer)
{
	struct printer printer = {.encoding = encoding, .buffer = buffer};
	const struct node *end = node_next(root);
	const struct node *node = root;

	while (node < end) {
		bool opens = (node->type == NODE_ARRAY || node->type == NODE_MAP) &&
			     printer.depth < DEPTH_MAX;
		if (printer.depth > 0) {
			separate(&printer);
		}
		count_child(&printer);
		if (opens) {
			open_container(&printer, node);
		} else {
			json_text_plain(node, encoding, buffer);
		}
		node = opens ? node_first(node) : node_next(node);
		close_containers(&printer);
	}
}
