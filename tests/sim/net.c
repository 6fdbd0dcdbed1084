#include "tests/sim/net.h"
#include <stdlib.h>
#include <string.h>

enum {
	CONNS_MAX = 4096, /* of one run, ended ones included */
	QUEUE_MAX = 60, /* frames one way */
	HALF_OPEN_MS = 4500, /* three heartbeats */
	CONNECT_MS_MAX = 3000,
	FRAME_MS_MAX = 400,
	NEVER_MS = -1,
};

struct frame {
	struct frame *next;
	int64_t due_ms;
	size_t size;
	uint8_t bytes[];
};

struct queue {
	struct frame *first, **end;
	size_t count;
	int64_t last_ms;
};

struct conn {
	int edge, bridge;
	void *link; /* NULL: the edge has closed it */
	uint8_t peer[PEER_SIZE];
	bool is_connected; /* the edge was told */
	bool bridge_has; /* the bridge can send by it */
	bool is_mute; /* half open: nothing passes, nobody is told */
	int64_t connect_ms, lost_ms; /* when the edge hears of it */
	int64_t gone_ms; /* when the bridge can't send by it any more */
	struct queue up, down;
};

static struct conn *conns[CONNS_MAX];
static size_t conn_count;
static bool listens[BRIDGES_MAX];
static struct frame *handed; /* what was borrowed last */

/* ---- queues */

static void queue_init(struct queue *queue)
{
	*queue = (struct queue){.end = &queue->first};
}

static void queue_push(struct queue *queue, const void *bytes, size_t size)
{
	size_t come = world_fails(FAULT_FRAME_GARBLED, 1000) ? size / 2 : size;
	struct frame *frame = malloc(sizeof *frame + come);
	int64_t due_ms = world.now_ms + world_delay(FRAME_MS_MAX);

	if (frame == NULL) {
		abort();
	}
	frame->due_ms = due_ms < queue->last_ms ? queue->last_ms : due_ms;
	frame->size = come;
	frame->next = NULL;
	memcpy(frame->bytes, bytes, come);
	queue->last_ms = frame->due_ms;
	*queue->end = frame;
	queue->end = &frame->next;
	queue->count++;
}

static struct frame *queue_pop(struct queue *queue)
{
	struct frame *frame = queue->first;

	if (frame == NULL || frame->due_ms > world.now_ms) {
		return NULL;
	}
	queue->first = frame->next;
	queue->count--;
	if (queue->first == NULL) {
		queue->end = &queue->first;
	}
	free(handed);
	handed = frame;
	return frame;
}

/* Only the first `count` stay. */
static void queue_cut(struct queue *queue, size_t count)
{
	struct frame **at = &queue->first;

	for (size_t i = 0; i < count && *at != NULL; i++) {
		at = &(*at)->next;
	}
	struct frame *frame = *at;
	*at = NULL;
	queue->end = at;
	while (frame != NULL) {
		struct frame *next = frame->next;
		free(frame);
		queue->count--;
		frame = next;
	}
}

/* ---- connections */

static void draw_peer(uint8_t peer[PEER_SIZE])
{
	uint64_t bits = world_random();

	peer[0] = 0; /* as libzmq's own */
	for (int i = 1; i < PEER_SIZE; i++) {
		peer[i] = (uint8_t)(bits >> 8 * i);
	}
}

static struct conn *conn_of_link(const void *link)
{
	for (size_t i = conn_count; i-- > 0;) {
		if (conns[i]->link == link) {
			return conns[i];
		}
	}
	return NULL;
}

static struct conn *conn_of_peer(const uint8_t peer[PEER_SIZE])
{
	for (size_t i = conn_count; i-- > 0;) {
		if (memcmp(conns[i]->peer, peer, PEER_SIZE) == 0) {
			return conns[i];
		}
	}
	return NULL;
}

void net_begin(void)
{
	net_end();
	for (int i = 0; i < BRIDGES_MAX; i++) {
		listens[i] = false;
	}
}

void net_end(void)
{
	for (size_t i = 0; i < conn_count; i++) {
		queue_cut(&conns[i]->up, 0);
		queue_cut(&conns[i]->down, 0);
		free(conns[i]);
	}
	conn_count = 0;
	free(handed);
	handed = NULL;
}

