#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/vital_signs.h"
#include "proto/timestamp.h"
#include "proto/writer.h"
#include "runtime/program.h"
#include <inttypes.h>
#include <stdio.h>

enum { DAY_MS = 24 * 3600 * 1000, WINDOW_MS_DEFAULT = 60 * 1000 };

struct track_options {
	struct key_files keys;
	const char *endpoint;
	bool json;
	int64_t window_ms;
	int64_t every_ms; /* 0: once */
	int64_t count; /* 0: until it is stopped */
	int64_t timeout_ms;
};

static int parse(int argc, char **argv, struct track_options *track)
{
	struct positionals positionals;
	const struct option options[] = {
		{"--last", 0, OPTION_DURATION, &track->window_ms, "TIME",
			"latency and throughput of the last so long, default 1m, at most 24h", 1000,
			DAY_MS},
		{"--json", 0, OPTION_FLAG, &track->json, NULL, "an object on a line", 0, 0},
		{"--every", 0, OPTION_DURATION, &track->every_ms, "TIME", "again and again", 100,
			3600000},
		{"--count", 0, OPTION_INTEGER, &track->count, "N",
			"with --every: N times, then end", 0, 0},
		{"--timeout", 0, OPTION_DURATION, &track->timeout_ms, "TIME",
			"wait so long for an answer, default 10s", 0, 0},
		KEY_OPTIONS(&track->keys),
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till track", "[ENDPOINT] [OPTIONS]",
		"Prints how long events take from an edge's receipt to an answer and how many "
		"come, "
		"of the last minute; how many\nwere processed, were errors or duplicates since the "
		"store began; and where each partition is. "
		"ENDPOINT: the aggregator, default " AGGREGATOR_DEFAULT ".",
		options, 0, 1};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code < 0) {
		track->endpoint = positionals.count > 0 ? positionals.items[0] : AGGREGATOR_DEFAULT;
	}
	return code;
}

/* ---- as text */

static void print_latency(const struct vital_signs *signs)
{
	if (signs->latency_events == 0) {
		printf("avg_end_to_end_latency_ms  -\np50_end_to_end_latency_ms  -\n"
		       "p99_end_to_end_latency_ms  -\n");
		return;
	}
	printf("avg_end_to_end_latency_ms  %.1f\n", signs->latency_avg_ms);
	printf("p50_end_to_end_latency_ms  %" PRId64 "\n", signs->latency_p50_ms);
	printf("p99_end_to_end_latency_ms  %" PRId64 "\n", signs->latency_p99_ms);
}

/* Where nothing was ever written there is nothing to see; --json has all. */
static void print_offset(const struct node *partition)
{
	const struct node *topic = node_find(partition, "topic");

	bool has_any =
		node_integer_at(partition, "next") > 0 || node_integer_at(partition, "lag") > 0;
	if (has_any && topic != NULL && topic->type == NODE_TEXT) {
		printf("offset %.*s/%" PRId64 "  %" PRId64 "  lag %" PRId64 "\n",
			(int)topic->text.size, (const char *)topic->text.bytes,
			node_integer_at(partition, "partition"), node_integer_at(partition, "next"),
			node_integer_at(partition, "lag"));
	}
}

static void print_text(const struct vital_signs *signs, const struct node *partitions)
{
	char time[TIMESTAMP_TEXT_SIZE];
	const struct node *partition = node_first(partitions);

	printf("time                       %.*s\n", (int)timestamp_format(signs->now_ms, time),
		time);
	printf("window_ms                  %" PRId64 "\n", signs->window_ms);
	print_latency(signs);
	printf("throughput_eps             %.1f\n", vital_signs_throughput(signs));
	printf("processed                  %" PRId64 "\n", signs->processed);
	printf("errors                     %" PRId64 "\n", signs->errors);
	printf("duplicates                 %" PRId64 "\n", signs->duplicates);
	if (signs->lag >= 0) {
		printf("lag                        %" PRId64 "\n", signs->lag);
	} else {
		printf("lag                        unknown\n");
	}
	for (uint32_t i = 0; i < partitions->count; i++, partition = node_next(partition)) {
		if (partition->type == NODE_MAP) {
			print_offset(partition);
		}
	}
}

/* ---- as JSON */

static void write_integer_at(struct writer *writer, const char *key, int64_t value, bool is_known)
{
	write_key(writer, key);
	if (is_known) {
		write_integer(writer, value);
	} else {
		write_nil(writer);
	}
}

static void write_double_at(struct writer *writer, const char *key, double value, bool is_known)
{
	write_key(writer, key);
	if (is_known) {
		write_double(writer, value);
	} else {
		write_nil(writer);
	}
}

