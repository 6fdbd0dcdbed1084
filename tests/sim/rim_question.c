/* The rim of a simulated aggregator: the ROUTER of its server, at which one question is asked at a time, the directories of
 * its store, and the look at a file. */
#include "tests/sim/rim_question.h"
#include "aggregator/store/data_dir.h"
#include "aggregator/store/store_layout.h"
#include "runtime/file_birth.h"
#include "runtime/program.h"
#include "runtime/socket.h"
#include "tests/sim/mdb_model.h"
#include "tests/sim/rim_live.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
	const char *text; /* NULL: nobody asks */
	struct buffer *reply; /* NULL: nobody waits for one */
} asked;

void rim_question_put(const char *text, struct buffer *reply)
{
	asked.text = text;
	asked.reply = reply;
}

bool rim_question_is_open(void)
{
	return asked.reply != NULL;
}

struct socket {
	enum socket_type type;
	bool is_subscribed; /* an XPUB's: it was told who listens */
};

static struct {
	const char *topic; /* NULL: nobody listens */
	rim_live_fn hear;
	char subscription[80];
} listener;

void rim_live_listen(const char *topic, rim_live_fn hear)
{
	listener.topic = topic;
	listener.hear = hear;
}

int socket_new(struct context *context, enum socket_type type, const struct socket_options *options,
	struct socket **ret_socket)
{
	struct socket *socket = calloc(1, sizeof *socket);

	(void)context, (void)options;
	if (socket == NULL) {
		return -ENOMEM;
	}
	socket->type = type;
	*ret_socket = socket;
	return 0;
}

struct socket *socket_free(struct socket *socket)
{
	free(socket);
	return NULL;
}

int socket_bind(struct socket *socket, const char *endpoint, char ret_endpoint[ENDPOINT_SIZE])
{
	(void)socket;
	snprintf(ret_endpoint, ENDPOINT_SIZE, "%s", endpoint);
	return 0;
}

/* One, with the topic's NUL behind it, at a new socket. */
static int receive_subscription(struct socket *socket, struct message *message)
{
	if (listener.topic == NULL || socket->is_subscribed) {
		return SOCKET_E_AGAIN;
	}
	socket->is_subscribed = true;
	snprintf(listener.subscription, sizeof listener.subscription, "\1%s", listener.topic);
	message->frame_count = 1;
	message->user_id[0] = '\0';
	message->frames[0] =
		(struct iovec){listener.subscription, strlen(listener.subscription) + 1};
	return 0;
}

int socket_receive(struct socket *socket, struct message *message)
{
	if (socket->type == SOCKET_XPUB) {
		return receive_subscription(socket, message);
	}
	if (asked.text == NULL) {
		return SOCKET_E_AGAIN;
	}
	message->frame_count = 2;
	message->user_id[0] = '\0';
	message->frames[0] = (struct iovec){(void *)(uintptr_t) "asker", 5};
	message->frames[1] = (struct iovec){(void *)(uintptr_t)asked.text, strlen(asked.text)};
	asked.text = NULL;
	return 0;
}

void message_clear(struct message *message)
{
	*message = (struct message){0};
}

int socket_send(struct socket *socket, const struct iovec *frames, size_t frame_count)
{
	const struct iovec *last = &frames[frame_count - 1];

	(void)socket;
	if (asked.reply == NULL) {
		return SOCKET_E_UNREACHABLE;
	}
	buffer_append(asked.reply, last->iov_base, last->iov_len);
	asked.reply = NULL;
	return 0;
}

int socket_publish(struct socket *socket, const struct iovec *frames, size_t frame_count)
{
	(void)socket, (void)frame_count;
	if (listener.topic != NULL) {
		listener.hear(slice_of(frames[0].iov_base, frames[0].iov_len - 1),
			slice_of(frames[1].iov_base, frames[1].iov_len));
	}
	return 0;
}

int message_connection(const struct message *message)
{
	(void)message;
	return -1;
}

/* Nobody comes or goes: who listens does so over all sockets. */
int socket_monitor(struct socket *socket, struct socket **ret_monitor)
{
	(void)socket;
	*ret_monitor = calloc(1, sizeof **ret_monitor);
	return *ret_monitor == NULL ? -ENOMEM : 0;
}

int socket_monitor_next(struct socket *monitor, enum socket_event *ret_event)
{
	(void)monitor, (void)ret_event;
	return SOCKET_E_AGAIN;
}

const char *program_version(void)
{
	return "simulated";
}

int program_check_endpoints(
	const char *key, const char *endpoints, bool safe, struct config_error *error)
{
	(void)key, (void)endpoints, (void)safe, (void)error;
	return 0;
}

int data_dir_make(const char *path, bool may_create)
{
	(void)path, (void)may_create;
	return 0;
}

int data_dir_lock(const char *lock_path, int *ret_fd)
{
	(void)lock_path;
	*ret_fd = -1;
	return 0;
}

int file_birth(const char *dir, unsigned mode)
{
	(void)dir;
	(void)mode;
	return 0;
}

/* There is no machine that goes on: each start looks. */
int look_note_init(struct look_note *note, const char *dir)
{
	*note = (struct look_note){.dir = strdup(dir)};
	return note->dir == NULL ? -ENOMEM : 0;
}

void look_note_deinit(struct look_note *note)
{
	free(note->dir);
}

bool look_note_rely(struct look_note *note)
{
	(void)note;
	return false;
}

bool look_note_holds(const struct look_note *note)
{
	(void)note;
	return false;
}

void look_note_write(const struct look_note *note, bool is_closed)
{
	(void)note;
	(void)is_closed;
}

void look_note_remove(const struct look_note *note)
{
	(void)note;
}

int store_look(const char *dir, uint64_t *ret_damaged_views)
{
	*ret_damaged_views = 0;
	return mdb_model_has(dir) ? 0 : STORE_E_ABSENT;
}
