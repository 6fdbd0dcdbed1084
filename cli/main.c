/* till: the command line of till. The table is all there is to it; each command has a file of its own. */
#include "cli/commands.h"
#include "cli/external.h"
#include "cli/hidden_password.h"
#include "runtime/program.h"
#include "runtime/suggest.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct command {
	const char *name;
	int (*run)(int argc, char **argv); /* NULL: a program of the Python package, till-NAME */
	const char *summary;
};

static const struct command commands[] = {
	{"demo", command_demo, "a whole till on this machine, with simulated stores"},
	{"send", command_send, "send the rows of a file to an edge"},
	{"simulate", command_simulate, "simulated stores sell at real edges"},
	{"load", command_load, "make and fill a database's tables from CSV files"},
	{"query", command_query, "ask the aggregator"},
	{"top", command_top, "the leading rows of a view"},
	{"scan", command_scan, "the rows of a view: filtered, rolled up, compared"},
	{"bands", command_bands, "how many rows of a view have how much of a measure"},
	{"watch", command_watch, "totals, redrawn every few seconds"},
	{"status", command_status, "how the aggregator and the other daemons are"},
	{"monitor", command_monitor, "how everything runs: rates, lag, latency, edges"},
	{"track", command_track, "latency, throughput, errors and offsets, for scripts"},
	{"staged", command_staged,
		"views that are counted beside the live ones: compare, accept, drop"},
	{"tail", command_tail, "the records of a topic, decoded"},
	{"ledger", command_ledger, "does everything add up, and what is missing"},
	{"trace", command_trace, "where one event is"},
	{"reconcile", command_reconcile, "hold a till's closing report against the totals"},
	{"dlq", command_dlq, "dead letters: list, show, replay"},
	{"quarantine", command_quarantine, "records that the aggregator set aside"},
	{"forget", command_forget, "take a user's rows out of the totals, for good"},
	{"spool", command_spool, "what waits on an edge's disk: list, show, verify, export"},
	{"keygen", command_keygen, "make a pair of keys for an edge, a bridge or a person"},
	{"verify", command_verify, "check a spool or a store on disk"},
	{"export", NULL, "views and tables into CSV, NDJSON, Parquet and Arrow files"},
	{"mart", NULL, "views and tables into PostgreSQL and MariaDB"},
	{"archive", NULL, "raw events into files, exactly once"},
	{"report", NULL, "plots and a page that stands by itself"},
	{"forecast", NULL, "demand of the next days, with its error"},
	{"alert", NULL, "rules over views; says once what is off"},
	{NULL, NULL, NULL},
};

static const struct command *find_command(const char *name)
{
	for (const struct command *command = commands; command->name != NULL; command++) {
		if (strcmp(command->name, name) == 0) {
			return command;
		}
	}
	return NULL;
}

static void print_help(FILE *out)
{
	fprintf(out, "usage: till COMMAND [ARGUMENTS]\n\n"
		     "Carries every sale from the till of a store to an exact total.\n\n");
	for (const struct command *command = commands; command->name != NULL; command++) {
		fprintf(out, "  %-10s %s%s\n", command->name, command->summary,
			command->run == NULL ? " *" : "");
	}
	fprintf(out, "\n* comes with the Python package: pip install ./python");
	fprintf(out, "\n\"till COMMAND --help\" says more. Any other COMMAND runs till-COMMAND "
		     "from PATH.\n");
}

static int fail_unknown(const char *name)
{
	struct suggestion suggestion = {.word = name};

	for (const struct command *command = commands; command->name != NULL; command++) {
		suggestion_offer(&suggestion, command->name);
	}
	fprintf(stderr, "till: unknown command \"%s\"", name);
	if (suggestion.best != NULL) {
		fprintf(stderr, "; did you mean \"%s\"?", suggestion.best);
	}
	fprintf(stderr, "\n\"till help\" lists what there is\n");
	return EXIT_USAGE;
}

/* Ours, or else another program, which takes our place. */
static int run_command(const char *name, int argc, char **argv)
{
	const struct command *command = find_command(name);

	if (command != NULL && command->run != NULL) {
		return command->run(argc, argv);
	}
	external_run(name, argv);
	if (command == NULL) {
		return fail_unknown(name);
	}
	fprintf(stderr,
		"till: \"%s\" comes with the Python package, which is not on PATH: pip install "
		"./python\n",
		name);
	return EXIT_USAGE;
}

static int help(int argc, char **argv)
{
	char flag[] = "--help";
	char *arguments[] = {argc > 1 ? argv[1] : NULL, flag, NULL};

	if (argc > 1) {
		return run_command(argv[1], 2, arguments);
	}
	print_help(stdout);
	return EXIT_STOPPED;
}

/* A file that a full disk cut short is no success. A reader that went away has what it wanted. */
static int conclude(int code)
{
	errno = 0;
	bool is_whole = fflush(stdout) == 0 && ferror(stdout) == 0;

	if (is_whole || errno == EPIPE || code != EXIT_STOPPED) {
		return code;
	}
	fprintf(stderr, "till: the output could not be written%s%s\n", errno == 0 ? "" : ": ",
		errno == 0 ? "" : strerror(errno));
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	const char *name = argv[1];
	if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0) {
		return conclude(help(argc - 1, argv + 1));
	}
	if (strcmp(name, "--version") == 0) {
		printf("till %s\n", program_version());
		return conclude(EXIT_STOPPED);
	}
	if (hidden_password_move(argc, argv) < 0) {
		fprintf(stderr, "till: %s\n", strerror(ENOMEM));
		return EXIT_FAILED;
	}
	return conclude(run_command(name, argc - 1, argv + 1));
}
