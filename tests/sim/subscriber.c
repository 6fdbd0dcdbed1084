#include "tests/sim/subscriber.h"
#include "proto/document.h"
#include "proto/event.h"
#include "tests/sim/rim_live.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROWS_MAX = 32768, /* far more than the orders of the longest run */
	NODES_MAX = 1000000,
	WORDS_MAX = 400, /* of a row */
	ROUNDS_TO_THE_END = 200,
	ROUND_MS = 50,
	HEARD_A_STEP = 3,
};

enum state {
	WAITING, /* for the first message of the topic */
	READING, /* the snapshot is asked for */
	FOLLOWING,
};

struct entry {
	char *key, *row; /* owned */
};

struct replica {
	struct entry entries[ROWS_MAX];
	size_t count;
};

struct inbox {
	char **texts; /* owned: payloads that have come and were not heard, or not applied */
	size_t count, capacity;
};

/* A payload. */
struct message {
	char type[8];
	char stream[20];
	uint64_t n;
};

static const struct source {
	const char *view;
	uint32_t key_columns;
} sources[] = {
	{"by_product", 2}, {"by_order", 2}, {"by_line", 1}, {"table.people", 1}, {"by_user", 2}};

static bool is_in_play;
static const struct source *source;
static char topic[64], question[128];
static enum state state;
static char stream[20]; /* that is followed */
static uint64_t last_n; /* of it */
static uint64_t answer_n; /* of the snapshot */
static bool is_asked, is_stale; /* the answer that is awaited is of before a gap */
static struct inbox arrived, kept; /* `kept`: until the snapshot comes */
static struct replica replica;

/* ---- memory */

static void *must(void *memory)
{
	if (memory == NULL) {
		abort();
	}
	return memory;
}

static char *copy_text(const void *bytes, size_t size)
{
	char *text = must(malloc(size + 1));

	memcpy(text, bytes, size);
	text[size] = '\0';
	return text;
}

static void inbox_add(struct inbox *inbox, const void *bytes, size_t size)
{
	if (inbox->count == inbox->capacity) {
		inbox->capacity = inbox->capacity * 2 + 16;
		inbox->texts = must(realloc(inbox->texts, inbox->capacity * sizeof *inbox->texts));
	}
	inbox->texts[inbox->count++] = copy_text(bytes, size);
}

static void inbox_clear(struct inbox *inbox)
{
	for (size_t i = 0; i < inbox->count; i++) {
		free(inbox->texts[i]);
	}
	inbox->count = 0;
}

static void replica_clear(struct replica *of)
{
	for (size_t i = 0; i < of->count; i++) {
		free(of->entries[i].key);
		free(of->entries[i].row);
	}
	of->count = 0;
}

static size_t find(const struct replica *in, const char *key)
{
	size_t i = 0;

	while (i < in->count && strcmp(in->entries[i].key, key) != 0) {
		i++;
	}
	return i;
}

static void replica_put(struct replica *into, const char *key, const char *row)
{
	size_t i = find(into, key);

	if (i == ROWS_MAX) {
		abort();
	}
	if (i == into->count) {
		into->entries[into->count++] =
			(struct entry){copy_text(key, strlen(key)), copy_text(row, strlen(row))};
		return;
	}
	free(into->entries[i].row);
	into->entries[i].row = copy_text(row, strlen(row));
}

static void replica_remove(struct replica *from, const char *key)
{
	size_t i = find(from, key);

	if (i < from->count) {
		free(from->entries[i].key);
		free(from->entries[i].row);
		from->entries[i] = from->entries[--from->count];
	}
}

/* ---- rows as text */

static void write_value(const struct node *node, char text[WORDS_MAX])
{
	size_t used = strlen(text);
	int64_t number = 0;

	if (node->type == NODE_TEXT) {
		snprintf(text + used, WORDS_MAX - used, "%.*s;", (int)node->text.size,
			(const char *)node->text.bytes);
	} else if (node_integer(node, &number)) {
		snprintf(text + used, WORDS_MAX - used, "%lld;", (long long)number);
	} else {
		snprintf(text + used, WORDS_MAX - used, "-;");
	}
}

/* The first columns of a row are its key. */
static void write_row(const struct node *row, uint32_t columns, char text[WORDS_MAX])
{
	const struct node *node = node_first(row);

	text[0] = '\0';
	for (uint32_t i = 0; i < row->count && i < columns; i++) {
		write_value(node_next(node), text);
		node = node_next(node_next(node));
	}
}

