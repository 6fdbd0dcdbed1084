/* An edge's desk and spool: what producers were told is there after a power loss, and damaged files don't lie. */
#include "chance.h"
#include "edge/desk.h"
#include "edge_picture.h"
#include "journal.h"
#include "proto/producer.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	STEPS = 70,
	VERSIONS_MAX = STEPS + 2,
	EVENTS_MAX = STEPS * 12,
	BLOCKS_MAX = 4096,
	FRAME_TEXT_MAX = 64 * 1024,
	FRAME_EVENTS = 6,
	EVENT_ID_WINDOW = 40,
	EVENT_IDS_RECENT = 8, /* of these some come again */
	GOING_ON = 6, /* commits after an opening */
};

#define WALL_MS INT64_C(1764000000000)
#define TTL_MS INT64_C(2592000000)

/* What somebody was told of the event that bears this number. */
enum told { TOLD_NOTHING, TOLD_KEPT, TOLD_REPEATED };

struct version {
	size_t end; /* of the journal, when it was complete */
	struct buffer picture;
	struct names names;
	uint64_t aside;
};

struct frame {
	uint64_t first_event;
	uint32_t count;
	uint32_t repeated; /* a mask: bears the event_id of an earlier one */
	int producer; /* -1: not numbered */
	uint64_t n;
	char text[FRAME_TEXT_MAX];
};

struct known_block {
	enum kind lane;
	uint64_t index;
};

struct life {
	struct chance chance;
	char dir[PATH_MAX];
	struct spool *spool;
	struct desk *desk;
	struct port *port, *reader;
	int64_t now_ms;
	uint64_t next_event;
	enum told told[EVENTS_MAX];
	uint8_t seen[EVENTS_MAX]; /* 1: in a block */
	uint64_t producer_n[PRODUCERS];
	struct frame frame; /* the last one */
	struct known_block blocks[BLOCKS_MAX]; /* of the last version */
	size_t block_count;
	struct known_block before[BLOCKS_MAX]; /* of the one before */
	size_t before_count;
	struct names names;
	struct version versions[VERSIONS_MAX];
	size_t version_count;
};

static struct life life;

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "edge: %s\n", what);
	exit(3);
}

static struct spool_options options_of(const char *dir)
{
	return (struct spool_options){
		.dir = dir,
		.edge = "berlin-1",
		.quota_bytes = 4 << 20,
		.share_percent = {100, 100, 100, 100, 100, 100},
		.event_id_window = EVENT_ID_WINDOW,
		.producer_ttl_ms = TTL_MS,
	};
}

/* ---- what is on disk, against what was told */

/* Events bear their number as <eN>. */
static void see_events(void *owner, enum kind lane, uint64_t index, struct slice events)
{
	(void)owner;
	if (life.block_count == BLOCKS_MAX) {
		give_up("too many blocks");
	}
	life.blocks[life.block_count].lane = lane;
	life.blocks[life.block_count++].index = index;
	for (size_t i = 0; i < life.before_count; i++) {
		if (life.before[i].lane == lane && life.before[i].index == index) {
			return;
		}
	}
	const uint8_t *at = events.bytes, *end = events.bytes + events.size;
	while ((at = memmem(at, (size_t)(end - at), "<e", 2)) != NULL) {
		uint64_t number = strtoull((const char *)at + 2, NULL, 10);
		if (number >= life.next_event || life.seen[number]++ != 0) {
			give_up("an event is there twice, or was never handed in");
		}
		at += 2;
	}
}

static void keep_version(void)
{
	const struct block_listener listener = {.owner = NULL, .block = see_events};
	struct version *version = &life.versions[life.version_count++];
	struct defects defects;

	journal_pause(true);
	version->end = journal_count();
	version->names = life.names;
	version->aside = spool_corrupt(life.spool).blocks;
	memcpy(life.before, life.blocks, sizeof life.before);
	life.before_count = life.block_count;
	life.block_count = 0;
	if (picture_take(life.spool, &life.names, &listener, &version->picture, &defects) != 0 ||
		defects.blocks + defects.rows != 0) {
		give_up("what was just written can't be read");
	}
	for (uint64_t i = 0; i < life.next_event; i++) {
		if ((life.told[i] == TOLD_KEPT) != (life.seen[i] == 1)) {
			give_up("what was told is not what was written");
		}
	}
	journal_pause(false);
}

