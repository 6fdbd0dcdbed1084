#include "proto/writer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

enum {
	NODES_MAX = 4096,
	DEPTH_MAX = WRITER_DEPTH_MAX - 1,
	TEXT_MAX = 512,
	OUTPUT_MAX = 1 << 20,
};

enum action {
	REPLACE_BY_EDGE_CASE,
	REPLACE_BY_OTHER,
	MUTATE_TEXT,
	DROP_CHILD,
	DOUBLE_CHILD,
	SWAP_CHILDREN,
	ACTION_COUNT
};

struct mutation {
	const struct document *document;
	struct writer writer;
	struct chance *chance;
	enum action action;
	const struct node *target;
	uint32_t child, other; /* of the target */
	const struct node *donor;
};

static uint32_t draw(struct mutation *mutation, uint32_t below)
{
	return chance_draw(mutation->chance, below);
}

static bool is_container(const struct node *node)
{
	return node->type == NODE_ARRAY || node->type == NODE_MAP;
}

static void write_long_text(struct writer *writer, uint32_t size)
{
	static uint8_t text[TEXT_MAX];

	memset(text, 'x', sizeof text);
	write_text(writer, slice_of(text, size));
}

/* Values at which code tends to change its mind. */
static void write_edge_case(struct mutation *mutation)
{
	static const int64_t integers[] = {0, 1, -1, 23, 127, 128, 255, 256, 4095, 4096, 4097,
		65535, 65536, INT32_MAX, (int64_t)INT32_MAX + 1, INT64_MAX, INT64_MIN,
		(INT64_C(1) << 53) - 1, INT64_C(1) << 53};
	static const char *const texts[] = {"", "order", "cart", "view", "0", "-0", "1e400",
		"0.000001", "9223372036854775807", "170141183460469231731687303715884105727",
		"2024-02-29T23:59:60Z", "9999-12-31T23:59:59Z", "EUR", "\xff"};
	struct writer *writer = &mutation->writer;

	switch (draw(mutation, 8)) {
	case 0:
		write_nil(writer);
		break;
	case 1:
		write_bool(writer, draw(mutation, 2) == 0);
		break;
	case 2:
		write_unsigned(writer, UINT64_MAX - draw(mutation, 3));
		break;
	case 3:
		write_double(writer, draw(mutation, 2) == 0 ? 1e308 : -0.5);
		break;
	case 4:
		write_map(writer, 0);
		break;
	case 5:
		write_key(writer, texts[draw(mutation, sizeof texts / sizeof texts[0])]);
		break;
	case 6:
		write_long_text(writer, draw(mutation, TEXT_MAX));
		break;
	default:
		write_integer(
			writer, integers[draw(mutation, sizeof integers / sizeof integers[0])]);
		break;
	}
}

static void write_mutated_text(struct mutation *mutation, const struct node *node)
{
	uint8_t text[TEXT_MAX];
	size_t size = node->text.size < sizeof text ? node->text.size : sizeof text;

	if (size > 0) {
		memcpy(text, node->text.bytes, size);
	}
	size = LLVMFuzzerMutate(text, size, sizeof text);
	write_text(&mutation->writer, slice_of(text, size));
}

static void emit(struct mutation *mutation, const struct node *node);

static const struct node *child_at(const struct node *container, uint32_t index)
{
	uint32_t nodes = container->type == NODE_MAP ? 2 * index : index;
	const struct node *node = node_first(container);

	while (nodes-- > 0) {
		node = node_next(node);
	}
	return node;
}

static void emit_child(
	struct mutation *mutation, const struct node *container, const struct node *child)
{
	emit(mutation, child);
	if (container->type == NODE_MAP) {
		emit(mutation, node_next(child));
	}
}

static const struct node *child_behind(const struct node *container, const struct node *child)
{
	const struct node *next = node_next(child);

	return container->type == NODE_MAP ? node_next(next) : next;
}

/* What stands in the place of `child`, the target's `index`. */
static const struct node *child_instead(
	const struct mutation *mutation, const struct node *child, uint32_t index)
{
	bool swaps = mutation->action == SWAP_CHILDREN;

	if (swaps && index == mutation->child) {
		return child_at(mutation->target, mutation->other);
	}
	if (swaps && index == mutation->other) {
		return child_at(mutation->target, mutation->child);
	}
	return child;
}

