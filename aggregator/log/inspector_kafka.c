#include "aggregator/log/inspector_kafka.h"
#include "runtime/clock.h"
#include "runtime/kafka_options.h"
#include "runtime/thread.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CLEAN_END_MS = 1000 };

struct inspector {
	struct inspector_options options;
	int fd;
	pthread_t thread;
	/* The thread's. */
	rd_kafka_t *client; /* NULL: nobody asked yet */
	struct kafka_trouble trouble;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t news;
	bool is_ending;
	bool wants_survey;
	bool is_looking;
	struct findings *wanted; /* to be filled; the thread takes it */
	struct survey *survey;
	bool has_failed;
	char why[SURVEY_ERROR_SIZE];
	struct findings *findings;
	bool is_fetching;
	struct mailbag *to_fetch; /* the thread takes it */
	struct mailbag *fetched;
};

static const struct kafka_setting defaults[] = {
	{"client.id", "till-aggregator"},
	{"reconnect.backoff.ms", "50"},
	{"reconnect.backoff.max.ms", "1000"},
	/* A page of records, not a stream: memory is bounded by what one look may read. */
	{"queued.max.messages.kbytes", "4096"},
	{"queued.min.messages", "1000"},
	{NULL, NULL},
};

static const struct kafka_setting fixed[] = {
	{"fetch.wait.max.ms", "100"},
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"auto.offset.reset", "error"},
	{"enable.partition.eof", "true"},
	{"allow.auto.create.topics", "false"},
	{"check.crcs", "true"},
	{"group.id", "till-reads-without-a-group"},
	{NULL, NULL},
};

int inspector_left_ms(int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - clock_monotonic_ms();

	return left_ms > 1 ? (int)left_ms : 1;
}

/* Called from any thread of librdkafka's. The reader of the log says what a person must mend; here it explains an answer. */
static void hear_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
	struct inspector *inspector = rd_kafka_opaque(client);

	(void)level;
	if (inspector != NULL) {
		kafka_trouble_hear_now(&inspector->trouble, facility, text);
	}
}

/* ---- the thread */

static int open_client(struct inspector *inspector, char why[SURVEY_ERROR_SIZE])
{
	const struct kafka_options kafka = {
		.brokers = inspector->options.brokers,
		.role = KAFKA_CONSUMER,
		.properties = inspector->options.properties,
		.defaults = defaults,
		.fixed = fixed,
	};
	struct config_error error = {.text = ""};
	rd_kafka_conf_t *conf = NULL;

	if (inspector->client != NULL) {
		return 0;
	}
	int r = kafka_options_new(&kafka, &conf, &error);
	if (r == 0) {
		rd_kafka_conf_set_opaque(conf, inspector);
		rd_kafka_conf_set_log_cb(conf, hear_log);
		r = kafka_client_new(conf, KAFKA_CONSUMER, &inspector->client, &error);
	}
	if (r < 0) {
		snprintf(why, SURVEY_ERROR_SIZE, "%s",
			error.text[0] != '\0' ? error.text : strerror(-r));
		return r;
	}
	rd_kafka_poll_set_consumer(inspector->client);
	return 0;
}

static void tell(struct inspector *inspector)
{
	static const uint64_t one = 1;
	ssize_t ignored = write(inspector->fd, &one, sizeof one);

	(void)ignored; /* full means readable already */
}

static void make_survey(struct inspector *inspector)
{
	char what[SURVEY_ERROR_SIZE] = "", why[SURVEY_ERROR_SIZE] = "";
	int64_t deadline_ms = clock_monotonic_ms() + INSPECTOR_MS_MAX;
	struct survey *survey = NULL;

	if (open_client(inspector, why) == 0) {
		survey = survey_make(inspector->client, &inspector->options, deadline_ms, what);
		kafka_trouble_why(&inspector->trouble, what, why, sizeof why);
	}
	if (survey != NULL) {
		survey->taken_ms = clock_wall_ms();
		kafka_trouble_over(&inspector->trouble);
	}
	pthread_mutex_lock(&inspector->lock);
	inspector->has_failed = survey == NULL;
	snprintf(inspector->why, sizeof inspector->why, "%s", why);
	if (survey != NULL) {
		survey_free(inspector->survey);
		inspector->survey = survey;
	}
	pthread_mutex_unlock(&inspector->lock);
	tell(inspector);
}

