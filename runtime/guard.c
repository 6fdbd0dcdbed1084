/* A descriptor is libzmq's, and may be another connection's a moment after it was looked at. So a connection is known by
 * the kernel's cookie, and ended by way of a duplicate whose cookie was compared: what is closed meanwhile stays closed, what came
 * in its place is left alone. The duplicate takes the place of a descriptor that is kept for it, so it works without free ones. */
#include "runtime/guard.h"
#include "runtime/context.h"
#include "runtime/guard_internal.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "runtime/peers.h"
#include "runtime/socket_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

enum {
	GLANCE_MS = 100, /* at memory and descriptors: two system calls */
	LOOK_MS = 2000, /* at every connection: some microseconds each */
	GROWTH = 16 * 1024 * 1024, /* of memory since the last look is worth another */
	TRIMS = 3,
	TRIM_MS = 1000,
	LISTENERS_MAX = 64,
	VERDICTS_MAX = 1024,
	/* Heartbeats count as bytes without a message: what nobody who is honest collects within days. */
	MESSAGE_MIN = 4 * 1024 * 1024,
	STATE_LISTEN = 10, /* <netinet/tcp.h> has the name, and clashes with <linux/tcp.h> */
};

struct listener {
	struct socket *socket;
	uint16_t port;
	uint64_t message_max;
	bool is_read_out;
};

struct guard {
	struct guard_options options;
	struct peers *peers;
	struct listener listeners[LISTENERS_MAX];
	size_t listener_count;
	DIR *files; /* our own, kept open: there may be none left when it is needed */
	int statm_fd, null_fd, spare_fd;
	unsigned files_max;
	unsigned files_open; /* at the last look */
	uint64_t memory_at_look;
	int64_t glance_ms, look_ms; /* when next */
	int trims; /* to come, one a second: libzmq lets go of what it held step by step */
	int64_t trim_ms;
	struct metric *cut[PEER_FAULT_COUNT];
	struct metric *connections;
	struct peer_verdict verdicts[VERDICTS_MAX];
};

/* ---- what sockets tell */

void guard_watch(struct guard *guard, struct socket *socket, const char *endpoint)
{
	const char *colon = strrchr(endpoint, ':');
	int64_t frame_max = 0;
	size_t size = sizeof frame_max;

	if (guard == NULL || strncmp(endpoint, "tcp://", 6) != 0 || colon == NULL ||
		guard->listener_count == LISTENERS_MAX) {
		return;
	}
	(void)zmq_getsockopt(socket->handle, ZMQ_MAXMSGSIZE, &frame_max, &size);
	guard->listeners[guard->listener_count++] = (struct listener){
		.socket = socket,
		.port = (uint16_t)strtoul(colon + 1, NULL, 10),
		.message_max = frame_max > MESSAGE_MIN ? (uint64_t)frame_max : MESSAGE_MIN,
	};
}

void guard_forget(struct guard *guard, const struct socket *socket)
{
	size_t kept = 0;

	if (guard == NULL) {
		return;
	}
	for (size_t i = 0; i < guard->listener_count; i++) {
		if (guard->listeners[i].socket != socket) {
			guard->listeners[kept++] = guard->listeners[i];
		}
	}
	guard->listener_count = kept;
}

void guard_heard(struct guard *guard, int fd, uint64_t bytes)
{
	if (guard != NULL) {
		peers_heard(guard->peers, fd, bytes);
	}
}

/* ---- what the kernel tells */

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof cookie;

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

static const struct listener *listener_of(const struct guard *guard, int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof address;
	uint16_t port = 0;

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
		return NULL;
	}
	if (address.ss_family == AF_INET) {
		port = ntohs(((const struct sockaddr_in *)&address)->sin_port);
	} else if (address.ss_family == AF_INET6) {
		port = ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
	}
	for (size_t i = 0; port != 0 && i < guard->listener_count; i++) {
		if (guard->listeners[i].port == port) {
			return &guard->listeners[i];
		}
	}
	return NULL;
}

/* Of the machine: of IPv6 the network of 64 bits, for a host has all addresses in it. */
static uint64_t address_of(int fd)
{
	struct sockaddr_storage name = {0};
	socklen_t size = sizeof name;
	uint64_t address = 0;

	if (getpeername(fd, (struct sockaddr *)&name, &size) < 0) {
		return 0;
	}
	if (name.ss_family == AF_INET) {
		return ((const struct sockaddr_in *)&name)->sin_addr.s_addr;
	}
	if (name.ss_family == AF_INET6) {
		const struct in6_addr *in6 = &((const struct sockaddr_in6 *)&name)->sin6_addr;
		bool is_mapped = IN6_IS_ADDR_V4MAPPED(in6);
		memcpy(&address, is_mapped ? &in6->s6_addr[12] : in6->s6_addr,
			is_mapped ? sizeof(uint32_t) : sizeof address);
	}
	return address;
}

