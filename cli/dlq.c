#include "cli/dlq.h"
#include "cli/commands.h"
#include "cli/record_text.h"
#include "cli/session.h"
#include "cli/topic_reader_kafka.h"
#include "runtime/program.h"
#include <errno.h>
#include <string.h>

static const char name[] = "till dlq";
static const char *const all_topics[] = {"orders", "cart_events", "page_views"};

enum { WAIT_MS = 200 };

/* One topic's walk. */
struct walk {
	const struct dlq_options *options;
	struct letter_place place; /* its topic, then each letter's */
	int (*each)(void *owner, const struct dlq_letter *letter);
	void *owner;
	bool found;
};

static int exit_code_of(int r)
{
	return r == TOPIC_E_UNREACHABLE ? EXIT_NOT_REACHED
	       : r == -EINVAL           ? EXIT_USAGE
					: EXIT_FAILED;
}

static int visit(struct walk *walk, const struct topic_record *record)
{
	const struct dlq_options *options = walk->options;
	struct dlq_letter letter = {.record = record};
	struct complaint complaint;

	if (options->place.topic[0] != '\0' && record->offset != options->place.offset) {
		return -1;
	}
	walk->place.partition = record->partition;
	walk->place.offset = record->offset;
	letter.place = walk->place;
	letter.letter_ok = letter_of_record(record, &letter.letter, &complaint) == 0;
	bool unfiltered = options->filter.code == NULL && options->filter.edge == NULL;
	if (letter.letter_ok ? !letter_is_meant(&options->filter, &letter.letter) : !unfiltered) {
		return -1;
	}
	walk->found = true;
	return walk->each(walk->owner, &letter);
}

static int walk_topic(struct walk *walk, const char *topic)
{
	const struct dlq_options *options = walk->options;
	bool one = options->place.topic[0] != '\0';
	struct topic_reader_options reader_options = {.brokers = options->brokers,
		.topic = topic,
		.properties = options->kafka.items,
		.partition = one ? options->place.partition : -1,
		.offset = one ? options->place.offset : TOPIC_BEGINNING,
		.timeout_ms = options->timeout_ms};
	struct topic_error error = {.text = "out of memory"};
	struct topic_reader *reader = NULL;
	struct topic_record record;
	int code = -1;

	snprintf(walk->place.topic, sizeof walk->place.topic, "%s", topic);
	int r = topic_reader_new(&reader_options, &reader, &error);
	while (r == 0 && code < 0 && !(one && walk->found)) {
		r = topic_reader_next(reader, WAIT_MS, true, &record, &error);
		if (r == 0) {
			code = visit(walk, &record);
		} else if (r == TOPIC_E_WAITING) {
			r = 0;
		}
	}
	topic_reader_free(reader);
	if (r != 0 && r != TOPIC_E_END) {
		say(name, "%s", error.text);
		return exit_code_of(r);
	}
	return code;
}

int dlq_walk(const struct dlq_options *options,
	int (*each)(void *owner, const struct dlq_letter *letter), void *owner)
{
	struct walk walk = {.options = options, .each = each, .owner = owner};
	char topic[TOPIC_NAME_SIZE + 4];
	int code = -1;

	if (options->place.topic[0] != '\0') {
		code = walk_topic(&walk, options->place.topic);
		if (code < 0 && !walk.found) {
			say(name, "there is no such letter");
			return EXIT_FAILED;
		}
		return code;
	}
	bool chosen = options->topics.count > 0;
	size_t count = chosen ? options->topics.count : sizeof all_topics / sizeof all_topics[0];
	for (size_t i = 0; code < 0 && i < count; i++) {
		const char *base = chosen ? options->topics.items[i] : all_topics[i];
		snprintf(topic, sizeof topic, "%.249s%s", base,
			record_is_dead_letter(base) ? "" : ".dlq");
		code = walk_topic(&walk, topic);
	}
	return code;
}

enum dlq_action { DLQ_LIST, DLQ_SHOW, DLQ_REPLAY, DLQ_NONE };

static enum dlq_action action_of(const char *text)
{
	static const char *const actions[] = {"list", "show", "replay"};

	for (int i = 0; i < DLQ_NONE; i++) {
		if (strcmp(text, actions[i]) == 0) {
			return (enum dlq_action)i;
		}
	}
	return DLQ_NONE;
}

