/* till-devbroker: Kafka for trials, in memory. Nothing that claims a guarantee is shown with it. */
#include "deploy/devbroker/devbroker.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/program.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { TOPIC_SIZE = 256 }; /* Kafka's names end at 249 */

struct settings {
	char *topics;
	int64_t partitions;
	int64_t brokers;
};

#define AT(field) offsetof(struct settings, field)

static const struct config_option options[] = {
	{"devbroker", "topics", CONFIG_LIST, AT(topics), "orders,cart_events,page_views", 0, 0,
		"topics to create, each with its TOPIC.dlq; others come into being when asked for"},
	{"devbroker", "partitions", CONFIG_INTEGER, AT(partitions), "4", 1,
		DEVBROKER_PARTITIONS_MAX, "partitions of each topic"},
	{"devbroker", "brokers", CONFIG_INTEGER, AT(brokers), "1", 1, DEVBROKER_BROKERS_MAX,
		"brokers of the cluster"},
	{NULL, NULL, CONFIG_TEXT, 0, NULL, 0, 0, NULL},
};

static const struct config_schema schema = {options, NULL, sizeof(struct settings)};

static const struct program_spec spec = {
	.name = "till-devbroker",
	.summary = "Kafka for trials, in memory\n\n"
		   "Everything is gone when it ends. A partition keeps its last 5 MiB or 100,000 "
		   "batches; older ones\nare dropped, so memory is bounded by 5 MiB x partitions "
		   "x topics x 2 (dead letters). It picks its\nports itself and says so with "
		   "--ready-fd, or else on stdout.",
	.schema = &schema,
};

static int add_topic(struct devbroker *devbroker, const char *name, int64_t partitions)
{
	char quoted[TOPIC_SIZE];

	int r = devbroker_add_topic(devbroker, name, (int)partitions);
	if (r < 0) {
		log_line(LOG_ERROR, "topic refused", "topic=%s",
			log_quote(name, strlen(name), quoted, sizeof quoted));
	}
	return r;
}

static int add_topics(struct devbroker *devbroker, const struct settings *settings)
{
	const char *cursor = settings->topics;
	char name[TOPIC_SIZE], dead_letters[TOPIC_SIZE + 4];
	int r = 0;

	while (r == 0 && config_list_next(&cursor, name, sizeof name)) {
		snprintf(dead_letters, sizeof dead_letters, "%s.dlq", name);
		r = add_topic(devbroker, name, settings->partitions);
		r = r == 0 ? add_topic(devbroker, dead_letters, settings->partitions) : r;
	}
	return r;
}

static int say_ready(struct program *program, const struct devbroker *devbroker)
{
	const struct program_endpoints endpoints = {.bootstrap = devbroker_bootstrap(devbroker)};

	if (program->ready_fd < 0) {
		printf("%s\n", endpoints.bootstrap);
		fflush(stdout);
	}
	return program_ready(program, spec.name, &endpoints);
}

static int run(struct program *program, const struct settings *settings)
{
	struct loop *loop = NULL;
	struct devbroker *devbroker = NULL;

	int r = loop_new(&loop);
	r = r == 0 ? devbroker_new((int)settings->brokers, &devbroker) : r;
	r = r == 0 ? add_topics(devbroker, settings) : r;
	r = r == 0 ? program_attach(loop) : r;
	r = r == 0 ? say_ready(program, devbroker) : r;
	if (r == 0) {
		log_line(LOG_INFO, "ready", "bootstrap=%s", devbroker_bootstrap(devbroker));
		r = loop_run(loop);
	}
	if (r < 0) {
		log_line(LOG_ERROR, "failed", "reason=\"%s\"", strerror(-r));
	}
	program_stopping();
	devbroker_free(devbroker);
	loop_free(loop);
	return r == 0 ? EXIT_STOPPED : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct settings settings;
	struct program program;
	struct program_spec bound = spec;

	bound.target = &settings;
	int r = program_parse(&program, &bound, argc, argv);
	if (r >= 0) {
		return r;
	}
	r = run(&program, &settings);
	config_deinit(&schema, &settings);
	return r;
}
