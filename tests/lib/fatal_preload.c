/* Preloaded into a bridge: at SIGRTMAX - 7 a thread of its own tells each idempotent producer that the program has that it met a fatal
 * error, in librdkafka's own way for tests. That is what 2.0 does by itself after some restarts of brokers, and never when a test waits for
 * it: its sequence is out of step, it takes no more records, and what it had under way may be in the log or not. */
#include <dlfcn.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { PRODUCERS_MAX = 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static rd_kafka_t *producers[PRODUCERS_MAX];

static void replace(const rd_kafka_t *old, rd_kafka_t *new)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < PRODUCERS_MAX; i++) {
		if (producers[i] == old) {
			producers[i] = new;
			break;
		}
	}
	pthread_mutex_unlock(&lock);
}

static bool is_idempotent(const rd_kafka_conf_t *conf)
{
	char text[16] = "";
	size_t size = sizeof text;

	return rd_kafka_conf_get(conf, "enable.idempotence", text, &size) == RD_KAFKA_CONF_OK &&
	       strcmp(text, "true") == 0;
}

rd_kafka_t *rd_kafka_new(
	rd_kafka_type_t type, rd_kafka_conf_t *conf, char *ret_words, size_t words_size)
{
	rd_kafka_t *(*real)(rd_kafka_type_t, rd_kafka_conf_t *, char *, size_t) = NULL;
	bool is_kept = type == RD_KAFKA_PRODUCER && is_idempotent(conf);

	*(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_new");
	rd_kafka_t *client = real(type, conf, ret_words, words_size);
	if (client != NULL && is_kept) {
		replace(NULL, client);
	}
	return client;
}

void rd_kafka_destroy(rd_kafka_t *client)
{
	void (*real)(rd_kafka_t *) = NULL;

	*(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_destroy");
	replace(client, NULL);
	real(client);
}

static void *fail_all(void *asked)
{
	int number;

	while (sigwait(asked, &number) == 0) {
		pthread_mutex_lock(&lock);
		for (size_t i = 0; i < PRODUCERS_MAX; i++) {
			if (producers[i] != NULL) {
				rd_kafka_test_fatal_error(producers[i],
					RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
					"sequence desynchronization");
			}
		}
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

/* Before main: threads that it starts inherit the mask. */
__attribute__((constructor)) static void listen_for_the_word(void)
{
	static sigset_t asked;
	pthread_t thread;

	sigemptyset(&asked);
	sigaddset(&asked, SIGRTMAX - 7);
	pthread_sigmask(SIG_BLOCK, &asked, NULL);
	if (pthread_create(&thread, NULL, fail_all, &asked) == 0) {
		pthread_detach(thread);
	}
}
