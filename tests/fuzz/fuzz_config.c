/* Any bytes as a configuration file: refused with a sentence that names the line, or what is printed of it can be read
 * again and prints the same. The aggregator's schema, which has sections of its own, and one with the other types. */
#include "aggregator/aggregator_config.h"
#include "runtime/key_holder.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"
#include <errno.h>

const struct structure fuzz_structure = {.mutate = mutate_settings};

struct others {
	char *text;
	char *list;
	char *secret;
	int64_t number;
	int64_t percent;
	int64_t duration_ms;
	int64_t size;
	bool flag;
};

static const struct config_option options[] = {
	{"edge", "text", CONFIG_TEXT, offsetof(struct others, text), "", 0, 0, "text"},
	{"edge", "list", CONFIG_LIST, offsetof(struct others, list), "a, b", 0, 0, "list"},
	{"edge", "share.order", CONFIG_PERCENT, offsetof(struct others, percent), "10", 0, 100,
		"share"},
	{"edge", "number", CONFIG_INTEGER, offsetof(struct others, number), "-1", 0, 0, "number"},
	{"edge", "wait", CONFIG_DURATION, offsetof(struct others, duration_ms), "1s", 0, 0, "ms"},
	{"edge", "size", CONFIG_SIZE, offsetof(struct others, size), "1GiB", 0, 0, "bytes"},
	{"security", "flag", CONFIG_BOOL, offsetof(struct others, flag), "no", 0, 0, "flag"},
	{0},
};

static const struct config_schema others_schema = {options, NULL, sizeof(struct others)};

/* Target of either schema. */
union target {
	struct others others;
	struct aggregator_config aggregator;
};

static void clean(const struct config_schema *schema, union target *target)
{
	if (schema == &aggregator_config_schema) {
		aggregator_config_deinit(&target->aggregator);
	} else {
		config_deinit(schema, target);
	}
}

static int read_all(const struct config_schema *schema, union target *target, struct slice text)
{
	struct config_error error = {.text = ""};

	memset(target, 0, sizeof *target);
	fuzz_require(config_init(schema, target, &error) == 0);
	int r = config_read_text(
		schema, target, "fuzz", (const char *)text.bytes, text.size, &error);
	fuzz_require(r == 0 || r == -EINVAL);
	fuzz_require(r == 0 || strncmp(error.text, "fuzz:", 5) == 0);
	return r;
}

static char *print(const struct config_schema *schema, const union target *target, size_t *ret_size)
{
	char *text = NULL;

	FILE *out = open_memstream(&text, ret_size);
	fuzz_require(out != NULL);
	config_print(schema, target, out);
	fuzz_require(fclose(out) == 0);
	return text;
}

static void walk_list(const char *list)
{
	char item[64];

	while (list != NULL && config_list_next(&list, item, sizeof item)) {
		fuzz_require(strlen(item) < sizeof item);
	}
}

static void try_file(const struct config_schema *schema, struct slice text)
{
	static union target target, again;
	size_t first_size = 0, second_size = 0;

	if (read_all(schema, &target, text) == 0) {
		walk_list(schema == &others_schema ? target.others.list : target.aggregator.own);
		char *first = print(schema, &target, &first_size);
		fuzz_require(read_all(schema, &again, slice_of(first, first_size)) == 0);
		char *second = print(schema, &again, &second_size);
		fuzz_require(
			slice_equal(slice_of(first, first_size), slice_of(second, second_size)));
		free(first);
		free(second);
		clean(schema, &again);
	}
	clean(schema, &target);
}

/* The whole as the file of a public key: the same parser, with lists of names that are looked up in. */
static void try_key_file(struct slice text)
{
	struct config_error error = {.text = ""};
	struct key_holder *holder = NULL;

	int r = key_holder_parse("fuzz.pub", (const char *)text.bytes, text.size, &holder, &error);
	fuzz_require(r == 0 || (r == -EINVAL && strncmp(error.text, "fuzz.pub:", 9) == 0));
	if (r == 0) {
		fuzz_require(holder->key.text[CURVE_KEY_SIZE] == '\0');
		fuzz_require(!key_list_has_all(holder->edges) ||
			     key_list_has(holder->edges, text.bytes, text.size));
		fuzz_require(
			!key_list_has(holder->views, "", 0) || key_list_has_all(holder->views));
	}
	key_holder_free(holder);
}

/* The whole as one -o argument. */
static void try_assignment(struct slice text)
{
	static union target target;
	struct config_error error = {.text = ""};

	memset(&target, 0, sizeof target);
	fuzz_require(config_init(&aggregator_config_schema, &target, &error) == 0);
	char *assignment = strndup((const char *)text.bytes, text.size);
	fuzz_require(assignment != NULL);
	int r = config_set(&aggregator_config_schema, &target, assignment, &error);
	fuzz_require(r == 0 || (r == -EINVAL && error.text[0] != '\0'));
	free(assignment);
	clean(&aggregator_config_schema, &target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_copy(data, size);

	try_file(&others_schema, bytes);
	try_file(&aggregator_config_schema, bytes);
	try_key_file(bytes);
	try_assignment(bytes);
	fuzz_free(bytes);
	return 0;
}
