/* live.h - the topics and messages of the live socket (PROTOCOL.md, 6.7). Pure. */
#pragma once
#include "proto/document.h"
#include "proto/limits.h"

enum live_type { LIVE_HELLO, LIVE_ROWS, LIVE_IDLE, LIVE_RESET, LIVE_ERROR };
const char *live_type_name(enum live_type type);

/* "j/products\0": one view in one encoding. */
struct live_topic {
	enum encoding encoding;
	struct slice view;
};

/* The name has at most VIEW_NAME_SIZE_MAX bytes. Returns the topic's size. */
size_t live_topic_write(const struct live_topic *topic, uint8_t ret_bytes[LIVE_TOPIC_SIZE_MAX]);
/* false when this is no whole topic. The view is borrowed from the bytes. */
bool live_topic_read(struct slice bytes, struct live_topic *ret_topic);

/* A payload as received; borrowed from its document. */
struct live_message {
	enum live_type type;
	struct slice stream;
	uint64_t n;
	const struct node *rows; /* arrays, of LIVE_ROWS */
	const struct node *gone;
	const struct node *as_of;
	struct slice error_code, error_message; /* of LIVE_ERROR */
};

enum { LIVE_E_MALFORMED = 1 };
/* 0 or LIVE_E_MALFORMED; a type that a later version may have is malformed, too. */
int live_message_read(const struct node *root, struct live_message *ret_message);