static void emit_container(struct mutation *mutation, const struct node *node)
{
	bool is_target = node == mutation->target;
	uint32_t dropped = is_target && mutation->action == DROP_CHILD;
	uint32_t doubled = is_target && mutation->action == DOUBLE_CHILD;
	uint32_t count = node->count - dropped + doubled;

	if (node->type == NODE_MAP) {
		write_map(&mutation->writer, count);
	} else {
		write_array(&mutation->writer, count);
	}
	const struct node *child = node_first(node);
	for (uint32_t i = 0; i < node->count; i++, child = child_behind(node, child)) {
		bool is_child = is_target && i == mutation->child;
		if (!(is_child && dropped)) {
			emit_child(mutation, node,
				is_target ? child_instead(mutation, child, i) : child);
		}
		if (is_child && doubled) {
			emit_child(mutation, node, child);
		}
	}
}

static void emit(struct mutation *mutation, const struct node *node)
{
	const struct node *target = mutation->target;
	bool is_target = node == target;
	bool is_above = is_container(node) && target >= node && target < node_next(node);

	if (is_target && mutation->action == REPLACE_BY_EDGE_CASE) {
		write_edge_case(mutation);
	} else if (is_target && mutation->action == REPLACE_BY_OTHER) {
		write_raw(&mutation->writer, mutation->donor->raw);
	} else if (is_target && mutation->action == MUTATE_TEXT) {
		write_mutated_text(mutation, node);
	} else if (is_above) {
		emit_container(mutation, node);
	} else {
		write_raw(&mutation->writer, node->raw);
	}
}

/* An action that fits the drawn node; false: try again. */
static bool choose(struct mutation *mutation)
{
	const struct document *document = mutation->document;

	mutation->target = &document->nodes[draw(mutation, document->count)];
	mutation->action = (enum action)draw(mutation, ACTION_COUNT);
	mutation->donor = &document->nodes[draw(mutation, document->count)];
	mutation->child = draw(mutation, mutation->target->count);
	mutation->other = draw(mutation, mutation->target->count);
	if (mutation->action == MUTATE_TEXT) {
		return mutation->target->type == NODE_TEXT;
	}
	if (mutation->action >= DROP_CHILD) {
		return is_container(mutation->target) && mutation->target->count > 0;
	}
	return true;
}

static bool is_key(const struct document *document, const struct node *node)
{
	for (uint32_t i = 0; i < document->count; i++) {
		const struct node *map = &document->nodes[i];
		uint32_t pairs = map->type == NODE_MAP && map < node && node < node_next(map)
					 ? map->count
					 : 0;
		for (const struct node *key = map + 1; pairs > 0; pairs--) {
			if (key == node) {
				return true;
			}
			key = child_behind(map, key);
		}
	}
	return false;
}

/* Writes the value, changed, as `out`. */
static void write_changed(struct mutation *mutation, enum encoding encoding, struct buffer *out)
{
	while (!choose(mutation)) {
	}
	/* A key stays text, or writer.h would not have it. */
	if (is_key(mutation->document, mutation->target) && mutation->action < DROP_CHILD) {
		mutation->action = MUTATE_TEXT;
	}
	writer_init(&mutation->writer, encoding, out);
	emit(mutation, mutation->document->nodes);
}

size_t mutate_value(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	static struct document document;
	struct mutation mutation = {.document = &document, .chance = chance};
	struct slice bytes = slice_of(data, size);
	struct complaint complaint;
	struct buffer out;
	size_t made = 0;

	fuzz_require(document.nodes != NULL || document_init(&document, NODES_MAX) == 0);
	if (document_decode(&document, encoding_of(bytes), bytes, DEPTH_MAX, &complaint) != 0) {
		return 0;
	}
	buffer_init(&out, OUTPUT_MAX);
	write_changed(&mutation, encoding_of(bytes), &out);
	if (out.error == 0 && out.size > 0 && out.size <= size_max) {
		made = out.size;
		memcpy(data, out.bytes, made);
	}
	buffer_deinit(&out);
	return made;
}
