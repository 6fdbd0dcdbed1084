/* till-edge: takes a store's events, numbers them, keeps them on disk, and sends them to a bridge until it has
 * acknowledged them.
 *
 *	edge.c            wiring; edge_config.c options; edge_metrics.c series
 *	sources.c         the ways in, each a source_*.c: ZeroMQ's two, and what [source.NAME] declares
 *	desk.c            commits what they hand in by groups -> intake*.c (one submission) -> draft.c (blocks)
 *	spool_*.c         what is on disk; spool_reader_lmdb.c for tools; upkeep.c makes its file small again, and with
 *	                  forecast.c tells when it will be full
 *	courier.c         carries out sender.c (sessions with bridges) over link.c (one connection)
 *	backlog.c         which blocks of a lane go next: live ones, and old ones within window.c and throttle.c
 */
#include "edge/edge.h"
#include "runtime/log.h"
#include "runtime/program.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* To the audit log: what became of the start, where it did not get so far, and of what it was to decide. */
static void end_audit(const char *how, const char *why)
{
	char result[640];
	snprintf(result, sizeof result, "%s: %s", how, why);
	program_audit_end_all(result);
}

static int run(const struct edge_config *config, const struct edge_decisions *decisions,
	struct program *program)
{
	struct edge *edge = NULL;
	struct spool_error error = {0};

	int r = edge_new(config, decisions, &edge, &error);
	if (r != 0) {
		const char *why = error.text[0] != '\0' ? error.text : strerror(-r);
		log_line(LOG_ERROR, "till-edge can't start", "why=\"%s\"", why);
		end_audit(r == SPOOL_E_FOREIGN ? "refused" : "failed", why);
		return r == SPOOL_E_FOREIGN ? EXIT_DECISION : EXIT_FAILED;
	}
	r = edge_run(edge, program);
	if (r < 0) {
		log_line(LOG_ERROR,
			"till-edge ends: what is on disk is read anew at the next start",
			"why=\"%s\"", strerror(-r));
	}
	end_audit(r < 0 ? "failed" : "stopped", r < 0 ? strerror(-r) : "before it was needed");
	edge_free(edge);
	return r < 0 ? EXIT_FAILED : EXIT_STOPPED;
}

static int write_decision(
	const struct edge_config *config, const char *action, const char *arguments)
{
	return arguments == NULL
		       ? 0
		       : program_audit(config->audit_file, "till-edge", action, arguments);
}

static int write_down(const struct edge_config *config, const struct edge_decisions *decisions)
{
	int r = write_decision(config, "start", config->id);
	if (r == 0) {
		r = write_decision(config, "accept-cluster", decisions->accept_cluster);
	}
	return r == 0 ? write_decision(config, "accept-lost", decisions->accept_lost) : r;
}

int main(int argc, char **argv)
{
	struct edge_config config = {0};
	struct program program;
	struct edge_decisions decisions = {0};
	const struct program_flag flags[] = {
		{.name = "--accept-cluster",
			.argument = "ID",
			.help = "let this spool go to another Kafka cluster than before",
			.ret_text = &decisions.accept_cluster},
		{.name = "--accept-lost",
			.argument = "WORDS",
			.help = "go on with a spool from which exactly that is missing",
			.ret_text = &decisions.accept_lost},
		{0},
	};
	const struct program_spec spec = {
		.name = "till-edge",
		.summary = "takes a store's events and keeps them until they are in Kafka",
		.schema = &edge_config_schema,
		.target = &config,
		.flags = flags,
		.validate = edge_config_check,
	};

	int code = program_parse(&program, &spec, argc, argv);
	if (code < 0 && write_down(&config, &decisions) != 0) {
		code = EXIT_FAILED;
	}
	if (code < 0) {
		code = run(&config, &decisions, &program);
	}
	edge_config_deinit(&config);
	return code;
}
