/* letter.h - a dead letter as Kafka carries it: its headers as text. Pure. */
#pragma once
#include "proto/dead_letter.h"

struct letter_header {
	const char *name; /* static */
	struct slice value; /* borrowed from the letter or from the struct around */
};

struct letter_headers {
	struct letter_header items[DLQ_HEADER_COUNT];
	size_t count;
	char run[24], seq[24], received_ms[24];
};

/* `topic` is the one the event was meant for. run and seq are left out when the certificate could not be read. The
 * struct must stay where it is. */
void letter_headers_fill(
	struct letter_headers *headers, const struct dead_letter *letter, const char *topic);
