/* till-sim: runs the cores of edge, bridge and aggregator against models of all around them, a seed at a time. README.md. */
#include "tests/sim/audit.h"
#include "tests/sim/database.h"
#include "tests/sim/forget_requests.h"
#include "tests/sim/ledger_check.h"
#include "tests/sim/operator.h"
#include "tests/sim/second_reader.h"
#include "tests/sim/stage.h"
#include "tests/sim/staging.h"
#include "tests/sim/states.h"
#include "tests/sim/telemetry.h"
#include "tests/sim/tills.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	EVENTS_MIN = 500,
	FAULTS_MIN = 20,
	STEPS_MAX = 30000, /* until there were faults enough */
	LAST_REPORTS_MS = 20 * 1000, /* until each edge said how it ended */
	SUBSCRIBERS_ONE_RUN_IN = 8,
	DRAIN_MS_MAX = 10 * 60 * 1000, /* of virtual time: then something stands still */
};

struct options {
	uint64_t first, last;
	enum bug bug;
	bool is_traced;
	bool must_find; /* a planted bug */
	bool wants_sketch;
};

struct sums {
	uint64_t runs, failed, first_failed, events, faults[FAULT_COUNT], sales, drain_ms_max;
	uint64_t events_min, faults_min;
};

/* ---- one seed */

static bool check_drained(char words[AUDIT_WORDS_SIZE])
{
	if (world.events < EVENTS_MIN || world_fault_count() < FAULTS_MIN) {
		snprintf(words, AUDIT_WORDS_SIZE, "only %" PRIu64 " events and %" PRIu64 " faults",
			world.events, world_fault_count());
		return false;
	}
	if (tills_complaint()[0] != '\0') {
		snprintf(words, AUDIT_WORDS_SIZE, "%s", tills_complaint());
		return false;
	}
	if (staging_complaint()[0] != '\0') {
		snprintf(words, AUDIT_WORDS_SIZE, "%s", staging_complaint());
		return false;
	}
	if (!audit(words)) {
		return false;
	}
	if (kafka_is_short()) {
		return true;
	}
	if (!operator_rebuild_is_equal(words, AUDIT_WORDS_SIZE)) {
		return false;
	}
	operator_rest();
	return second_reader_is_equal(words, AUDIT_WORDS_SIZE);
}

static void disturb(void)
{
	for (uint64_t i = 0; i < STEPS_MAX; i++) {
		bool is_enough = i >= world.steps && world.events >= EVENTS_MIN &&
				 world_fault_count() >= FAULTS_MIN;
		if (is_enough) {
			break;
		}
		stage_step();
	}
}

/* false: it takes too long. */
static bool drain(struct sums *sums)
{
	int64_t began_ms = world.now_ms;

	stage_heal();
	int64_t until_ms = began_ms + (telemetry_is_in_play() ? LAST_REPORTS_MS : 0);
	while (!stage_is_drained() || world.now_ms < until_ms) {
		if (world.now_ms - began_ms > DRAIN_MS_MAX) {
			return false;
		}
		stage_step();
	}
	uint64_t took_ms = (uint64_t)(world.now_ms - began_ms);
	sums->drain_ms_max = took_ms > sums->drain_ms_max ? took_ms : sums->drain_ms_max;
	return true;
}

static void report_standstill(char words[AUDIT_WORDS_SIZE])
{
	snprintf(words, AUDIT_WORDS_SIZE, "not drained after %d s without faults",
		DRAIN_MS_MAX / 1000);
}

static void add_up(struct sums *sums)
{
	uint64_t faults = world_fault_count();

	sums->runs++;
	sums->events += world.events;
	sums->sales += tills_sale_count();
	sums->events_min = sums->runs == 1 || world.events < sums->events_min ? world.events
									      : sums->events_min;
	sums->faults_min = sums->runs == 1 || faults < sums->faults_min ? faults : sums->faults_min;
	for (int i = 0; i < FAULT_COUNT; i++) {
		sums->faults[i] += world.faults[i];
	}
}

static bool run(uint64_t seed, const struct options *options, struct sums *sums,
	char words[AUDIT_WORDS_SIZE])
{
	world_begin(seed, options->bug, options->is_traced);
	net_begin();
	database_begin();
	forget_requests_begin();
	staging_begin();
	telemetry_begin();
	ledger_check_begin();
	second_reader_begin();
	kafka_begin(database_is_in_play() ? TOPICS : TILL_TOPICS);
	tills_begin();
	const struct aggregator_part_features features = {
		.has_database = database_is_in_play(),
		.has_users = forget_requests_are_in_play(),
		.has_stage = staging_is_in_play(),
		.has_subscriber = world_draw(SUBSCRIBERS_ONE_RUN_IN) == 0,
	};
	aggregator_part_begin(&features);
	stage_begin();
	disturb();
	bool is_right = drain(sums);
	if (is_right) {
		is_right = check_drained(words);
	} else {
		report_standstill(words);
	}
	add_up(sums);
	stage_end();
	aggregator_part_end();
	net_end();
	kafka_end();
	telemetry_end();
	second_reader_end();
	return is_right;
}