/* Forgets connections that neither side has any more. */
static void prune(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < conn_count; i++) {
		struct conn *conn = conns[i];
		bool is_over = conn->link == NULL && conn->up.count == 0 &&
			       conn->gone_ms != NEVER_MS && world.now_ms >= conn->gone_ms;
		if (is_over) {
			queue_cut(&conn->down, 0);
			free(conn);
		} else {
			conns[kept++] = conn;
		}
	}
	conn_count = kept;
}

void net_open(int edge, void *link, int bridge)
{
	net_close(link);
	prune();
	if (conn_count == CONNS_MAX) {
		abort(); /* no run comes near */
	}
	struct conn *conn = calloc(1, sizeof *conn);
	if (conn == NULL) {
		abort();
	}
	int64_t when_ms = world.now_ms + 1 + world_delay(world.has_faults ? CONNECT_MS_MAX : 20);
	*conn = (struct conn){.edge = edge, .bridge = bridge, .link = link};
	conn->connect_ms = listens[bridge] ? when_ms : NEVER_MS;
	conn->lost_ms = listens[bridge] ? NEVER_MS : when_ms;
	conn->gone_ms = NEVER_MS;
	draw_peer(conn->peer);
	queue_init(&conn->up);
	queue_init(&conn->down);
	conns[conn_count++] = conn;
}

/* One side has closed: the other hears of it after a while, and of what was under way to it a part may come. */
static void lose(struct queue *to_other)
{
	queue_cut(to_other, (size_t)world_draw(to_other->count + 1));
}

static void close_by_edge(struct conn *conn)
{
	conn->link = NULL;
	conn->connect_ms = conn->lost_ms = NEVER_MS;
	queue_cut(&conn->down, 0);
	lose(&conn->up);
	conn->gone_ms = world.now_ms + (conn->is_mute ? HALF_OPEN_MS : world_delay(1500));
}

void net_close(const void *link)
{
	struct conn *conn = conn_of_link(link);

	if (conn != NULL) {
		close_by_edge(conn);
	}
}

int net_send_up(const void *link, const void *bytes, size_t size)
{
	struct conn *conn = conn_of_link(link);

	if (conn == NULL || !conn->is_connected) {
		return NET_E_UNREACHABLE;
	}
	if (conn->up.count >= QUEUE_MAX || world_fails(FAULT_QUEUE_FULL, 2000)) {
		return NET_E_AGAIN;
	}
	conn->bridge_has = true; /* a peer is one once it has spoken */
	queue_push(&conn->up, bytes, size);
	return 0;
}

int net_send_down(int bridge, const uint8_t peer[PEER_SIZE], const void *bytes, size_t size)
{
	struct conn *conn = conn_of_peer(peer);

	if (conn == NULL || conn->bridge != bridge || !conn->bridge_has ||
		(conn->gone_ms != NEVER_MS && world.now_ms >= conn->gone_ms)) {
		return NET_E_UNREACHABLE;
	}
	if (conn->down.count >= QUEUE_MAX || world_fails(FAULT_QUEUE_FULL, 2000)) {
		return NET_E_AGAIN;
	}
	queue_push(&conn->down, bytes, size);
	return 0;
}

bool net_receive(
	int bridge, uint8_t ret_peer[PEER_SIZE], const uint8_t **ret_bytes, size_t *ret_size)
{
	size_t start = conn_count == 0 ? 0 : (size_t)world_draw(conn_count);

	for (size_t i = 0; i < conn_count; i++) {
		struct conn *conn = conns[(start + i) % conn_count];
		if (conn->bridge != bridge || conn->up.count == 0 || conn->is_mute) {
			continue;
		}
		struct frame *frame = queue_pop(&conn->up);
		if (frame != NULL) {
			memcpy(ret_peer, conn->peer, PEER_SIZE);
			*ret_bytes = frame->bytes;
			*ret_size = frame->size;
			return true;
		}
	}
	return false;
}

/* ---- what edges hear */

