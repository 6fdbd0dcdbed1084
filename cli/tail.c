#include "cli/commands.h"
#include "cli/options.h"
#include "cli/record_text.h"
#include "cli/session.h"
#include "cli/topic_reader_kafka.h"
#include "proto/limits.h"
#include "runtime/program.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 200, LINE_SIZE_MAX = 16 * 1024 * 1024 };

static const char name[] = "till tail";

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

struct tail_options {
	const char *topic;
	const char *brokers;
	const char *from;
	struct text_list kafka;
	int64_t count, partition, timeout_ms;
	bool until_end, json;
};

static int parse(int argc, char **argv, struct tail_options *tail)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--brokers", 0, OPTION_TEXT, &tail->brokers, "HOST:PORT,...",
			"Kafka, default 127.0.0.1:9092", 0, 0},
		{"--from", 0, OPTION_TEXT, &tail->from, "WHERE",
			"beginning, end (default) or an offset", 0, 0},
		{"--partition", 0, OPTION_INTEGER, &tail->partition, "N", "only this one", 0, 0},
		{"--count", 0, OPTION_INTEGER, &tail->count, "N", "end after N records", 0, 0},
		{"--until-end", 0, OPTION_FLAG, &tail->until_end, NULL,
			"end where the topic ends now", 0, 0},
		{"--json", 0, OPTION_FLAG, &tail->json, NULL, "one JSON object a record", 0, 0},
		{"--kafka", 0, OPTION_LIST, &tail->kafka, "NAME=VALUE",
			"a property of librdkafka; may be repeated; NAME_file=PATH for secrets", 0,
			0},
		{"--timeout", 0, OPTION_DURATION, &tail->timeout_ms, "TIME",
			"wait so long for Kafka, default 10s", 100, 600000},
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till tail", "TOPIC --brokers HOST:PORT [OPTIONS]",
		"Shows the records of a topic as they come, decoded: orders, cart_events, "
		"page_views, or one of these with .dlq.",
		options, 1, 1};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code < 0) {
		tail->topic = positionals.items[0];
	}
	return code;
}

static bool parse_from(const char *text, int64_t *ret_offset)
{
	char *end = NULL;

	if (strcmp(text, "beginning") == 0 || strcmp(text, "end") == 0) {
		*ret_offset = text[0] == 'b' ? TOPIC_BEGINNING : TOPIC_TAIL;
		return true;
	}
	errno = 0;
	*ret_offset = strtoll(text, &end, 10);
	return *text != '\0' && *end == '\0' && errno == 0 && *ret_offset >= 0;
}

static int show(const struct tail_options *tail, struct document *document,
	const struct topic_record *record, struct buffer *buffer)
{
	buffer_clear(buffer);
	int r = tail->json ? record_text_json(document, tail->topic, record, buffer)
			   : record_text_line(document, tail->topic, record, buffer);
	if (r == 0) {
		buffer_append_byte(buffer, '\n');
		fwrite(buffer->bytes, 1, buffer->size, stdout);
	}
	return r;
}

/* -1: it went on to where it should. */
static int follow(const struct tail_options *tail, struct topic_reader *reader,
	struct document *document, struct topic_error *error)
{
	struct topic_record record;
	struct buffer buffer;
	int64_t shown = 0;
	int r = 0;

	buffer_init(&buffer, LINE_SIZE_MAX);
	while (!stopped && r >= 0 && !ferror(stdout) && (tail->count == 0 || shown < tail->count)) {
		r = topic_reader_next(reader, WAIT_MS, tail->until_end, &record, error);
		if (r == TOPIC_E_END || r == TOPIC_E_UNKNOWN) {
			break;
		}
		if (r == 0) {
			r = show(tail, document, &record, &buffer);
			shown++;
		} else {
			fflush(stdout);
		}
	}
	fflush(stdout);
	buffer_deinit(&buffer);
	return r < 0 || r == TOPIC_E_UNKNOWN ? r : 0;
}

static int run(const struct tail_options *tail, int64_t offset)
{
	struct topic_reader_options options = {.brokers = tail->brokers,
		.topic = tail->topic,
		.properties = tail->kafka.items,
		.partition = (int32_t)tail->partition,
		.offset = offset,
		.timeout_ms = tail->timeout_ms};
	struct topic_error error = {.text = "out of memory"};
	struct topic_reader *reader = NULL;
	struct document document;

	int r = document_init(&document, EVENT_NODES_MAX);
	if (r == 0) {
		r = topic_reader_new(&options, &reader, &error);
	}
	if (r == 0) {
		r = follow(tail, reader, &document, &error);
	}
	if (r != 0) {
		say(name, "%s", error.text);
	}
	topic_reader_free(reader);
	document_deinit(&document);
	return r == 0                     ? EXIT_STOPPED
	       : r == TOPIC_E_UNREACHABLE ? EXIT_NOT_REACHED
	       : r == -EINVAL             ? EXIT_USAGE
					  : EXIT_FAILED;
}

int command_tail(int argc, char **argv)
{
	struct tail_options tail = {
		.brokers = "127.0.0.1:9092", .from = "end", .partition = -1, .timeout_ms = 10000};
	const struct sigaction action = {.sa_handler = on_signal};
	int64_t offset = 0;

	int code = parse(argc, argv, &tail);
	if (code >= 0) {
		return code;
	}
	if (!parse_from(tail.from, &offset) || tail.partition > INT32_MAX) {
		say(name, "--from wants beginning, end or an offset, not \"%s\"", tail.from);
		return EXIT_USAGE;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN); /* a reader that went away ends the loop */
	return run(&tail, offset);
}
