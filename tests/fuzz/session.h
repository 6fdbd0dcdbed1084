/* session.h - what goes on between an edge and a bridge, as a script (script.h). */
#pragma once
#include "tests/fuzz/script.h"

enum session_act {
	SESSION_FRAME, /* as it is */
	SESSION_FITTING, /* with session and number mended, so that they are the ones that are expected */
	SESSION_TIME, /* u8: passes, in tenths of a second */
	SESSION_ACTS, /* what follows is each target's own */
};
