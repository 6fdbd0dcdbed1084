#include "cli/spool_walk.h"

#include "cli/event_text.h"
#include "cli/json_text.h"
#include "cli/number_text.h"
#include "cli/session.h"
#include "cli/text_table.h"
#include "edge/spool_reader.h"
#include "proto/timestamp.h"
#include "runtime/program.h"
#include <stdio.h>
#include <string.h>

enum { LINE_SIZE_MAX = 4 * 1024 * 1024 };

static const char name[] = "till spool";

/* One walk over the blocks that are meant. */
struct walk {
	const struct spool_options *options;
	struct spool_reader *reader;
	struct document document;
	struct buffer line;
	struct text_table table;
	uint64_t blocks;
	uint64_t events;
	uint64_t bytes;
	uint64_t corrupt; /* blocks */
	uint64_t unreadable; /* events of good blocks */
};

typedef int (*block_fn)(struct walk *walk, const struct spool_block *block);

static int walk_open(struct walk *walk, const struct spool_options *options)
{
	struct spool_error error = {.text = "out of memory"};

	*walk = (struct walk){.options = options};
	buffer_init(&walk->line, LINE_SIZE_MAX);
	int r = document_init(&walk->document, EVENT_NODES_MAX);
	if (r == 0) {
		r = spool_reader_new(options->folder, &walk->reader, &error);
	}
	if (r != 0) {
		say(name, "%s", error.text);
	} else if (spool_reader_lost(walk->reader)[0] != '\0') {
		say(name, "%s", spool_reader_lost(walk->reader));
	}
	return r;
}

static void walk_close(struct walk *walk)
{
	spool_reader_free(walk->reader);
	document_deinit(&walk->document);
	buffer_deinit(&walk->line);
}

static bool is_meant(const struct walk *walk, const struct spool_block *block)
{
	const struct spool_options *options = walk->options;

	return (options->lane == NULL || strcmp(options->lane, kind_name(block->lane)) == 0) &&
	       (options->index < 0 || (uint64_t)options->index == block->index);
}

/* 0 at the end, else -errno, said. */
static int walk_blocks(struct walk *walk, block_fn each)
{
	struct spool_block block;
	int r = 0;

	while (r == 0) {
		r = spool_reader_next(walk->reader, &block);
		if (r != 0 || !is_meant(walk, &block)) {
			continue;
		}
		walk->blocks++;
		walk->events += block.header_ok ? block.count : 0;
		walk->bytes += block.raw.size;
		walk->corrupt += block.state == SPOOL_BLOCK_CORRUPT;
		r = each(walk, &block);
	}
	if (r == SPOOL_E_END) {
		return 0;
	}
	say(name, "%s: %s", walk->options->folder, r < 0 ? strerror(-r) : "a block can't be read");
	return r;
}

static const char *state_text(const struct spool_block *block)
{
	if (block->state == SPOOL_BLOCK_CORRUPT) {
		return block->set_aside ? "corrupt, set aside" : "CORRUPT";
	}
	return block->set_aside ? "set aside" : "ok";
}

static int list_block(struct walk *walk, const struct spool_block *block)
{
	struct text_table *table = &walk->table;
	char text[NUMBER_TEXT_SIZE];

	text_table_add_text(table, kind_name(block->lane));
	text_table_add_text(table, number_text(text, (int64_t)block->index));
	if (block->header_ok) {
		snprintf(text, sizeof text, "%llu:%llu-%llu", (unsigned long long)block->run,
			(unsigned long long)block->first_seq,
			(unsigned long long)(block->first_seq + block->count - 1));
		text_table_add_text(table, text);
		text_table_add_text(table, number_text(text, block->count));
	} else {
		text_table_add_text(table, "?");
		text_table_add_text(table, "?");
	}
	text_table_add_text(table, number_text(text, (int64_t)block->raw.size));
	timestamp_format(block->header_ok ? block->received_first_ms : 0, text);
	text_table_add_text(table, block->header_ok ? text : "?");
	text_table_add_text(table, state_text(block));
	return 0;
}

static void print_identity(const struct walk *walk)
{
	const struct spool_identity *identity = spool_reader_identity(walk->reader);

	printf("edge %s, spool version %u, Kafka cluster %s\n\n", identity->edge,
		(unsigned)identity->version,
		identity->cluster[0] != '\0' ? identity->cluster : "not known yet");
}

static void print_sums(const struct walk *walk)
{
	char blocks[NUMBER_TEXT_SIZE];
	char events[NUMBER_TEXT_SIZE];
	char bytes[NUMBER_TEXT_SIZE];

	printf("%s block%s, %s event%s, %s bytes\n", number_text(blocks, (int64_t)walk->blocks),
		walk->blocks == 1 ? "" : "s", number_text(events, (int64_t)walk->events),
		walk->events == 1 ? "" : "s", number_text(bytes, (int64_t)walk->bytes));
}

