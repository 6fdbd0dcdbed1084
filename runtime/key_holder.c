#include "runtime/key_holder.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "*" stands alone: beside names it would be a list that looks narrower than it is. */
static int check_list(const char *list, struct config_error *error)
{
	char item[KEY_LIST_ITEM_SIZE_MAX + 2];
	bool has_all = false;
	int count = 0;

	while (config_list_next(&list, item, sizeof item)) {
		if (strlen(item) > KEY_LIST_ITEM_SIZE_MAX) {
			return config_fail(error, "\"%.64s…\" is longer than %d bytes", item,
				KEY_LIST_ITEM_SIZE_MAX);
		}
		has_all |= strchr(item, '*') != NULL && strspn(item, "*") == strlen(item);
		count++;
	}
	return has_all && count > 1 ? config_fail(error, "\"*\" is all of them: it stands alone")
				    : 0;
}

static int set_list(char **place, const char *value, struct config_error *error)
{
	int r = check_list(value, error);
	if (r < 0) {
		return r;
	}
	*place = strdup(value);
	if (*place == NULL) {
		config_fail(error, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

static int set_bool(bool *place, const char *value, struct config_error *error)
{
	return config_parse_bool(value, place)
		       ? 0
		       : config_fail(error, "\"%.80s\" is not yes or no", value);
}

static int set_key(void *target, const char *section, const char *key, const char *value,
	struct config_error *error)
{
	struct key_holder *holder = target;

	(void)section;
	if (strcmp(key, "public") !=
		0) { /* whatever it is, it is not repeated: it may be a secret */
		return config_fail(error, "unknown key; a public key's file has only \"public\"");
	}
	return curve_key_parse(value, &holder->key)
		       ? 0
		       : config_fail(error,
				 "is no public key: it has %d characters, as \"till keygen\" "
				 "writes it",
				 CURVE_KEY_SIZE);
}

static int set_right(void *target, const char *section, const char *key, const char *value,
	struct config_error *error)
{
	struct key_holder *holder = target;
	const struct {
		const char *key;
		char **list;
		bool *flag;
	} rights[] = {
		{"edges", &holder->edges, NULL},
		{"send", NULL, &holder->sends},
		{"producers", &holder->producers, NULL},
		{"kinds", &holder->kinds, NULL},
		{"views", &holder->views, NULL},
		{"stores", &holder->stores, NULL},
		{"admin", NULL, &holder->is_admin},
	};

	(void)section;
	for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++) {
		if (strcmp(key, rights[i].key) == 0) {
			return rights[i].list != NULL ? set_list(rights[i].list, value, error)
						      : set_bool(rights[i].flag, value, error);
		}
	}
	return config_fail(error,
		"unknown right; there are edges, send, producers, kinds, views, stores and admin");
}

static const struct config_option options[] = {{0}};
static const struct config_section sections[] = {
	{.prefix = "key", .set = set_key},
	{.prefix = "rights", .set = set_right},
	{0},
};
static const struct config_schema schema = {options, sections, sizeof(struct key_holder)};

static void set_name(struct key_holder *holder, const char *path)
{
	static const char suffix[] = ".pub";
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	size_t size = strlen(name);

	if (size > sizeof suffix - 1 && strcmp(name + size - (sizeof suffix - 1), suffix) == 0) {
		size -= sizeof suffix - 1;
	}
	snprintf(holder->name, sizeof holder->name, "%.*s", (int)size, name);
}

int key_holder_parse(const char *path, const char *text, size_t size,
	struct key_holder **ret_holder, struct config_error *error)
{
	struct key_holder *holder = calloc(1, sizeof *holder);
	if (holder == NULL) {
		config_fail(error, "out of memory");
		return -ENOMEM;
	}
	int r = config_init(&schema, holder, error);
	if (r == 0 && (size == 0 || text[size - 1] != '\n')) {
		/* "store-1" may be the beginning of "store-17". */
		r = config_fail(
			error, "%s: its last line has no end: is it still being written?", path);
	}
	if (r == 0) {
		r = config_read_text(&schema, holder, path, text, size, error);
	}
	if (r == 0 && holder->key.text[0] == '\0') {
		r = config_fail(error, "%s: [key] public is missing", path);
	}
	if (r < 0) {
		key_holder_free(holder);
		return r;
	}
	set_name(holder, path);
	*ret_holder = holder;
	return 0;
}

/* A secret is no public key, however it came there: it is not read on, and not shown. */
static int check_file(int fd, const char *path, struct config_error *error)
{
	struct stat status;

	if (fstat(fd, &status) < 0) {
		return config_fail(error, "%s: %s", path, strerror(errno));
	}
	if (!S_ISREG(status.st_mode)) {
		return config_fail(error, "%s is not a file", path);
	}
	if ((status.st_mode & (S_IWOTH | S_IWGRP)) != 0) {
		return config_fail(error, "%s gives rights and others may write it: chmod go-w %s",
			path, path);
	}
	if (status.st_uid != 0 && status.st_uid != geteuid()) {
		return config_fail(
			error, "%s gives rights and belongs to another user: chown it", path);
	}
	return 0;
}

static int read_and_parse(
	int fd, const char *path, struct key_holder **ret_holder, struct config_error *error)
{
	char text[KEY_FILE_SIZE_MAX + 1];
	size_t size = 0;
	ssize_t got = 1;

	while (got > 0 && size < sizeof text) {
		got = read(fd, text + size, sizeof text - size);
		size += got > 0 ? (size_t)got : 0;
	}
	if (got < 0) {
		return config_fail(error, "%s: %s", path, strerror(errno));
	}
	if (size > KEY_FILE_SIZE_MAX) {
		return config_fail(
			error, "%s is larger than %d KiB", path, KEY_FILE_SIZE_MAX / 1024);
	}
	return key_holder_parse(path, text, size, ret_holder, error);
}

int key_holder_read(const char *path, struct key_holder **ret_holder, struct config_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		return config_fail(error, "%s: %s", path, strerror(errno));
	}
	int r = check_file(fd, path, error);
	if (r == 0) {
		r = read_and_parse(fd, path, ret_holder, error);
	}
	close(fd);
	return r;
}

struct key_holder *key_holder_free(struct key_holder *holder)
{
	if (holder != NULL) {
		free(holder->edges);
		free(holder->producers);
		free(holder->kinds);
		free(holder->views);
		free(holder->stores);
		free(holder);
	}
	return NULL;
}

bool key_list_has_all(const char *list)
{
	char item[2];

	return list != NULL && strspn(list, " \t,*") == strlen(list) &&
	       config_list_next(&list, item, sizeof item);
}

bool key_list_has(const char *list, const void *name, size_t size)
{
	char item[KEY_LIST_ITEM_SIZE_MAX + 2];

	if (key_list_has_all(list)) {
		return true;
	}
	while (list != NULL && config_list_next(&list, item, sizeof item)) {
		if (strlen(item) == size && memcmp(item, name, size) == 0) {
			return true;
		}
	}
	return false;
}