/* ---- the command */

static void report_failure(uint64_t seed, const struct options *options, const char *words)
{
	printf("seed %" PRIu64 ": %s\n", seed, words);
	printf("  replay: till-sim --seed %" PRIu64 " --trace", seed);
	if (options->bug != BUG_NONE) {
		printf(" --bug %s", bug_name(options->bug));
	}
	puts("");
}

static void report_sums(const struct options *options, const struct sums *sums)
{
	uint64_t faults = 0;

	for (int i = 0; i < FAULT_COUNT; i++) {
		faults += sums->faults[i];
	}
	printf("seeds %" PRIu64 "-%" PRIu64 ": %" PRIu64 " runs, %" PRIu64 " failed, %" PRIu64
	       " sales, %" PRIu64 " events (at least %" PRIu64 " a run), %" PRIu64
	       " faults (at least %" PRIu64 "), %zu distinct states, drained within %.1f s\n",
		options->first, options->first + sums->runs - 1, sums->runs, sums->failed,
		sums->sales, sums->events, sums->events_min, faults, sums->faults_min,
		states_count(), (double)sums->drain_ms_max / 1000);
	for (int i = 0; i < FAULT_COUNT; i++) {
		printf("%s%s %" PRIu64, i == 0 ? "faults: " : ", ", fault_name((enum fault)i),
			sums->faults[i]);
	}
	puts("");
}

static void report_sketch(void)
{
	fputs("sketch: ", stdout);
	for (size_t i = 0; i < STATES_SKETCH_SIZE; i++) {
		printf("%02x", states_sketch()[i]);
	}
	puts("");
}

static int run_all(const struct options *options)
{
	struct sums sums = {0};
	char words[AUDIT_WORDS_SIZE] = "";

	for (uint64_t seed = options->first; seed <= options->last; seed++) {
		if (run(seed, options, &sums, words)) {
			continue;
		}
		report_failure(seed, options, words);
		if (sums.failed++ == 0) {
			sums.first_failed = seed;
		}
		if (options->must_find) {
			break;
		}
	}
	report_sums(options, &sums);
	if (options->wants_sketch) {
		report_sketch();
	}
	if (options->must_find) {
		printf("%s: %s after %" PRIu64 " seeds\n", bug_name(options->bug),
			sums.failed > 0 ? "found" : "NOT found", sums.runs);
	}
	return (sums.failed > 0) == options->must_find ? 0 : 1;
}

static int usage(void)
{
	fputs("usage: till-sim --seeds A-B | --seed N [--trace] [--bug NAME [--find]] [--sketch]\n"
	      "  --find   succeed when the planted bug is found, and stop there\n"
	      "  --sketch the states that were reached, as hexadecimal digits to be joined with "
	      "others'\n"
	      "  bugs:",
		stderr);
	for (int i = 1; i < BUG_COUNT; i++) {
		fprintf(stderr, " %s", bug_name((enum bug)i));
	}
	fputs("\n", stderr);
	return 2;
}

static bool parse_seeds(const char *text, struct options *options)
{
	char *end = NULL;

	options->first = options->last = strtoull(text, &end, 10);
	if (*end == '-') {
		options->last = strtoull(end + 1, &end, 10);
	}
	return end != text && *end == '\0' && options->first <= options->last;
}

static bool parse_bug(const char *text, struct options *options)
{
	for (int i = 1; i < BUG_COUNT; i++) {
		if (strcmp(text, bug_name((enum bug)i)) == 0) {
			options->bug = (enum bug)i;
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	bool has_seeds = false;

	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		bool is_good = true;
		if (strcmp(argv[i], "--seeds") == 0 || strcmp(argv[i], "--seed") == 0) {
			is_good = has_seeds = parse_seeds(value, &options);
			i++;
		} else if (strcmp(argv[i], "--bug") == 0) {
			is_good = parse_bug(value, &options);
			i++;
		} else if (strcmp(argv[i], "--trace") == 0) {
			options.is_traced = true;
		} else if (strcmp(argv[i], "--find") == 0) {
			options.must_find = true;
		} else if (strcmp(argv[i], "--sketch") == 0) {
			options.wants_sketch = true;
		} else {
			is_good = false;
		}
		if (!is_good) {
			return usage();
		}
	}
	return has_seeds ? run_all(&options) : usage();
}
