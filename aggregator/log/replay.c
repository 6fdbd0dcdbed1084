#include "aggregator/log/replay.h"
#include "aggregator/log/archive_reader.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	ROUND_US = 250, /* feed.c's: whoever asks waits no longer */
	ITEMS_PER_LOOK = 32, /* at the clock */
};

struct replay {
	struct replay_options options;
	struct archive_reader *reader;
	struct pipeline_archive archive;
	bool is_watched; /* the descriptor, by the loop */
	bool has_more; /* of what was read from it already, which it will not tell of */
	bool is_foreseen; /* Kafka has said that its log will do */
	bool has_failed;
};

static bool may_read(const struct replay *replay)
{
	return !replay->has_failed && !replay->archive.is_over &&
	       (replay->is_foreseen || !replay->archive.has_head) &&
	       replay->options.may_read(replay->options.owner);
}

static int fail(struct replay *replay, const char *why)
{
	replay->has_failed = true;
	return replay->options.failed(replay->options.owner, why);
}

/* One item. 0; ARCHIVE_E_MORE: no more now; -errno. */
static int take_item(struct replay *replay)
{
	const struct archive_item *item = NULL;
	bool is_taken = false;

	int r = archive_reader_next(replay->reader, &item);
	if (r == ARCHIVE_E_BAD || r == ARCHIVE_E_CUT_OFF) {
		r = fail(replay, archive_reader_why(replay->reader));
		return r < 0 ? r : ARCHIVE_E_MORE;
	}
	if (r != 0) {
		return r < 0 && r != -ENOMEM ? fail(replay, strerror(-r)) : r;
	}
	r = pipeline_archive_take(&replay->archive, item, &is_taken);
	if (r == PIPELINE_ARCHIVE_E_REFUSED) {
		r = fail(replay, replay->archive.why);
		return r < 0 ? r : ARCHIVE_E_MORE;
	}
	if (r == 0 && is_taken) {
		archive_reader_pass(replay->reader);
	}
	return r < 0 ? r : is_taken ? 0 : ARCHIVE_E_MORE;
}

static int read_round(struct replay *replay, uint64_t *ret_count)
{
	int64_t end_us = clock_monotonic_us() + ROUND_US;
	int r = 0;

	while (r == 0 && clock_monotonic_us() < end_us) {
		for (int i = 0; i < ITEMS_PER_LOOK && r == 0 && may_read(replay); i++) {
			r = take_item(replay);
			*ret_count += r == 0;
		}
		r = r == 0 && !may_read(replay) ? ARCHIVE_E_MORE : r;
	}
	replay->has_more = r == 0 || !may_read(replay);
	return r < 0 ? r : 0;
}

/* A descriptor that is not to be read would wake the loop again and again. */
static int watch(struct replay *replay);

static int readable(void *owner)
{
	struct replay *replay = owner;
	uint64_t count = 0;

	int r = read_round(replay, &count);
	if (r == 0) {
		r = watch(replay);
	}
	if (r == 0 && count > 0) {
		r = replay->options.moved(replay->options.owner, replay->archive.is_over);
	}
	return r;
}

static int watch(struct replay *replay)
{
	int fd = archive_reader_fd(replay->reader);
	bool is_wanted = may_read(replay);
	int r = 0;

	if (is_wanted && !replay->is_watched) {
		r = loop_add_fd(replay->options.loop, fd, readable, replay);
	} else if (!is_wanted && replay->is_watched) {
		loop_remove_fd(replay->options.loop, fd);
	}
	replay->is_watched = is_wanted && r == 0;
	return r;
}

int replay_new(const struct replay_options *options, struct replay **ret_replay)
{
	struct replay *replay = calloc(1, sizeof *replay);
	if (replay == NULL) {
		return -ENOMEM;
	}
	replay->options = *options;
	replay->archive.pipeline = options->pipeline;
	int r = archive_reader_new(options->path, &replay->reader);
	if (r < 0) {
		free(replay);
		return r;
	}
	*ret_replay = replay;
	return 0;
}

struct replay *replay_free(struct replay *replay)
{
	if (replay == NULL) {
		return NULL;
	}
	if (replay->is_watched) {
		loop_remove_fd(replay->options.loop, archive_reader_fd(replay->reader));
	}
	archive_reader_free(replay->reader);
	pipeline_archive_deinit(&replay->archive);
	free(replay);
	return NULL;
}

int replay_observe(struct replay *replay, const struct log_report *report)
{
	int r = pipeline_archive_foresee(&replay->archive, report);
	if (r == 0 && report->is_reachable && replay->archive.has_head) {
		replay->is_foreseen = true;
	}
	return r;
}

int replay_tick(struct replay *replay, int64_t *ret_wait_ms)
{
	bool goes_on = replay->has_more && may_read(replay);
	int r = goes_on ? readable(replay) : watch(replay);

	if (replay->has_more && may_read(replay)) {
		*ret_wait_ms = 0;
	}
	return r;
}

const struct pipeline_archive *replay_archive(const struct replay *replay)
{
	return &replay->archive;
}
