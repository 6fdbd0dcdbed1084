/* till-limit: what the libraries and the machine give to a program that does nothing else: LMDB takes a commit's rows and syncs them, a
 * question goes over ZeroMQ and comes back, records are copied once and summed, as the least that any decoder does. Prints one JSON
 * object. */
#include "bench/options.h"
#include "runtime/clock.h"
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { VALUE_SIZE = 40, QUESTION_SIZE = 64, ENDPOINT_MAX = 128, RECORDS = 100000 };

static void require(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "till-limit: %s failed\n", what);
		exit(1);
	}
}

static int compare_times(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
	return (a > b) - (a < b);
}

/* Sorts them. */
static int64_t quantile(int64_t *times_us, int64_t count, int64_t per_mille)
{
	qsort(times_us, (size_t)count, sizeof times_us[0], compare_times);
	return times_us[(count - 1) * per_mille / 1000];
}

/* ---- LMDB: every row of a view in one transaction, with its fsyncs */

static int64_t commit_rows(MDB_env *env, MDB_dbi dbi, int64_t rows, int64_t round)
{
	uint8_t value[VALUE_SIZE] = {0};
	char key[32];
	MDB_txn *txn = NULL;
	int64_t start_us = clock_monotonic_us();

	require(mdb_txn_begin(env, NULL, 0, &txn) == 0, "a transaction");
	memcpy(value, &round, sizeof round);
	for (int64_t i = 0; i < rows; i++) {
		int size = snprintf(key, sizeof key, "p%08lld", (long long)i);
		MDB_val name = {(size_t)size, key}, data = {sizeof value, value};
		require(mdb_put(txn, dbi, &name, &data, 0) == 0, "a put");
	}
	require(mdb_txn_commit(txn) == 0, "a commit");
	return clock_monotonic_us() - start_us;
}

static void limit_lmdb(const char *folder, int64_t rows, int64_t rounds)
{
	int64_t *times_us = calloc((size_t)rounds, sizeof times_us[0]);
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;
	MDB_dbi dbi;

	require(times_us != NULL && mdb_env_create(&env) == 0, "LMDB");
	require(mdb_env_set_mapsize(env, (size_t)1 << 30) == 0, "a map");
	require(mdb_env_open(env, folder, 0, 0644) == 0, folder);
	require(mdb_txn_begin(env, NULL, 0, &txn) == 0, "a transaction");
	require(mdb_dbi_open(txn, NULL, 0, &dbi) == 0 && mdb_txn_commit(txn) == 0, "a table");
	commit_rows(env, dbi, rows, -1); /* later ones change rows, as an aggregator does */
	for (int64_t i = 0; i < rounds; i++) {
		times_us[i] = commit_rows(env, dbi, rows, i);
	}
	mdb_env_close(env);
	double median_s = (double)quantile(times_us, rounds, 500) / 1e6;
	printf("\"lmdb\":{\"rows\":%lld,\"commit_seconds\":%.4f,\"puts_per_second\":%.0f}",
		(long long)rows, median_s, (double)rows / median_s);
	free(times_us);
}

/* ---- ZeroMQ: one question at a time, over TCP, and back */

static void *send_back(void *socket)
{
	char frame[QUESTION_SIZE];
	int size = 0;

	do { /* an empty question is the last */
		size = zmq_recv(socket, frame, sizeof frame, 0);
		require(size >= 0 && zmq_send(socket, frame, (size_t)size, 0) == size, "an answer");
	} while (size > 0);
	return NULL;
}

static void ask(void *socket, size_t size)
{
	char frame[QUESTION_SIZE] = {0};

	require(zmq_send(socket, frame, size, 0) == (int)size, "a question");
	require(zmq_recv(socket, frame, sizeof frame, 0) == (int)size, "hearing the answer");
}

static void limit_zmq(int64_t rounds)
{
	int64_t *times_us = calloc((size_t)rounds, sizeof times_us[0]);
	void *context = zmq_ctx_new();
	void *server = zmq_socket(context, ZMQ_REP), *client = zmq_socket(context, ZMQ_REQ);
	char endpoint[ENDPOINT_MAX];
	size_t size = sizeof endpoint;
	pthread_t thread;

	require(times_us != NULL && zmq_bind(server, "tcp://127.0.0.1:*") == 0, "a socket");
	require(zmq_getsockopt(server, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0, "its name");
	require(zmq_connect(client, endpoint) == 0, "a connection");
	require(pthread_create(&thread, NULL, send_back, server) == 0, "a thread");
	ask(client, QUESTION_SIZE);
	int64_t start_us = clock_monotonic_us();
	for (int64_t i = 0; i < rounds; i++) {
		int64_t asked_us = clock_monotonic_us();
		ask(client, QUESTION_SIZE);
		times_us[i] = clock_monotonic_us() - asked_us;
	}
	double seconds = (double)(clock_monotonic_us() - start_us) / 1e6;
	ask(client, 0);
	pthread_join(thread, NULL);
	zmq_close(client);
	zmq_close(server);
	zmq_ctx_term(context);
	printf(",\"zmq\":{\"round_trips_per_second\":%.0f,\"p50_us\":%lld,\"p99_us\":%lld}",
		(double)rounds / seconds, (long long)quantile(times_us, rounds, 500),
		(long long)quantile(times_us, rounds, 990));
	free(times_us);
}

/* ---- memory: each record copied once, each byte of the copy looked at */

static void limit_copy(int64_t record_size, int64_t rounds)
{
	size_t size = (size_t)record_size;
	uint8_t *records = malloc(RECORDS * size), *copy = malloc(size);
	uint64_t sum = 0;

	require(records != NULL && copy != NULL, "memory");
	memset(records, 1, RECORDS * size);
	int64_t start_us = clock_monotonic_us();
	for (int64_t round = 0; round < rounds; round++) {
		for (size_t i = 0; i < RECORDS; i++) {
			memcpy(copy, records + i * size, size);
			for (size_t k = 0; k < size; k++) {
				sum += copy[k];
			}
		}
	}
	double seconds = (double)(clock_monotonic_us() - start_us) / 1e6;
	require(sum == (uint64_t)rounds * RECORDS * size, "the sum");
	printf(",\"copy\":{\"bytes_per_record\":%lld,\"records_per_second\":%.0f}",
		(long long)record_size, (double)rounds * RECORDS / seconds);
	free(records);
	free(copy);
}

int main(int argc, char **argv)
{
	const char *folder = NULL;
	int64_t rows = 20000, rounds = 30, round_trips = 50000, record_size = 150;
	const struct bench_option options[] = {
		{"--folder", &folder, NULL, "which exists and is empty, for LMDB"},
		{"--rows", NULL, &rows, "of a commit (20000)"},
		{"--rounds", NULL, &rounds, "commits, and passes over the records (30)"},
		{"--round-trips", NULL, &round_trips, "over ZeroMQ (50000)"},
		{"--record", NULL, &record_size, "bytes of a record (150)"},
		{0},
	};

	bench_options_parse(options, argc, argv);
	require(folder != NULL && rows > 0 && rounds > 0 && round_trips > 0 && record_size > 0,
		"--folder, and numbers above 0:");
	printf("{");
	limit_lmdb(folder, rows, rounds);
	limit_zmq(round_trips);
	limit_copy(record_size, rounds);
	printf("}\n");
	return 0;
}
