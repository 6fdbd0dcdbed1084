#include "tests/sim/operator.h"
#include "tests/sim/forget_requests.h"
#include "tests/sim/kafka.h"
#include "tests/sim/ledger_check.h"
#include "tests/sim/mdb_model.h"
#include "tests/sim/second_reader.h"
#include "tests/sim/staging.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DOWN_MS_MAX = 3000,
	REBUILDS_MAX = 6, /* each takes tables of the modelled LMDB */
	TEXTS_MAX = 16,
	TEXT_SIZE = 512,
	REBUILD_ROUNDS_MAX = 100000,
};

/* Gaps as texts. */
struct texts {
	char items[TEXTS_MAX][TEXT_SIZE];
	const char *list[TEXTS_MAX + 1]; /* ends with NULL */
	size_t count;
};

static struct aggregator_part *part;
static int64_t back_ms;
static struct mdb_files *backup;
static struct texts accepted; /* by the next start */
static bool wants_rebuild; /* by the next start */
static int rebuilds;
static int own; /* of the last start */
static int64_t former_next[TOPICS]
			  [PARTITIONS_MAX]; /* how far a topic was read when it was deleted */

struct aggregator_part *operator_aggregator(void)
{
	return part;
}

static void texts_add(struct texts *texts, const char *text)
{
	if (texts->count == TEXTS_MAX) {
		abort();
	}
	char *item = texts->items[texts->count];
	snprintf(item, TEXT_SIZE, "%s", text);
	texts->list[texts->count++] = item;
	texts->list[texts->count] = NULL;
}

/* ---- what is given up */

static int topic_of(const char *name, size_t size)
{
	for (int topic = 0; topic < kafka_topics(); topic++) {
		const char *ours = aggregator_part_topic(topic);
		if (strlen(ours) == size && memcmp(ours, name, size) == 0) {
			return topic;
		}
	}
	return -1;
}

/* "orders/3:1200-1499" */
static bool parse_offsets(const char *text, int *topic, int *partition, int64_t ret_offsets[2])
{
	long long first = 0, last = 0;
	const char *slash = strrchr(text, '/');

	if (slash == NULL || sscanf(slash, "/%d:%lld-%lld", partition, &first, &last) != 3) {
		return false;
	}
	ret_offsets[0] = first;
	ret_offsets[1] = last;
	*topic = topic_of(text, (size_t)(slash - text));
	return *topic >= 0;
}

/* What of a topic that was made again had not been counted when the former one was deleted, or was not any more. Where a shard
 * stands now says nothing: it may have read on in the new topic, at the same offsets, before it noticed. */
static void lose_former(int topic)
{
	for (int partition = 0; kafka_was_made_again(topic) && partition < PARTITIONS_MAX;
		partition++) {
		struct aggregator_mark mark = aggregator_part_mark(topic, partition);
		bool is_of_former =
			kafka_is_of_former(topic, partition, mark.anchor, mark.anchor_ms);
		int64_t next = former_next[topic][partition];
		kafka_lose_former(
			topic, partition, is_of_former && mark.next < next ? mark.next : next);
	}
}

void operator_lose_topic(int topic)
{
	for (int partition = 0; partition < PARTITIONS_MAX; partition++) {
		former_next[topic][partition] = aggregator_part_mark(topic, partition).next;
	}
	operator_drop_backup();
}

/* The ledger is told what the operator gives up. With the planted bug nobody tells it. */
static void note_lost(const char *text)
{
	const char *made_again = strstr(text, " re-created"); /* " (2)" behind it the second time */
	int topic = -1, partition = 0;
	int64_t offsets[2];

	if (world.bug == BUG_GAP_SILENT) {
		return;
	}
	if (parse_offsets(text, &topic, &partition, offsets)) {
		kafka_lose(topic, partition, offsets[0], offsets[1]);
	} else if (strncmp(text, "topic:", 6) == 0 && made_again != NULL) {
		lose_former(topic_of(text + 6, (size_t)(made_again - text) - 6));
	}
}

/* Gives another text than was asked for: it must be asked again. */
static void accept_wrongly(const char *text)
{
	char other[TEXT_SIZE];

	snprintf(other, sizeof other, "%.500s0", text);
	texts_add(&accepted, other);
}

static bool names_cluster(const char *const *texts)
{
	for (; *texts != NULL; texts++) {
		if (strncmp(*texts, "cluster:", 8) == 0) {
			return true;
		}
	}
	return false;
}

/* Exactly, wrongly, or not at all: then it ends in the same way again. Another cluster is never accepted: it is a mistake
 * that somebody else corrects. */
static void decide(void)
{
	const char *const *text = aggregator_part_missing();
	uint64_t choice = world.has_faults ? world_draw(4) : 3;
	bool is_elsewhere = names_cluster(text);

	wants_rebuild = false;
	for (; *text != NULL && accepted.count < TEXTS_MAX; text++) {
		if (is_elsewhere || choice == 0) {
			world_note("operator: declines %s", *text);
		} else if (choice == 1) {
			accept_wrongly(*text);
		} else {
			world_note("operator: accepts %s", *text);
			texts_add(&accepted, *text);
			note_lost(*text);
		}
	}
}

/* ---- life */

/* In some runs partitions are handed to and fro: nobody reads the others meanwhile. */
static int draw_own(void)
{
	bool is_partial = world.has_faults && world.scales[FAULT_REOWNED] > 1 && world_draw(3) == 0;
	return is_partial ? (int)world_draw(PARTITIONS) : OWN_ALL;
}

