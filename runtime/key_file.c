#include "runtime/key_file.h"
#include "runtime/key_holder.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct secret_text {
	char *public_key;
	char *secret_key;
};

static const struct config_option options[] = {
	{"key", "public", CONFIG_TEXT, offsetof(struct secret_text, public_key), NULL, 0, 0, ""},
	{"key", "secret", CONFIG_TEXT, offsetof(struct secret_text, secret_key), NULL, 0, 0, ""},
	{0},
};
static const struct config_schema schema = {
	.options = options, .target_size = sizeof(struct secret_text)};

/* ---- reading */

static void forget(char *text)
{
	if (text != NULL) {
		explicit_bzero(text, strlen(text));
	}
}

/* Writable for all is safe where only the owner may rename and delete (/tmp). */
static int check_directory(const char *path, struct config_error *error)
{
	struct stat status;
	char dir[PATH_MAX];

	const char *slash = strrchr(path, '/');
	int size = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
	snprintf(dir, sizeof dir, "%.*s", size, slash == NULL ? "." : path);
	if (stat(dir, &status) < 0) {
		return config_fail(error, "%s: %s", dir, strerror(errno));
	}
	bool is_open = (status.st_mode & (S_IWOTH | S_IWGRP)) != 0;
	if (is_open && (status.st_mode & S_ISVTX) == 0) {
		return config_fail(error,
			"%s holds a secret key, and others may replace files in it: chmod go-w %s",
			dir, dir);
	}
	return 0;
}

static bool parse_pair(const struct secret_text *text, struct curve_pair *ret_pair)
{
	struct curve_key derived;

	return text->public_key != NULL && text->secret_key != NULL &&
	       curve_key_parse(text->public_key, &ret_pair->public_key) &&
	       curve_key_parse(text->secret_key, &ret_pair->secret_key) &&
	       curve_public_of(&ret_pair->secret_key, &derived) &&
	       strcmp(derived.text, ret_pair->public_key.text) == 0;
}

static int read_pair(const char *path, const char *bytes, struct curve_pair *ret_pair,
	struct config_error *error)
{
	struct secret_text text = {0};
	struct config_error unsaid; /* it may show a piece of the secret */
	int r = config_init(&schema, &text, &unsaid);

	if (r == 0) {
		r = config_read_text(&schema, &text, path, bytes, strlen(bytes), &unsaid);
	}
	if (r != -ENOMEM && (r < 0 || !parse_pair(&text, ret_pair))) {
		r = config_fail(error,
			"%s is not a secret key as \"till keygen\" writes it: [key] with public "
			"and secret, which belong together",
			path);
	}
	forget(text.secret_key);
	config_deinit(&schema, &text);
	return r;
}

int key_file_read_pair(const char *path, struct curve_pair *ret_pair, struct config_error *error)
{
	char *bytes = NULL;
	struct curve_pair pair;

	int r = check_directory(path, error);
	if (r == 0) {
		r = config_read_secret(path, &bytes, error);
	}
	if (r == 0) {
		r = read_pair(path, bytes, &pair, error);
	}
	if (r == 0) {
		*ret_pair = pair;
	}
	forget(bytes);
	free(bytes);
	curve_pair_forget(&pair);
	return r;
}

int key_file_read_public(const char *path, struct curve_key *ret_key, struct config_error *error)
{
	struct key_holder *holder = NULL;

	int r = key_holder_read(path, &holder, error);
	if (r == 0) {
		*ret_key = holder->key;
	}
	key_holder_free(holder);
	return r;
}

/* ---- writing */

static int write_all(int fd, const char *text)
{
	size_t size = strlen(text);

	while (size > 0) {
		ssize_t done = write(fd, text, size);
		if (done < 0 && errno != EINTR) {
			return -errno;
		}
		text += done > 0 ? done : 0;
		size -= done > 0 ? (size_t)done : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Made by us or not at all: O_EXCL follows no link and takes over no file. A half-written one is taken away again. */
static int write_file(int dir, const char *name, mode_t mode, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		return -errno;
	}
	int r = fchmod(fd, mode) < 0 ? -errno : write_all(fd, text);
	if (close(fd) < 0 && r == 0) {
		r = -errno;
	}
	if (r < 0) {
		(void)unlinkat(dir, name, 0);
	}
	return r;
}

static int write_pair(int dir, const char *name, const char *rights, const struct curve_pair *pair)
{
	char file[NAME_MAX + 1];
	char text[8192];

	snprintf(file, sizeof file, "%.200s.key", name);
	snprintf(text, sizeof text,
		"# The secret key of %.200s. Whoever has it speaks as %.200s: it never leaves "
		"this machine.\n"
		"[key]\npublic = %s\nsecret = %s\n",
		name, name, pair->public_key.text, pair->secret_key.text);
	int r = write_file(dir, file, S_IRUSR | S_IWUSR, text);
	explicit_bzero(text, sizeof text);
	if (r < 0) {
		return r;
	}
	snprintf(text, sizeof text,
		"# The public key of %.200s. It is no secret.\n[key]\npublic = %s\n\n%s", name,
		pair->public_key.text, rights);
	snprintf(file, sizeof file, "%.200s.pub", name);
	r = write_file(dir, file, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH, text);
	if (r < 0) { /* one without the other is of no use */
		snprintf(file, sizeof file, "%.200s.key", name);
		(void)unlinkat(dir, file, 0);
	}
	return r == 0 && fsync(dir) < 0 ? -errno : r;
}

int key_file_write(const char *dir, const char *name, const char *rights, struct curve_key *ret_key,
	struct config_error *error)
{
	struct curve_pair pair;

	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int r = -errno;
		config_fail(error, "%s: %s", dir, strerror(-r));
		return r;
	}
	int r = curve_pair_new(&pair);
	if (r == 0) {
		r = write_pair(fd, name, rights, &pair);
	}
	close(fd);
	if (r == 0) {
		*ret_key = pair.public_key;
	} else if (r == -EEXIST) {
		config_fail(error,
			"%s/%s.key or .pub is there already; a new key under an old name locks "
			"out whoever uses it: move it away first",
			dir, name);
	} else {
		config_fail(error, "%s/%s.key: %s", dir, name, strerror(-r));
	}
	curve_pair_forget(&pair);
	return r;
}
