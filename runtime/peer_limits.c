#include "runtime/peer_limits.h"
#include "runtime/socket.h"
#include "runtime/token_bucket.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum {
	BUCKETS = 1024,
	BURST_S = 2,
	/* Peers looked at for each that is new: more go than come, wherever they may. */
	LOOKS = 4,
};

struct peer {
	struct peer_name name;
	struct token_bucket rates[PEER_RATES_MAX];
	int64_t held;
	LIST_ENTRY(peer) by_name;
	TAILQ_ENTRY(peer) by_use; /* the last used one is the last */
};
LIST_HEAD(peer_bucket, peer);
TAILQ_HEAD(peer_queue, peer);

struct peer_limits {
	struct peer_allowance allowance;
	struct peer_bucket buckets[BUCKETS];
	struct peer_queue queue;
	size_t count, peers_max;
	struct peer spare; /* what cannot be remembered shares one */
};

static bool is_this_machine(const char *address)
{
	return address[0] == '\0' || strncmp(address, "127.", 4) == 0 ||
	       strcmp(address, "::1") == 0 || strcmp(address, "::ffff:127.0.0.1") == 0;
}

/* The first byte tells the sorts apart: a key may be called like an address. */
static struct peer_name name_of(const struct message *message, struct iovec connection)
{
	struct peer_name name = {.size = 1};
	bool has_key = message->user_id[0] != '\0';
	bool is_near = is_this_machine(message->peer_address);
	const void *bytes = has_key ? message->user_id : message->peer_address;
	size_t size = strlen(bytes);

	if (!has_key && is_near) {
		bytes = connection.iov_base;
		size = connection.iov_len;
	}
	name.bytes[0] = has_key ? 'k' : is_near ? 'c' : 'a';
	size = size < sizeof name.bytes - 2 ? size : sizeof name.bytes - 2; /* a NUL follows */
	memcpy(name.bytes + 1, bytes, size);
	name.size += size;
	return name;
}

struct peer_name peer_name_of(const struct message *message)
{
	return name_of(message, message->frames[0]);
}

struct peer_name peer_name_of_pulled(const struct message *message)
{
	static char none[] = "";

	return name_of(message, (struct iovec){none, 0});
}

struct peer_name peer_name_of_address(const char *address)
{
	char host[PEER_NAME_SIZE_MAX];
	struct peer_name name = {.size = 1};
	const char *port = strrchr(address, ':');
	bool has_brackets = address[0] == '[';
	size_t size = port != NULL ? (size_t)(port - address) : strlen(address);

	size -= has_brackets && size >= 2 ? 2 : 0;
	size = size < sizeof host - 1 ? size : sizeof host - 1;
	memcpy(host, address + has_brackets, size);
	host[size] = '\0';
	bool is_near = is_this_machine(host);
	const char *text = is_near ? address : host;
	size = strlen(text);
	size = size < sizeof name.bytes - 2 ? size : sizeof name.bytes - 2; /* a NUL follows */
	name.bytes[0] = is_near ? 'c' : 'a';
	memcpy(name.bytes + 1, text, size);
	name.size += size;
	return name;
}

const char *peer_name_key(const struct peer_name *name)
{
	return name->bytes[0] == 'k' ? (const char *)name->bytes + 1 : "";
}

/* FNV-1a. Who makes names collide finds long lists, but only of PEERS_MAX. */
static size_t bucket_of(const struct peer_name *name)
{
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < name->size; i++) {
		hash = (hash ^ name->bytes[i]) * 16777619U;
	}
	return hash % BUCKETS;
}

int peer_limits_new(const struct peer_allowance *allowance, struct peer_limits **ret_limits)
{
	struct peer_limits *limits = calloc(1, sizeof *limits);

	if (limits == NULL) {
		return -ENOMEM;
	}
	limits->allowance = *allowance;
	limits->peers_max = allowance->peers_max > 0 ? allowance->peers_max : PEERS_MAX;
	TAILQ_INIT(&limits->queue);
	*ret_limits = limits;
	return 0;
}

struct peer_limits *peer_limits_free(struct peer_limits *limits)
{
	while (limits != NULL && !TAILQ_EMPTY(&limits->queue)) {
		struct peer *peer = TAILQ_FIRST(&limits->queue);
		TAILQ_REMOVE(&limits->queue, peer, by_use);
		free(peer);
	}
	free(limits);
	return NULL;
}

static struct peer *find(const struct peer_limits *limits, const struct peer_name *name)
{
	struct peer *peer;

	LIST_FOREACH(peer, &limits->buckets[bucket_of(name)], by_name)
	{
		if (peer->name.size == name->size &&
			memcmp(peer->name.bytes, name->bytes, name->size) == 0) {
			return peer;
		}
	}
	return NULL;
}

