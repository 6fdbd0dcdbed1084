/* Preloaded into a daemon: it dies by SIGKILL at a named moment, as if the power of its process had gone just there.
 * TILL_FAILPOINT=CALL:before:N or CALL:after:N - before or after the Nth call of
 *   mdb_txn_commit    a transaction of spool or store reaches the disk
 *   mdb_put           a row is written inside a transaction (by mdb_cursor_put too)
 *   rd_kafka_produce  a record is handed to librdkafka (by rd_kafka_produceva too)
 *   rd_kafka_event_message_next  a delivery report is read; nothing has followed from it yet
 *   zmq_msg_send      a frame (a reply, a BATCH, an ACK) is given to ZeroMQ
 * Calls are counted over all threads. Without the variable nothing happens. */
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <lmdb.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

/* A function's address as POSIX has it, without a cast that ISO C lacks. */
#define REAL(function, name)                                                                       \
	static void *address;                                                                      \
	__typeof__(&function) real;                                                                \
	if (address == NULL) {                                                                     \
		address = dlsym(RTLD_NEXT, name);                                                  \
	}                                                                                          \
	memcpy(&real, &address, sizeof real)

struct point {
	char call[32];
	bool is_after;
	long left;
};

static struct point point;
static atomic_long calls;
static _Thread_local int lmdb_depth; /* LMDB calls its own functions, which may come by here */

__attribute__((constructor)) static void read_point(void)
{
	const char *text = getenv("TILL_FAILPOINT");
	const char *when = text == NULL ? NULL : strchr(text, ':');
	const char *number = when == NULL ? NULL : strchr(when + 1, ':');

	if (number == NULL || (size_t)(when - text) >= sizeof point.call) {
		return;
	}
	memcpy(point.call, text, (size_t)(when - text));
	point.is_after = strncmp(when + 1, "after", 5) == 0;
	point.left = strtol(number + 1, NULL, 10);
}

static bool is_now(const char *call)
{
	return strcmp(call, point.call) == 0 && atomic_fetch_add(&calls, 1) + 1 == point.left;
}

static void die_before(bool now)
{
	if (now && !point.is_after) {
		raise(SIGKILL);
	}
}

static void die_after(bool now)
{
	if (now && point.is_after) {
		raise(SIGKILL);
	}
}

int mdb_txn_commit(MDB_txn *txn)
{
	REAL(mdb_txn_commit, "mdb_txn_commit");
	bool now = is_now("mdb_txn_commit");

	die_before(now);
	lmdb_depth++;
	int r = real(txn);
	lmdb_depth--;
	die_after(now);
	return r;
}

int mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data, unsigned int flags)
{
	REAL(mdb_put, "mdb_put");
	bool now = is_now("mdb_put");

	die_before(now);
	lmdb_depth++;
	int r = real(txn, dbi, key, data, flags);
	lmdb_depth--;
	die_after(now);
	return r;
}

int mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *data, unsigned int flags)
{
	REAL(mdb_cursor_put, "mdb_cursor_put");
	bool now = lmdb_depth == 0 && is_now("mdb_put");

	die_before(now);
	int r = real(cursor, key, data, flags);
	die_after(now);
	return r;
}

int rd_kafka_produce(rd_kafka_topic_t *topic, int32_t partition, int flags, void *payload,
	size_t size, const void *key, size_t key_size, void *opaque)
{
	REAL(rd_kafka_produce, "rd_kafka_produce");
	bool now = is_now("rd_kafka_produce");

	die_before(now);
	int r = real(topic, partition, flags, payload, size, key, key_size, opaque);
	die_after(now);
	return r;
}

rd_kafka_error_t *rd_kafka_produceva(
	rd_kafka_t *client, const rd_kafka_vu_t *arguments, size_t count)
{
	REAL(rd_kafka_produceva, "rd_kafka_produceva");
	bool now = is_now("rd_kafka_produce");

	die_before(now);
	rd_kafka_error_t *error = real(client, arguments, count);
	die_after(now);
	return error;
}

const rd_kafka_message_t *rd_kafka_event_message_next(rd_kafka_event_t *event)
{
	REAL(rd_kafka_event_message_next, "rd_kafka_event_message_next");
	bool now = is_now("rd_kafka_event_message_next");

	die_before(now);
	const rd_kafka_message_t *message = real(event);
	die_after(now);
	return message;
}

int zmq_msg_send(zmq_msg_t *message, void *socket, int flags)
{
	REAL(zmq_msg_send, "zmq_msg_send");
	bool now = is_now("zmq_msg_send");

	die_before(now);
	int r = real(message, socket, flags);
	die_after(now);
	return r;
}
