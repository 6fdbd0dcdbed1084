/* till-bridge: takes batches of events from edges, checks them, writes them to Kafka, and acknowledges what Kafka has
 * confirmed. It keeps nothing: any number may run. */
#include "bridge/bridge.h"
#include "runtime/log.h"
#include "runtime/program.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* librdkafka may hang when it is destroyed; what matters has been said to everybody by then. */
enum { EXIT_DEADLINE_S = 6 };

static int exit_code;

static void *exit_anyway(void *unused)
{
	(void)unused;
	sleep(EXIT_DEADLINE_S);
	_exit(exit_code);
}

static void set_exit_deadline(int code)
{
	pthread_t thread;
	exit_code = code;
	if (pthread_create(&thread, NULL, exit_anyway, NULL) == 0) {
		pthread_detach(thread);
	}
}

static int run(const struct bridge_config *config, struct program *program)
{
	struct config_error error = {0};
	struct bridge *bridge = NULL;
	int r = bridge_new(config, &bridge, &error);
	if (r == 0) {
		r = bridge_run(bridge, program);
	}
	if (r < 0) {
		char result[sizeof error.text + 16];
		const char *why = error.text[0] != '\0' ? error.text : strerror(-r);
		log_line(LOG_ERROR, "till-bridge failed", "why=\"%s\"", why);
		snprintf(result, sizeof result, "failed: %s", why);
		program_audit_end_all(result);
	}
	/* -EINVAL: an address or a property that can't be, and no restart makes it better. */
	int code = r == -EINVAL ? EXIT_USAGE : r < 0 ? EXIT_FAILED : EXIT_STOPPED;
	set_exit_deadline(code);
	bridge_free(bridge);
	return code;
}

int main(int argc, char **argv)
{
	struct bridge_config config = {0};
	struct program program;
	const struct program_spec spec = {
		.name = "till-bridge",
		.summary = "takes events from edges and writes them to Kafka",
		.schema = &bridge_config_schema,
		.target = &config,
		.validate = bridge_config_check,
	};
	int code = program_parse(&program, &spec, argc, argv);
	if (code < 0 && program_audit(config.audit_file, spec.name, "start", config.brokers) != 0) {
		code = EXIT_FAILED;
	}
	if (code < 0) {
		code = run(&config, &program);
	}
	bridge_config_deinit(&config);
	return code;
}
