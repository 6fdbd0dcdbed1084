/* letter_filter.h - which dead letters are meant, and what is sent when one is replayed. Pure. */
#pragma once
#include "cli/topic_reader_kafka.h"
#include "proto/buffer.h"
#include "proto/dead_letter.h"
#include "proto/pairs.h"

struct letter_filter {
	const char *code; /* NULL: any */
	const char *edge; /* NULL: any */
};

bool letter_is_meant(const struct letter_filter *filter, const struct dead_letter *letter);

/* Where a letter lies: "orders.dlq/3/1200". */
struct letter_place {
	char topic[TOPIC_NAME_SIZE];
	int32_t partition;
	int64_t offset;
};
bool letter_place_parse(const char *text, struct letter_place *ret_place);

enum {
	LETTER_E_UNREADABLE =
		1, /* its bytes are no map, or were cut: it can't be sent as an event */
	LETTER_E_NAME, /* its place is too long for an event_id */
};

/* The letter's event again: its own encoding, event_id = "dlq:<topic>/<partition>/<offset>" in place of its own, what
 * `set` says in place of what it had, and without the certificate that the bridge saw. 0, LETTER_E_*,
 * -ENOMEM, -EMSGSIZE. `document` is scratch. */
int letter_replay(const struct dead_letter *letter, const struct letter_place *place,
	const struct pair_list *set, struct document *document, struct buffer *buffer);
