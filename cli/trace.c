/* till trace: where is one event? Asks the aggregator, and looks into Kafka where that is named. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/disk_look.h"
#include "cli/options.h"
#include "cli/sighting.h"
#include "proto/timestamp.h"
#include "proto/utf8.h"
#include "proto/writer.h"
#include "runtime/program.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char name[] = "till trace";

enum {
	RECORDS_DEFAULT = 10 * 1000 * 1000,
	/* Clocks of edge and broker differ; a run's first event is in Kafka no earlier than it began. */
	SKEW_MS = 24 * 60 * 60 * 1000,
	WORDS_SIZE = 320,
};

struct trace_options {
	struct key_files keys;
	const char *endpoint;
	struct certificate event;
	struct sighting_options kafka; /* brokers NULL: don't look there */
	const char *since;
	const char *spool; /* NULL: don't look there */
	bool json;
	int64_t timeout_ms;
};

/* What the aggregator says. */
struct verdict {
	char place[32];
	bool is_stored;
	int64_t commit;
	int64_t reported_ms; /* 0: nothing is known of the edge but what was counted */
	int64_t started_ms; /* of the run; 0 likewise */
};

static bool read_number(const char *text, uint64_t max, uint64_t *ret_number)
{
	char *end = NULL;

	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number < 1 ||
		number > max) {
		return false;
	}
	*ret_number = number;
	return true;
}

static int read_event(char *const items[], struct certificate *event)
{
	event->edge = slice_of_text(items[0]);
	if (!edge_id_is_valid(event->edge)) {
		say(name, "\"%s\" is no edge id", items[0]);
	} else if (!read_number(items[1], RUN_MAX, &event->run)) {
		say(name, "\"%s\" is no run: replies of the edge and till ledger name it",
			items[1]);
	} else if (!kind_from_name(slice_of_text(items[2]), &event->kind)) {
		say(name, "\"%s\" is no kind: order, cart or view, or one of them with .dlq",
			items[2]);
	} else if (!read_number(items[3], INT64_MAX, &event->seq)) {
		say(name, "\"%s\" is no seq: an integer, 1 or more", items[3]);
	} else {
		return -1;
	}
	return EXIT_USAGE;
}

static int read_since(struct trace_options *trace)
{
	if (trace->since == NULL || timestamp_parse_text(slice_of_text(trace->since), NULL,
					    &trace->kafka.since_ms) == 0) {
		return -1;
	}
	say(name, "--since \"%s\" is no time, such as 2026-11-22 or 2026-11-22T08:00",
		trace->since);
	return EXIT_USAGE;
}

static int parse(int argc, char **argv, struct trace_options *trace)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--at", 0, OPTION_TEXT, &trace->endpoint, "ENDPOINT",
			"the aggregator, default " AGGREGATOR_DEFAULT, 0, 0},
		{"--spool", 0, OPTION_TEXT, &trace->spool, "DIR",
			"look into the edge's data directory, too, on its own host", 0, 0},
		{"--brokers", 0, OPTION_TEXT, &trace->kafka.brokers, "HOST:PORT,...",
			"look into Kafka, too: partition and offset", 0, 0},
		{"--topic", 0, OPTION_TEXT, &trace->kafka.topic, "TOPIC",
			"where the kind's records lie; default orders, cart_events, page_views, "
			"with .dlq",
			0, 0},
		{"--since", 0, OPTION_TEXT, &trace->since, "TIME",
			"look at records from then on; default: a day before the run began", 0, 0},
		{"--records", 0, OPTION_INTEGER, &trace->kafka.records_max, "N",
			"look at no more, default 10000000", 1, INT64_MAX},
		{"--kafka", 0, OPTION_LIST, &trace->kafka.properties, "NAME=VALUE",
			"a property of librdkafka; may be repeated; NAME_file=PATH for secrets", 0,
			0},
		{"--json", 0, OPTION_FLAG, &trace->json, NULL, "one JSON object", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &trace->timeout_ms, "TIME",
			"wait so long for an answer, default 10s", 100, 600000},
		KEY_OPTIONS(&trace->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {name, "EDGE RUN KIND SEQ [OPTIONS]",
		"Says where one event is, by its birth certificate: on the edge's disk, in Kafka, "
		"counted, rejected,\nor missing. Exit code: 1 when it is missing, damaged, or "
		"nobody has heard of it.",
		options, 4, 4};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code < 0) {
		code = read_event((char *const *)positionals.items, &trace->event);
	}
	if (code < 0) {
		code = read_since(trace);
	}
	trace->kafka.timeout_ms = trace->timeout_ms;
	return code;
}

