/* input.h - what a file or pipe holds, record by record, as events ready for a frame. Pure: bytes are fed in pieces of
 * any size. A record that can't be read is reported and reading goes on behind it. One thread.
 *
 *	input_feed(input, bytes);
 *	while ((r = input_next(input, &record, &error)) == 0) { … }       then INPUT_E_MORE: feed again, or input_end
 */
#pragma once
#include "proto/mapping.h"

enum input_format { INPUT_CSV, INPUT_NDJSON, INPUT_MSGPACK };

enum {
	INPUT_E_MORE = 1, /* all that was fed is used up */
	INPUT_E_END, /* and nothing more comes */
};

enum record_state {
	RECORD_EVENT,
	RECORD_UNWANTED, /* --where */
	RECORD_INVALID, /* why says what is wrong; never sent */
};

struct input_record {
	uint64_t
		number; /* position in the input, from 1; every record counts, whatever its state */
	uint64_t line; /* of its first character; 0 in msgpack */
	enum record_state state;
	struct slice event; /* RECORD_EVENT: one encoded value, until the next call */
	char why[160];
};

struct input;

/* `mapping` is taken. CSV becomes msgpack; NDJSON stays JSON. */
int input_new_take(enum input_format format, char delimiter, struct mapping *mapping,
	struct input **ret_input);
struct input *input_free(struct input *input);
enum encoding input_encoding(const struct input *input);

int input_feed(struct input *input, struct slice bytes); /* copies; 0 or -ENOMEM */
void input_end(struct input *input);
/* -EINVAL with the error set when the input as a whole can't be used (its columns, broken msgpack). */
int input_next(struct input *input, struct input_record *ret_record, struct pairs_error *error);