static int parse(int argc, char **argv, struct dlq_options *dlq, enum dlq_action *ret_action)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--brokers", 0, OPTION_TEXT, &dlq->brokers, "HOST:PORT,...",
			"Kafka, default 127.0.0.1:9092", 0, 0},
		{"--topic", 0, OPTION_LIST, &dlq->topics, "TOPIC",
			"only its letters; may be repeated; default all three kinds", 0, 0},
		{"--code", 0, OPTION_TEXT, &dlq->filter.code, "CODE",
			"only letters with this code, such as bad_value", 0, 0},
		{"--edge", 0, OPTION_TEXT, &dlq->filter.edge, "ID", "only letters of this edge", 0,
			0},
		{"--to", 0, OPTION_TEXT, &dlq->to, "ENDPOINT", "replay: the edge that gets them", 0,
			0},
		{"--set", 0, OPTION_LIST, &dlq->set_texts, "FIELD=VALUE",
			"replay: put a field right; may be repeated", 0, 0},
		{"--dry-run", 0, OPTION_FLAG, &dlq->dry_run, NULL,
			"replay: show what would be sent, send nothing", 0, 0},
		{"--audit", 0, OPTION_TEXT, &dlq->audit, "FILE",
			"replay: write it down here; default TILL_AUDIT, else syslog", 0, 0},
		{"--json", 0, OPTION_FLAG, &dlq->json, NULL, "list: one JSON object a letter", 0,
			0},
		{"--kafka", 0, OPTION_LIST, &dlq->kafka, "NAME=VALUE",
			"a property of librdkafka; may be repeated; NAME_file=PATH for secrets", 0,
			0},
		{"--timeout", 0, OPTION_DURATION, &dlq->timeout_ms, "TIME",
			"wait so long for Kafka and the edge, default 10s", 100, 600000},
		KEY_OPTIONS(&dlq->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till dlq",
		"list [OPTIONS]\nshow TOPIC/PARTITION/OFFSET [OPTIONS]\n"
		"replay --to ENDPOINT [TOPIC/PARTITION/OFFSET] [OPTIONS]",
		"Dead letters: events that were refused, with the reason, as they were received. A "
		"letter that is replayed\n"
		"bears its place as event_id, so that replaying it again counts nothing twice.",
		options, 1, 2};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code >= 0) {
		return code;
	}
	*ret_action = action_of(positionals.items[0]);
	if (*ret_action == DLQ_NONE) {
		say(name, "list, show or replay, not \"%s\"", positionals.items[0]);
		return EXIT_USAGE;
	}
	if (positionals.count == 2 && !letter_place_parse(positionals.items[1], &dlq->place)) {
		say(name, "a letter's place looks like orders.dlq/3/1200, not like \"%s\"",
			positionals.items[1]);
		return EXIT_USAGE;
	}
	return -1;
}

static int check(struct dlq_options *dlq, enum dlq_action action)
{
	struct pairs_error error;

	if (action == DLQ_SHOW && dlq->place.topic[0] == '\0') {
		say(name, "show which? Its place is in the first column of \"till dlq list\"");
		return EXIT_USAGE;
	}
	if (action == DLQ_REPLAY && dlq->to == NULL && !dlq->dry_run) {
		say(name, "replay --to which edge? Or --dry-run");
		return EXIT_USAGE;
	}
	if (pairs_add_all(&dlq->set, "--set", dlq->set_texts.items, &error) != 0) {
		say(name, "%s", error.text);
		return EXIT_USAGE;
	}
	return -1;
}

int command_dlq(int argc, char **argv)
{
	struct dlq_options dlq = {.brokers = "127.0.0.1:9092", .timeout_ms = 10000};
	enum dlq_action action = DLQ_NONE;

	int code = parse(argc, argv, &dlq, &action);
	if (code < 0) {
		code = check(&dlq, action);
	}
	if (code >= 0) {
		return code;
	}
	switch (action) {
	case DLQ_LIST:
		return dlq_list(&dlq);
	case DLQ_SHOW:
		return dlq_show(&dlq);
	case DLQ_REPLAY:
	case DLQ_NONE:
		break;
	}
	return dlq_replay(&dlq);
}
