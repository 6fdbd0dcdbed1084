/* shared_text.h - bytes that are made once and sent to many: they live until the last of their holders lets go. One thread. */
#pragma once
#include "proto/slice.h"

struct shared_text {
	unsigned holders;
	size_t size;
	uint8_t bytes[];
};

/* A copy, held once; NULL without memory. */
struct shared_text *shared_text_new(struct slice bytes);
struct shared_text *shared_text_hold(struct shared_text *text);
/* Takes NULL, returns NULL. */
struct shared_text *shared_text_release(struct shared_text *text);
