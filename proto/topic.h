/* topic.h - Kafka's topics, one a kind: three are configured, and dead letters lie in the same name with .dlq. Pure. */
#pragma once
#include "proto/event.h"

enum { TOPIC_NAME_SIZE = 249 + 1 /* Kafka's limit */ };

/* 1 to 249 letters, digits, dots, underscores and hyphens, and not "." or "..". */
bool topic_name_is_valid(const char *name);

/* All topics by kind. 0, or REASON_BAD_VALUE with a sentence that begins with the option's key. */
int topic_names_fill(const char *const given[KIND_EVENT_COUNT],
	char ret_names[KIND_COUNT][TOPIC_NAME_SIZE], struct complaint *complaint);
