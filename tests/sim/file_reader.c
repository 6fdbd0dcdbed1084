#include "tests/sim/file_reader.h"
#include "tests/sim/tills.h"
#include <stdio.h>

enum { FRAMES_MAX = 1024, AHEAD_MAX = 5 };

static size_t frames[FRAMES_MAX]; /* of the ledger */
static size_t written; /* frames in the file */
static size_t next; /* to be handed in */
static size_t kept; /* heard of as kept */
static int edge = -1;

void file_reader_begin(int at_edge)
{
	written = next = kept = 0;
	edge = at_edge;
}

int file_reader_edge(void)
{
	return edge;
}

void file_reader_resume(struct edge_part *part)
{
	size_t position = (size_t)edge_part_position(part);

	if (position < kept || position > written) {
		tills_complain("the spool remembers another position than was kept");
	}
	next = kept = position;
	world_note("reader: goes on at frame %zu", next);
}

static void write_more(void)
{
	if (world.has_faults && written < FRAMES_MAX && world_draw(15) == 0) {
		frames[written++] = tills_write_frame();
	}
}

int file_reader_read(struct edge_part *part)
{
	char events[TILLS_TEXT_SIZE];
	int r = 0;

	write_more();
	for (int i = 0; r == 0 && next < written && i < AHEAD_MAX; i++) {
		tills_frame_text(frames[next], events);
		if (!edge_part_submit_read(part, events, next + 1, FILE_TICKET | next, &r)) {
			break;
		}
		world_note("reader: frame %zu", next);
		next++;
	}
	return r;
}

void file_reader_answered(const struct edge_answer *answer)
{
	size_t at = (size_t)(answer->ticket & ~FILE_TICKET);

	world_note("reader: frame %zu is %s", at, answer->is_taken ? "kept" : "not kept");
	if (!answer->is_taken) {
		next = at < next ? at : next;
	} else if (at != kept) {
		tills_complain("frames of a file were kept out of order");
	} else {
		kept++;
	}
}

bool file_reader_is_done(void)
{
	return edge < 0 || kept == written;
}
