/* terminal.h - what differs between a terminal and a pipe: a line that is redrawn, a screen that is cleared. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* A progress line on stderr, redrawn in place; silent where stderr is no terminal. Zero-initialise. */
struct progress {
	bool drawn;
	int64_t drawn_ms;
};

bool terminal_is_out(void); /* stdout */
bool terminal_is_error(void); /* stderr */
int terminal_width(void); /* columns of stdout or stderr; 80 when unknown */
int terminal_height(void); /* lines of stdout; 24 when unknown */
/* Clears the screen and moves to its top, on stdout. */
void terminal_clear(void);

/* Is it time to draw again (every 100 ms)? Always false where stderr is no terminal. */
bool progress_is_due(const struct progress *progress, int64_t now_ms);
/* `share` 0 … 1 draws a bar; a negative one leaves it out (nobody knows how much there is). */
void progress_draw(struct progress *progress, int64_t now_ms, double share, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Wipes the line, so that messages stand alone. */
void progress_clear(struct progress *progress);