/* Kafka says "timed out" where its connections have more to say. */
static void explain(struct inspector *inspector, struct complaint *complaint)
{
	char why[KAFKA_TROUBLE_SIZE];

	if (complaint->reason == REASON_TIMEOUT) {
		kafka_trouble_why(&inspector->trouble, complaint->message, why, sizeof why);
		complaint_set(complaint, REASON_TIMEOUT, "", "Kafka does not answer: %.180s", why);
	}
}

static void take_a_look(struct inspector *inspector, struct findings *findings)
{
	int64_t deadline_ms = clock_monotonic_ms() + INSPECTOR_MS_MAX;
	char why[SURVEY_ERROR_SIZE];
	int r = open_client(inspector, why);

	if (r < 0) {
		complaint_set(&findings->complaint, REASON_INTERNAL, "", "%s", why);
	}
	if (r == 0) {
		r = look_into_topics(inspector->client,
			inspector->options.topics.names + KIND_EVENT_COUNT, deadline_ms, findings);
		if (r < 0) {
			complaint_set(&findings->complaint, REASON_INTERNAL, "", "out of memory");
		}
		explain(inspector, &findings->complaint);
	}
	pthread_mutex_lock(&inspector->lock);
	findings_free(inspector->findings);
	inspector->findings = findings;
	inspector->is_looking = false;
	pthread_mutex_unlock(&inspector->lock);
	tell(inspector);
}

static void fetch(struct inspector *inspector, struct mailbag *mailbag)
{
	int64_t deadline_ms = clock_monotonic_ms() + INSPECTOR_MS_MAX;
	char why[SURVEY_ERROR_SIZE];
	int r = open_client(inspector, why);

	if (r < 0) {
		complaint_set(&mailbag->complaint, REASON_INTERNAL, "", "%s", why);
	}
	if (r == 0) {
		r = mailbag_fetch(inspector->client, deadline_ms, mailbag);
		if (r < 0) {
			complaint_set(&mailbag->complaint, REASON_INTERNAL, "", "out of memory");
		}
		explain(inspector, &mailbag->complaint);
	}
	pthread_mutex_lock(&inspector->lock);
	mailbag_free(inspector->fetched);
	inspector->fetched = mailbag;
	inspector->is_fetching = false;
	pthread_mutex_unlock(&inspector->lock);
	tell(inspector);
}

