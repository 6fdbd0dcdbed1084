/* event_text.h - an event or a dead letter as a part of a line for people. Pure. */
#pragma once
#include "proto/buffer.h"
#include "proto/dead_letter.h"

/* "order  berlin 4711:17  2026-11-21T12:00:01.123Z  85123A x 6 @ 2.55 = 15.30 GBP  order 536365  user 17850"; a marker:
 * "order  berlin 4711:17  rejected: bad_value". */
void event_text_append(struct buffer *buffer, const struct event *event);
/* "order.dlq  berlin 4711:1  bad_value: …  (187 bytes)" */
void event_text_append_letter(struct buffer *buffer, const struct dead_letter *letter);
/* printf; control characters, which would do things to a terminal, become '?'. */
void event_text_format(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
