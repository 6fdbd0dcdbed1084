/* The edge's link to a bridge, over the modelled net. */
#include "edge/link.h"
#include "tests/sim/edge_part.h"
#include "tests/sim/net.h"
#include "tests/sim/wire_note.h"
#include <errno.h>
#include <stdlib.h>

struct link {
	struct link_options options;
	int edge;
};

int link_new(const struct link_options *options, struct link **ret_link)
{
	struct link *link = calloc(1, sizeof *link);

	if (link == NULL) {
		return -ENOMEM;
	}
	link->options = *options;
	link->edge = edge_part_current();
	*ret_link = link;
	return 0;
}

struct link *link_free(struct link *link)
{
	if (link != NULL) {
		link_close(link);
		free(link);
	}
	return NULL;
}

/* Endpoints are "0", "1", … */
int link_open(struct link *link, const char *endpoint, uint32_t bridge)
{
	(void)bridge;
	net_open(link->edge, link, endpoint[0] - '0');
	return 0;
}

void link_close(struct link *link)
{
	net_close(link);
}

int link_send(struct link *link, const struct iovec *frame)
{
	int sent = net_send_up(link, frame->iov_base, frame->iov_len);

	wire_note(link->edge, sent == 0 ? "says" : "can't say", frame->iov_base, frame->iov_len);
	switch (sent) {
	case NET_E_AGAIN:
		return LINK_E_AGAIN;
	case NET_E_UNREACHABLE:
		return -ENOTCONN;
	default:
		return 0;
	}
}

/* Somebody changes keys, and changes them back. */
static enum link_end draw_end(void)
{
	static const enum link_end ends[] = {LINK_NO_HANDSHAKE, LINK_KEY_REFUSED};
	return world_fails(FAULT_KEY_REFUSED, 50000) ? ends[world_draw(2)] : LINK_LOST;
}

int edge_part_hear(struct edge_part *part, const struct net_event *event)
{
	const struct link_options *options = &((struct link *)event->link)->options;

	edge_part_select(part);
	switch (event->news) {
	case NET_CONNECTED:
		return options->connected(options->owner);
	case NET_DISCONNECTED:
		return options->disconnected(options->owner, draw_end());
	default:
		wire_note(edge_part_current(), "hears", event->bytes, event->size);
		return options->frame(options->owner, slice_of(event->bytes, event->size));
	}
}
