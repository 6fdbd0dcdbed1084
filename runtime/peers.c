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
	uint64_t address;
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
	peer->address = sight->address;
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

/* The machine that has more connections than all others together, if there is one: the only one that can be left over when each of
 * its own is paired off with one of somebody else's. */
static uint64_t crowd_of(const struct peers *peers)
{
	uint64_t address = 0;
	size_t left = 0;

	for (size_t fd = 0; fd < peers->size; fd++) {
		if (!is_here(peers, fd)) {
			continue;
		}
		if (left == 0) {
			address = peers->by_fd[fd].address;
		}
		if (peers->by_fd[fd].address == address) {
			left++;
		} else {
			left--;
		}
	}
	return address;
}

/* How many more it has than the others; 0: no more. */
static size_t excess_of(const struct peers *peers, uint64_t address)
{
	size_t own = 0, others = 0;

	for (size_t fd = 0; fd < peers->size; fd++) {
		bool is_own = is_here(peers, fd) && peers->by_fd[fd].address == address;
		own += is_own;
		others += is_here(peers, fd) && !is_own;
	}
	return own > others ? own - others : 0;
}

/* `address` NULL: whoever it is. */
static void condemn_by_rank(struct sentence *sentence, size_t count, const uint64_t *address)
{
	struct peers *peers = sentence->peers;
	size_t wanted = sentence->count + count;

	for (int rank = 0; rank < 4; rank++) {
		for (size_t fd = peers->size; fd-- > 0 && sentence->count < wanted;) {
			const struct peer *peer = &peers->by_fd[fd];
			if (is_here(peers, fd) && is_of_rank(peers, peer, rank) &&
				(address == NULL || peer->address == *address)) {
				condemn(sentence, fd, PEER_SURPLUS);
			}
		}
	}
}

/* Whoever opens connections by the hundred crowds out himself, whatever he says on them, and nobody else. */
static void judge_surplus(struct sentence *sentence, size_t surplus)
{
	const uint64_t crowd = crowd_of(sentence->peers);
	size_t excess = excess_of(sentence->peers, crowd);
	size_t of_crowd = excess < surplus ? excess : surplus;

	condemn_by_rank(sentence, of_crowd, &crowd);
	condemn_by_rank(sentence, surplus - of_crowd, NULL);
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
