#include "cli/commands.h"
#include "cli/delimiter.h"
#include "cli/options.h"
#include "cli/upload.h"
#include "runtime/clock.h"
#include "runtime/program.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct send_options {
	struct key_files keys;
	const char *to;
	bool csv, ndjson, msgpack, json;
	struct text_list map, set, where;
	const char *kind;
	int64_t rate;
	const char *producer;
	const char *delimiter;
	int64_t timeout_ms;
	const char *file; /* NULL: standard input */
};

static int parse(int argc, char **argv, struct send_options *send)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--to", 0, OPTION_TEXT, &send->to, "ENDPOINT",
			"the edge, such as tcp://127.0.0.1:7170", 0, 0},
		{"--csv", 0, OPTION_FLAG, &send->csv, NULL,
			"RFC 4180, UTF-8; the first line names the columns", 0, 0},
		{"--ndjson", 0, OPTION_FLAG, &send->ndjson, NULL, "one JSON object a line", 0, 0},
		{"--msgpack", 0, OPTION_FLAG, &send->msgpack, NULL, "maps back to back", 0, 0},
		{"--map", 0, OPTION_LIST, &send->map, "FIELD=COLUMN,...",
			"which column is which field", 0, 0},
		{"--set", 0, OPTION_LIST, &send->set, "FIELD=VALUE", "a field of every event", 0,
			0},
		{"--where", 0, OPTION_LIST, &send->where, "COLUMN=VALUE",
			"only rows with this value", 0, 0},
		{"--kind", 0, OPTION_TEXT, &send->kind, "KIND", "order (default), cart or view", 0,
			0},
		{"--rate", 0, OPTION_INTEGER, &send->rate, "N", "at most N rows a second", 0, 0},
		{"--producer", 0, OPTION_TEXT, &send->producer, "ID",
			"number by position: run again, it counts nothing twice", 0, 0},
		{"--delimiter", 0, OPTION_TEXT, &send->delimiter, "C",
			"between cells, default a comma; \"tab\" is one", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &send->timeout_ms, "TIME",
			"give up after so much silence, default 30s; or forever", 0, 0},
		{"--json", 0, OPTION_FLAG, &send->json, NULL, "print the totals as one JSON object",
			0, 0},
		KEY_OPTIONS(&send->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till send", "--to ENDPOINT [OPTIONS] [FILE]",
		"Sends the rows of FILE, or of standard input, to an edge and waits until each is "
		"answered for.\n"
		"Columns that are not mapped keep their name; an empty cell is absent. Without "
		"--producer\n"
		"every run counts anew. Exit code: 1 when a row was invalid or refused, 3 when the "
		"edge was silent.",
		options, 0, 1};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code >= 0) {
		return code;
	}
	if (send->to == NULL) {
		say("till send", "--to is missing: the edge, such as --to tcp://127.0.0.1:7170");
		return EXIT_USAGE;
	}
	if (positionals.count > 0 && strcmp(positionals.items[0], "-") != 0) {
		send->file = positionals.items[0];
	}
	return -1;
}

/* What the options say, else what the file's name says. */
static bool choose_format(const struct send_options *send, enum input_format *ret_format)
{
	static const struct {
		const char *end;
		enum input_format format;
	} names[] = {{".csv", INPUT_CSV}, {".tsv", INPUT_CSV}, {".ndjson", INPUT_NDJSON},
		{".jsonl", INPUT_NDJSON}, {".msgpack", INPUT_MSGPACK}, {".mp", INPUT_MSGPACK}};

	if (send->csv + send->ndjson + send->msgpack > 1) {
		return false;
	}
	if (send->csv || send->ndjson || send->msgpack) {
		*ret_format = send->csv ? INPUT_CSV : send->ndjson ? INPUT_NDJSON : INPUT_MSGPACK;
		return true;
	}
	for (size_t i = 0; send->file != NULL && i < sizeof names / sizeof names[0]; i++) {
		if (text_ends_with(send->file, names[i].end)) {
			*ret_format = names[i].format;
			return true;
		}
	}
	return false;
}