static void forget(struct peer_limits *limits, struct peer *peer)
{
	TAILQ_REMOVE(&limits->queue, peer, by_use);
	LIST_REMOVE(peer, by_name);
	limits->count--;
}

static bool is_as_new(struct peer *peer, int64_t now_ms)
{
	for (size_t i = 0; i < PEER_RATES_MAX; i++) {
		if (!token_bucket_is_full(&peer->rates[i], now_ms)) {
			return false;
		}
	}
	return peer->held == 0;
}

/* Else the table would grow with every connection that ever was, up to its bound. Who holds something is passed over, to the end. */
static void forget_quiet(struct peer_limits *limits, int64_t now_ms)
{
	for (int i = 0; i < LOOKS && !TAILQ_EMPTY(&limits->queue); i++) {
		struct peer *peer = TAILQ_FIRST(&limits->queue);
		if (is_as_new(peer, now_ms)) {
			forget(limits, peer);
			free(peer);
		} else if (peer->held > 0) {
			TAILQ_REMOVE(&limits->queue, peer, by_use);
			TAILQ_INSERT_TAIL(&limits->queue, peer, by_use);
		} else {
			return;
		}
	}
}

/* One that is quiet and holds nothing; NULL where all hold something. */
static struct peer *take_oldest(struct peer_limits *limits)
{
	struct peer *peer;

	TAILQ_FOREACH(peer, &limits->queue, by_use)
	{
		if (peer->held == 0) {
			forget(limits, peer);
			return peer;
		}
	}
	return NULL;
}

static void begin(
	struct peer_limits *limits, struct peer *peer, const struct peer_name *name, int64_t now_ms)
{
	*peer = (struct peer){.name = *name};
	for (size_t i = 0; i < PEER_RATES_MAX; i++) {
		int64_t rate = limits->allowance.rates[i];
		token_bucket_init(&peer->rates[i], rate, rate * BURST_S, now_ms);
	}
}

static struct peer *find_or_add(
	struct peer_limits *limits, const struct peer_name *name, int64_t now_ms)
{
	struct peer *peer = find(limits, name);

	if (peer != NULL) {
		TAILQ_REMOVE(&limits->queue, peer, by_use);
		TAILQ_INSERT_TAIL(&limits->queue, peer, by_use);
		return peer;
	}
	forget_quiet(limits, now_ms);
	peer = limits->count < limits->peers_max ? malloc(sizeof *peer) : take_oldest(limits);
	if (peer == NULL) {
		if (limits->spare.name.size == 0) {
			begin(limits, &limits->spare, &(struct peer_name){.size = 1}, now_ms);
		}
		return &limits->spare;
	}
	begin(limits, peer, name, now_ms);
	LIST_INSERT_HEAD(&limits->buckets[bucket_of(name)], peer, by_name);
	TAILQ_INSERT_TAIL(&limits->queue, peer, by_use);
	limits->count++;
	return peer;
}

int64_t peer_limits_take(struct peer_limits *limits, const struct peer_name *name,
	const int64_t costs[PEER_RATES_MAX], int64_t now_ms)
{
	struct peer *peer = find_or_add(limits, name, now_ms);
	int64_t longest_ms = 0;

	for (size_t i = 0; i < PEER_RATES_MAX; i++) {
		int64_t wait_ms = token_bucket_wait_ms(&peer->rates[i], now_ms);
		longest_ms = wait_ms > longest_ms ? wait_ms : longest_ms;
	}
	for (size_t i = 0; i < PEER_RATES_MAX && longest_ms == 0; i++) {
		token_bucket_spend(&peer->rates[i], costs[i]);
	}
	return longest_ms;
}

void peer_limits_spend(struct peer_limits *limits, const struct peer_name *name, size_t rate,
	int64_t cost, int64_t now_ms)
{
	token_bucket_spend(&find_or_add(limits, name, now_ms)->rates[rate], cost);
}

int peer_limits_hold(struct peer_limits *limits, const struct peer_name *name, int64_t now_ms)
{
	struct peer *peer = find_or_add(limits, name, now_ms);

	if (limits->allowance.held > 0 && peer->held >= limits->allowance.held) {
		return PEER_LIMITS_E_TOO_MANY;
	}
	peer->held++;
	return 0;
}

void peer_limits_release(struct peer_limits *limits, const struct peer_name *name)
{
	struct peer *peer = find(limits, name);

	peer = peer == NULL ? &limits->spare : peer;
	if (peer->held > 0) {
		peer->held--;
	}
}

size_t peer_limits_count(const struct peer_limits *limits)
{
	return limits->count;
}
