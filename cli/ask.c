#include "cli/ask.h"

#include "runtime/program.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

int ask_open(struct ask *ask, const struct ask_options *options)
{
	*ask = (struct ask){.command = options->command};
	ask->endpoint = endpoint_complete(options->endpoint, ask->endpoint_text);
	int r = session_open(&ask->session);
	if (r == 0) {
		int code = session_read_keys(&ask->session, options->command, &options->keys);
		if (code >= 0) {
			return code;
		}
		struct query_client_options client = {.context = ask->session.context,
			.loop = ask->session.loop,
			.endpoint = ask->endpoint,
			.keys = session_keys(&ask->session),
			.timeout_ms = options->timeout_ms,
			.retry_after_ms = options->retry_after_ms};
		r = query_client_new(&client, &ask->client);
	}
	if (r != 0) {
		say(options->command, "%s", strerror(-r));
		return EXIT_FAILED;
	}
	return -1;
}

void ask_close(struct ask *ask)
{
	ask->client = query_client_free(ask->client);
	session_close(&ask->session);
}

int ask_question(struct ask *ask, struct slice request, struct answer_view *ret_answer)
{
	struct answer_view answer = {.ok = false};

	int r = query_client_ask(ask->client, request, &answer);
	if (r != 0 || !answer.ok) {
		return say_no_answer(ask->command, ask->endpoint, r, &answer);
	}
	*ret_answer = answer;
	return -1;
}

int ask_text(struct ask *ask, const char *request, struct answer_view *ret_answer)
{
	return ask_question(ask, slice_of_text(request), ret_answer);
}

/* The loop has blocked these signals, so they can be waited for. */
bool ask_sleep(int64_t wait_ms)
{
	struct timespec timeout = {wait_ms / 1000, (wait_ms % 1000) * 1000000};
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	int number;
	do {
		number = sigtimedwait(&signals, NULL, &timeout);
	} while (number < 0 && errno == EINTR);
	return number < 0;
}
