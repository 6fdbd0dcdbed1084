/* disk_look.h - looks for one event in an edge's data directory, whether the edge runs or not. */
#pragma once
#include "proto/event.h"

enum disk_place {
	DISK_PLACE_NONE, /* it is not there: it never was, or it was acknowledged */
	DISK_PLACE_WAITING,
	DISK_PLACE_DAMAGED, /* its block is damaged */
};

/* -1 to go on, else the exit code, the reason said in the name of `command`. */
int disk_look(const char *command, const char *folder, const struct certificate *event,
	enum disk_place *ret_place);
