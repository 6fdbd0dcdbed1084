/* query_replay.h - what the query "replay" wants to be sent again: which dead letters, and what is put right in them. */
#pragma once
#include "proto/letter.h"

enum {
	/* A page of letters, as "letters" gives them: a person looks at what becomes of each. */
	REPLAY_PLACES_MAX = 20,
	REPLAY_FIELDS_MAX = 16,
	/* Kafka is read and the edge is asked within it: longer, and who asked hears that it goes on. */
	REPLAY_TIMEOUT_MS = 30000,
};

struct query_replay {
	uint32_t place_count; /* 0: the query is another */
	struct letter_place places[REPLAY_PLACES_MAX]; /* each once */
	uint32_t set_count;
	struct pair set[REPLAY_FIELDS_MAX]; /* borrowed from the request */
};
