/* edge_watch.h - tells whoever waits at no terminal, once each, that an edge does not answer or asks to wait. */
#pragma once
#include "client/producer.h"

/* Zero-initialise. */
struct edge_watch {
	const char *command; /* "till send" */
	const char *endpoint;
	int64_t up_ms; /* when the edge was last connected; set it to the start */
	bool was_up;
	bool told_away;
	bool told_waiting;
	enum client_refusal told_refusal;
};

/* Is there something new to tell? Then call edge_watch_tell, after whatever else stands on the terminal is cleared. */
bool edge_watch_look(struct edge_watch *watch, const struct producer *producer, int64_t now_ms);
void edge_watch_tell(struct edge_watch *watch, const struct producer *producer);
