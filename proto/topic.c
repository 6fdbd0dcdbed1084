#include "proto/topic.h"
#include <stdio.h>

static const char suffix[] = ".dlq";
enum { GIVEN_SIZE_MAX = TOPIC_NAME_SIZE - sizeof suffix };

bool topic_name_is_valid(const char *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t size = strlen(name);

	return size > 0 && size < TOPIC_NAME_SIZE && strspn(name, allowed) == size &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool is_among(char names[][TOPIC_NAME_SIZE], int count, const char *name)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

int topic_names_fill(const char *const given[KIND_EVENT_COUNT],
	char ret_names[KIND_COUNT][TOPIC_NAME_SIZE], struct complaint *complaint)
{
	char names[KIND_COUNT][TOPIC_NAME_SIZE];

	for (int kind = 0; kind < KIND_COUNT; kind++) {
		const char *name = given[kind % KIND_EVENT_COUNT];
		if (name == NULL || name[0] == '\0' || strlen(name) > GIVEN_SIZE_MAX) {
			complaint_set(complaint, REASON_BAD_VALUE, "",
				"topic.%s: a topic's name has 1 to %d bytes",
				kind_name((enum kind)kind), GIVEN_SIZE_MAX);
			return REASON_BAD_VALUE;
		}
		snprintf(names[kind], TOPIC_NAME_SIZE, "%s%s", name,
			kind_is_dead_letter((enum kind)kind) ? suffix : "");
		if (is_among(names, kind, names[kind])) {
			complaint_set(complaint, REASON_BAD_VALUE, "",
				"topic.*: \"%s\" is the topic of two kinds", names[kind]);
			return REASON_BAD_VALUE;
		}
	}
	memcpy(ret_names, names, sizeof names);
	return 0;
}