static void take_down(struct inspector *inspector)
{
	if (inspector->client != NULL) {
		rd_kafka_destroy_flags(inspector->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	}
	if (inspector->fd >= 0) {
		close(inspector->fd);
	}
	survey_free(inspector->survey);
	findings_free(inspector->findings);
	findings_free(inspector->wanted);
	mailbag_free(inspector->to_fetch);
	mailbag_free(inspector->fetched);
	kafka_trouble_deinit(&inspector->trouble);
	pthread_cond_destroy(&inspector->news);
	pthread_mutex_destroy(&inspector->lock);
	free(inspector);
}

static void *serve(void *owner)
{
	struct inspector *inspector = owner;

	pthread_mutex_lock(&inspector->lock);
	while (!inspector->is_ending) {
		struct findings *wanted = inspector->wanted;
		struct mailbag *mailbag = inspector->to_fetch;
		if (inspector->wants_survey) {
			inspector->wants_survey = false;
			pthread_mutex_unlock(&inspector->lock);
			make_survey(inspector);
			pthread_mutex_lock(&inspector->lock);
		} else if (wanted != NULL) {
			inspector->wanted = NULL;
			pthread_mutex_unlock(&inspector->lock);
			take_a_look(inspector, wanted);
			pthread_mutex_lock(&inspector->lock);
		} else if (mailbag != NULL) {
			inspector->to_fetch = NULL;
			pthread_mutex_unlock(&inspector->lock);
			fetch(inspector, mailbag);
			pthread_mutex_lock(&inspector->lock);
		} else {
			pthread_cond_wait(&inspector->news, &inspector->lock);
		}
	}
	pthread_mutex_unlock(&inspector->lock);
	take_down(inspector);
	return NULL;
}

/* ---- the owner's */

int inspector_new(const struct inspector_options *options, struct inspector **ret_inspector)
{
	struct inspector *inspector = calloc(1, sizeof *inspector);

	if (inspector == NULL) {
		return -ENOMEM;
	}
	inspector->options = *options;
	kafka_trouble_init_here(&inspector->trouble);
	pthread_mutex_init(&inspector->lock, NULL);
	pthread_cond_init(&inspector->news, NULL);
	inspector->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int r = inspector->fd < 0 ? -errno
				  : -pthread_create(&inspector->thread, NULL, serve, inspector);
	if (r < 0) {
		take_down(inspector);
		return r;
	}
	*ret_inspector = inspector;
	return 0;
}

struct inspector *inspector_free(struct inspector *inspector)
{
	if (inspector == NULL) {
		return NULL;
	}
	pthread_t thread = inspector->thread;
	pthread_mutex_lock(&inspector->lock);
	inspector->is_ending = true;
	pthread_cond_broadcast(&inspector->news);
	pthread_mutex_unlock(&inspector->lock);
	/* From here on it is the thread's. */
	thread_leave(thread, CLEAN_END_MS);
	return NULL;
}

int inspector_fd(const struct inspector *inspector)
{
	return inspector->fd;
}

void inspector_clear(struct inspector *inspector)
{
	kafka_queue_clear(inspector->fd);
}

void inspector_survey(struct inspector *inspector)
{
	pthread_mutex_lock(&inspector->lock);
	inspector->wants_survey = true;
	pthread_cond_broadcast(&inspector->news);
	pthread_mutex_unlock(&inspector->lock);
}

bool inspector_look(struct inspector *inspector, struct findings *findings)
{
	pthread_mutex_lock(&inspector->lock);
	bool is_free = !inspector->is_looking;
	if (is_free) {
		inspector->is_looking = true;
		inspector->wanted = findings;
		pthread_cond_broadcast(&inspector->news);
	}
	pthread_mutex_unlock(&inspector->lock);
	return is_free;
}

bool inspector_fetch(struct inspector *inspector, struct mailbag *mailbag)
{
	pthread_mutex_lock(&inspector->lock);
	bool is_free = !inspector->is_fetching;
	if (is_free) {
		inspector->is_fetching = true;
		inspector->to_fetch = mailbag;
		pthread_cond_broadcast(&inspector->news);
	}
	pthread_mutex_unlock(&inspector->lock);
	return is_free;
}

struct mailbag *inspector_take_mailbag(struct inspector *inspector)
{
	pthread_mutex_lock(&inspector->lock);
	struct mailbag *mailbag = inspector->fetched;
	inspector->fetched = NULL;
	pthread_mutex_unlock(&inspector->lock);
	return mailbag;
}

struct survey *inspector_take_survey(struct inspector *inspector)
{
	pthread_mutex_lock(&inspector->lock);
	struct survey *survey = inspector->survey;
	inspector->survey = NULL;
	pthread_mutex_unlock(&inspector->lock);
	return survey;
}

struct findings *inspector_take_findings(struct inspector *inspector)
{
	pthread_mutex_lock(&inspector->lock);
	struct findings *findings = inspector->findings;
	inspector->findings = NULL;
	pthread_mutex_unlock(&inspector->lock);
	return findings;
}

bool inspector_take_failure(struct inspector *inspector, char ret_why[SURVEY_ERROR_SIZE])
{
	pthread_mutex_lock(&inspector->lock);
	bool has_failed = inspector->has_failed;
	inspector->has_failed = false;
	if (has_failed) {
		memcpy(ret_why, inspector->why, sizeof inspector->why);
	}
	pthread_mutex_unlock(&inspector->lock);
	return has_failed;
}