/* ---- steps */

static void on_done(void *owner, uint64_t ticket, const struct submission_result *result)
{
	struct frame *frame = owner;
	(void)ticket;
	if (result->outcome != SUBMISSION_TAKEN) {
		give_up("a frame was refused");
	}
	if (result->repeated) {
		return;
	}
	if (result->accepted + result->invalid + result->repeated_events != frame->count) {
		give_up("a reply does not add up");
	}
	for (uint32_t i = 0; i < frame->count; i++) {
		bool is_repeated = (frame->repeated >> i & 1) != 0;
		life.told[frame->first_event + i] = is_repeated ? TOLD_REPEATED : TOLD_KEPT;
	}
}

static uint64_t draw_run(void)
{
	return 1 + chance_below(&life.chance, (UINT64_C(1) << 53) - 1);
}

static void open_edge(void)
{
	struct spool_options options = options_of(life.dir);
	const struct port_options till = {
		.label = "zmq", .owner = &life.frame, .acknowledge = on_done};
	const struct port_options tail = {
		.label = "tail:a", .owner = &life.frame, .acknowledge = on_done};
	struct spool_error error;

	if (spool_new(&options, &life.spool, &error) != 0) {
		give_up(error.text);
	}
	const struct desk_options desk = {.spool = life.spool,
		.edge = "berlin-1",
		.default_currency = "EUR",
		.run = draw_run()};
	if (desk_new(&desk, &life.desk) != 0 || desk_open_port(life.desk, &till, &life.port) != 0 ||
		desk_open_port(life.desk, &tail, &life.reader) != 0) {
		give_up("no desk");
	}
}

static void close_edge(void)
{
	life.desk = desk_free(life.desk);
	life.spool = spool_free(life.spool);
}

static void round_of_desk(void)
{
	int64_t wait_ms = 0;
	life.now_ms += DESK_REMOVAL_MS;
	if (desk_round(life.desk, life.now_ms, WALL_MS + life.now_ms, &wait_ms) != 0) {
		give_up("a round failed");
	}
}

static size_t write_event(char *at, size_t size, struct frame *frame, uint32_t index)
{
	static const char *const kinds[] = {"\"kind\":\"order\",\"order_id\":\"o1\",\"product_id\":"
					    "\"tea\",\"unit_price\":\"2.55\"",
		"\"kind\":\"order\",\"order_id\":\"o1\",\"product_id\":\"tea\",\"unit_price\":\"2,"
		"55\"",
		"\"kind\":\"cart\",\"product_id\":\"tea\",\"action\":\"add\"",
		"\"kind\":\"view\",\"page\":\"/tea\""};
	char event_id[64] = "";
	bool is_repeated = false;
	/* Most are small; some fill a page of their own, a few several. */
	int padding = chance_hits(&life.chance, 80) ? (int)chance_below(&life.chance, 60)
						    : (int)chance_below(&life.chance, 9000);

	if (chance_hits(&life.chance, 30)) {
		uint64_t recent = life.names.event_ids < EVENT_IDS_RECENT ? life.names.event_ids
									  : EVENT_IDS_RECENT;
		is_repeated = index == 0 && recent > 0 && chance_hits(&life.chance, 20);
		uint64_t number =
			is_repeated ? life.names.event_ids - 1 - chance_below(&life.chance, recent)
				    : life.names.event_ids++;
		char name[EVENT_ID_NAME_SIZE];
		picture_event_id(number, name);
		snprintf(event_id, sizeof event_id, ",\"event_id\":\"%s\"", name);
	}
	frame->repeated |= is_repeated ? 1u << index : 0;
	return (size_t)snprintf(at, size,
		"%s{%s%s,\"user_id\":\"<e%" PRIu64 ">\",\"note\":\"%0*d\"}", index == 0 ? "[" : ",",
		kinds[is_repeated || event_id[0] != '\0' ? 0 : chance_below(&life.chance, 4)],
		event_id, frame->first_event + index, padding + 1, 0);
}

