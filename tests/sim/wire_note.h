/* wire_note.h - a frame between edge and bridge as a line of the trace. */
#pragma once
#include <stddef.h>

/* `who` is the edge, `way` "says" or "hears". Nothing happens unless the run is traced. */
void wire_note(int who, const char *way, const void *bytes, size_t size);
