#include "tests/sim/surgery.h"
#include "tests/sim/kafka.h"
#include "tests/sim/operator.h"
#include "tests/sim/stage.h"

enum {
	OTHER_MS_MIN = 2500, /* longer than it takes bridges to look where they are */
	OTHER_MS_MAX = 8000,
};

static int64_t other_until_ms; /* 0: the right cluster is at the address */

void surgery_begin(void)
{
	other_until_ms = 0;
}

/* ---- retention */

static void cut(int topic, int partition)
{
	int64_t low = kafka_low(topic, partition), high = kafka_size(topic, partition);
	struct aggregator_mark mark = aggregator_part_mark(topic, partition);
	int64_t next = mark.next;

	/* Retention would hide that the topic is another one than the one that was read. */
	if (high == low || kafka_is_of_former(topic, partition, mark.anchor, mark.anchor_ms)) {
		return;
	}
	int64_t new_low = low + 1 + (int64_t)world_draw((uint64_t)(high - low));
	if (new_low > next && world_draw(4) != 0) {
		new_low = next; /* mostly it takes what was counted long ago */
	}
	if (new_low <= low) {
		return;
	}
	kafka_cut(topic, partition, new_low);
	world_note_fault(new_low > next   ? FAULT_LOG_OVERTAKEN
			 : new_low < high ? FAULT_LOG_CUT
					  : FAULT_TOPIC_EMPTIED,
		aggregator_part_topic(topic));
	world_note("kafka: %s/%d begins at %lld, read until %lld", aggregator_part_topic(topic),
		partition, (long long)new_low, (long long)next);
}

/* ---- topics */

/* Would anybody see that the topic is another one? Who has read nothing of it can't, nor can one whose anchor retention has
 * taken. */
static bool is_known(int topic)
{
	bool is_known = false;

	for (int partition = 0; partition < kafka_partition_count(topic); partition++) {
		struct aggregator_mark mark = aggregator_part_mark(topic, partition);
		if (mark.next > 0 && mark.anchor < kafka_low(topic, partition)) {
			return false;
		}
		is_known = is_known || mark.next > 0;
	}
	return is_known;
}

/* As a mirror fills it: what the topic held, but for its beginning, and so at other offsets; maybe more than there was. */
static void fill(int topic)
{
	uint64_t times = world_draw(4); /* 0: it stays empty */

	for (int partition = 0; partition < PARTITIONS; partition++) {
		for (uint64_t i = 0; i < times; i++) {
			kafka_mirror(topic, partition, (int64_t)world_draw(10));
		}
	}
}

static void make_again(int topic)
{
	if (topic >= TILL_TOPICS || kafka_was_made_again(topic) || !is_known(topic)) {
		return;
	}
	world_note_fault(FAULT_TOPIC_MADE_AGAIN, aggregator_part_topic(topic));
	operator_lose_topic(topic);
	kafka_make_again(topic);
	fill(topic);
}

static void add_partition(int topic)
{
	if (topic < TILL_TOPICS && kafka_partition_count(topic) == PARTITIONS) {
		static const char text[] = "somebody else's";
		world_note_fault(FAULT_PARTITION_ADDED, aggregator_part_topic(topic));
		kafka_add_partition(topic);
		kafka_append(topic, PARTITIONS,
			kafka_record_new((struct kafka_bytes){text, sizeof text},
				(struct kafka_bytes){text, sizeof text}));
	}
}

/* ---- another cluster */

/* It is a copy, of another time and so at other offsets, as of a plant for trials; there may be more in it than in the first. */
static void fill_other(void)
{
	uint64_t times = world_draw(4); /* 0: it stays as it is */

	for (int i = 0; i < TILL_TOPICS * PARTITIONS; i++) {
		for (uint64_t j = 0; j < times; j++) {
			kafka_fill_other(i % TILL_TOPICS, i / TILL_TOPICS, (int64_t)world_draw(10));
		}
	}
}

static void swap_cluster(void)
{
	if (!stage_knows_cluster() || !aggregator_part_mark(0, 0).knows_cluster) {
		return; /* who has met no cluster yet takes any for its own */
	}
	world_note_fault(FAULT_OTHER_CLUSTER, "");
	fill_other();
	kafka_swap();
	operator_drop_backup(); /* it may be of a time before the first record */
	other_until_ms = world.now_ms + OTHER_MS_MIN + (int64_t)world_draw(OTHER_MS_MAX);
}

void surgery_step(void)
{
	if (other_until_ms != 0 && world.now_ms >= other_until_ms) {
		other_until_ms = 0;
		kafka_swap();
		world_note("kafka: the right cluster is back");
	}
}

void surgery_strike(void)
{
	int topic = (int)world_draw(3) == 0 ? (int)world_draw((uint64_t)kafka_topics()) : 0;

	if (other_until_ms != 0) {
		return;
	}
	if (world.scales[FAULT_LOG_CUT] > 0 && world_happens(700)) {
		cut(topic, (int)world_draw(PARTITIONS));
	}
	if (world.scales[FAULT_TOPIC_MADE_AGAIN] > 0 && world_happens(3000)) {
		make_again(topic);
	}
	if (world_happens(3000)) {
		add_partition(topic);
	}
	if (world.scales[FAULT_OTHER_CLUSTER] > 0 && world_happens(2500)) {
		swap_cluster();
	}
}