static void make_frame(struct frame *frame)
{
	size_t size = 0;

	frame->first_event = life.next_event;
	frame->count = 1 + (uint32_t)chance_below(&life.chance, FRAME_EVENTS);
	frame->repeated = 0;
	if (life.next_event + frame->count > EVENTS_MAX) {
		give_up("too many events");
	}
	for (uint32_t i = 0; i < frame->count; i++) {
		size += write_event(frame->text + size, sizeof frame->text - size, frame, i);
	}
	snprintf(frame->text + size, sizeof frame->text - size, "]");
	life.next_event += frame->count;
}

static void submit(struct port *port, const struct submission *submission)
{
	if (port_submit(port, submission, WALL_MS + life.now_ms) != 0) {
		give_up("a frame was not taken");
	}
}

/* A till's frame, numbered as a rule; now and then it comes again. */
static void sell(void)
{
	char header[64] = "";

	make_frame(&life.frame);
	int producer = (int)chance_below(&life.chance, PRODUCERS + 1);
	if (producer < PRODUCERS) {
		snprintf(header, sizeof header, "{\"producer\":\"till-%d\",\"n\":%" PRIu64 "}",
			producer, ++life.producer_n[producer]);
	}
	const struct submission submission = {
		.header = header[0] == '\0' ? slice_of(NULL, 0) : slice_of_text(header),
		.events = slice_of_text(life.frame.text),
		.reply = SUBMISSION_REPLY_JSON,
	};
	submit(life.port, &submission);
	round_of_desk();
	keep_version();
	if (header[0] != '\0' && chance_hits(&life.chance, 20)) {
		submit(life.port, &submission);
		round_of_desk();
	}
}

/* A line of a file, with the position behind it. */
static void read_line(void)
{
	char value[MARK_SIZE_MAX];
	const struct source_mark mark = {
		.key = slice_of_text(chance_hits(&life.chance, 50) ? "position" : "other"),
		.value = {NULL, 0}};
	struct source_mark written = mark;

	make_frame(&life.frame);
	snprintf(value, sizeof value, "%" PRIu64, life.frame.first_event);
	if (chance_hits(&life.chance, 80)) {
		written.value = slice_of_text(value);
	}
	const struct submission submission = {
		.events = slice_of_text(life.frame.text),
		.marks = &written,
		.mark_count = 1,
		.reply = SUBMISSION_SILENT,
		.unattended = true,
	};
	submit(life.reader, &submission);
	round_of_desk();
}

/* Some blocks that lie side by side, as an ACK names them. */
static void acknowledge(void)
{
	if (life.block_count == 0) {
		return;
	}
	size_t first = chance_below(&life.chance, life.block_count);
	uint64_t reach = 1 + chance_below(&life.chance, 20);
	if (removals_add(desk_removals(life.desk), life.blocks[first].lane,
		    life.blocks[first].index, life.blocks[first].index + reach) != 0) {
		give_up("no memory");
	}
	if (chance_hits(&life.chance, 50)) {
		make_frame(&life.frame);
		const struct submission submission = {.events = slice_of_text(life.frame.text),
			.reply = SUBMISSION_REPLY_MSGPACK};
		submit(life.port, &submission);
	}
	round_of_desk();
}

static void set_aside(void)
{
	struct spool_block_header header;
	if (life.block_count == 0) {
		return;
	}
	size_t which = chance_below(&life.chance, life.block_count);
	if (spool_set_aside(
		    life.spool, life.blocks[which].lane, life.blocks[which].index, &header) != 0) {
		give_up("a block can't be set aside");
	}
}

