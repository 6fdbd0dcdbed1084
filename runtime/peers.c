#include "runtime/peers.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	HELD_MIN = 1024 * 1024, /* whoever holds less is not why memory is short */
	FD_MAX = 1 << 20,
};

struct peer {
	uint64_t cookie; /* 0: nobody, so far */
	uint64_t received; /* at the last look */
	uint64_t credited; /* of that, what whole messages account for */
	uint64_t heard; /* bytes of whole messages since then */
	uint64_t hoard; /* bytes of an unfinished message, as far as known */
	uint64_t message_max;
	unsigned first_look, last_look;
	bool has_spoken; /* a whole message, ever */
	bool is_condemned; /* once is enough: it goes when libzmq has noticed */
};

struct peers {
	struct peer *by_fd;
	size_t size;
	unsigned look;
	unsigned count;
};

int peers_new(struct peers **ret_peers)
{
	struct peers *peers = calloc(1, sizeof *peers);
	if (peers == NULL) {
		return -ENOMEM;
	}
	*ret_peers = peers;
	return 0;
}

struct peers *peers_free(struct peers *peers)
{
	if (peers != NULL) {
		free(peers->by_fd);
		free(peers);
	}
	return NULL;
}

static int make_room(struct peers *peers, int fd)
{
	size_t size = peers->size > 0 ? peers->size : 64;

	if (fd < 0 || fd >= FD_MAX) {
		return -EBADF;
	}
	if ((size_t)fd < peers->size) {
		return 0;
	}
	while (size <= (size_t)fd) {
		size *= 2;
	}
	struct peer *by_fd = realloc(peers->by_fd, size * sizeof *by_fd);
	if (by_fd == NULL) {
		return -ENOMEM;
	}
	memset(by_fd + peers->size, 0, (size - peers->size) * sizeof *by_fd);
	peers->by_fd = by_fd;
	peers->size = size;
	return 0;
}

void peers_heard(struct peers *peers, int fd, uint64_t bytes)
{
	if (fd >= 0 && (size_t)fd < peers->size) {
		peers->by_fd[fd].heard += bytes;
		peers->by_fd[fd].has_spoken = true;
	}
}

void peers_begin(struct peers *peers)
{
	peers->look++;
	peers->count = 0;
}

/* What it received before we first looked is forgiven: how much of it was whole messages is not known. */
static void meet(struct peers *peers, struct peer *peer, const struct peer_sight *sight)
{
	*peer = (struct peer){
		.cookie = sight->cookie,
		.received = sight->received_bytes,
		.credited = sight->received_bytes,
		.first_look = peers->look,
		.has_spoken = peer->heard > 0,
	};
}

static void see_again(struct peer *peer, const struct peer_sight *sight, bool is_read_out)
{
	peer->credited += peer->heard;
	peer->heard = 0;
	peer->hoard = is_read_out && peer->received > peer->credited
			      ? peer->received - peer->credited
			      : 0;
	peer->received = sight->received_bytes;
	if (peer->credited > peer->received) { /* credit is not saved up */
		peer->credited = peer->received;
	}
}

int peers_saw(struct peers *peers, const struct peer_sight *sight, bool is_read_out)
{
	int r = make_room(peers, sight->fd);
	if (r < 0) {
		return r;
	}
	struct peer *peer = &peers->by_fd[sight->fd];
	if (peer->cookie != sight->cookie) {
		meet(peers, peer, sight);
	} else {
		see_again(peer, sight, is_read_out);
	}
	peer->message_max = sight->message_bytes_max;
	peer->last_look = peers->look;
	peers->count++;
	return 0;
}

static uint64_t held(const struct peer *peer)
{
	return peer->received - peer->credited;
}

/* What judge fills. */
struct sentence {
	struct peers *peers;
	struct peer_verdict *verdicts;
	size_t count, max;
};

static void condemn(struct sentence *sentence, size_t fd, enum peer_fault fault)
{
	struct peer *peer = &sentence->peers->by_fd[fd];

	if (sentence->count < sentence->max) {
		peer->is_condemned = true;
		sentence->verdicts[sentence->count++] =
			(struct peer_verdict){(int)fd, peer->cookie, fault, held(peer)};
	}
}

static bool is_here(const struct peers *peers, size_t fd)
{
	const struct peer *peer = &peers->by_fd[fd];
	return peer->cookie != 0 && peer->last_look == peers->look && !peer->is_condemned;
}

static void judge_hoards(struct sentence *sentence)
{
	struct peers *peers = sentence->peers;

	for (size_t fd = 0; fd < peers->size; fd++) {
		const struct peer *peer = &peers->by_fd[fd];
		if (is_here(peers, fd) && peer->hoard > peer->message_max) {
			condemn(sentence, fd, PEER_HOARDS);
		}
	}
}

/* Those that hold at least half as much as the one that holds most. */
static void judge_weight(struct sentence *sentence)
{
	struct peers *peers = sentence->peers;
	uint64_t most = 0;

	for (size_t fd = 0; fd < peers->size; fd++) {
		if (is_here(peers, fd) && held(&peers->by_fd[fd]) > most) {
			most = held(&peers->by_fd[fd]);
		}
	}
	for (size_t fd = 0; fd < peers->size && most >= HELD_MIN; fd++) {
		uint64_t bytes = held(&peers->by_fd[fd]);
		if (is_here(peers, fd) && bytes >= HELD_MIN && bytes >= most / 2) {
			condemn(sentence, fd, PEER_HEAVY);
		}
	}
}

/* Newcomers that have said nothing go first, then all that have said nothing, then newcomers, then anybody. */
static bool is_of_rank(const struct peers *peers, const struct peer *peer, int rank)
{
	bool is_new = peer->first_look == peers->look;

	return (rank >= 2 || !peer->has_spoken) && (rank == 1 || rank == 3 || is_new);
}

static void judge_surplus(struct sentence *sentence, unsigned surplus)
{
	struct peers *peers = sentence->peers;
	size_t wanted = sentence->count + surplus;

	for (int rank = 0; rank < 4; rank++) {
		for (size_t fd = peers->size; fd-- > 0 && sentence->count < wanted;) {
			if (is_here(peers, fd) && is_of_rank(peers, &peers->by_fd[fd], rank)) {
				condemn(sentence, fd, PEER_SURPLUS);
			}
		}
	}
}

size_t peers_judge(struct peers *peers, const struct peers_need *need,
	struct peer_verdict *verdicts, size_t count)
{
	struct sentence sentence = {.peers = peers, .verdicts = verdicts, .max = count};

	judge_hoards(&sentence);
	if (need->is_memory_short) {
		judge_weight(&sentence);
	}
	judge_surplus(&sentence, need->surplus);
	return sentence.count;
}

unsigned peers_count(const struct peers *peers)
{
	return peers->count;
}