static void write_request(const struct certificate *event, struct buffer *request)
{
	struct writer writer;

	writer_init(&writer, ENCODING_JSON, request);
	write_map(&writer, 5);
	write_key(&writer, "query");
	write_key(&writer, "trace");
	write_key(&writer, "edge");
	write_text(&writer, event->edge);
	write_key(&writer, "run");
	write_unsigned(&writer, event->run);
	write_key(&writer, "kind");
	write_key(&writer, kind_name(event->kind));
	write_key(&writer, "seq");
	write_unsigned(&writer, event->seq);
}

static bool read_verdict(const struct node *root, struct verdict *verdict)
{
	const struct node *found = node_find(root, "trace");
	const struct node *place = found == NULL ? NULL : node_find(found, "place");
	const struct node *stored = found == NULL ? NULL : node_find(found, "stored");

	if (place == NULL || place->type != NODE_TEXT ||
		place->text.size >= sizeof verdict->place) {
		return false;
	}
	snprintf(verdict->place, sizeof verdict->place, "%.*s", (int)place->text.size,
		(const char *)place->text.bytes);
	verdict->is_stored = stored != NULL && stored->type == NODE_BOOL && stored->boolean;
	verdict->commit = node_integer_at(found, "commit");
	verdict->reported_ms = node_integer_at(found, "reported_ms");
	verdict->started_ms = node_integer_at(found, "started_ms");
	return true;
}

static int ask_verdict(const struct trace_options *trace, struct verdict *verdict)
{
	struct answer_view answer;
	struct buffer request;
	struct ask ask;

	buffer_init(&request, QUERY_SIZE_MAX);
	write_request(&trace->event, &request);
	int code = ask_open(&ask, &(struct ask_options){.command = name,
					  .endpoint = trace->endpoint,
					  .timeout_ms = trace->timeout_ms,
					  .keys = trace->keys});
	if (code < 0) {
		code = ask_question(&ask, buffer_slice(&request), &answer);
	}
	if (code < 0 && !read_verdict(answer.root, verdict)) {
		say(name, "the answer says no place");
		code = EXIT_FAILED;
	}
	ask_close(&ask);
	buffer_deinit(&request);
	return code;
}

/* The sentence behind the event's name. */
static void describe(const struct verdict *verdict, char words[WORDS_SIZE])
{
	static const struct {
		const char *place, *words;
	} sentences[] = {
		{"on_disk", "is on the edge's disk, and waits for the bridge or Kafka"},
		{"damaged", "lies damaged on the edge's disk, set aside: till spool list shows it"},
		{"unread", "left the edge's disk and is not counted yet: it is in Kafka, or "
			   "on its way"},
		{"missing", "is missing: its edge gave it the number, and it is neither "
			    "counted nor on the edge's disk"},
		{"unknown", "is unknown: no edge has reported so high a number, and nothing of "
			    "it was counted"},
	};

	if (strcmp(verdict->place, "counted") == 0 || strcmp(verdict->place, "rejected") == 0) {
		bool is_counted = verdict->place[0] == 'c';
		const char *what = is_counted ? "is counted"
					      : "was rejected by the bridge: its letter is in the "
						"dead-letter topic";
		if (verdict->is_stored) {
			snprintf(words, WORDS_SIZE, "%s, in commit %" PRId64 " or before", what,
				verdict->commit);
		} else {
			snprintf(words, WORDS_SIZE, "%s, and will be in the next commit", what);
		}
		return;
	}
	snprintf(words, WORDS_SIZE, "is at a place that this program does not know: %s",
		verdict->place);
	for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
		if (strcmp(verdict->place, sentences[i].place) == 0) {
			snprintf(words, WORDS_SIZE, "%s", sentences[i].words);
		}
	}
}

static void describe_sighting(const struct sighting *sighting, char words[WORDS_SIZE])
{
	if (sighting->is_found) {
		snprintf(words, WORDS_SIZE, "in Kafka: %s, partition %d, offset %" PRId64 "%s",
			sighting->topic, (int)sighting->partition, sighting->offset,
			sighting->is_marker ? " (the marker of a rejected event)" : "");
	} else {
		snprintf(words, WORDS_SIZE, "not in Kafka: %s, %" PRId64 " records looked at%s",
			sighting->topic, sighting->records,
			sighting->is_cut ? "; there are more (--records, --since)" : "");
	}
}