static void put_rows(struct replica *into, const struct node *rows)
{
	const struct node *row = rows == NULL ? NULL : node_first(rows);
	char key[WORDS_MAX], text[WORDS_MAX];

	for (uint32_t i = 0; rows != NULL && i < rows->count; i++, row = node_next(row)) {
		write_row(row, source->key_columns, key);
		write_row(row, UINT32_MAX, text);
		replica_put(into, key, text);
	}
}

static void remove_rows(struct replica *from, const struct node *keys)
{
	const struct node *key = keys == NULL ? NULL : node_first(keys);

	for (uint32_t i = 0; keys != NULL && i < keys->count; i++, key = node_next(key)) {
		const struct node *value = node_first(key);
		char text[WORDS_MAX] = "";
		for (uint32_t j = 0; j < key->count; j++, value = node_next(value)) {
			write_value(value, text);
		}
		replica_remove(from, text);
	}
}

static void open_text(const char *text, struct document *document)
{
	struct complaint complaint;

	if (document_init(document, NODES_MAX) != 0 ||
		document_decode(document, ENCODING_JSON, slice_of_text(text), NESTING_MAX,
			&complaint) != 0) {
		abort();
	}
}

static void copy_field(const struct node *map, const char *name, char *text, size_t size)
{
	const struct node *node = map == NULL ? NULL : node_find(map, name);

	snprintf(text, size, "%.*s", node == NULL ? 0 : (int)node->text.size,
		node == NULL ? "" : (const char *)node->text.bytes);
}

static uint64_t number_of(const struct node *map, const char *name)
{
	const struct node *node = map == NULL ? NULL : node_find(map, name);
	int64_t number = 0;

	return node != NULL && node_integer(node, &number) ? (uint64_t)number : 0;
}

/* ---- the stream */

static void apply(const struct node *payload, uint64_t n)
{
	if (n > answer_n) {
		put_rows(&replica, node_find(payload, "rows"));
		remove_rows(&replica, node_find(payload, "gone"));
	}
}

/* Step 2, with the messages from this one on. */
static void read_anew(const struct message *message)
{
	snprintf(stream, sizeof stream, "%s", message->stream);
	last_n = message->n;
	state = READING;
	is_stale = is_asked;
	inbox_clear(&kept);
}

static bool is_in_order(const struct message *message)
{
	bool has_number = strcmp(message->type, "rows") == 0 || strcmp(message->type, "reset") == 0;

	return state != WAITING && strcmp(message->stream, stream) == 0 &&
	       message->n == last_n + has_number && strcmp(message->type, "reset") != 0;
}

static void hear(const char *text)
{
	struct document document;
	struct message message;

	open_text(text, &document);
	copy_field(document.nodes, "type", message.type, sizeof message.type);
	copy_field(document.nodes, "stream", message.stream, sizeof message.stream);
	message.n = number_of(document.nodes, "n");
	bool has_rows = strcmp(message.type, "rows") == 0;
	if (strcmp(message.type, "error") == 0) {
		state = WAITING;
	} else if (!is_in_order(&message)) {
		read_anew(&message);
	}
	if (has_rows && state == READING) {
		inbox_add(&kept, text, strlen(text));
	} else if (has_rows && state == FOLLOWING) {
		apply(document.nodes, message.n);
	}
	last_n = message.n;
	document_deinit(&document);
}

static void take_published(struct slice of, struct slice payload)
{
	if (!slice_equals_text(of, topic) || world_fails(FAULT_MESSAGE_LOST, 80000)) {
		return;
	}
	world_trace("live: %.*s", (int)(payload.size < 390 ? payload.size : 390),
		(const char *)payload.bytes);
	inbox_add(&arrived, payload.bytes, payload.size);
}

/* ---- the snapshot */

/* Step 3. */
static void join(const struct node *answer, uint64_t n)
{
	answer_n = n;
	replica_clear(&replica);
	put_rows(&replica, node_find(answer, "rows"));
	state = FOLLOWING;
	for (size_t i = 0; i < kept.count; i++) {
		struct document document;
		open_text(kept.texts[i], &document);
		apply(document.nodes, number_of(document.nodes, "n"));
		document_deinit(&document);
	}
	inbox_clear(&kept);
}

