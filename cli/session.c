#include "cli/session.h"

#include "runtime/program.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The terminal is gone. A command that has more to end than its loop sets a handler of its own. */
static int on_hangup(void *owner)
{
	struct session *session = owner;

	loop_stop(session->loop);
	return 0;
}

int session_open(struct session *session)
{
	*session = (struct session){.loop = NULL};
	int r = loop_new(&session->loop);
	if (r < 0) {
		return r;
	}
	loop_on_hangup(session->loop, on_hangup, session);
	return context_new(&session->context);
}

void session_close(struct session *session)
{
	client_keys_forget(&session->keys);
	session->context = context_free(session->context);
	session->loop = loop_free(session->loop);
}

int session_read_keys(struct session *session, const char *command, const struct key_files *files)
{
	const char *own = files->own != NULL ? files->own : getenv("TILL_KEY");
	const char *server = files->server != NULL ? files->server : getenv("TILL_SERVER_KEY");
	struct config_error error;

	if (own == NULL && server == NULL) {
		return -1;
	}
	if (own == NULL || server == NULL) {
		say(command, "%s is missing: a server that asks for keys is spoken to with both",
			own == NULL ? "--key (or TILL_KEY)" : "--server-key (or TILL_SERVER_KEY)");
		return EXIT_USAGE;
	}
	if (client_keys_read(own, server, &session->keys, &error) < 0) {
		say(command, "%s", error.text);
		return EXIT_USAGE;
	}
	session->has_keys = true;
	return -1;
}

const struct client_keys *session_keys(const struct session *session)
{
	return session->has_keys ? &session->keys : NULL;
}

void say(const char *command, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fprintf(stderr, "%s: ", command);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

const char *endpoint_complete(const char *text, char out[ENDPOINT_SIZE])
{
	if (is_address(text)) {
		return text;
	}
	snprintf(out, ENDPOINT_SIZE, "tcp://%.240s", text);
	return out;
}

bool is_address(const char *text)
{
	return strstr(text, "://") != NULL;
}

int say_no_view(const char *command, const char *endpoint)
{
	say(command, "the view is missing behind %s", endpoint);
	return EXIT_USAGE;
}

int say_no_address(const char *command, const char *endpoint, int r, const char *like)
{
	if (r == -EPROTONOSUPPORT) { /* the rest may hold a password */
		say(command, "there is no transport \"%.*s\"; an address looks like %s",
			(int)strcspn(endpoint, ":"), endpoint, like);
	} else {
		say(command, "\"%s\" is no ZeroMQ address; it looks like %s", endpoint, like);
	}
	return EXIT_USAGE;
}

int say_no_answer(
	const char *command, const char *endpoint, int r, const struct answer_view *answer)
{
	switch (r) {
	case 0:
		say(command, "%.*s: %.*s", (int)answer->error_code.size,
			(const char *)answer->error_code.bytes, (int)answer->error_message.size,
			(const char *)answer->error_message.bytes);
		return EXIT_FAILED;
	case QUERY_E_TIMEOUT:
		say(command, "could not reach %s: is the aggregator running?", endpoint);
		return EXIT_NOT_REACHED;
	case QUERY_E_KEY_REFUSED:
		say(command, "%s: %s", endpoint, client_refusal_words(CLIENT_KEY_REFUSED));
		return EXIT_FAILED;
	case QUERY_E_NO_HANDSHAKE:
		say(command, "%s: %s", endpoint, client_refusal_words(CLIENT_NO_HANDSHAKE));
		return EXIT_FAILED;
	case QUERY_E_MALFORMED:
		say(command, "%s sent something that is no answer: is it an aggregator?", endpoint);
		return EXIT_FAILED;
	case QUERY_E_INTERRUPTED:
		return EXIT_FAILED;
	case -EPROTONOSUPPORT:
	case -EINVAL:
		return say_no_address(command, endpoint, r, AGGREGATOR_DEFAULT);
	case -EMSGSIZE:
		say(command, "the request is larger than 64 KiB");
		return EXIT_FAILED;
	default:
		say(command, "%s: %s", endpoint, strerror(-r));
		return EXIT_FAILED;
	}
}
