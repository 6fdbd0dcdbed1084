/* till bands: how many rows of a view have how much of a measure. */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/ranking.h"
#include "runtime/program.h"
#include <errno.h>
#include <string.h>

static const char name[] = "till bands";
enum { COLUMN_NODES_MAX = 16 };

struct bands_options {
	struct key_files keys;
	const char *endpoint;
	const char *view;
	const char *by;
	const char *edges; /* NULL: `count` bands of equal width */
	int64_t count;
	struct refining refining;
	bool json;
	int64_t timeout_ms;
};

static int check(const struct bands_options *bands)
{
	if (bands->by == NULL) {
		say(name, "--by names the measure");
		return EXIT_USAGE;
	}
	if ((bands->edges == NULL) == (bands->count == 0)) {
		say(name, "--edges or --count is needed, and not both");
		return EXIT_USAGE;
	}
	return refining_check(&bands->refining, name) < 0 ? EXIT_USAGE : -1;
}

static int parse(int argc, char **argv, struct bands_options *bands)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--by", 'b', OPTION_TEXT, &bands->by, "MEASURE",
			"a sum, a count or a distinct count of the view", 0, 0},
		{"--edges", 0, OPTION_TEXT, &bands->edges, "N,N,...",
			"where one band ends and the next begins, such as 0,50,100", 0, 0},
		{"--count", 0, OPTION_INTEGER, &bands->count, "N",
			"so many bands of equal width, from the least to the greatest", 1,
			QUERY_BANDS_MAX},
		REFINING_OPTIONS(&bands->refining),
		{"--json", 0, OPTION_FLAG, &bands->json, NULL, "the answer as it came", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &bands->timeout_ms, "TIME",
			"wait so long for an answer, default 10s", 0, 0},
		KEY_OPTIONS(&bands->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {name,
		"[ENDPOINT] VIEW --by MEASURE --edges N,N,...|--count N [OPTIONS]",
		"Shows how many rows of a view have how much of a measure, and what they make up "
		"of "
		"the whole.\nENDPOINT: the aggregator, default " AGGREGATOR_DEFAULT ".\n"
		"  till bands users --by total_revenue --edges 0,50,100,500,1000",
		options, 1, 2};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code >= 0) {
		return code;
	}
	bands->endpoint = positionals.count == 2 ? positionals.items[0] : AGGREGATOR_DEFAULT;
	bands->view = positionals.items[positionals.count - 1];
	if (is_address(bands->view)) {
		return say_no_view("till bands", bands->view);
	}
	return check(bands);
}

static void write_request(const struct bands_options *bands, struct buffer *request)
{
	struct writer writer;

	writer_init(&writer, ENCODING_JSON, request);
	write_map(&writer, 4 + refining_count(&bands->refining));
	write_key(&writer, "query");
	write_key(&writer, "bands");
	write_key(&writer, "view");
	write_key(&writer, bands->view);
	write_key(&writer, "by");
	write_key(&writer, bands->by);
	if (bands->edges != NULL) {
		write_key(&writer, "edges");
		refining_write_list(&writer, bands->edges);
	} else {
		write_key(&writer, "count");
		write_integer(&writer, bands->count);
	}
	refining_write(&bands->refining, &writer);
}

static void print(const struct bands_options *bands, const struct answer_view *answer)
{
	static const char columns[] = "[\"from\",\"to\",\"row_share\",\"sum\",\"share\"]";
	struct ranking_view numbers = {.measures = NULL};
	struct complaint complaint;
	char text[128];

	if (bands->json) {
		printf("%.*s\n", (int)answer->bytes.size, (const char *)answer->bytes.bytes);
		return;
	}
	if (document_init(&numbers.document, COLUMN_NODES_MAX) == 0 &&
		document_decode(&numbers.document, ENCODING_JSON, slice_of_text(columns), 1,
			&complaint) == 0) {
		numbers.measures = numbers.document.nodes; /* to the right, though some are text */
	}
	ranking_print(answer, &numbers, stdout);
	document_deinit(&numbers.document);
	if (freshness_text(answer, text) != NULL) {
		say(name, "%s", text);
	}
}

static int ask_bands(struct ask *ask, const struct bands_options *bands)
{
	struct answer_view answer;
	struct buffer request;

	buffer_init(&request, QUERY_SIZE_MAX);
	write_request(bands, &request);
	int code = EXIT_USAGE;
	if (request.error == 0) {
		code = ask_question(ask, buffer_slice(&request), &answer);
	} else {
		say(name, "%s",
			request.error == -ENOMEM ? strerror(ENOMEM) : "the question is too long");
	}
	if (code < 0) {
		print(bands, &answer);
		code = EXIT_STOPPED;
	}
	buffer_deinit(&request);
	return code;
}

int command_bands(int argc, char **argv)
{
	struct bands_options bands = {.timeout_ms = 10000};
	struct ask ask;

	int code = parse(argc, argv, &bands);
	if (code >= 0) {
		return code;
	}
	code = ask_open(&ask, &(struct ask_options){.command = name,
				      .endpoint = bands.endpoint,
				      .timeout_ms = bands.timeout_ms,
				      .keys = bands.keys});
	if (code < 0) {
		code = ask_bands(&ask, &bands);
	}
	ask_close(&ask);
	return code;
}