static void write_offsets(struct writer *writer, const struct node *partitions)
{
	static const char *const keys[] = {"topic", "partition", "next", "end", "lag"};
	const struct node *partition = node_first(partitions);

	write_key(writer, "offsets");
	write_array(writer, partitions->count);
	for (uint32_t i = 0; i < partitions->count; i++, partition = node_next(partition)) {
		write_map(writer, sizeof keys / sizeof *keys);
		for (size_t j = 0; j < sizeof keys / sizeof *keys; j++) {
			const struct node *value =
				partition->type == NODE_MAP ? node_find(partition, keys[j]) : NULL;
			write_key(writer, keys[j]);
			if (value != NULL) {
				write_node(writer, value, ENCODING_JSON);
			} else {
				write_nil(writer);
			}
		}
	}
}

static int print_json(const struct vital_signs *signs, const struct node *partitions)
{
	struct buffer buffer;
	struct writer writer;
	bool has_latency = signs->latency_events > 0;

	buffer_init(&buffer, ANSWER_SIZE_MAX);
	writer_init(&writer, ENCODING_JSON, &buffer);
	write_map(&writer, 12);
	write_integer_at(&writer, "time_ms", signs->now_ms, true);
	write_integer_at(&writer, "window_ms", signs->window_ms, true);
	write_double_at(&writer, "avg_end_to_end_latency_ms", signs->latency_avg_ms, has_latency);
	write_integer_at(&writer, "p50_end_to_end_latency_ms", signs->latency_p50_ms, has_latency);
	write_integer_at(&writer, "p99_end_to_end_latency_ms", signs->latency_p99_ms, has_latency);
	write_integer_at(&writer, "latency_events", signs->latency_events, true);
	write_double_at(&writer, "throughput_eps", vital_signs_throughput(signs), true);
	write_integer_at(&writer, "processed", signs->processed, true);
	write_integer_at(&writer, "errors", signs->errors, true);
	write_integer_at(&writer, "duplicates", signs->duplicates, true);
	write_integer_at(&writer, "lag", signs->lag, signs->lag >= 0);
	write_offsets(&writer, partitions);
	if (buffer.error == 0) {
		printf("%.*s\n", (int)buffer.size, (const char *)buffer.bytes);
	}
	int code = buffer.error == 0 ? -1 : EXIT_FAILED;
	buffer_deinit(&buffer);
	return code;
}

/* ---- asking */

/* -1 to go on, else the exit code. */
static int track_once(struct ask *ask, const struct track_options *track)
{
	char request[VITAL_SIGNS_REQUEST_SIZE];
	struct vital_signs signs = {0};
	struct answer_view answer;

	vital_signs_request(track->window_ms, request);
	int code = ask_text(ask, request, &answer);
	if (code >= 0) {
		return code;
	}
	bool is_right = vital_signs_read_vitals(&signs, answer.root);
	code = ask_text(ask, "{\"query\":\"status\"}", &answer);
	if (code >= 0) {
		return code;
	}
	if (!is_right || !vital_signs_read_status(&signs, answer.root)) {
		say(ask->command, "the aggregator's answer is none to this question");
		return EXIT_FAILED;
	}
	const struct node *partitions = node_find(answer.root, "partitions");
	if (track->json) {
		code = print_json(&signs, partitions);
	} else {
		print_text(&signs, partitions);
	}
	fflush(stdout);
	return code;
}

int command_track(int argc, char **argv)
{
	struct track_options track = {.window_ms = WINDOW_MS_DEFAULT, .timeout_ms = 10000};
	struct ask ask;

	int code = parse(argc, argv, &track);
	if (code >= 0) {
		return code;
	}
	code = ask_open(&ask, &(struct ask_options){.command = "till track",
				      .endpoint = track.endpoint,
				      .timeout_ms = track.timeout_ms,
				      .keys = track.keys});
	for (int64_t told = 0; code < 0;) {
		code = track_once(&ask, &track);
		told += code < 0;
		/* Once it has answered, an aggregator that is away for a while ends nothing. */
		if (code == EXIT_NOT_REACHED && told > 0 && track.every_ms > 0) {
			code = -1;
		}
		if (code < 0 && (track.every_ms == 0 || (track.count > 0 && told >= track.count) ||
					!ask_sleep(track.every_ms))) {
			code = EXIT_STOPPED;
		} else if (code < 0 && !track.json) {
			putchar('\n');
		}
	}
	ask_close(&ask);
	return code;
}