static void compact(void)
{
	if (spool_measure(life.spool) != 0 || spool_compact(life.spool) != 0) {
		give_up("the spool can't be compacted");
	}
}

static void step(void)
{
	uint64_t what = chance_below(&life.chance, 100);

	if (what < 45) {
		sell();
	} else if (what < 60) {
		read_line();
	} else if (what < 86) {
		acknowledge();
	} else if (what < 89) {
		set_aside();
	} else if (what < 93) {
		compact();
	} else if (what < 95) {
		char cluster[32];
		snprintf(cluster, sizeof cluster, "cluster-%" PRIu64,
			chance_below(&life.chance, 100));
		(void)spool_keep_cluster(life.spool, cluster, chance_next(&life.chance));
	} else {
		close_edge();
		open_edge();
	}
}

static void live(uint64_t seed, const char *dir)
{
	life.chance = chance_of(seed, 0);
	snprintf(life.dir, sizeof life.dir, "%.4000s/spool", dir);
	open_edge();
	keep_version();
	while (life.version_count < VERSIONS_MAX - 1 &&
		life.next_event + 2 * FRAME_EVENTS < EVENTS_MAX) {
		step();
		keep_version();
	}
	close_edge();
}

/* ---- after the power came back */

/* More is written over what LMDB takes for free pages. */
static int go_on(struct spool *spool)
{
	static const uint8_t seed[16];
	struct removals removals = {0};
	struct draft draft;
	uint64_t seq;
	int r = draft_init(&draft, 4711, seed);

	for (int i = 0; r == 0 && i < GOING_ON; i++) {
		uint64_t end = spool_index(spool)->lanes[KIND_VIEW].end;
		draft_clear(&draft);
		removals_clear(&removals);
		uint8_t *room = buffer_extend(draft_begin(&draft, KIND_VIEW, &seq), 3000);
		memset(room, 'x', 3000);
		r = draft_end(&draft, KIND_VIEW, WALL_MS);
		if (i > 0 && r == 0) {
			r = removals_add(&removals, KIND_VIEW, end - 1, end - 1);
		}
		if (r == 0) {
			r = spool_commit(spool, &draft, &removals, WALL_MS);
		}
	}
	if (r == 0) { /* and the last one goes */
		uint64_t end = spool_index(spool)->lanes[KIND_VIEW].end;
		removals_clear(&removals);
		r = removals_add(&removals, KIND_VIEW, end - 1, end - 1);
	}
	if (r == 0) {
		r = spool_commit(spool, NULL, &removals, WALL_MS);
	}
	removals_deinit(&removals);
	draft_deinit(&draft);
	return r;
}

static bool is_version(struct spool *spool, const struct version *version, char why[WHY_SIZE])
{
	struct buffer picture;
	struct defects defects;
	bool is_it = false;

	why[0] = '\0';
	int r = picture_take(spool, &version->names, NULL, &picture, &defects);
	if (r != 0 || defects.blocks + defects.rows != 0) {
		snprintf(why, WHY_SIZE,
			"reading: %d, %" PRIu64 " blocks and %" PRIu64 " rows damaged", r,
			defects.blocks, defects.rows);
	} else {
		is_it = slice_equal(buffer_slice(&picture), buffer_slice(&version->picture));
		if (!is_it) {
			snprintf(why, WHY_SIZE, "version %zu:", (size_t)(version - life.versions));
			picture_difference(
				buffer_slice(&version->picture), buffer_slice(&picture), why);
		}
	}
	buffer_deinit(&picture);
	return is_it;
}

/* The last version that was complete before `end`, or the one that was under way. */
static const struct version *version_found(struct spool *spool, size_t end, char why[WHY_SIZE])
{
	size_t last = 0;

	while (last + 1 < life.version_count && life.versions[last + 1].end <= end) {
		last++;
	}
	if (is_version(spool, &life.versions[last], why)) {
		return &life.versions[last];
	}
	char ignored[WHY_SIZE];
	return last + 1 < life.version_count && is_version(spool, &life.versions[last + 1], ignored)
		       ? &life.versions[last + 1]
		       : NULL;
}