static int open_input(const struct send_options *send, struct input **ret_input)
{
	struct mapping_options mapping_options = {
		send->map.items, send->set.items, send->where.items, send->kind, "--"};
	struct pairs_error error = {.text = "out of memory"};
	struct mapping *mapping = NULL;
	enum input_format format;
	char delimiter;

	if (!choose_format(send, &format)) {
		say("till send", "say what it is: one of --csv, --ndjson, --msgpack");
		return EXIT_USAGE;
	}
	if (!delimiter_choose(send->delimiter, send->file, &delimiter)) {
		say("till send", "--delimiter wants one character, not \"%s\"", send->delimiter);
		return EXIT_USAGE;
	}
	int r = mapping_new(&mapping_options, &mapping, &error);
	if (r != 0) {
		say("till send", "%s", error.text);
		return r == -ENOMEM ? EXIT_FAILED : EXIT_USAGE;
	}
	r = input_new_take(format, delimiter, mapping, ret_input);
	if (r < 0) {
		say("till send", "%s", strerror(-r));
	}
	return r == 0 ? -1 : EXIT_FAILED;
}

/* Says how it ended, where that is not plain from the totals, and returns the exit code. */
static int conclude(
	const struct upload *upload, int r, const char *endpoint, const struct pairs_error *error)
{
	const struct send_totals *totals = upload_totals(upload);

	switch (r) {
	case 0:
		return totals->invalid + totals->error > 0 ? EXIT_FAILED : EXIT_STOPPED;
	case UPLOAD_E_SILENT:
		say("till send", "could not reach %s: is the edge running?", endpoint);
		return EXIT_NOT_REACHED;
	case UPLOAD_E_INTERRUPTED:
		say("till send", "interrupted");
		return EXIT_FAILED;
	case UPLOAD_E_INPUT:
		say("till send", "%s", error->text);
		return EXIT_FAILED;
	case -EPROTONOSUPPORT:
	case -EINVAL:
		return say_no_address("till send", endpoint, r, "tcp://127.0.0.1:7170");
	default:
		say("till send", "%s", strerror(-r));
		return EXIT_FAILED;
	}
}

static int send_all(const struct send_options *send, const struct upload_options *options)
{
	struct pairs_error error = {.text = ""};
	struct upload *upload = NULL;

	int r = upload_new_take(options, &upload);
	if (r == -EINVAL) {
		say("till send", "--producer wants a name of 1 to %d bytes", PRODUCER_ID_SIZE_MAX);
		return EXIT_USAGE;
	}
	if (r < 0) {
		say("till send", "%s", strerror(-r));
		return EXIT_FAILED;
	}
	r = upload_run(upload, &error);
	int code = conclude(upload, r, options->endpoint, &error);
	if (code != EXIT_USAGE) {
		send_totals_print(
			upload_totals(upload), upload_elapsed_ms(upload), send->json, stdout);
	}
	upload_free(upload);
	return code;
}

static int run(const struct send_options *send, struct input *input_taken, int fd)
{
	char endpoint[ENDPOINT_SIZE];
	char id[PRODUCER_ID_SIZE_MAX + 1];
	struct session session;
	struct stat stat = {.st_size = 0};

	int r = session_open(&session);
	if (r < 0) {
		input_free(input_taken);
		session_close(&session);
		say("till send", "%s", strerror(-r));
		return EXIT_FAILED;
	}
	bool is_file = fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
	snprintf(id, sizeof id, "till-send-%016llx", (unsigned long long)random_u64());
	struct upload_options options = {.session = &session,
		.input = input_taken,
		.fd = fd,
		.size = is_file ? stat.st_size : 0,
		.endpoint = endpoint_complete(send->to, endpoint),
		.producer_id = send->producer != NULL ? send->producer : id,
		.by_position = send->producer != NULL,
		.rate = (double)send->rate,
		.timeout_ms = send->timeout_ms};
	int code = session_read_keys(&session, "till send", &send->keys);
	if (code >= 0) {
		input_free(input_taken);
	} else {
		code = send_all(send, &options);
	}
	session_close(&session);
	return code;
}

int command_send(int argc, char **argv)
{
	struct send_options send = {.timeout_ms = 30000};
	struct input *input = NULL;
	int fd = STDIN_FILENO;

	int code = parse(argc, argv, &send);
	if (code < 0) {
		code = open_input(&send, &input);
	}
	if (code >= 0) {
		return code;
	}
	if (send.file != NULL) {
		fd = open(send.file, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			say("till send", "%s: %s", send.file, strerror(errno));
			input_free(input);
			return EXIT_FAILED;
		}
	}
	code = run(&send, input, fd);
	if (fd != STDIN_FILENO) {
		close(fd);
	}
	return code;
}