static void take_answer(const char *text)
{
	struct document document;
	char of[20];

	is_asked = false;
	if (is_stale || text[0] == '\0') {
		is_stale = false;
		return; /* it asks again */
	}
	open_text(text, &document);
	const struct node *live = node_find(document.nodes, "live");
	copy_field(live, "stream", of, sizeof of);
	if (node_find(document.nodes, "rows") == NULL) {
		world_note("subscriber: no snapshot: %.60s", text);
	} else if (live == NULL || strcmp(of, stream) != 0) {
		state = WAITING;
	} else if (state == READING) {
		join(document.nodes, number_of(live, "n"));
	}
	document_deinit(&document);
}

/* ---- a run */

void subscriber_begin(const struct aggregator_part_features *features)
{
	subscriber_end();
	is_in_play = features->has_subscriber;
	do {
		source = &sources[world_draw(sizeof sources / sizeof sources[0])];
	} while ((!features->has_database && (strcmp(source->view, "by_line") == 0 ||
						     strcmp(source->view, "table.people") == 0)) ||
		 (!features->has_users && strcmp(source->view, "by_user") == 0));
	snprintf(topic, sizeof topic, "j/%s", source->view);
	snprintf(question, sizeof question, "{\"query\":\"scan\",\"view\":\"%s\",\"limit\":100000}",
		source->view);
	state = WAITING;
	stream[0] = '\0';
	is_asked = is_stale = false;
	rim_live_listen(is_in_play ? topic : NULL, take_published);
}

void subscriber_end(void)
{
	rim_live_listen(NULL, NULL);
	inbox_clear(&arrived);
	inbox_clear(&kept);
	replica_clear(&replica);
}

static void hear_some(size_t count)
{
	if (count > arrived.count) {
		count = arrived.count;
	}
	for (size_t i = 0; i < count; i++) {
		hear(arrived.texts[i]);
		free(arrived.texts[i]);
	}
	arrived.count -= count;
	if (count > 0) {
		memmove(arrived.texts, arrived.texts + count,
			arrived.count * sizeof *arrived.texts);
	}
}

void subscriber_step(void)
{
	const char *answer = is_asked ? aggregator_part_reply(&replica) : NULL;

	if (!is_in_play) {
		return;
	}
	if (answer != NULL) {
		take_answer(answer);
	}
	hear_some(world_draw(HEARD_A_STEP + 1));
	if (state == READING && !is_asked) {
		is_asked = aggregator_part_request(&replica, question);
	}
}

/* ---- afterwards */

static bool is_equal(const struct replica *view, char *ret_words, size_t words_size)
{
	bool is_same = view->count == replica.count;

	for (size_t i = 0; is_same && i < view->count; i++) {
		size_t at = find(&replica, view->entries[i].key);
		is_same = at < replica.count &&
			  strcmp(replica.entries[at].row, view->entries[i].row) == 0;
		if (!is_same) {
			snprintf(ret_words, words_size, "the row %.60s of %s is known as %.80s",
				view->entries[i].row, source->view,
				at < replica.count ? replica.entries[at].row : "none");
			return false;
		}
	}
	for (size_t i = 0; i < replica.count; i++) {
		if (find(view, replica.entries[i].key) == view->count) {
			world_trace("it knows %s", replica.entries[i].row);
		}
	}
	if (!is_same) {
		snprintf(ret_words, words_size, "%s has %zu rows, its subscriber knows %zu",
			source->view, view->count, replica.count);
	}
	return is_same;
}

bool subscriber_is_right(struct aggregator_part *part, char *ret_words, size_t words_size)
{
	static struct replica view;
	struct document document;

	if (!is_in_play) {
		return true;
	}
	aggregator_part_end_requests(part, &replica);
	for (int i = 0; i < ROUNDS_TO_THE_END; i++) {
		world.now_ms += ROUND_MS;
		if (aggregator_part_round(part) != 0) {
			abort();
		}
		subscriber_step();
	}
	if (state != FOLLOWING) {
		snprintf(ret_words, words_size, "a subscriber of %s does not get in", source->view);
		return false;
	}
	open_text(aggregator_part_ask(part, question), &document);
	put_rows(&view, node_find(document.nodes, "rows"));
	document_deinit(&document);
	bool is_right = is_equal(&view, ret_words, words_size);
	replica_clear(&view);
	return is_right;
}
