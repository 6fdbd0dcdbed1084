/* libmicrohttpd without a thread: its epoll fd is one source of the loop, MHD_run does what is ready, and MHD_get_timeout
 * says when it wants to run without an event (time-outs, and connections it has not finished with). */
#include "runtime/http.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "runtime/process_metrics.h"
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONNECTIONS_MAX = 64, /* scrapers and probes; a console brings its own routes and limits */
	IDLE_SECONDS_MAX = 10,
	CONNECTION_MEMORY = 32 * 1024,
	BACKLOG = 64,
	ADDRESS_SIZE = 128,
};

struct http {
	struct loop *loop;
	struct metrics *metrics;
	int (*ready)(void *owner, FILE *out);
	void *owner;
	struct MHD_Daemon *daemon;
	unsigned connection_count; /* after the last run */
	int epoll_fd;
	char address[ADDRESS_SIZE];
};

struct route {
	const char *path;
	const char *type;
	/* Writes the body, returns the HTTP status. */
	unsigned (*answer)(struct http *http, FILE *out);
};

static unsigned answer_metrics(struct http *http, FILE *out)
{
	if (http->metrics != NULL) {
		metrics_render(http->metrics, out);
	}
	process_metrics_write(out);
	return MHD_HTTP_OK;
}

/* The loop runs, else there would be no answer. */
static unsigned answer_livez(struct http *http, FILE *out)
{
	(void)http;
	fputs("ok\n", out);
	return MHD_HTTP_OK;
}

static unsigned answer_readyz(struct http *http, FILE *out)
{
	if (http->ready == NULL) {
		fputs("ready\n", out);
		return MHD_HTTP_OK;
	}
	return http->ready(http->owner, out) ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static const struct route routes[] = {
	{"/metrics", "text/plain; version=0.0.4; charset=utf-8", answer_metrics},
	{"/livez", "text/plain; charset=utf-8", answer_livez},
	{"/readyz", "text/plain; charset=utf-8", answer_readyz},
};

static const struct route *find_route(const char *path)
{
	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		if (strcmp(routes[i].path, path) == 0) {
			return &routes[i];
		}
	}
	return NULL;
}

/* Takes `body`, which malloc gave. */
static enum MHD_Result reply_take(struct MHD_Connection *connection, unsigned status,
	const char *type, char *body, size_t size)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
	if (response == NULL) {
		free(body);
		return MHD_NO;
	}
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	}
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result reply_words(
	struct MHD_Connection *connection, unsigned status, const char *words)
{
	char *body = strdup(words);
	if (body == NULL) {
		return MHD_NO;
	}
	return reply_take(connection, status, "text/plain; charset=utf-8", body, strlen(body));
}

static enum MHD_Result reply_route(
	struct http *http, struct MHD_Connection *connection, const struct route *route)
{
	char *body = NULL;
	size_t size = 0;

	FILE *out = open_memstream(&body, &size);
	if (out == NULL) {
		return MHD_NO;
	}
	unsigned status = route->answer(http, out);
	if (fclose(out) != 0) {
		free(body);
		return MHD_NO;
	}
	return reply_take(connection, status, route->type, body, size);
}

static enum MHD_Result on_request(void *owner, struct MHD_Connection *connection, const char *path,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **request)
{
	static const char seen[] = "headers seen";
	(void)version;
	(void)upload;

	bool reads = strcmp(method, MHD_HTTP_METHOD_GET) == 0 ||
		     strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	if (!reads) {
		return reply_words(
			connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD here\n");
	}
	if (*request == NULL) { /* first the headers alone; the answer is for the second call */
		*request = (void *)(uintptr_t)seen;
		return MHD_YES;
	}
	if (*upload_size > 0) { /* a GET with a body: read over it */
		*upload_size = 0;
		return MHD_YES;
	}
	const struct route *route = find_route(path);
	if (route == NULL) {
		return reply_words(connection, MHD_HTTP_NOT_FOUND,
			"not found; there is /metrics, /livez and /readyz\n");
	}
	return reply_route(owner, connection, route);
}

/* At its limit of connections, or out of file descriptors, libmicrohttpd stops listening. It starts again at the
 * beginning of the run after the one that made room: without events nobody would call that one. */
static void run_daemon(struct http *http)
{
	(void)MHD_run(http->daemon);
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
	unsigned count = info != NULL ? info->num_connections : 0;
	if (count < http->connection_count) {
		(void)MHD_run(http->daemon);
	}
	http->connection_count = count;
}

static int on_readable(void *owner)
{
	run_daemon(owner);
	return 0;
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct http *http = owner;
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;
	(void)now_ms;

	if (MHD_get_timeout(http->daemon, &wait_ms) != MHD_YES) {
		return 0;
	}
	if (wait_ms == 0) {
		run_daemon(http);
		if (MHD_get_timeout(http->daemon, &wait_ms) != MHD_YES) {
			return 0;
		}
	}
	*ret_wait_ms = wait_ms < INT32_MAX ? (int64_t)wait_ms : INT32_MAX;
	return 0;
}

/* Cuts "127.0.0.1:9170", "[::1]:0", ":9170" or "*:9170" into host ("" is any) and port. */
static int cut_address(const char *address, char host[ADDRESS_SIZE], const char **ret_port)
{
	const char *colon = strrchr(address, ':');
	size_t size = colon != NULL ? (size_t)(colon - address) : 0;

	if (colon == NULL || size >= ADDRESS_SIZE || colon[1] == '\0') {
		return -EINVAL;
	}
	memcpy(host, address, size);
	host[size] = '\0';
	if (size >= 2 && host[0] == '[' && host[size - 1] == ']') {
		memmove(host, host + 1, size - 2);
		host[size - 2] = '\0';
	} else if (strchr(host, ':') != NULL) {
		return -EINVAL; /* IPv6 without brackets: where would the port begin? */
	}
	if (strcmp(host, "*") == 0) {
		host[0] = '\0';
	}
	*ret_port = strcmp(colon + 1, "*") == 0 ? "0" : colon + 1;
	return 0;
}

static int resolve(const char *address, struct addrinfo **ret_info)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	char host[ADDRESS_SIZE];
	const char *port = NULL;