static bool next_of(struct conn *conn, struct net_event *event)
{
	struct frame *frame = conn->is_connected && !conn->is_mute ? queue_pop(&conn->down) : NULL;

	*event = (struct net_event){.edge = conn->edge, .link = conn->link, .news = NET_FRAME};
	if (frame != NULL) {
		event->bytes = frame->bytes;
		event->size = frame->size;
		return true;
	}
	if (conn->connect_ms != NEVER_MS && world.now_ms >= conn->connect_ms) {
		conn->connect_ms = NEVER_MS;
		conn->is_connected = true;
		event->news = NET_CONNECTED;
		return true;
	}
	if (conn->lost_ms != NEVER_MS && world.now_ms >= conn->lost_ms) {
		conn->lost_ms = NEVER_MS;
		conn->is_connected = false;
		event->news = NET_DISCONNECTED;
		return true;
	}
	return false;
}

bool net_next_event(struct net_event *ret_event)
{
	size_t start = conn_count == 0 ? 0 : (size_t)world_draw(conn_count);

	for (size_t i = 0; i < conn_count; i++) {
		struct conn *conn = conns[(start + i) % conn_count];
		if (conn->link != NULL && next_of(conn, ret_event)) {
			return true;
		}
	}
	return false;
}

int net_edge_of(const uint8_t peer[PEER_SIZE])
{
	const struct conn *conn = conn_of_peer(peer);
	return conn == NULL ? -1 : conn->edge;
}

const uint8_t *net_peer_of(int bridge, int edge)
{
	for (size_t i = conn_count; i-- > 0;) {
		const struct conn *conn = conns[i];
		if (conn->edge == edge && conn->bridge == bridge && conn->link != NULL &&
			conn->is_connected) {
			return conn->peer;
		}
	}
	return NULL;
}

/* ---- ends and faults */

void net_edge_died(int edge)
{
	for (size_t i = 0; i < conn_count; i++) {
		if (conns[i]->edge == edge && conns[i]->link != NULL) {
			close_by_edge(conns[i]);
		}
	}
}

static void close_by_bridge(struct conn *conn, int64_t after_ms)
{
	conn->gone_ms = world.now_ms;
	conn->bridge_has = false;
	queue_cut(&conn->up, 0);
	lose(&conn->down);
	if (conn->link != NULL) {
		conn->connect_ms = NEVER_MS;
		conn->lost_ms = world.now_ms + after_ms;
	}
}

void net_bridge_died(int bridge)
{
	listens[bridge] = false;
	for (size_t i = 0; i < conn_count; i++) {
		if (conns[i]->bridge == bridge) {
			close_by_bridge(
				conns[i], world_draw(4) == 0 ? HALF_OPEN_MS : world_delay(50));
		}
	}
}

void net_bridge_listens(int bridge)
{
	listens[bridge] = true;
}

static void cut(struct conn *conn)
{
	world_note_fault(FAULT_LINK_CUT, "");
	close_by_bridge(conn, world_delay(500));
	conn->gone_ms = world.now_ms + world_delay(2000);
	conn->bridge_has = true;
}

static void mute(struct conn *conn)
{
	world_note_fault(FAULT_LINK_HALF_OPEN, "");
	conn->is_mute = true;
	conn->lost_ms = world.now_ms + HALF_OPEN_MS;
	conn->gone_ms = world.now_ms + 2 * HALF_OPEN_MS;
}

/* The bridge sees another peer from here on; the first frame of what it gets by it, it may have seen. */
static void renew_silently(struct conn *conn)
{
	uint8_t old[PEER_SIZE];

	world_note_fault(FAULT_LINK_SILENT, "");
	memcpy(old, conn->peer, PEER_SIZE);
	draw_peer(conn->peer);
	if (conn->up.first != NULL && world_draw(2) == 0) {
		struct frame *first = conn->up.first;
		queue_push(&conn->up, first->bytes, first->size);
	}
	queue_cut(&conn->down, 0);
}

void net_disturb(void)
{
	struct conn *living[CONNS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < conn_count; i++) {
		if (conns[i]->link != NULL && conns[i]->is_connected && !conns[i]->is_mute) {
			living[count++] = conns[i];
		}
	}
	if (count == 0) {
		return;
	}
	struct conn *conn = living[world_draw(count)];
	switch (world_draw(3)) {
	case 0:
		cut(conn);
		break;
	case 1:
		mute(conn);
		break;
	default:
		renew_silently(conn);
		break;
	}
}