static void start(void)
{
	const struct aggregator_part_options options = {.accepted = accepted.list,
		.wants_rebuild = wants_rebuild,
		.stages = staging_is_wanted(),
		.own = draw_own()};

	if (options.own != own) {
		world_note_fault(FAULT_REOWNED, "");
		own = options.own;
	}
	part = aggregator_part_new(&options);
	wants_rebuild = wants_rebuild && part == NULL;
	accepted.count = part == NULL ? accepted.count : 0;
	accepted.list[accepted.count] = NULL;
	back_ms = world.now_ms + (int64_t)world_draw(DOWN_MS_MAX);
}

static void bury(void)
{
	part = aggregator_part_free(part);
	back_ms = world.now_ms + (world.has_faults ? (int64_t)world_draw(DOWN_MS_MAX) : 1);
}

static void kill(void)
{
	world_note("aggregator: dies");
	if (aggregator_part_is_rebuilding(part)) {
		world_note_fault(FAULT_REBUILD_KILLED, "");
	}
	bury();
}

void operator_begin(void)
{
	operator_end();
	accepted.count = 0;
	accepted.list[0] = NULL;
	wants_rebuild = false;
	rebuilds = 0;
	own = OWN_ALL;
	start();
}

void operator_rest(void)
{
	part = aggregator_part_free(part);
}

void operator_end(void)
{
	part = aggregator_part_free(part);
	backup = mdb_files_free(backup);
}

void operator_raise(bool now)
{
	if (part != NULL && now && own != OWN_ALL) {
		bury();
	}
	if (part == NULL && (now || world.now_ms >= back_ms)) {
		start();
	}
}

void operator_turn(void)
{
	if (part == NULL || world_draw(3) == 0) {
		return;
	}
	if (world_happens(60)) {
		aggregator_part_wonder();
	}
	forget_requests_step();
	staging_step(part);
	aggregator_part_listen();
	ledger_check_step();
	int r = aggregator_part_round(part);
	if (r == AGGREGATOR_PART_DECISION) {
		world_note("aggregator: stops for a decision");
		bury();
		decide();
	} else if (r != 0) {
		kill();
	}
}

/* ---- faults */

static void restore(void)
{
	if (part != NULL) {
		bury();
	}
	world_note_fault(FAULT_STORE_RESTORED, "");
	aggregator_part_restore(backup);
	forget_requests_restore();
	backup = NULL;
}

static void rebuild(void)
{
	if (part == NULL || rebuilds == REBUILDS_MAX) {
		return;
	}
	world_note_fault(FAULT_REBUILD, aggregator_part_is_rebuilding(part) ? "(again)" : "");
	bury();
	wants_rebuild = true;
	rebuilds++;
}

/* Does the store still stand in a topic that was made again since? What it counts from there no log has any more, so what is given
 * up would depend on when it was copied. */
static bool stands_in_former(void)
{
	for (int topic = 0; topic < kafka_topics(); topic++) {
		for (int partition = 0; kafka_was_made_again(topic) && partition < PARTITIONS_MAX;
			partition++) {
			struct aggregator_mark mark = aggregator_part_mark(topic, partition);
			if (kafka_is_of_former(topic, partition, mark.anchor, mark.anchor_ms)) {
				return true;
			}
		}
	}
	return false;
}

static void back_up(void)
{
	if (stands_in_former()) {
		return;
	}
	mdb_files_free(backup);
	backup = aggregator_part_back_up();
	forget_requests_back_up();
	second_reader_copy();
	world_note("operator: backup");
}

void operator_drop_backup(void)
{
	backup = mdb_files_free(backup);
}

void operator_strike(void)
{
	if (part != NULL && aggregator_part_is_untold(part) &&
		world_fails(FAULT_COMMIT_UNTOLD, 10000)) {
		kill();
	} else if (part != NULL && world_fails(FAULT_AGGREGATOR_CRASH,
					   aggregator_part_is_rebuilding(part) ? 20000 : 1500)) {
		kill();
	}
	if (world_happens(300)) {
		back_up();
	}
	if (backup != NULL && world_happens(300)) {
		restore();
	}
	if (world_happens(700)) {
		rebuild();
	}
}

/* ---- afterwards */

static bool run_rebuild(void)
{
	part = aggregator_part_free(part);
	wants_rebuild = true;
	start();
	for (int i = 0; i < REBUILD_ROUNDS_MAX; i++) {
		world.now_ms += 1 + (int64_t)world_draw(40);
		operator_raise(true);
		operator_turn();
		if (part != NULL && !wants_rebuild && aggregator_part_is_settled(part)) {
			return true;
		}
	}
	return false;
}

/* The first line that they do not share. */
static void trace_difference(const char *before, const char *after)
{
	const char *line = before, *other = after;

	while (*before != '\0' && *before == *after) {
		before++;
		after++;
		line = before[-1] == '\n' ? before : line;
		other = before[-1] == '\n' ? after : other;
	}
	world_trace("live: %.*s", (int)strcspn(line, "\n"), line);
	world_trace("rebuilt: %.*s", (int)strcspn(other, "\n"), other);
}

bool operator_rebuild_is_equal(char *ret_words, size_t words_size)
{
	bool is_equal = true;

	part = aggregator_part_free(part);
	char *before = aggregator_part_dump();
	if (!run_rebuild()) {
		free(before);
		snprintf(ret_words, words_size, "a rebuild after the run does not come to its end");
		return false;
	}
	part = aggregator_part_free(part);
	char *after = aggregator_part_dump();
	if (strcmp(before, after) != 0) {
		snprintf(ret_words, words_size,
			"the dump of a rebuild differs from that of the live store");
		trace_difference(before, after);
		is_equal = false;
	}
	free(before);
	free(after);
	start();
	return is_equal;
}
