/* rim_question.h - asks a simulated aggregator, as a REQ socket would. */
#pragma once
#include "proto/buffer.h"

/* The next round takes the question; the reply is appended when it comes. Both are borrowed until then; NULL takes them back. */
void rim_question_put(const char *text, struct buffer *reply);
/* No reply yet. */
bool rim_question_is_open(void);
