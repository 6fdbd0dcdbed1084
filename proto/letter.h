/* letter.h - dead letters as they lie in Kafka: what one says, which are meant, where one lies, and what is sent when it is
 * replayed. Pure. */
#pragma once
#include "proto/dead_letter.h"
#include "proto/pairs.h"
#include "proto/topic.h"
#include "proto/topic_record.h"

struct letter_filter {
	const char *code; /* NULL: any */
	const char *edge; /* NULL: any */
};

/* What its headers say; 0 or a reason > 0 with the complaint. */
int letter_of_record(const struct topic_record *record, struct dead_letter *ret_letter,
	struct complaint *complaint);
bool letter_is_meant(const struct letter_filter *filter, const struct dead_letter *letter);

/* Where a letter lies: "orders.dlq/3/1200". */
struct letter_place {
	char topic[TOPIC_NAME_SIZE];
	int32_t partition;
	int64_t offset;
};
enum { LETTER_PLACE_SIZE = TOPIC_NAME_SIZE + 40 };
bool letter_place_parse(const char *text, struct letter_place *ret_place);
const char *letter_place_format(const struct letter_place *place, char text[LETTER_PLACE_SIZE]);

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
