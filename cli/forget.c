/* till forget: one question to the aggregator, which does it and writes it down (aggregator/administration.h). */
#include "cli/answer_table.h"
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "edge/pseudonym_ssl.h"
#include "proto/writer.h"
#include "runtime/config.h"
#include "runtime/program.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char name[] = "till forget";

enum {
	/* The aggregator may have to write all that it counted and walk over its rows. */
	TIMEOUT_MS = 60 * 1000,
	REQUEST_SIZE_MAX = 4096,
};

struct forget_options {
	struct key_files keys;
	const char *endpoint;
	const char *user; /* "-": a line of standard input */
	const char *pseudonym_key; /* its file */
	bool revoke, list, json;
	int64_t timeout_ms;
};

/* ---- arguments */

static int check(struct forget_options *forget, const struct positionals *positionals)
{
	size_t last = positionals->count - 1;

	if (forget->list && (forget->revoke || forget->pseudonym_key != NULL)) {
		say(name, "--list goes with no user");
		return EXIT_USAGE;
	}
	if (positionals->count > (forget->list ? 1u : 2u) ||
		(!forget->list && positionals->count == 0)) {
		say(name, forget->list ? "--list goes with no user" : "forget whom?");
		return EXIT_USAGE;
	}
	bool has_endpoint = positionals->count == (forget->list ? 1u : 2u);
	forget->endpoint = has_endpoint ? positionals->items[0] : AGGREGATOR_DEFAULT;
	forget->user = forget->list ? NULL : positionals->items[last];
	return -1;
}

static int parse(int argc, char **argv, struct forget_options *forget)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--revoke", 0, OPTION_FLAG, &forget->revoke, NULL,
			"count what comes from now on under the user again; what was before stays "
			"forgotten",
			0, 0},
		{"--list", 0, OPTION_FLAG, &forget->list, NULL,
			"how many were forgotten, when and by whom", 0, 0},
		{"--pseudonym-key", 0, OPTION_TEXT, &forget->pseudonym_key, "FILE",
			"the edges' [privacy] pseudonym_key_file: forget the pseudonym of USER", 0,
			0},
		{"--json", 0, OPTION_FLAG, &forget->json, NULL, "the answer as it came", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &forget->timeout_ms, "TIME",
			"wait so long for the answer, default 60s", 0, 0},
		KEY_OPTIONS(&forget->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {name, "[ENDPOINT] USER|- [OPTIONS]\n[ENDPOINT] --list",
		"Takes a user's rows out of what the aggregator at ENDPOINT "
		"(default " AGGREGATOR_DEFAULT ") answers and stores, for good;\n"
		"all other totals stay as they are. USER is the id as the store has it: where "
		"edges "
		"hide users, the pseudonym, or\n"
		"the id with --pseudonym-key. \"-\" reads it from standard input, where nobody "
		"else "
		"sees it. Needs the right admin.\n"
		"Kafka, spools, backups and exports are not touched: docs/OPERATIONS.md says what "
		"is left.",
		options, 0, 2};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	return code >= 0 ? code : check(forget, &positionals);
}

/* ---- the user */

static int read_user(const char *given, char user[ID_SIZE_MAX + 2])
{
	if (strcmp(given, "-") == 0) {
		if (fgets(user, ID_SIZE_MAX + 2, stdin) == NULL) {
			say(name, "standard input names no user");
			return EXIT_USAGE;
		}
		user[strcspn(user, "\r\n")] = '\0';
	} else {
		snprintf(user, ID_SIZE_MAX + 2, "%s", given);
	}
	if (user[0] == '\0' || strlen(user) > ID_SIZE_MAX || strlen(given) > ID_SIZE_MAX) {
		say(name, "a user's id has 1 to %d bytes", ID_SIZE_MAX);
		return EXIT_USAGE;
	}
	return -1;
}

static int make_pseudonym(const char *path, char user[ID_SIZE_MAX + 2])
{
	struct pseudonymiser *pseudonymiser = NULL;
	struct config_error error = {.text = ""};
	char text[PSEUDONYM_TEXT_SIZE];
	char *key = NULL;

	if (config_read_secret(path, &key, &error) != 0) {
		say(name, "%s", error.text);
		return EXIT_USAGE;
	}
	int r = pseudonymiser_new(key, &pseudonymiser);
	explicit_bzero(key, strlen(key));
	free(key);
	if (r == 0) {
		r = pseudonym_make(pseudonymiser, slice_of_text(user), text);
	}
	pseudonymiser_free(pseudonymiser);
	if (r != 0) {
		say(name, "%s holds no key of %d characters or more", path, PSEUDONYM_KEY_SIZE_MIN);
		return EXIT_USAGE;
	}
	snprintf(user, ID_SIZE_MAX + 2, "%.*s", PSEUDONYM_TEXT_SIZE, text);
	return -1;
}