static void print_json(const struct trace_options *trace, const struct verdict *verdict,
	const struct sighting *sighting, const char *words)
{
	struct buffer buffer;
	struct writer writer;
	bool has_sighting = sighting->topic != NULL;

	buffer_init(&buffer, QUERY_SIZE_MAX);
	writer_init(&writer, ENCODING_JSON, &buffer);
	write_map(&writer, 8);
	write_key(&writer, "edge");
	write_text(&writer, trace->event.edge);
	write_key(&writer, "run");
	write_unsigned(&writer, trace->event.run);
	write_key(&writer, "kind");
	write_key(&writer, kind_name(trace->event.kind));
	write_key(&writer, "seq");
	write_unsigned(&writer, trace->event.seq);
	write_key(&writer, "place");
	write_key(&writer, verdict->place);
	write_key(&writer, "commit");
	if (verdict->is_stored) {
		write_integer(&writer, verdict->commit);
	} else {
		write_nil(&writer);
	}
	write_key(&writer, "words");
	write_key(&writer, words);
	write_key(&writer, "kafka");
	if (!has_sighting) {
		write_nil(&writer);
	} else {
		write_map(&writer, 6);
		write_key(&writer, "topic");
		write_key(&writer, sighting->topic);
		write_key(&writer, "found");
		write_bool(&writer, sighting->is_found);
		write_key(&writer, "partition");
		write_integer(&writer, sighting->partition);
		write_key(&writer, "offset");
		write_integer(&writer, sighting->offset);
		write_key(&writer, "records");
		write_integer(&writer, sighting->records);
		write_key(&writer, "cut");
		write_bool(&writer, sighting->is_cut);
	}
	printf("%.*s\n", (int)buffer.size, (const char *)buffer.bytes);
	buffer_deinit(&buffer);
}

static void print_words(
	const struct trace_options *trace, const struct sighting *sighting, const char *words)
{
	char seen[WORDS_SIZE];

	printf("%.*s %" PRIu64 " %s %" PRIu64 " %s\n", (int)trace->event.edge.size,
		(const char *)trace->event.edge.bytes, trace->event.run,
		kind_name(trace->event.kind), trace->event.seq, words);
	if (sighting->topic != NULL) {
		describe_sighting(sighting, seen);
		printf("%s\n", seen);
	}
}

/* Where Kafka has it, it is not lost, whatever the books say. */
static int conclude(const struct verdict *verdict, const struct sighting *sighting)
{
	static const char *const lost[] = {"missing", "damaged", "unknown"};

	for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
		if (strcmp(verdict->place, lost[i]) == 0 && !sighting->is_found) {
			return EXIT_FAILED;
		}
	}
	return EXIT_STOPPED;
}

/* What was counted may lie there still, until the next commit. */
static int look_on_disk(const struct trace_options *trace, struct verdict *verdict)
{
	enum disk_place place = DISK_PLACE_NONE;
	bool is_counted =
		strcmp(verdict->place, "counted") == 0 || strcmp(verdict->place, "rejected") == 0;

	if (trace->spool == NULL || is_counted) {
		return -1;
	}
	int code = disk_look(name, trace->spool, &trace->event, &place);
	if (place != DISK_PLACE_NONE) {
		snprintf(verdict->place, sizeof verdict->place, "%s",
			place == DISK_PLACE_DAMAGED ? "damaged" : "on_disk");
	}
	return code;
}

/* An aggregator that is down is no reason not to look elsewhere. */
static int look(struct trace_options *trace, struct verdict *verdict, struct sighting *sighting)
{
	int code = ask_verdict(trace, verdict);

	if (code == EXIT_NOT_REACHED && (trace->kafka.brokers != NULL || trace->spool != NULL)) {
		snprintf(verdict->place, sizeof verdict->place, "unknown");
		code = -1;
	}
	if (code < 0) {
		code = look_on_disk(trace, verdict);
	}
	if (code < 0 && trace->kafka.brokers != NULL) {
		if (trace->since == NULL && verdict->started_ms > SKEW_MS) {
			trace->kafka.since_ms = verdict->started_ms - SKEW_MS;
		}
		code = sighting_look(&trace->kafka, &trace->event, sighting);
	}
	bool was_guess = trace->since == NULL && trace->kafka.since_ms > 0;
	if (code < 0 && was_guess && !sighting->is_found && !sighting->is_cut) {
		trace->kafka.since_ms = 0; /* clocks may be wrong by any amount */
		code = sighting_look(&trace->kafka, &trace->event, sighting);
	}
	return code;
}

int command_trace(int argc, char **argv)
{
	struct trace_options trace = {.endpoint = AGGREGATOR_DEFAULT,
		.timeout_ms = 10000,
		.kafka = {.command = name, .records_max = RECORDS_DEFAULT}};
	struct verdict verdict = {.is_stored = false};
	struct sighting sighting = {.topic = NULL};
	char words[WORDS_SIZE];

	int code = parse(argc, argv, &trace);
	if (code < 0) {
		code = look(&trace, &verdict, &sighting);
	}
	if (code >= 0) {
		return code;
	}
	describe(&verdict, words);
	if (trace.json) {
		print_json(&trace, &verdict, &sighting, words);
	} else {
		print_words(&trace, &sighting, words);
	}
	return conclude(&verdict, &sighting);
}
