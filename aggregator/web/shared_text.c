#include "aggregator/web/shared_text.h"
#include <stdlib.h>

struct shared_text *shared_text_new(struct slice bytes)
{
	struct shared_text *text = malloc(sizeof *text + bytes.size);

	if (text != NULL) {
		*text = (struct shared_text){.holders = 1, .size = bytes.size};
		if (bytes.size > 0) {
			memcpy(text->bytes, bytes.bytes, bytes.size);
		}
	}
	return text;
}

struct shared_text *shared_text_hold(struct shared_text *text)
{
	text->holders++;
	return text;
}

struct shared_text *shared_text_release(struct shared_text *text)
{
	if (text != NULL && --text->holders == 0) {
		free(text);
	}
	return NULL;
}
