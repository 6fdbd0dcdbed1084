/* Runs the vectors: one TAP test a file. usage: test-vectors DIRECTORY */
#include "vectors.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_SIZE_MAX = 1 << 20 };

void check_fail(struct check *check, const char *format, ...)
{
	va_list arguments;

	printf("# %s:%u: ", check->file, check->line);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	check->failures++;
}

void check_equal_text(struct check *check, const char *what, struct slice wanted, struct slice got)
{
	if (!slice_equal(wanted, got)) {
		check_fail(check, "%s is\n#   %.*s\n# wanted\n#   %.*s", what, (int)got.size,
			got.size == 0 ? "" : (const char *)got.bytes, (int)wanted.size,
			wanted.size == 0 ? "" : (const char *)wanted.bytes);
	}
}

void check_equal_number(struct check *check, const char *what, int64_t wanted, int64_t got)
{
	if (wanted != got) {
		check_fail(check, "%s is %" PRId64 ", wanted %" PRId64, what, got, wanted);
	}
}

void check_refused(struct check *check, const struct node *vector, int result,
	const struct complaint *complaint)
{
	struct slice code = vector_text(vector, "code");

	if (result == 0) {
		check_fail(check, "was accepted, wanted %.*s", (int)code.size,
			(const char *)code.bytes);
		return;
	}
	check_equal_number(check, "the complaint's reason", result, complaint->reason);
	if (!slice_equals_text(code, reason_code(complaint->reason))) {
		check_fail(check, "%s (%s), wanted %.*s", reason_code(complaint->reason),
			complaint->message, (int)code.size, (const char *)code.bytes);
	}
	if (vector_has(vector, "field")) {
		check_equal_text(check, "field", vector_text(vector, "field"),
			slice_of_text(complaint->field));
	}
}

bool vector_has(const struct node *vector, const char *key)
{
	const struct node *node = node_find(vector, key);

	return node != NULL && node->type != NODE_NIL;
}

struct slice vector_text(const struct node *vector, const char *key)
{
	const struct node *node = node_find(vector, key);

	return node == NULL || node->type != NODE_TEXT ? slice_of(NULL, 0) : node->text;
}

int64_t vector_integer(struct check *check, const struct node *vector, const char *key)
{
	const struct node *node = node_find(vector, key);
	int64_t value = 0;

	if (node == NULL || !node_integer(node, &value)) {
		check_fail(check, "the vector has no integer %s", key);
	}
	return value;
}

uint64_t vector_unsigned(struct check *check, const struct node *vector, const char *key)
{
	struct slice text = vector_text(vector, key);
	char digits[32] = "";

	if (text.size == 0 || text.size >= sizeof digits) {
		check_fail(check, "the vector has no number %s", key);
		return 0;
	}
	memcpy(digits, text.bytes, text.size);
	return strtoull(digits, NULL, 0);
}

bool vector_hex(struct check *check, const struct node *vector, const char *key)
{
	struct slice hex = vector_text(vector, key);

	buffer_clear(&check->bytes);
	if (!vector_has(vector, key)) {
		return false;
	}
	for (size_t i = 0; i + 1 < hex.size; i += 2) {
		char pair[3] = {(char)hex.bytes[i], (char)hex.bytes[i + 1], '\0'};
		buffer_append_byte(&check->bytes, (uint8_t)strtoul(pair, NULL, 16));
	}
	return true;
}

static void repeat(struct check *check, const struct node *repeat)
{
	struct slice head = vector_text(repeat, "head");
	struct slice fill = vector_text(repeat, "fill");
	struct slice tail = vector_text(repeat, "tail");

	buffer_clear(&check->bytes);
	buffer_append(&check->bytes, head.bytes, head.size);
	for (int64_t left = vector_integer(check, repeat, "count"); left > 0; left--) {
		buffer_append(&check->bytes, fill.bytes, fill.size);
	}
	buffer_append(&check->bytes, tail.bytes, tail.size);
}

struct slice vector_input(struct check *check, const struct node *vector)
{
	if (vector_has(vector, "in_json")) {
		return vector_text(vector, "in_json");
	}
	if (vector_has(vector, "in_repeat")) {
		repeat(check, node_find(vector, "in_repeat"));
	} else if (!vector_hex(check, vector, "in_hex")) {
		check_fail(check, "the vector has no input");
	}
	return buffer_slice(&check->bytes);
}

static void check_line(struct check *check, struct document *line, struct slice text, check_fn run)
{
	struct complaint complaint;
	int r = document_decode(line, ENCODING_JSON, text, NESTING_MAX + 8, &complaint);

	if (r != 0) {
		check_fail(check, "no JSON: %d %s", r, r > 0 ? complaint.message : "");
		return;
	}
	run(check, line->nodes);
}

static void check_file(struct check *check, FILE *file, check_fn run)
{
	char *text = malloc(LINE_SIZE_MAX);
	struct document line;

	if (text == NULL || document_init(&line, EVENT_NODES_MAX) != 0) {
		check_fail(check, "no memory");
		free(text);
		return;
	}
	while (fgets(text, LINE_SIZE_MAX, file) != NULL) {
		check->line++;
		check_line(check, &line, slice_of_text(text), run);
	}
	if (check->line == 0) {
		check_fail(check, "no vectors");
	}
	document_deinit(&line);
	free(text);
}

static uint32_t run_file(const char *directory, const char *name, check_fn run)
{
	struct check check = {.file = name};
	char path[4096];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	buffer_init(&check.bytes, LINE_SIZE_MAX);
	buffer_init(&check.output, LINE_SIZE_MAX);
	file = fopen(path, "r");
	if (file == NULL || document_init(&check.document, EVENT_NODES_MAX) != 0) {
		check_fail(&check, "can't be read");
	} else {
		check_file(&check, file, run);
	}
	if (file != NULL) {
		fclose(file);
	}
	document_deinit(&check.document);
	buffer_deinit(&check.bytes);
	buffer_deinit(&check.output);
	return check.failures;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		check_fn run;
	} files[] = {
		{"money.ndjson", check_money},
		{"time.ndjson", check_time},
		{"hashes.ndjson", check_hashes},
		{"events.ndjson", check_events},
		{"normal_form.ndjson", check_normal_form},
		{"headers.ndjson", check_headers},
		{"replies.ndjson", check_replies},
		{"wire.ndjson", check_wire},
		{"queries.ndjson", check_queries},
		{"dead_letters.ndjson", check_dead_letters},
		{"debezium.ndjson", check_debezium},
		{"debezium_recorded.ndjson", check_debezium},
		{"mqtt.ndjson", check_mqtt},
		{"mqtt_topics.ndjson", check_mqtt_topic},
	};
	enum { FILE_COUNT = sizeof files / sizeof *files };
	uint32_t failures = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	printf("1..%d\n", FILE_COUNT);
	for (int i = 0; i < FILE_COUNT; i++) {
		uint32_t wrong = run_file(argv[1], files[i].name, files[i].run);
		printf("%s %d - %s\n", wrong == 0 ? "ok" : "not ok", i + 1, files[i].name);
		failures += wrong;
	}
	return failures == 0 ? 0 : 1;
}