int spool_walk_list(const struct spool_options *options)
{
	static const char *const headings[] = {
		"lane", "index", "run:seqs", "events", "bytes", "received", "state"};
	enum { HEADINGS = sizeof headings / sizeof headings[0] };
	struct walk walk;

	int r = walk_open(&walk, options);
	text_table_init(&walk.table, HEADINGS);
	for (size_t i = 0; i < HEADINGS; i++) {
		text_table_add_text(&walk.table, headings[i]);
		walk.table.right[i] = i == 1 || i == 3 || i == 4;
	}
	if (r == 0) {
		r = walk_blocks(&walk, list_block);
	}
	if (r == 0) {
		print_identity(&walk);
		if (walk.blocks > 0) {
			text_table_print(&walk.table, stdout);
			fputc('\n', stdout);
		}
		print_sums(&walk);
	}
	text_table_deinit(&walk.table);
	walk_close(&walk);
	return r == 0 ? EXIT_STOPPED : EXIT_FAILED;
}

/* Decodes one event of a block and appends its text. */
static void append_event(struct walk *walk, const struct spool_block *block, struct slice bytes)
{
	struct complaint complaint;
	struct dead_letter letter;
	struct event event;
	int r;

	if (kind_is_dead_letter(block->lane)) {
		r = dead_letter_decode(&walk->document, bytes, &letter, &complaint);
	} else {
		r = event_decode(&walk->document, ENCODING_MSGPACK, bytes, &event, &complaint);
	}
	if (r != 0) {
		walk->unreadable++;
		event_text_format(
			&walk->line, "unreadable: %s", r > 0 ? complaint.message : strerror(-r));
	} else if (kind_is_dead_letter(block->lane)) {
		event_text_append_letter(&walk->line, &letter);
	} else {
		event_text_append(&walk->line, &event);
	}
}

/* Only what the checksum vouches for is decoded. */
static int each_event(struct walk *walk, const struct spool_block *block,
	void (*each)(struct walk *walk, const struct spool_block *block, struct slice bytes))
{
	struct slice rest = block->events;
	struct slice bytes;
	uint32_t count = 0;

	if (block->state == SPOOL_BLOCK_CORRUPT) {
		say(name, "%s block %llu is corrupt%s", kind_name(block->lane),
			(unsigned long long)block->index,
			block->header_ok ? "" : "; its header too");
		return 0;
	}
	while (event_cut(&rest, &bytes)) {
		buffer_clear(&walk->line);
		each(walk, block, bytes);
		count++;
	}
	if (count != block->count || rest.size > 0) {
		walk->unreadable += block->count > count ? block->count - count : 1;
		say(name, "%s block %llu holds %u events, its header says %u",
			kind_name(block->lane), (unsigned long long)block->index, (unsigned)count,
			(unsigned)block->count);
	}
	return walk->line.error;
}

static void show_event(struct walk *walk, const struct spool_block *block, struct slice bytes)
{
	append_event(walk, block, bytes);
	printf("%.*s\n", (int)walk->line.size, (const char *)walk->line.bytes);
}

static int show_block(struct walk *walk, const struct spool_block *block)
{
	return each_event(walk, block, show_event);
}

static void verify_event(struct walk *walk, const struct spool_block *block, struct slice bytes)
{
	uint64_t unreadable = walk->unreadable;

	append_event(walk, block, bytes);
	if (walk->unreadable > unreadable) {
		say(name, "%s block %llu: %.*s", kind_name(block->lane),
			(unsigned long long)block->index, (int)walk->line.size,
			(const char *)walk->line.bytes);
	}
}

static int verify_block(struct walk *walk, const struct spool_block *block)
{
	return each_event(walk, block, verify_event);
}

static void export_event(struct walk *walk, const struct spool_block *block, struct slice bytes)
{
	struct complaint complaint;

	if (walk->options->msgpack) {
		fwrite(bytes.bytes, 1, bytes.size, stdout);
		return;
	}
	int r = document_decode(
		&walk->document, ENCODING_MSGPACK, bytes, NESTING_MAX + 1, &complaint);
	if (r != 0) {
		walk->unreadable++;
		say(name, "%s block %llu: an event can't be read", kind_name(block->lane),
			(unsigned long long)block->index);
		return;
	}
	json_text_plain(walk->document.nodes, ENCODING_MSGPACK, &walk->line);
	printf("%.*s\n", (int)walk->line.size, (const char *)walk->line.bytes);
}

static int export_block(struct walk *walk, const struct spool_block *block)
{
	return each_event(walk, block, export_event);
}

static int run(const struct spool_options *options, block_fn each, bool report)
{
	struct walk walk;

	int r = walk_open(&walk, options);
	if (r == 0) {
		r = walk_blocks(&walk, each);
	}
	bool damaged = walk.corrupt + walk.unreadable > 0 ||
		       (r == 0 && spool_reader_lost(walk.reader)[0] != '\0');
	if (r == 0 && report) {
		print_identity(&walk);
		print_sums(&walk);
		printf("%llu corrupt blocks, %llu unreadable events\n",
			(unsigned long long)walk.corrupt, (unsigned long long)walk.unreadable);
		puts(damaged ? "DAMAGED" : "ok");
	}
	walk_close(&walk);
	return r == 0 && !damaged ? EXIT_STOPPED : EXIT_FAILED;
}

int spool_walk_show(const struct spool_options *options)
{
	return run(options, show_block, false);
}

int spool_walk_verify(const struct spool_options *options)
{
	return run(options, verify_block, true);
}

int spool_walk_export(const struct spool_options *options)
{
	return run(options, export_block, false);
}
