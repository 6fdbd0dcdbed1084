#include "edge/file_settings.h"
#include "edge/additions.h"
#include <errno.h>
#include <stdlib.h>

enum {
	PAIR_SIZE_MAX = 1023, /* a field, "=", and a value that an event could take */
};

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text);
	size_t end_size = strlen(end);

	return size > end_size && strcmp(text + size - end_size, end) == 0;
}

bool file_format_of(const char *name, enum line_format *ret_format)
{
	static const struct {
		const char *ending;
		enum line_format format;
	} formats[] = {{".ndjson", LINE_NDJSON}, {".jsonl", LINE_NDJSON}, {".csv", LINE_CSV},
		{".tsv", LINE_CSV}, {".msgpack", LINE_MSGPACK}, {".mp", LINE_MSGPACK}};

	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
		if (ends_with(name, formats[i].ending)) {
			*ret_format = formats[i].format;
			return true;
		}
	}
	return false;
}

static int read_format(const struct file_options *options, enum line_format *ret_format,
	struct config_error *error)
{
	static const char *const names[] = {
		[LINE_NDJSON] = "ndjson", [LINE_CSV] = "csv", [LINE_MSGPACK] = "msgpack"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(options->format, names[i]) == 0) {
			*ret_format = (enum line_format)i;
			return 0;
		}
	}
	if (*options->format != '\0') {
		return config_fail(
			error, "format: \"%s\" is none of ndjson, csv, msgpack", options->format);
	}
	if (options->name == NULL) { /* each file says it */
		return 0;
	}
	if (!file_format_of(options->name, ret_format)) {
		return config_fail(error,
			"format: \"%s\" does not say by its ending what it is: ndjson, csv, "
			"msgpack",
			options->name);
	}
	return 0;
}

static int read_delimiter(
	const struct file_options *options, char *ret_delimiter, struct config_error *error)
{
	const char *text = options->delimiter;

	if (*text == '\0') {
		*ret_delimiter =
			options->name != NULL && ends_with(options->name, ".tsv") ? '\t' : ',';
		return 0;
	}
	if (strcmp(text, "tab") == 0) {
		*ret_delimiter = '\t';
		return 0;
	}
	if (strlen(text) != 1 || strchr("\"\r\n", *text) != NULL) {
		return config_fail(error, "delimiter: one character or \"tab\", not \"%s\"", text);
	}
	*ret_delimiter = *text;
	return 0;
}

static int read_pairs(
	const char *key, const char *list, char **ret_texts, struct config_error *error)
{
	const char *cursor = list;
	char item[PAIR_SIZE_MAX + 2]; /* one byte more than fits: what is cut can be told */
	size_t count = 0;

	while (config_list_next(&cursor, item, sizeof item)) {
		if (count == FILE_PAIRS_MAX) {
			return config_fail(error, "%s: more than %d", key, FILE_PAIRS_MAX);
		}
		if (strlen(item) > PAIR_SIZE_MAX) {
			return config_fail(error, "%s: %.40s… has more than %d bytes", key, item,
				PAIR_SIZE_MAX);
		}
		ret_texts[count] = strdup(item);
		if (ret_texts[count++] == NULL) {
			return -ENOMEM;
		}
	}
	return 0;
}

/* The mapping itself says what is wrong with the pairs. */
static int check_pairs(const struct line_rules *rules, struct config_error *error)
{
	struct mapping_options options = {
		.map = rules->map, .set = rules->set, .kind = rules->kind};
	struct pairs_error why = {.text = ""};
	struct mapping *mapping = NULL;

	int r = mapping_new(&options, &mapping, &why);
	mapping_free(mapping);
	return r == -EINVAL ? config_fail(error, "%s", why.text) : r;
}

static int check_set(const char *const *set, struct config_error *error)
{
	for (size_t i = 0; i < FILE_PAIRS_MAX && set[i] != NULL; i++) {
		size_t size = strcspn(set[i], "=");
		if (!additions_can_set(slice_of(set[i], size))) {
			return config_fail(error, "set: %.*s can't be the same for all events",
				(int)size, set[i]);
		}
	}
	return 0;
}

int file_settings_read(const struct file_options *options, struct file_settings *ret_settings,
	struct config_error *error)
{
	struct file_settings *settings = ret_settings;
	enum kind kind;

	*settings = (struct file_settings){
		.rules = {.map = (const char *const *)settings->map,
			.set = (const char *const *)settings->set,
			.kind = *options->kind != '\0' ? options->kind : NULL,
			.events_max = (uint32_t)options->events_max}};
	int r = read_format(options, &settings->rules.format, error);
	if (r == 0) {
		r = read_delimiter(options, &settings->rules.delimiter, error);
	}
	if (r == 0 && *options->kind != '\0' &&
		(!kind_from_name(slice_of_text(options->kind), &kind) ||
			kind_is_dead_letter(kind))) {
		r = config_fail(error, "kind: \"%s\" is none of order, cart, view", options->kind);
	}
	if (r == 0) {
		r = read_pairs("map", options->map, settings->map, error);
	}
	if (r == 0) {
		r = read_pairs("set", options->set, settings->set, error);
	}
	if (r == 0) {
		r = check_set(settings->rules.set, error);
	}
	if (r == 0) {
		r = check_pairs(&settings->rules, error);
	}
	if (r < 0) {
		file_settings_deinit(settings);
	}
	return r;
}

void file_settings_deinit(struct file_settings *settings)
{
	for (size_t i = 0; i < FILE_PAIRS_MAX; i++) {
		free(settings->map[i]);
		free(settings->set[i]);
		settings->map[i] = NULL;
		settings->set[i] = NULL;
	}
}
