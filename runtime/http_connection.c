/* Libmicrohttpd times out idle connections only, and answers only requests that are whole. Here is what it lacks: a
 * limit on the whole time that a request takes to come in, and an answer to the one that takes longer. */
#include "runtime/http_internal.h"
#include "runtime/loop.h"
#include <linux/tcp.h> /* glibc's tcp_info ends before what came in */
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct connection *connection_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static int fd_of(const struct connection *connection)
{
	return MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CONNECTION_FD)
		->connect_fd;
}

static void *tls_session_of(const struct connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return info != NULL ? info->tls_session : NULL;
}

/* ---- addresses */

static socklen_t address_size(const struct sockaddr *address)
{
	return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					      : sizeof(struct sockaddr_in);
}

static bool is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *four = (const void *)address;
		return ntohl(four->sin_addr.s_addr) >> 24 == 127;
	}
	const struct sockaddr_in6 *six = (const void *)address;
	return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static bool is_same_host(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a->sa_family != b->sa_family) {
		return false;
	}
	if (a->sa_family == AF_INET) {
		const struct sockaddr_in *one = (const void *)a, *other = (const void *)b;
		return one->sin_addr.s_addr == other->sin_addr.s_addr;
	}
	const struct sockaddr_in6 *one = (const void *)a, *other = (const void *)b;
	return memcmp(&one->sin6_addr, &other->sin6_addr, sizeof one->sin6_addr) == 0;
}

bool connection_may_open(const struct http_server *server, const struct sockaddr *address)
{
	const struct connection *connection;
	unsigned count = 0;

	if (server->options.connections_per_address_max == 0 || is_loopback(address)) {
		return true;
	}
	LIST_FOREACH(connection, &server->connections, siblings)
	{
		count += is_same_host((const struct sockaddr *)&connection->address, address);
	}
	return count < server->options.connections_per_address_max;
}

static void name_peer(struct connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	char host[HTTP_PEER_SIZE - 16], port[8];

	if (info == NULL || info->client_addr == NULL) {
		return;
	}
	socklen_t size = address_size(info->client_addr);
	memcpy(&connection->address, info->client_addr, size);
	if (getnameinfo(info->client_addr, size, host, sizeof host, port, sizeof port,
		    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
		bool brackets = strchr(host, ':') != NULL;
		snprintf(connection->peer, sizeof connection->peer, "%s%s%s:%s",
			brackets ? "[" : "", host, brackets ? "]" : "", port);
	}
}

/* ---- a connection's life */

struct connection *connection_open(struct http_server *server, struct MHD_Connection *mhd)
{
	struct connection *connection = calloc(1, sizeof *connection);
	if (connection == NULL) {
		return NULL;
	}
	connection->server = server;
	connection->mhd = mhd;
	name_peer(connection);
	LIST_INSERT_HEAD(&server->connections, connection, siblings);
	connection_hurry(connection);
	if (server->tls != NULL && http_tls_client_ca(server->tls) != NULL) {
		http_tls_demand_certificate(tls_session_of(connection));
	}
	server->counts.accepted++;
	server->counts.connections++;
	return connection;
}

static uint64_t heard_size(const struct connection *connection)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof info;

	if (getsockopt(fd_of(connection), IPPROTO_TCP, TCP_INFO, &info, &size) < 0) {
		return connection->heard_size;
	}
	return info.tcpi_bytes_received;
}

/* Something came after the last request. The end of a connection counts as one byte. */
static bool has_begun_request(const struct connection *connection)
{
	return heard_size(connection) > connection->heard_size + 1;
}

/* With TLS even an orderly end says something after the last request. */
static bool ended_within_request(const struct connection *connection)
{
	bool says_bye = connection->server->tls != NULL && connection->heard_size > 0;
	return !says_bye && has_begun_request(connection);
}

struct connection *connection_close(struct connection *connection)
{
	if (connection == NULL) {
		return NULL;
	}
	if (connection->is_over || ended_within_request(connection)) {
		connection->server->counts.broken++;
	}
	connection_rest(connection);
	LIST_REMOVE(connection, siblings);
	connection->server->counts.connections--;
	free(connection);
	return NULL;
}

void connection_renew(struct connection *connection)
{
	connection->heard_size = heard_size(connection);
	connection_hurry(connection);
}

void connection_keep_short(const struct connection *connection)
{
	int size = HTTP_STREAM_UNSENT_MAX;

	(void)setsockopt(fd_of(connection), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &size, sizeof size);
}

bool connection_is_hung_up(const struct connection *connection)
{
	struct pollfd item = {fd_of(connection), POLLRDHUP, 0};
	return poll(&item, 1, 0) > 0;
}

/* ---- deadlines */

void connection_rest(struct connection *connection)
{
	if (connection->deadline_ms != 0) {
		TAILQ_REMOVE(&connection->server->deadlines, connection, deadlines);
		connection->deadline_ms = 0;
	}
}

void connection_hurry(struct connection *connection)
{
	const struct http_server_options *options = &connection->server->options;

	connection_rest(connection);
	connection->deadline_ms = loop_now_ms(options->loop) + options->request_ms_max;
	TAILQ_INSERT_TAIL(&connection->server->deadlines, connection, deadlines);
}

void connection_tell(struct connection *connection, const struct answer *answer)
{
	size_t size = 0;
	char *text = answer_is_set(answer) ? answer_text(answer, &size) : NULL;
	void *session = tls_session_of(connection);

	if (text != NULL && session != NULL) {
		http_tls_send(session, text, size);
	} else if (text != NULL) {
		(void)send(fd_of(connection), text, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	free(text);
	(void)shutdown(fd_of(connection), SHUT_WR);
	connection->is_over = true;
	connection_hurry(connection);
}

/* One that said nothing since its last answer just goes: a word to it could pass for the answer to what it sends next. */
static bool expire_head(struct connection *connection)
{
	struct http_server *server = connection->server;
	struct answer answer = {0};

	if (connection->request != NULL || !has_begun_request(connection)) {
		return false;
	}
	answer_refuse(&answer, &server->options, MHD_HTTP_REQUEST_TIMEOUT,
		"the request's head took too long to come in", NULL);
	connection_tell(connection, &answer);
	if (server->options.answered != NULL) {
		server->options.answered(server->options.owner,
			&(struct http_exchange){.path = "", .status = MHD_HTTP_REQUEST_TIMEOUT});
	}
	answer_clear(&answer);
	return true;
}

static void expire(struct connection *connection)
{
	if (!connection->is_over &&
		(expire_head(connection) || request_expire(connection->request))) {
		return;
	}
	connection_rest(connection);
	(void)shutdown(fd_of(connection), SHUT_RDWR); /* libmicrohttpd sees the end, and closes */
}

void connections_make_room(struct http_server *server)
{
	struct connection *connection;

	if (server->counts.connections < server->options.connections_max) {
		return;
	}
	TAILQ_FOREACH(connection, &server->deadlines, deadlines)
	{
		if (connection->request == NULL && !connection->is_over) {
			server->counts.displaced++;
			connection_rest(connection);
			(void)shutdown(fd_of(connection), SHUT_RDWR);
			return;
		}
	}
}

int64_t connections_expire(struct http_server *server, int64_t now_ms)
{
	struct connection *connection = TAILQ_FIRST(&server->deadlines);

	while (connection != NULL && connection->deadline_ms <= now_ms) {
		expire(connection);
		connection = TAILQ_FIRST(&server->deadlines);
	}
	return connection != NULL ? connection->deadline_ms - now_ms : -1;
}
