/* Libmicrohttpd without a thread: its epoll fd is one source of the loop, MHD_run does what is ready, and
 * MHD_get_timeout says when it has more to do without an event (connections it has not finished with). */
#include "runtime/http_internal.h"
#include "runtime/loop.h"
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	RUNS_A_ROUND = 4, /* each reads one buffer of every connection that has more */
	/* After so much of bodies the others on the loop have their turn: a fraction of a millisecond. */
	ROUND_SIZE = 512 * 1024,
	/* Above the limit of connections: those that are being ended to make room. Libmicrohttpd takes 10 in a run. */
	ENDING_MAX = 16,
	RUNS_AT_END = 16, /* answers that wait for their sending are small */
	DAEMON_OPTIONS_MAX = 8,
};

/* ---- libmicrohttpd's callbacks */

static enum MHD_Result on_accept(void *owner, const struct sockaddr *address, socklen_t size)
{
	struct http_server *server = owner;
	(void)size;

	if (connection_may_open(server, address)) {
		connections_make_room(server);
		return MHD_YES;
	}
	server->counts.refused++;
	return MHD_NO;
}

static void on_connection(void *owner, struct MHD_Connection *mhd, void **connection,
	enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*connection = connection_open(owner, mhd);
	} else {
		*connection = connection_close(*connection);
	}
}

static enum MHD_Result on_request(void *owner, struct MHD_Connection *mhd, const char *path,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **request)
{
	const struct request_step step = {method, path, upload, upload_size};
	(void)owner;
	(void)version;
	return (enum MHD_Result)request_step(connection_of(mhd), &step, request);
}

static void on_completed(void *owner, struct MHD_Connection *mhd, void **request,
	enum MHD_RequestTerminationCode code)
{
	(void)owner;
	(void)mhd;
	if (*request != NULL) {
		request_free(*request, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
		*request = NULL;
	}
}

/* ---- the loop's */

/* Whether there are fewer connections after it than before. */
static bool makes_room(struct http_server *server)
{
	(void)MHD_run(server->daemon);
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
	unsigned before = server->connection_count;
	server->connection_count = info != NULL ? info->num_connections : 0;
	return server->connection_count < before;
}

/* At its limit of connections, or out of file descriptors, libmicrohttpd stops listening. It starts again at the
 * beginning of the run after the one that made room: without events nobody would call that one. */
static void run_daemon(struct http_server *server)
{
	server->has_resumed = false;
	while (makes_room(server)) {
	}
}

static int on_readable(void *owner)
{
	run_daemon(owner);
	return 0;
}

/* false: libmicrohttpd waits for an event. */
static bool has_more(const struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;
	return server->has_resumed ||
	       (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES && wait_ms == 0);
}

/* What is left is for the next round. */
static void run_round(struct http_server *server)
{
	for (int i = 0; i < RUNS_A_ROUND && server->read_size < ROUND_SIZE; i++) {
		if (!has_more(server)) {
			break;
		}
		run_daemon(server);
	}
	server->read_size = 0;
}

static void run_to_end(struct http_server *server)
{
	for (int i = 0; i < RUNS_AT_END && has_more(server); i++) {
		run_daemon(server);
	}
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct http_server *server = owner;

	int64_t wait_ms = connections_expire(server, now_ms);
	run_round(server);
	if (has_more(server)) {
		*ret_wait_ms = 0;
	} else if (wait_ms >= 0) {
		*ret_wait_ms = wait_ms;
	}
	return 0;
}

/* ---- making */

struct daemon_options {
	struct MHD_OptionItem items[DAEMON_OPTIONS_MAX];
	size_t count;
};

static void add_option(
	struct daemon_options *options, enum MHD_OPTION option, intptr_t value, void *pointer)
{
	assert(options->count < DAEMON_OPTIONS_MAX - 1);
	options->items[options->count++] = (struct MHD_OptionItem){option, value, pointer};
	options->items[options->count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

static void add_tls(struct daemon_options *options, const struct http_tls *tls)
{
	add_option(options, MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)http_tls_cert(tls));
	add_option(options, MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)http_tls_key(tls));
	add_option(
		options, MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)http_tls_priorities());
	if (http_tls_client_ca(tls) != NULL) {
		add_option(options, MHD_OPTION_HTTPS_MEM_TRUST, 0,
			(void *)(uintptr_t)http_tls_client_ca(tls));
	}
}

