/* port.h - a source's place at the desk: its books, and its share of each round. What a source hands in is committed with
 * what the others hand in, and then acknowledged, in order, through `acknowledge` (source.h). One thread. */
#pragma once
#include "edge/submission.h"

struct port;

enum {
	PORT_E_FULL =
		1, /* an unattended submission found no room: hold it; it is not acknowledged */
};

/* This round has room for the source that asks; ask when there is something to hand in. A source that reads on beyond it
 * lets the others wait. */
bool port_takes_more(struct port *port);
/* 0, PORT_E_FULL, or a negative errno that ends the program. Not from within `acknowledge`. */
int port_submit(struct port *port, const struct submission *submission, int64_t wall_ms);
/* A message that is none: refused as bad_frame. NULL: nobody can be told. */
int port_refuse(struct port *port, const struct submission *submission);
/* Its sender asks for more than it may: refused as busy. */
int port_refuse_busy(struct port *port, const struct submission *submission);
/* What earlier runs of this source have marked, in the order of keys. A value of {NULL, 0}: the key is known, its value is
 * damaged. `take` returns 0 or a negative errno that ends the walk; it must not submit. */
int port_each_mark(struct port *port, void *owner,
	int (*take)(void *owner, struct slice key, struct slice value));
