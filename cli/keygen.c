#include "cli/commands.h"
#include "cli/options.h"
#include "cli/session.h"
#include "proto/event.h"
#include "runtime/key_file.h"
#include "runtime/key_holder.h"
#include "runtime/program.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char name[] = "till keygen";

enum { RIGHTS_SIZE = 4096 };

struct keygen_options {
	const char *dir;
	const char *shown; /* --public */
	const char *edges, *producers, *kinds, *views, *stores;
	bool sends, is_admin;
	const char *name;
};

static int parse(int argc, char **argv, struct keygen_options *keygen)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--dir", 'd', OPTION_TEXT, &keygen->dir, "DIR", "where to, default here", 0, 0},
		{"--edges", 0, OPTION_TEXT, &keygen->edges, "LIST",
			"right: be these edges at a bridge; \"*\": any", 0, 0},
		{"--send", 0, OPTION_FLAG, &keygen->sends, NULL, "right: send events to an edge", 0,
			0},
		{"--producers", 0, OPTION_TEXT, &keygen->producers, "LIST",
			"with --send: as these producers only", 0, 0},
		{"--kinds", 0, OPTION_TEXT, &keygen->kinds, "LIST",
			"with --send: order, cart, view; default all", 0, 0},
		{"--views", 0, OPTION_TEXT, &keygen->views, "LIST",
			"right: ask for these views; \"*\": for all", 0, 0},
		{"--stores", 0, OPTION_TEXT, &keygen->stores, "LIST",
			"right: see the rows of these edges, in views grouped by edge", 0, 0},
		{"--admin", 0, OPTION_FLAG, &keygen->is_admin, NULL,
			"right: whatever operators may do", 0, 0},
		{"--public", 0, OPTION_TEXT, &keygen->shown, "FILE",
			"print the public key of a NAME.key or NAME.pub, make nothing", 0, 0},
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {name, "NAME [--dir DIR] [RIGHTS]\n--public FILE",
		"Makes a pair of keys: NAME.key, the secret, which stays on this machine, and "
		"NAME.pub, which\n"
		"goes into the directory [security] authorized of whoever is to let NAME in. "
		"Rights are lines\n"
		"of NAME.pub and can be changed there. No secret is ever printed.",
		options, 0, 1};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code >= 0) {
		return code;
	}
	keygen->name = positionals.count > 0 ? positionals.items[0] : NULL;
	if ((keygen->name == NULL) == (keygen->shown == NULL)) {
		say(name, "a NAME, or --public FILE");
		return EXIT_USAGE;
	}
	return -1;
}

/* It becomes the name of two files and stands in logs. */
static bool is_good_name(const char *text)
{
	size_t size = strlen(text);

	for (size_t i = 0; i < size; i++) {
		if (!isalnum((unsigned char)text[i]) && strchr("._-", text[i]) == NULL) {
			return false;
		}
	}
	return size > 0 && size < KEY_NAME_SIZE && text[0] != '.' && text[0] != '-';
}

static int show(const char *path)
{
	size_t size = strlen(path);
	bool is_secret = size > 4 && strcmp(path + size - 4, ".key") == 0;
	struct config_error error;
	struct curve_pair pair;

	int r = is_secret ? key_file_read_pair(path, &pair, &error)
			  : key_file_read_public(path, &pair.public_key, &error);
	if (r < 0) {
		say(name, "%s", error.text);
		return EXIT_FAILED;
	}
	printf("%s\n", pair.public_key.text);
	curve_pair_forget(&pair);
	return EXIT_STOPPED;
}

static void add_right(char rights[RIGHTS_SIZE], const char *key, const char *value)
{
	size_t used = strlen(rights);

	if (value != NULL) {
		snprintf(rights + used, RIGHTS_SIZE - used, "%s = %s\n", key, value);
	}
}

/* What would narrow nothing, or everything away, is a mistake. */
static int check_sending(const struct keygen_options *keygen)
{
	char item[KEY_LIST_ITEM_SIZE_MAX + 2];
	const char *kinds = keygen->kinds;
	enum kind kind;

	if (!keygen->sends && (keygen->producers != NULL || keygen->kinds != NULL)) {
		say(name, "--producers and --kinds narrow --send: give it too");
		return EXIT_USAGE;
	}
	while (kinds != NULL && !key_list_has_all(keygen->kinds) &&
		config_list_next(&kinds, item, sizeof item)) {
		if (!kind_from_name(slice_of_text(item), &kind) || kind_is_dead_letter(kind)) {
			say(name, "--kinds: \"%s\" is none of order, cart, view", item);
			return EXIT_USAGE;
		}
	}
	return -1;
}

/* The section as it will be read: what is wrong in it is said before anything is written. */
static int write_rights(const struct keygen_options *keygen, char rights[RIGHTS_SIZE])
{
	static const char sample[] = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
	struct key_holder *holder = NULL;
	struct config_error error;
	char text[RIGHTS_SIZE + 128];

	snprintf(rights, RIGHTS_SIZE,
		"# What it may do where this file lies in [security] authorized: edges, send, "
		"producers, kinds,\n# views, stores, admin.\n[rights]\n");
	add_right(rights, "edges", keygen->edges);
	add_right(rights, "send", keygen->sends ? "yes" : NULL);
	add_right(rights, "producers", keygen->producers);
	add_right(rights, "kinds", keygen->kinds);
	add_right(rights, "views", keygen->views);
	add_right(rights, "stores", keygen->stores);
	add_right(rights, "admin", keygen->is_admin ? "yes" : NULL);
	snprintf(text, sizeof text, "%s[key]\npublic = %s\n", rights, sample);
	int r = strlen(rights) + 1 == RIGHTS_SIZE
			? config_fail(&error, "so many rights are to be written by hand")
			: key_holder_parse(keygen->name, text, strlen(text), &holder, &error);
	key_holder_free(holder);
	if (r < 0) {
		say(name, "%s", error.text);
		return EXIT_USAGE;
	}
	return -1;
}

static int make(const struct keygen_options *keygen)
{
	char rights[RIGHTS_SIZE];
	struct config_error error;
	struct curve_key key;

	if (!is_good_name(keygen->name)) {
		say(name,
			"\"%s\" is no good name of a key: 1 to %d letters, digits, \".\", \"_\" "
			"or \"-\"",
			keygen->name, KEY_NAME_SIZE - 1);
		return EXIT_USAGE;
	}
	int code = check_sending(keygen);
	if (code >= 0) {
		return code;
	}
	code = write_rights(keygen, rights);
	if (code >= 0) {
		return code;
	}
	if (key_file_write(keygen->dir, keygen->name, rights, &key, &error) < 0) {
		say(name, "%s", error.text);
		return EXIT_FAILED;
	}
	printf("%s/%s.key  the secret: it stays here\n"
	       "%s/%s.pub  the public key: %s\n",
		keygen->dir, keygen->name, keygen->dir, keygen->name, key.text);
	return EXIT_STOPPED;
}

int command_keygen(int argc, char **argv)
{
	struct keygen_options keygen = {.dir = "."};

	int code = parse(argc, argv, &keygen);
	if (code >= 0) {
		return code;
	}
	return keygen.shown != NULL ? show(keygen.shown) : make(&keygen);
}
