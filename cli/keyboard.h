/* keyboard.h - single keys, a window that changes its size, and signals to stop: what a picture on a terminal waits for. The
 * loop must have been made before, which blocks the signals. One a process. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

enum keyboard_event {
	KEYBOARD_TIMEOUT,
	KEYBOARD_KEY,
	KEYBOARD_RESIZED,
	KEYBOARD_STOPPED, /* by a signal */
};

struct keyboard {
	int signals; /* a signalfd; -1: none */
	bool has_keys; /* stdin is a terminal, and tells each key at once */
	struct termios before;
};

/* 0 or -errno; close it all the same, which gives the terminal back as it was. */
int keyboard_open(struct keyboard *keyboard);
void keyboard_close(struct keyboard *keyboard);
/* Waits at most so long. *ret_key: of KEYBOARD_KEY. */
enum keyboard_event keyboard_wait(struct keyboard *keyboard, int64_t wait_ms, char *ret_key);