static int find_user(const struct forget_options *forget, char user[ID_SIZE_MAX + 2])
{
	if (forget->list) {
		return -1;
	}
	int code = read_user(forget->user, user);
	return code < 0 && forget->pseudonym_key != NULL
		       ? make_pseudonym(forget->pseudonym_key, user)
		       : code;
}

/* ---- asking */

static int write_request(
	const struct forget_options *forget, const char *user, struct buffer *request)
{
	struct writer writer;

	writer_init(&writer, ENCODING_JSON, request);
	write_map(&writer, forget->list ? 2 : 3);
	write_key(&writer, "query");
	write_key(&writer, forget->list ? "forgotten" : "forget");
	if (forget->list) {
		write_key(&writer, "limit");
		write_unsigned(&writer, LIST_LIMIT_MAX);
	} else {
		write_key(&writer, "user");
		write_text(&writer, slice_of_text(user));
		write_key(&writer, "revoke");
		write_bool(&writer, forget->revoke);
	}
	return request->error;
}

static void print_list(const struct answer_view *answer)
{
	const struct node *list = node_find(answer->root, "forgotten");
	struct text_table table;

	if (list != NULL && list->count > 0 && answer_table_fill(&table, list, NULL, NULL)) {
		text_table_print(&table, stdout);
		text_table_deinit(&table);
	}
	say(name, "%" PRId64 " forgotten, %" PRId64 " revoked%s",
		node_integer_at(answer->root, "in_force"), node_integer_at(answer->root, "revoked"),
		node_find(answer->root, "next") != NULL ? "; not all are shown" : "");
}

static void print_done(const struct answer_view *answer)
{
	const struct node *done = node_find(answer->root, "forget");
	const struct node *hash = done == NULL ? NULL : node_find(done, "hash");
	const char *was_so = node_flag_at(done, "was_so") ? " (it was so before)" : "";

	if (node_flag_at(done, "revoked")) {
		printf("counts again from now on%s\n", was_so);
	} else {
		printf("forgotten%s: %" PRId64 " rows with %" PRId64 " events, %" PRId64
		       " texts, %" PRId64 " records of the quarantine\n",
			was_so, node_integer_at(done, "rows"), node_integer_at(done, "events"),
			node_integer_at(done, "texts"), node_integer_at(done, "quarantined"));
	}
	if (hash != NULL && hash->type == NODE_TEXT) {
		printf("hash %.*s\n", (int)hash->text.size, (const char *)hash->text.bytes);
	}
}

static void print(const struct forget_options *forget, const struct answer_view *answer)
{
	if (forget->json) {
		printf("%.*s\n", (int)answer->bytes.size, (const char *)answer->bytes.bytes);
	} else if (forget->list) {
		print_list(answer);
	} else {
		print_done(answer);
	}
}

static int ask_and_print(const struct forget_options *forget, const char *user)
{
	struct answer_view answer;
	struct buffer request;
	struct ask ask;

	buffer_init(&request, REQUEST_SIZE_MAX);
	int code = write_request(forget, user, &request) == 0 ? -1 : EXIT_FAILED;
	if (code < 0) {
		code = ask_open(&ask, &(struct ask_options){.command = name,
					      .endpoint = forget->endpoint,
					      .timeout_ms = forget->timeout_ms,
					      .keys = forget->keys});
		if (code < 0) {
			code = ask_question(&ask, buffer_slice(&request), &answer);
		}
		if (code < 0) {
			print(forget, &answer);
			code = EXIT_STOPPED;
		}
		ask_close(&ask);
	}
	buffer_deinit(&request);
	return code;
}

int command_forget(int argc, char **argv)
{
	struct forget_options forget = {.timeout_ms = TIMEOUT_MS};
	char user[ID_SIZE_MAX + 2] = "";

	int code = parse(argc, argv, &forget);
	if (code < 0) {
		code = find_user(&forget, user);
	}
	return code < 0 ? ask_and_print(&forget, user) : code;
}
