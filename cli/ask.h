/* ask.h - questions to an aggregator from a command: asks, and says on stderr why there is no answer. */
#pragma once
#include "cli/session.h"

struct ask {
	struct session session;
	struct query_client *client;
	const char *command; /* "till top" */
	const char *endpoint; /* complete */
	char endpoint_text[ENDPOINT_SIZE];
};

/* Where queries are answered when nobody says otherwise. */

struct ask_options {
	const char *command; /* "till top" */
	const char *endpoint;
	int64_t timeout_ms;
	int64_t retry_after_ms; /* 0, or more than a question may take */
	struct key_files keys;
};

/* -1 to go on, else the exit code. Close it all the same. */
int ask_open(struct ask *ask, const struct ask_options *options);
void ask_close(struct ask *ask);
/* -1 with an answer that is ok, else the exit code, the reason said. `request` is JSON or msgpack. */
int ask_question(struct ask *ask, struct slice request, struct answer_view *ret_answer);
int ask_text(struct ask *ask, const char *request, struct answer_view *ret_answer);
/* false when a signal came before the time was over. */
bool ask_sleep(int64_t wait_ms);
