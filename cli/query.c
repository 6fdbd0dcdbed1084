#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/json_text.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "proto/limits.h"
#include "runtime/program.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct query_options {
	struct key_files keys;
	const char *endpoint;
	const char *request; /* "-": standard input */
	bool pretty, raw;
	int64_t timeout_ms;
};

static int parse(int argc, char **argv, struct query_options *query)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--pretty", 0, OPTION_FLAG, &query->pretty, NULL,
			"indent the answer (the default on a terminal)", 0, 0},
		{"--raw", 0, OPTION_FLAG, &query->raw, NULL, "the answer's very bytes", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &query->timeout_ms, "TIME",
			"wait so long for the answer, default 10s", 0, 0},
		KEY_OPTIONS(&query->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till query", "[ENDPOINT] JSON\n[ENDPOINT] -",
		"Asks the aggregator at ENDPOINT (default " AGGREGATOR_DEFAULT
		") and prints its answer.\n"
		"  till query '{\"query\":\"top\",\"view\":\"products\",\"by\":\"total_revenue\"}'",
		options, 1, 2};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code >= 0) {
		return code;
	}
	query->endpoint = positionals.count == 2 ? positionals.items[0] : AGGREGATOR_DEFAULT;
	query->request = positionals.items[positionals.count - 1];
	return -1;
}

/* One byte more than is allowed is enough to know. */
static struct slice read_request(const char *text, char bytes[QUERY_SIZE_MAX + 1])
{
	if (strcmp(text, "-") != 0) {
		return slice_of_text(text);
	}
	return slice_of(bytes, fread(bytes, 1, QUERY_SIZE_MAX + 1, stdin));
}

static int print_answer(const struct query_options *query, const struct answer_view *answer)
{
	bool pretty = query->pretty || (!query->raw && terminal_is_out());
	struct buffer buffer;

	if (!pretty) {
		fwrite(answer->bytes.bytes, 1, answer->bytes.size, stdout);
		fputs(encoding_of(answer->bytes) == ENCODING_JSON ? "\n" : "", stdout);
		return answer->ok ? EXIT_STOPPED : EXIT_FAILED;
	}
	buffer_init(&buffer, SIZE_MAX / 2);
	json_text_pretty(answer->root, encoding_of(answer->bytes), &buffer);
	bool whole = buffer.error == 0;
	fwrite(buffer.bytes, 1, buffer.size, stdout);
	fputc('\n', stdout);
	buffer_deinit(&buffer);
	return whole && answer->ok ? EXIT_STOPPED : EXIT_FAILED;
}

/* How long the server may take by the question's own word, for a client must not ask again before. */
static int64_t own_timeout_ms(struct slice request)
{
	struct document document;
	struct complaint complaint;
	int64_t timeout_ms = QUERY_TIMEOUT_MS_DEFAULT;

	if (document_init(&document, QUERY_NODES_MAX) == 0 &&
		document_decode(
			&document, encoding_of(request), request, NESTING_MAX, &complaint) == 0) {
		const struct node *node = node_find(document.nodes, "timeout_ms");
		if (node == NULL || !node_integer(node, &timeout_ms)) {
			timeout_ms = QUERY_TIMEOUT_MS_DEFAULT;
		}
	}
	document_deinit(&document);
	return timeout_ms < 0 || timeout_ms > QUERY_TIMEOUT_MS_MAX ? QUERY_TIMEOUT_MS_MAX
								   : timeout_ms;
}

int command_query(int argc, char **argv)
{
	struct query_options query = {.timeout_ms = 10000};
	char bytes[QUERY_SIZE_MAX + 1];
	struct answer_view answer;
	struct ask ask;

	int code = parse(argc, argv, &query);
	if (code >= 0) {
		return code;
	}
	struct slice request = read_request(query.request, bytes);
	if (strcmp(query.request, "-") != 0 && encoding_of(request) != ENCODING_JSON) {
		say("till query",
			"\"%.60s\" is no question: one looks like "
			"'{\"query\":\"top\",\"view\":\"products\",\"by\":\"total_revenue\"}'",
			query.request);
		return EXIT_USAGE;
	}
	int64_t own_ms = own_timeout_ms(request);
	code = ask_open(&ask, &(struct ask_options){.command = "till query",
				      .endpoint = query.endpoint,
				      .timeout_ms = query.timeout_ms + own_ms,
				      .retry_after_ms = own_ms + 3000,
				      .keys = query.keys});
	if (code < 0) {
		int r = query_client_ask(ask.client, request, &answer);
		code = r == 0 ? print_answer(&query, &answer)
			      : say_no_answer(ask.command, ask.endpoint, r, &answer);
	}
	ask_close(&ask);
	return code;
}