/* From here on the listening socket is libmicrohttpd's. */
static int start_daemon_take(struct http_server *server, int fd)
{
	struct daemon_options options = {.count = 0};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;

	add_option(&options, MHD_OPTION_LISTEN_SOCKET, fd, NULL);
	add_option(&options, MHD_OPTION_CONNECTION_LIMIT,
		(intptr_t)server->options.connections_max + ENDING_MAX, NULL);
	add_option(&options, MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_CONNECTION_MEMORY, NULL);
	if (server->tls != NULL) {
		flags |= MHD_USE_TLS;
		add_tls(&options, server->tls);
	}
	server->daemon = MHD_start_daemon(flags, 0, on_accept, server, on_request, server,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, server, MHD_OPTION_ARRAY, options.items, MHD_OPTION_END);
	if (server->daemon == NULL) {
		close(fd);
		return -ENOMEM;
	}
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL) {
		return -EIO;
	}
	server->epoll_fd = info->epoll_fd;
	return 0;
}

static int fail(struct http_server_error *error, const char *what, const char *address, int r)
{
	snprintf(error->text, sizeof error->text, "%s %s: %s", what, address, strerror(-r));
	return r;
}

static int start(struct http_server *server, struct http_server_error *error)
{
	const struct http_server_options *options = &server->options;
	int fd = -1;

	int r = options->tls != NULL ? http_tls_load(options->tls, &server->tls, error) : 0;
	if (r < 0) {
		return r;
	}
	r = listener_open(options->listen, &fd, server->address);
	if (r < 0) {
		return fail(error, "can't listen at", options->listen, r);
	}
	r = start_daemon_take(server, fd);
	if (r == 0) {
		r = loop_add_fd(options->loop, server->epoll_fd, on_readable, server);
	}
	if (r == 0) {
		r = loop_add_tick(options->loop, on_tick, server);
	}
	return r < 0 ? fail(error, "can't serve HTTP at", options->listen, r) : 0;
}

int http_server_new(const struct http_server_options *options, struct http_server **ret_server,
	struct http_server_error *error)
{
	assert(options->loop != NULL);
	assert(options->request_ms_max > 0);
	struct http_server *server = calloc(1, sizeof *server);
	if (server == NULL) {
		return fail(error, "can't serve HTTP at", options->listen, -ENOMEM);
	}
	server->options = *options;
	server->epoll_fd = -1;
	LIST_INIT(&server->connections);
	TAILQ_INIT(&server->deadlines);
	int r = start(server, error);
	if (r < 0) {
		http_server_free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

struct http_server *http_server_free(struct http_server *server)
{
	if (server == NULL) {
		return NULL;
	}
	loop_remove_tick(server->options.loop, on_tick, server);
	loop_remove_fd(server->options.loop, server->epoll_fd);
	if (server->daemon != NULL) {
		http_server_quiesce(server);
		requests_drop(server);
		run_to_end(server);
		MHD_stop_daemon(server->daemon);
	}
	http_tls_free(server->tls);
	free(server);
	return NULL;
}

void http_server_quiesce(struct http_server *server)
{
	if (server->is_quiescing) {
		return;
	}
	server->is_quiescing = true;
	int fd = MHD_quiesce_daemon(server->daemon);
	if (fd >= 0) {
		close(fd);
	}
}

const char *http_server_address(const struct http_server *server)
{
	return server->address;
}

struct http_server_counts http_server_counts(const struct http_server *server)
{
	return server->counts;
}