	int r = cut_address(address, host, &port);
	if (r < 0) {
		return r;
	}
	r = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, ret_info);
	if (r == EAI_SYSTEM) {
		return -errno;
	}
	return r == 0 ? 0 : -EADDRNOTAVAIL;
}

static int open_listener(const struct addrinfo *info, int *ret_fd)
{
	int on = 1;

	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		int r = -errno;
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int listen_at(const char *address, int *ret_fd)
{
	struct addrinfo *info = NULL;

	int r = resolve(address, &info);
	if (r < 0) {
		return r;
	}
	r = -EADDRNOTAVAIL;
	for (const struct addrinfo *at = info; at != NULL && r < 0; at = at->ai_next) {
		r = open_listener(at, ret_fd);
	}
	freeaddrinfo(info);
	return r;
}

static int name_address(int fd, char address[ADDRESS_SIZE])
{
	struct sockaddr_storage bound;
	socklen_t size = sizeof bound;
	char host[ADDRESS_SIZE - 16], port[8];

	if (getsockname(fd, (struct sockaddr *)&bound, &size) < 0) {
		return -errno;
	}
	if (getnameinfo((struct sockaddr *)&bound, size, host, sizeof host, port, sizeof port,
		    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		return -EINVAL;
	}
	bool brackets = strchr(host, ':') != NULL;
	snprintf(address, ADDRESS_SIZE, "%s%s%s:%s", brackets ? "[" : "", host, brackets ? "]" : "",
		port);
	return 0;
}

/* From here on the listening socket is libmicrohttpd's. */
static int start_daemon_take(struct http *http, int fd)
{
	http->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, http,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)IDLE_SECONDS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_END);
	if (http->daemon == NULL) {
		return -ENOMEM;
	}
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL) {
		return -EIO;
	}
	http->epoll_fd = info->epoll_fd;
	return 0;
}

static int start(struct http *http, const char *address)
{
	int fd = -1;

	int r = listen_at(address, &fd);
	if (r < 0) {
		return r;
	}
	r = name_address(fd, http->address);
	if (r < 0) {
		close(fd);
		return r;
	}
	r = start_daemon_take(http, fd);
	if (r == 0) {
		r = loop_add_fd(http->loop, http->epoll_fd, on_readable, http);
	}
	return r < 0 ? r : loop_add_tick(http->loop, on_tick, http);
}

int http_new(const struct http_options *options, struct http **ret_http)
{
	assert(options->loop != NULL);
	struct http *http = calloc(1, sizeof *http);
	if (http == NULL) {
		return -ENOMEM;
	}
	http->loop = options->loop;
	http->metrics = options->metrics;
	http->ready = options->ready;
	http->owner = options->owner;
	http->epoll_fd = -1;
	if (options->listen != NULL && *options->listen != '\0') {
		int r = start(http, options->listen);
		if (r < 0) {
			http_free(http);
			return r;
		}
	}
	*ret_http = http;
	return 0;
}

struct http *http_free(struct http *http)
{
	if (http == NULL) {
		return NULL;
	}
	loop_remove_tick(http->loop, on_tick, http);
	loop_remove_fd(http->loop, http->epoll_fd);
	if (http->daemon != NULL) {
		MHD_stop_daemon(http->daemon);
	}
	free(http);
	return NULL;
}

const char *http_address(const struct http *http)
{
	return http->address;
}
