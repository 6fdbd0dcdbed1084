/* config.h - INI files into structs, by tables. A table row names section, key, type, default, range, unit
 * and where the value goes. Unknown or duplicate keys, bad values, lines over 64 KiB: an error with file and line.
 * Repeatable sections ([view.NAME]) and pass-through sections ([kafka]) go to a function of the caller. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct config_error {
	char text[512]; /* "till.conf:12: [edge] spool_max: …" */
	char place
		[160]; /* while a key is set: "till.conf:12", for whoever finds out later that it is wrong */
};

enum config_type {
	CONFIG_TEXT, /* char *, owned by the struct; config_deinit frees */
	CONFIG_LIST, /* char *, separated by commas, spaces around each cut; read with config_list_next */
	CONFIG_BOOL, /* bool: yes/no/true/false/on/off */
	CONFIG_INTEGER, /* int64_t */
	CONFIG_SIZE, /* int64_t bytes: 1GiB, 256 MiB, 65536 */
	CONFIG_DURATION, /* int64_t ms: 100ms, 1s, 5m, 30d; a bare number is seconds */
	CONFIG_PERCENT, /* int64_t: 10 or 10% */
	/* char *: never printed; KEY_file reads it from a file that others can't read. Inline only in such a file too, and
	 * never on a command line. */
	CONFIG_SECRET,
};

struct config_option {
	const char *section;
	const char *key;
	enum config_type type;
	size_t offset; /* into the target struct */
	/* NULL: required. Texts stay NULL where it is "" and nothing is set, or nothing but ""; with another default an
	 * empty value is an empty text. */
	const char *default_text;
	int64_t min, max; /* of numbers; both 0: not checked */
	const char *help; /* one line, with unit, for --help and --print-config */
};

/* A section that the table does not know by name: sections "view.*" with prefix "view.", or exactly "kafka". */
struct config_section {
	const char *prefix; /* "view." or "kafka" */
	/* Returns 0, or -EINVAL with error->text set to a bare sentence (file and line are put in front). */
	int (*set)(void *target, const char *section, const char *key, const char *value,
		struct config_error *error);
	/* Is what this key was set to a secret, inline? May be NULL: none is. */
	bool (*is_secret)(const void *target, const char *section, const char *key);
	void (*print)(const void *target, FILE *out); /* for --print-config; may be NULL */
	const char *help; /* one line for --help; may be NULL */
	void (*print_help)(FILE *out); /* the keys that such a section may have; may be NULL */
};

struct config_schema {
	const struct config_option *options; /* ends with section NULL */
	const struct config_section *sections; /* ends with prefix NULL; may be NULL */
	size_t target_size;
};

/* Sets defaults. Then files, then `-o section.key=value` (each wins over what came before), then finish, which
 * demands the required ones. 0 or -EINVAL / -errno with the error set. */
int config_init(const struct config_schema *schema, void *target, struct config_error *error);
int config_read_file(const struct config_schema *schema, void *target, const char *path,
	struct config_error *error);
int config_read_text(const struct config_schema *schema, void *target, const char *name,
	const char *text, size_t size, struct config_error *error);
int config_set(const struct config_schema *schema, void *target, const char *assignment,
	struct config_error *error);
int config_finish(const struct config_schema *schema, void *target, struct config_error *error);
void config_deinit(const struct config_schema *schema, void *target);
void config_print(const struct config_schema *schema, const void *target, FILE *out);
void config_print_help(const struct config_schema *schema, FILE *out);
/* The same for one section whose schema is found only while it is read: one key's value (0, -EINVAL or -ENOMEM, the error
 * a bare sentence), and its keys, printed without the section's name. */
int config_apply(const struct config_schema *schema, void *target, const char *section,
	const char *key, const char *value, struct config_error *error);
void config_print_options(const struct config_schema *schema, const void *target, FILE *out);
void config_print_options_help(const struct config_schema *schema, FILE *out);
/* Walks a CONFIG_LIST: copies the next item into `item`, returns false at the end. */
bool config_list_next(const char **cursor, char *item, size_t item_size);

/* Is `key` a secret, set inline? Of what was applied. */
bool config_is_secret(const struct config_schema *schema, const void *target, const char *section,
	const char *key);
/* For a command line that holds the secret `name`: -EINVAL, and the error says what to do instead. */
int config_refuse_secret(const char *name, struct config_error *error);
/* 0 where nobody but its owner may read the open file `fd`, or it is one of systemd's credentials; else -EINVAL with the
 * error set. `what` is for the words: "a secret". */
int config_check_secret_file(
	int fd, const char *path, const char *what, struct config_error *error);
/* Reads a secret from a file that nobody else may read (chmod 600); line ends at its end are cut. The text is the
 * caller's (free). 0, -EINVAL or -errno with the error set. */
int config_read_secret(const char *path, char **ret_text, struct config_error *error);
/* Sets the error's words and returns -EINVAL. */
int config_fail(struct config_error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* "unknown key; did you mean …?", else the keys that `what`, such as "a view", has. -EINVAL. */
int config_fail_unknown(struct config_error *error, const char *key, const char *what,
	const char *const *known, size_t count);

/* For the sections' own set functions. false when malformed. */
bool config_parse_bool(const char *text, bool *ret_value);
bool config_parse_size(const char *text, int64_t *ret_bytes);
bool config_parse_duration(const char *text, int64_t *ret_ms);
