#include "aggregator/shard/boards.h"
#include <assert.h>

static void let_go(struct leaders *leaders)
{
	if (--leaders->holders == 0) {
		leaders_free(leaders);
	}
}

void boards_drop(struct boards *boards, struct board *board)
{
	let_go(board->leaders);
	*board = boards->items[--boards->count];
}

/* `before` is const for who writes; who counts its holders is here. */
static void end_succession(struct succession *succession)
{
	let_go((struct leaders *)succession->before);
	succession_deinit(succession);
}

static void end_successions(struct boards *boards)
{
	for (size_t i = 0; i < boards->handed_count; i++) {
		end_succession(&boards->successions[i]);
	}
	boards->handed_count = 0;
}

void boards_deinit(struct boards *boards)
{
	end_successions(boards);
	while (boards->count > 0) {
		boards_drop(boards, &boards->items[0]);
	}
}

static struct board *find(struct boards *boards, uint32_t view_id, size_t measure)
{
	for (size_t i = 0; i < boards->count; i++) {
		const struct leaders *leaders = boards->items[i].leaders;
		if (leaders->view_id == view_id && leaders->measure == measure) {
			return &boards->items[i];
		}
	}
	return NULL;
}

struct board *boards_find(
	struct boards *boards, uint32_t view_id, size_t measure, uint64_t committed, bool is_handed)
{
	struct board *board = find(boards, view_id, measure);

	boards->questions++;
	if (board == NULL) {
		return NULL;
	}
	if (board->commit != committed && !(is_handed && board->commit == committed + 1)) {
		boards_drop(boards, board);
		return NULL;
	}
	board->asked = boards->questions;
	return board;
}

static struct board *place_of(struct boards *boards, const struct leaders *leaders)
{
	struct board *board = find(boards, leaders->view_id, leaders->measure);

	if (board == NULL && boards->count == BOARDS_MAX) {
		board = &boards->items[0];
		for (size_t i = 1; i < BOARDS_MAX; i++) {
			if (boards->items[i].asked < board->asked) {
				board = &boards->items[i];
			}
		}
	}
	if (board != NULL) {
		boards_drop(boards, board);
	}
	return &boards->items[boards->count++];
}

void boards_keep(struct boards *boards, struct leaders *leaders, uint64_t commit)
{
	assert(leaders->holders == 0);
	leaders->holders = 1;
	*place_of(boards, leaders) =
		(struct board){.leaders = leaders, .commit = commit, .asked = boards->questions};
}

void boards_hand_over(struct boards *boards, uint64_t commit)
{
	end_successions(boards);
	for (size_t i = 0; i < boards->count; i++) {
		if (boards->items[i].commit + 1 == commit) {
			boards->items[i].leaders->holders++;
			boards->successions[boards->handed_count++] =
				(struct succession){.before = boards->items[i].leaders};
		}
	}
}

/* Unless nobody keeps its leaders any more, or as that commit leaves them already. */
static void succeed(struct boards *boards, struct succession *succession, uint64_t commit)
{
	const struct leaders *before = succession->before;
	struct board *board = find(boards, before->view_id, before->measure);

	if (board == NULL || board->leaders != before || succession->after == NULL) {
		return;
	}
	let_go(board->leaders);
	board->leaders = succession->after;
	board->leaders->holders = 1;
	board->commit = commit;
	succession->after = NULL;
}

void boards_committed(struct boards *boards, uint64_t commit)
{
	for (size_t i = 0; i < boards->handed_count; i++) {
		succeed(boards, &boards->successions[i], commit);
	}
	end_successions(boards);
}
