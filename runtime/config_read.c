/* INI text: [section], key = value, and comments (# or ;) on lines of their own. Nothing is a comment behind a value, no
 * line continues another, nothing is unquoted: what stands there is the value. */
#include "runtime/config.h"
#include "runtime/config_internal.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINE_SIZE_MAX = 64 * 1024,
	FILE_SIZE_MAX = 4 * 1024 * 1024,
	KEYS_MAX = 10000, /* of one file */
};

/* A key that this file has set: twice is an error. */
struct seen {
	char *name; /* "section\nkey" */
	unsigned line;
};

struct reader {
	const struct config_schema *schema;
	void *target;
	const char *name; /* of the file */
	unsigned line;
	char section[CONFIG_SECTION_SIZE_MAX + 1];
	struct seen *seen;
	size_t seen_count;
	int fd; /* of the file; -1: there is none */
};

static bool is_name(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!isalnum((unsigned char)text[i]) && strchr("._-", text[i]) == NULL) {
			return false;
		}
	}
	return size > 0;
}

/* Cuts white space off both ends, in place. */
static char *trim(char *text)
{
	static const char spaces[] = " \t\r";
	size_t size = strlen(text);

	while (size > 0 && strchr(spaces, text[size - 1]) != NULL) {
		text[--size] = '\0';
	}
	return text + strspn(text, spaces);
}

/* Each part of "view.NAME" on its own: a name may be as long in a view's section as anywhere. */
static bool section_fits(const char *section)
{
	const char *dot = strchr(section, '.');
	size_t first = dot != NULL ? (size_t)(dot - section) : strlen(section);
	size_t second = dot != NULL ? strlen(dot + 1) : 0;
	return first <= CONFIG_NAME_SIZE_MAX && second <= CONFIG_NAME_SIZE_MAX;
}

static int enter_section(struct reader *reader, char *text, struct config_error *error)
{
	char *end = strchr(text, ']');

	if (end == NULL || end[1] != '\0') {
		return config_fail(error, "a section is written [name] on a line of its own");
	}
	*end = '\0';
	const char *name = trim(text + 1);
	if (!is_name(name, strlen(name))) {
		return config_fail(error, "[%.80s] is not a section's name", name);
	}
	if (!section_fits(name)) {
		return config_fail(error, "[%.80s]: names have at most %d characters", name,
			CONFIG_NAME_SIZE_MAX);
	}
	int r = config_check_section(reader->schema, name, error);
	if (r < 0) {
		config_error_at(error, "[%s]: ", name);
		return r;
	}
	snprintf(reader->section, sizeof reader->section, "%s", name);
	return 0;
}

static int fail_out_of_memory(struct config_error *error)
{
	config_fail(error, "out of memory");
	return -ENOMEM;
}

static int remember_key(struct reader *reader, const char *key, struct config_error *error)
{
	char name[CONFIG_SECTION_SIZE_MAX + CONFIG_NAME_SIZE_MAX + 2];

	snprintf(name, sizeof name, "%s\n%s", reader->section, key);
	for (size_t i = 0; i < reader->seen_count; i++) {
		if (strcmp(reader->seen[i].name, name) == 0) {
			return config_fail(
				error, "is already set in line %u", reader->seen[i].line);
		}
	}
	if (reader->seen_count == KEYS_MAX) {
		return config_fail(error, "more than %d keys", KEYS_MAX);
	}
	struct seen *seen = realloc(reader->seen, (reader->seen_count + 1) * sizeof *seen);
	if (seen == NULL) {
		return fail_out_of_memory(error);
	}
	reader->seen = seen;
	seen[reader->seen_count].name = strdup(name);
	seen[reader->seen_count].line = reader->line;
	if (seen[reader->seen_count].name == NULL) {
		return fail_out_of_memory(error);
	}
	reader->seen_count++;
	return 0;
}

static int read_key(struct reader *reader, char *text, struct config_error *error)
{
	char *equals = strchr(text, '=');

	if (equals == NULL) { /* only the first word: what follows may be a secret */
		return config_fail(error, "\"%.*s\": neither [section], key = value nor # comment",
			(int)strcspn(text, " \t:"), text);
	}
	*equals = '\0';
	const char *key = trim(text);
	const char *value = trim(equals + 1);
	if (reader->section[0] == '\0') {
		return config_fail(error, "%.80s: stands before the first [section]", key);
	}
	if (!is_name(key, strlen(key)) || strlen(key) > CONFIG_NAME_SIZE_MAX) {
		return config_fail(error,
			"[%s] \"%.80s\" is not a key: 1-%d letters, digits, \".\", \"_\" or \"-\"",
			reader->section, key, CONFIG_NAME_SIZE_MAX);
	}
	int r = remember_key(reader, key, error);
	if (r == 0) {
		snprintf(error->place, sizeof error->place, "%s:%u", reader->name, reader->line);
		r = config_apply(
			reader->schema, reader->target, reader->section, key, value, error);
	}
	if (r == 0 && reader->fd >= 0 &&
		config_is_secret(reader->schema, reader->target, reader->section, key)) {
		r = config_check_secret_file(reader->fd, reader->name, "this secret", error);
	}
	if (r < 0) {
		config_error_at(error, "[%s] %s: ", reader->section, key);
	}
	return r;
}

static int read_line(struct reader *reader, char *line, struct config_error *error)
{
	char *text = trim(line);

	if (*text == '\0' || *text == '#' || *text == ';') {
		return 0;
	}
	return *text == '[' ? enter_section(reader, text, error) : read_key(reader, text, error);
}

