/* rim_loop.h - the loop of a simulated process: it keeps the handlers, and loop_run makes one round. */
#pragma once
#include "runtime/loop.h"

/* The one that was made last: by the program that was just made. */
struct loop *rim_loop_newest(void);
/* What SIGTERM does. 0 or a negative errno. */
int rim_loop_terminate(struct loop *loop);
bool rim_loop_is_stopped(const struct loop *loop);
