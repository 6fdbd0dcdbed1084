/* net.h - links between edges and bridges as ZeroMQ gives them: frames of one connection come whole and in order or not
 * at all; of two connections nothing is promised. A connection ends for each side by itself, at a time of its own, and what
 * was under way when one side ended it may still come. One thread. */
#pragma once
#include "tests/sim/world.h"

enum { PEER_SIZE = 5, NET_FRAME_MAX = 300 * 1024 };

enum { NET_E_AGAIN = 1, NET_E_UNREACHABLE };

/* What an edge hears of one of its links. */
enum net_news { NET_CONNECTED, NET_DISCONNECTED, NET_FRAME };
struct net_event {
	int edge;
	void *link; /* as given to net_open */
	enum net_news news;
	const uint8_t *bytes; /* until the next call */
	size_t size;
};

void net_begin(void);
void net_end(void);

/* A new connection of this link; the one before is closed. `name` is the edge's id. */
void net_open(int edge, void *link, int bridge);
void net_close(const void *link);
/* 0, NET_E_AGAIN, NET_E_UNREACHABLE. */
int net_send_up(const void *link, const void *bytes, size_t size);
int net_send_down(int bridge, const uint8_t peer[PEER_SIZE], const void *bytes, size_t size);
/* The next frame for this bridge that has arrived. false: none. Bytes are borrowed until the next call. */
bool net_receive(
	int bridge, uint8_t ret_peer[PEER_SIZE], const uint8_t **ret_bytes, size_t *ret_size);
/* The next thing that an edge is to hear. false: nothing for now. */
bool net_next_event(struct net_event *ret_event);
/* Which edge is, or was, behind this peer; -1: nobody knows. */
int net_edge_of(const uint8_t peer[PEER_SIZE]);
/* The peer of an edge's newest living connection to this bridge; NULL: there is none. */
const uint8_t *net_peer_of(int bridge, int edge);

/* A process is gone, with its sockets. */
void net_edge_died(int edge);
void net_bridge_died(int bridge);
void net_bridge_listens(int bridge);
/* One of the faults of links, if there is a link. */
void net_disturb(void);