/* Not what still lies in the kernel's buffer: nobody has seen it yet. */
static bool see(int fd, struct peer_sight *sight)
{
	struct tcp_info info;
	socklen_t size = sizeof info;
	int unread = 0;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
		info.tcpi_state == STATE_LISTEN || ioctl(fd, SIOCINQ, &unread) < 0) {
		return false;
	}
	uint64_t came = info.tcpi_bytes_received;
	sight->fd = fd;
	sight->cookie = cookie_of(fd);
	sight->address = address_of(fd);
	sight->received_bytes = came > (uint64_t)unread ? came - (uint64_t)unread : 0;
	return sight->cookie != 0;
}

/* Anonymous memory: spool and store are mapped, and the kernel's to take back. */
static uint64_t memory_of(const struct guard *guard)
{
	unsigned long long size = 0, resident = 0, shared = 0;
	char text[128];

	ssize_t got = pread(guard->statm_fd, text, sizeof text - 1, 0);
	if (got <= 0) {
		return 0;
	}
	text[got] = '\0';
	if (sscanf(text, "%llu %llu %llu", &size, &resident, &shared) != 3 || shared > resident) {
		return 0;
	}
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static unsigned files_reserved(const struct guard *guard)
{
	return guard->files_max / GUARD_RESERVE_SHARE;
}

/* The lowest free descriptor tells, roughly, how many there are. */
static bool is_crowded(const struct guard *guard)
{
	int fd = fcntl(guard->null_fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0) {
		return true;
	}
	close(fd);
	return (unsigned)fd > guard->files_max - files_reserved(guard);
}

/* ---- a look at all connections */

static void see_file(struct guard *guard, int fd)
{
	const struct listener *listener = listener_of(guard, fd);
	struct peer_sight sight;

	guard->files_open++;
	if (listener != NULL && see(fd, &sight)) {
		sight.message_bytes_max = listener->message_max;
		(void)peers_saw(guard->peers, &sight, listener->is_read_out);
	}
}

static void see_all(struct guard *guard)
{
	guard->files_open = 0;
	rewinddir(guard->files);
	for (struct dirent *entry = readdir(guard->files); entry != NULL;
		entry = readdir(guard->files)) {
		if (entry->d_name[0] != '.') {
			see_file(guard, atoi(entry->d_name));
		}
	}
}

/* Whether there was a moment since the last look when nothing waited to be read: now, or when a read said so. */
static void ask_listeners(struct guard *guard)
{
	for (size_t i = 0; i < guard->listener_count; i++) {
		struct listener *listener = &guard->listeners[i];
		int events = 0;
		size_t size = sizeof events;
		(void)zmq_getsockopt(listener->socket->handle, ZMQ_EVENTS, &events, &size);
		listener->is_read_out = listener->socket->is_read_out || (events & ZMQ_POLLIN) == 0;
	}
	for (size_t i = 0; i < guard->listener_count; i++) { /* one socket may listen twice */
		guard->listeners[i].socket->is_read_out = false;
	}
}

static void end_connection(struct guard *guard, const struct peer_verdict *verdict)
{
	static const char *const why[] = {
		[PEER_HOARDS] = "it sends without an end to its message",
		[PEER_HEAVY] = "memory is short and it holds most of it",
		[PEER_SURPLUS] = "descriptors are short",
		[PEER_ASKS] = "it asks for what there is not, again and again",
		[PEER_RIGHTS] = "rights were taken away; it may come again if it has them",
	};

	const struct linger at_once = {.l_onoff = 1}; /* else the kernel would hold on to it */
	if (dup3(verdict->fd, guard->spare_fd, O_CLOEXEC) < 0) {
		return;
	}
	if (cookie_of(guard->spare_fd) == verdict->cookie) {
		(void)setsockopt(guard->spare_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
		(void)shutdown(guard->spare_fd, SHUT_RDWR);
		metric_add(guard->cut[verdict->fault], 1);
		log_line(LOG_WARNING, "a peer's connection was ended", "why=\"%s\" held_bytes=%llu",
			why[verdict->fault], (unsigned long long)verdict->held_bytes);
	}
	(void)dup3(guard->null_fd, guard->spare_fd, O_CLOEXEC);
}

/* Of a listener of ours, and no listener itself? */
static bool see_peer(const struct guard *guard, int fd, const struct socket *socket,
	enum peer_fault fault, struct peer_verdict *ret_verdict)
{
	const struct listener *listener = listener_of(guard, fd);
	struct peer_sight sight;

	if (listener == NULL || (socket != NULL && listener->socket != socket) ||
		!see(fd, &sight)) {
		return false;
	}
	*ret_verdict = (struct peer_verdict){.fd = fd, .cookie = sight.cookie, .fault = fault};
	return true;
}

void guard_end_peer(struct guard *guard, int fd)
{
	struct peer_verdict verdict;

	if (guard != NULL && see_peer(guard, fd, NULL, PEER_ASKS, &verdict)) {
		end_connection(guard, &verdict);
	}
}

void guard_end_peers(struct guard *guard, const struct socket *socket)
{
	struct peer_verdict verdict;

	rewinddir(guard->files);
	for (struct dirent *entry = readdir(guard->files); entry != NULL;
		entry = readdir(guard->files)) {
		if (entry->d_name[0] != '.' &&
			see_peer(guard, atoi(entry->d_name), socket, PEER_RIGHTS, &verdict)) {
			end_connection(guard, &verdict);
		}
	}
}

static size_t look(struct guard *guard, uint64_t memory)
{
	struct peers_need need = {.is_memory_short = memory > guard->options.memory_max};

	ask_listeners(guard);
	peers_begin(guard->peers);
	see_all(guard);
	unsigned most = guard->files_max - files_reserved(guard);
	need.surplus = guard->files_open > most ? guard->files_open - most : 0;
	size_t count = peers_judge(guard->peers, &need, guard->verdicts, VERDICTS_MAX);
	for (size_t i = 0; i < count; i++) {
		end_connection(guard, &guard->verdicts[i]);
	}
	metric_set(guard->connections, peers_count(guard->peers));
	return count;
}

/* What ended connections held is free; the C library would keep it. */
static void trim(struct guard *guard, int64_t now_ms)
{
	if (guard->trims > 0 && now_ms >= guard->trim_ms) {
		guard->trims--;
		guard->trim_ms = now_ms + TRIM_MS;
		(void)malloc_trim(0);
	}
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct guard *guard = owner;

	if (now_ms < guard->glance_ms) {
		*ret_wait_ms = guard->glance_ms - now_ms;
		return 0;
	}
	guard->glance_ms = now_ms + GLANCE_MS;
	*ret_wait_ms = GLANCE_MS;
	trim(guard, now_ms);
	uint64_t memory = memory_of(guard);
	bool is_worth_it = memory > guard->options.memory_max ||
			   memory > guard->memory_at_look + GROWTH || is_crowded(guard);
	if (!is_worth_it && now_ms < guard->look_ms) {
		return 0;
	}
	guard->look_ms = now_ms + LOOK_MS;
	if (look(guard, memory) > 0) {
		guard->trims = TRIMS;
		guard->trim_ms = now_ms + TRIM_MS;
	}
	guard->memory_at_look = memory_of(guard);
	return 0;
}

/* ---- construction */

static int add_metrics(struct guard *guard)
{
	static const char *const labels[] = {
		[PEER_HOARDS] = "why=\"hoards\"",
		[PEER_HEAVY] = "why=\"memory\"",
		[PEER_SURPLUS] = "why=\"files\"",
		[PEER_ASKS] = "why=\"asks\"",
		[PEER_RIGHTS] = "why=\"rights\"",
	};
	struct metrics *metrics = guard->options.metrics;

	for (int fault = 0; fault < PEER_FAULT_COUNT; fault++) {
		guard->cut[fault] =
			metrics_add(metrics, METRIC_COUNTER, "till_peers_cut_total", labels[fault],
				"connections that were ended for what they took or asked, or for "
				"rights that were taken away");
		if (guard->cut[fault] == NULL) {
			return -ENOMEM;
		}
	}
	guard->connections = metrics_add(metrics, METRIC_GAUGE, "till_peers", "",
		"connections by TCP to ZeroMQ sockets, a few seconds ago");
	return guard->connections == NULL ? -ENOMEM : 0;
}

static int open_files(struct guard *guard)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
		return -errno;
	}
	guard->files_max = limit.rlim_cur < 1 << 20 ? (unsigned)limit.rlim_cur : 1 << 20;
	guard->files = opendir("/proc/self/fd");
	guard->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	guard->null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	guard->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bool are_open = guard->files != NULL && guard->statm_fd >= 0 && guard->null_fd >= 0 &&
			guard->spare_fd >= 0;
	return are_open ? 0 : -errno;
}

int guard_new(const struct guard_options *options, struct guard **ret_guard)
{
	struct guard *guard = calloc(1, sizeof *guard);
	if (guard == NULL) {
		return -ENOMEM;
	}
	guard->options = *options;
	guard->statm_fd = guard->null_fd = guard->spare_fd = -1;
	int r = peers_new(&guard->peers);
	r = r == 0 ? open_files(guard) : r;
	r = r == 0 ? add_metrics(guard) : r;
	r = r == 0 ? loop_add_tick(options->loop, on_tick, guard) : r;
	if (r < 0) {
		guard_free(guard);
		return r;
	}
	options->context->guard = guard;
	*ret_guard = guard;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0) {
		close(fd);
	}
}

struct guard *guard_free(struct guard *guard)
{
	if (guard == NULL) {
		return NULL;
	}
	loop_remove_tick(guard->options.loop, on_tick, guard);
	if (guard->options.context->guard == guard) {
		guard->options.context->guard = NULL;
	}
	if (guard->files != NULL) {
		closedir(guard->files);
	}
	close_fd(guard->statm_fd);
	close_fd(guard->null_fd);
	close_fd(guard->spare_fd);
	peers_free(guard->peers);
	free(guard);
	return NULL;
}