static bool recovers(const char *dir, size_t end, char why[WHY_SIZE])
{
	char path[PATH_MAX];
	struct spool *spool = NULL;
	struct spool_error error = {""};

	snprintf(path, sizeof path, "%.4000s/spool", dir);
	struct spool_options options = options_of(path);
	int r = spool_new(&options, &spool, &error);
	if (r != 0) {
		snprintf(why, WHY_SIZE, "not opened: %d %s", r, error.text);
		return false;
	}
	const struct version *version = version_found(spool, end, why);
	bool is_right = version != NULL;
	if (is_right && (r = go_on(spool)) != 0) {
		snprintf(why, WHY_SIZE, "going on: %d", r);
		is_right = false;
	}
	is_right = is_right && is_version(spool, version, why);
	spool_free(spool);
	return is_right;
}

/* ---- damaged files */

/* An older file is an older truth; an older page is none. */
static const struct version *closest_version(struct slice picture, bool is_older)
{
	for (size_t i = life.version_count; i-- > 0 && is_older;) {
		if (slice_equal(buffer_slice(&life.versions[i].picture), picture)) {
			return &life.versions[i];
		}
	}
	return &life.versions[life.version_count - 1];
}

static enum verdict judge(struct spool *spool, bool is_older, char why[WHY_SIZE])
{
	struct buffer picture;
	struct defects defects;

	int r = picture_take(spool, &life.names, NULL, &picture, &defects);
	if (r != 0) {
		snprintf(why, WHY_SIZE, "reading: %d", r);
		buffer_deinit(&picture);
		return r < 0 && r != -EPROTO ? VERDICT_REFUSED : VERDICT_WRONG;
	}
	const struct version *version = closest_version(buffer_slice(&picture), is_older);
	uint64_t aside = spool_corrupt(spool).blocks;
	defects.blocks = aside - version->aside;
	if (aside < version->aside) {
		snprintf(why, WHY_SIZE, "a block that was set aside is gone");
	}
	bool fits = aside >= version->aside && picture_fits(buffer_slice(&version->picture),
						       buffer_slice(&picture), &defects, why);
	buffer_deinit(&picture);
	return !fits                               ? VERDICT_WRONG
	       : defects.blocks + defects.rows > 0 ? VERDICT_KNOWN
						   : VERDICT_WHOLE;
}

static enum verdict open_and_judge(const char *dir, bool is_older, bool goes_on, char why[WHY_SIZE])
{
	char path[PATH_MAX];
	struct spool *spool = NULL;
	struct spool_error error = {""};

	snprintf(path, sizeof path, "%.4000s/spool", dir);
	struct spool_options options = options_of(path);
	if (spool_new(&options, &spool, &error) != 0) {
		return error.text[0] != '\0' ? VERDICT_REFUSED : VERDICT_WRONG;
	}
	enum verdict verdict = judge(spool, is_older, why);
	if (goes_on && verdict != VERDICT_WRONG && go_on(spool) == 0) {
		verdict = judge(spool, is_older, why);
	}
	spool_free(spool);
	return verdict;
}

static enum verdict endures(const char *dir, bool is_older, char why[WHY_SIZE])
{
	enum verdict verdict = open_and_judge(dir, is_older, true, why);
	if (verdict == VERDICT_REFUSED || verdict == VERDICT_WRONG) {
		return verdict;
	}
	enum verdict again = open_and_judge(dir, is_older, false, why);
	return again == VERDICT_WRONG ? again : verdict;
}

int main(int argc, char **argv)
{
	static const char *const files[] = {"spool/data.mdb", NULL};
	const struct subject subject = {.name = "edge",
		.live = live,
		.recovers = recovers,
		.endures = endures,
		.files = files};
	return subject_main(argc, argv, &subject);
}
