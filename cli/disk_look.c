#include "cli/disk_look.h"
#include "cli/session.h"
#include "edge/spool_reader.h"
#include "runtime/program.h"
#include <errno.h>
#include <string.h>

static bool holds(const struct spool_block *block, const struct certificate *event)
{
	return block->header_ok && block->lane == event->kind && block->run == event->run &&
	       event->seq >= block->first_seq && event->seq - block->first_seq < block->count;
}

static int search(
	struct spool_reader *reader, const struct certificate *event, enum disk_place *place)
{
	struct spool_block block;
	int r = 0;

	while ((r = spool_reader_next(reader, &block)) == 0) {
		if (holds(&block, event)) {
			*place = block.set_aside || block.state == SPOOL_BLOCK_CORRUPT
					 ? DISK_PLACE_DAMAGED
					 : DISK_PLACE_WAITING;
			return 0;
		}
	}
	return r == SPOOL_E_END ? 0 : r;
}

int disk_look(const char *command, const char *folder, const struct certificate *event,
	enum disk_place *ret_place)
{
	struct spool_reader *reader = NULL;
	struct spool_error error = {.text = ""};
	enum disk_place place = DISK_PLACE_NONE;

	int r = spool_reader_new(folder, &reader, &error);
	bool is_its = r == 0 && slice_equals_text(event->edge, spool_reader_identity(reader)->edge);
	if (is_its) {
		r = search(reader, event, &place);
	}
	if (r == 0 && !is_its) {
		say(command, "%s is the spool of another edge, %s", folder,
			spool_reader_identity(reader)->edge);
	} else if (r != 0) {
		say(command, "%s: %s", folder,
			error.text[0] != '\0' ? error.text : "the spool can't be read");
	}
	spool_reader_free(reader);
	if (r != 0 || !is_its) {
		return EXIT_FAILED;
	}
	*ret_place = place;
	return -1;
}
