/* rim_live.h - the XPUB of a simulated aggregator. One thread. */
#pragma once
#include "proto/slice.h"

/* Takes a message that is published; `topic` without its NUL. Borrowed. NULL: nobody listens. */
typedef void (*rim_live_fn)(struct slice topic, struct slice payload);
/* Who subscribes to this topic, again at each new socket. */
void rim_live_listen(const char *topic, rim_live_fn hear);