/* Copies one line, so that it can be cut in place. */
static int read_bytes(
	struct reader *reader, const char *bytes, size_t size, struct config_error *error)
{
	if (size > LINE_SIZE_MAX) {
		return config_fail(error, "the line is longer than 64 KiB");
	}
	if (memchr(bytes, '\0', size) != NULL) {
		return config_fail(error, "there is a NUL byte in the line");
	}
	char *line = strndup(bytes, size);
	if (line == NULL) {
		return fail_out_of_memory(error);
	}
	int r = read_line(reader, line, error);
	free(line);
	return r;
}

static int read_lines(
	struct reader *reader, const char *text, size_t size, struct config_error *error)
{
	static const char mark[] = "\xef\xbb\xbf"; /* some editors begin a file so */
	int r = 0;

	if (size >= 3 && memcmp(text, mark, 3) == 0) {
		text += 3;
		size -= 3;
	}
	while (size > 0 && r == 0) {
		const char *newline = memchr(text, '\n', size);
		size_t line_size = newline != NULL ? (size_t)(newline - text) : size;
		size_t step = newline != NULL ? line_size + 1 : line_size;
		reader->line++;
		r = read_bytes(reader, text, line_size, error);
		text += step;
		size -= step;
	}
	return r;
}

static int read_text(
	struct reader *reader, const char *text, size_t size, struct config_error *error)
{
	int r = read_lines(reader, text, size, error);
	if (r < 0) {
		config_error_at(error, "%s:%u: ", reader->name, reader->line);
	}
	for (size_t i = 0; i < reader->seen_count; i++) {
		free(reader->seen[i].name);
	}
	free(reader->seen);
	return r;
}

int config_read_text(const struct config_schema *schema, void *target, const char *name,
	const char *text, size_t size, struct config_error *error)
{
	struct reader reader = {.schema = schema, .target = target, .name = name, .fd = -1};

	return read_text(&reader, text, size, error);
}

static int read_stream(FILE *in, char **ret_text, size_t *ret_size)
{
	char *text = malloc(FILE_SIZE_MAX + 1);
	if (text == NULL) {
		return -ENOMEM;
	}
	size_t size = fread(text, 1, FILE_SIZE_MAX + 1, in);
	if (ferror(in) || size > FILE_SIZE_MAX) {
		int r = ferror(in) ? -errno : -EFBIG;
		free(text);
		return r;
	}
	*ret_text = text;
	*ret_size = size;
	return 0;
}

int config_read_file(const struct config_schema *schema, void *target, const char *path,
	struct config_error *error)
{
	char *text = NULL;
	size_t size = 0;

	FILE *in = fopen(path, "re");
	int r = in != NULL ? read_stream(in, &text, &size) : -errno;
	if (r < 0) {
		config_fail(error, "%s: %s", path, strerror(-r));
	} else {
		struct reader reader = {
			.schema = schema, .target = target, .name = path, .fd = fileno(in)};
		r = read_text(&reader, text, size, error);
		free(text);
	}
	if (in != NULL) {
		fclose(in);
	}
	return r;
}

/* Where `name` splits into section and key: both may contain dots, so the schema decides. */
static size_t split_name(const struct config_schema *schema, const char *name)
{
	for (const struct config_option *option = schema->options; option->section != NULL;
		option++) {
		size_t size = strlen(option->section);
		if (strncmp(name, option->section, size) == 0 && name[size] == '.') {
			return size;
		}
	}
	size_t found = 0;
	for (const struct config_section *entry = schema->sections;
		entry != NULL && entry->prefix != NULL; entry++) {
		size_t size = strlen(entry->prefix);
		if (strncmp(name, entry->prefix, size) != 0) {
			continue;
		}
		if (entry->prefix[size - 1] != '.' && name[size] == '.') {
			return size;
		}
		const char *dot = entry->prefix[size - 1] == '.' ? strchr(name + size, '.') : NULL;
		found = dot != NULL ? (size_t)(dot - name) : found;
	}
	const char *dot = strchr(name, '.');
	return found != 0 || dot == NULL ? found : (size_t)(dot - name);
}

/* Without what stands behind "=": it may be a secret. */
static int fail_assignment(const char *assignment, struct config_error *error)
{
	size_t size = strcspn(assignment, "=");
	return config_fail(error, "-o %.*s: is not section.key=value", (int)(size < 80 ? size : 80),
		assignment);
}

static int refuse_secret(const char *section, const char *key, struct config_error *error)
{
	char name[2 * (CONFIG_SECTION_SIZE_MAX + CONFIG_NAME_SIZE_MAX + 2)];

	snprintf(name, sizeof name, "%s.%s", section, key);
	return config_refuse_secret(name, error);
}

int config_set(const struct config_schema *schema, void *target, const char *assignment,
	struct config_error *error)
{
	char name[CONFIG_SECTION_SIZE_MAX + CONFIG_NAME_SIZE_MAX + 2];

	const char *equals = strchr(assignment, '=');
	size_t size = equals != NULL ? (size_t)(equals - assignment) : 0;
	if (size == 0 || size >= sizeof name) {
		return fail_assignment(assignment, error);
	}
	memcpy(name, assignment, size);
	name[size] = '\0';
	size_t split = split_name(schema, name);
	if (split == 0 || name[split + 1] == '\0' || !is_name(name, size)) {
		return fail_assignment(assignment, error);
	}
	name[split] = '\0';
	snprintf(error->place, sizeof error->place, "-o %s.%s", name, name + split + 1);
	int r = config_apply(schema, target, name, name + split + 1, equals + 1, error);
	if (r == 0 && config_is_secret(schema, target, name, name + split + 1)) {
		r = refuse_secret(name, name + split + 1, error);
	}
	if (r < 0) {
		config_error_at(error, "-o %s.%s: ", name, name + split + 1);
	}
	return r;
}
