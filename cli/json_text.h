/* json_text.h - decoded values as JSON: indented for people, or on one line. Pure; nothing recurses. */
#pragma once
#include "proto/buffer.h"
#include "proto/document.h"

/* Two spaces a level; empty containers and maps within arrays stay on their line. The buffer's error tells of failure. */
void json_text_pretty(const struct node *root, enum encoding encoding, struct buffer *buffer);
/* One value without white space, as writer.h writes it. */
void json_text_plain(const struct node *root, enum encoding encoding, struct buffer *buffer);
