/* till-aggregator: reads the log, counts each event once, keeps the totals in LMDB and answers for them. */
#include "aggregator/aggregator.h"
#include "aggregator/books/text_set.h"
#include "aggregator/dump.h"
#include "runtime/log.h"
#include "runtime/program.h"
#include <errno.h>
#include <string.h>

enum {
	ACCEPTED_MAX = TEXT_SET_MAX,
	ENTRIES_AT_ONCE = 512, /* some 200 µs */
};

/* What the command line says beside the configuration. */
struct arguments {
	const char *accepted[ACCEPTED_MAX];
	const char *archive;
	bool rebuild;
	bool dump;
};

static int exit_code_of(int r)
{
	switch (r) {
	case 0:
		return EXIT_STOPPED;
	case AGGREGATOR_E_DECISION:
		return EXIT_DECISION;
	case AGGREGATOR_E_USAGE:
		return EXIT_USAGE;
	default:
		return EXIT_FAILED;
	}
}

/* To the audit log: what became of the start, where it did not get so far, and of what it was to decide. */
static void end_audit(int r, const char *why)
{
	char result[640];
	const char *how = r == AGGREGATOR_E_DECISION ? "refused" : r == 0 ? "stopped" : "failed";
	snprintf(result, sizeof result, "%s: %s", how, why);
	program_audit_end_all(result);
}

static const char *words_of(int r, const char *error)
{
	if (error[0] != '\0') {
		return error;
	}
	return r == 0  ? "before it was needed, or finished; a rebuild goes on at the next start"
	       : r < 0 ? strerror(-r)
		       : "the log or the archive lacks what is needed";
}

static void tell_missing(const char *text, bool of_rebuild)
{
	fprintf(stderr, "missing: %s (to go on without it: %s--accept-gap \"%s\")\n", text,
		of_rebuild ? "--rebuild " : "", text);
}

static int run(const struct aggregator_config *config, const struct arguments *arguments,
	struct program *program)
{
	struct text_set accepted = {0};
	struct aggregator *aggregator = NULL;
	char error[512] = "";
	int r = 0;

	for (int i = 0; i < ACCEPTED_MAX && arguments->accepted[i] != NULL && r == 0; i++) {
		r = text_set_add(&accepted, arguments->accepted[i]);
	}
	const struct aggregator_options options = {
		.config = config,
		.accepted = &accepted,
		.wants_rebuild = arguments->rebuild,
		.archive = arguments->archive,
		.entries_at_once = ENTRIES_AT_ONCE,
		.tell_missing = tell_missing,
	};
	if (r == 0) {
		r = aggregator_new(&options, &aggregator, error, sizeof error);
	}
	if (r == 0) {
		r = aggregator_run(aggregator, program);
	}
	if (r < 0 || error[0] != '\0') {
		log_line(LOG_ERROR, "till-aggregator failed", "why=\"%s\"", words_of(r, error));
	}
	end_audit(r, words_of(r, error));
	aggregator_free(aggregator);
	text_set_deinit(&accepted);
	return exit_code_of(r);
}

/* What an operator decides, before it is done. */
static int write_down(const struct aggregator_config *config, const struct arguments *arguments)
{
	static const char name[] = "till-aggregator";
	int r = program_audit(config->audit_file, name, "start", config->data);
	for (int i = 0; i < ACCEPTED_MAX && arguments->accepted[i] != NULL && r == 0; i++) {
		r = program_audit(config->audit_file, name, "accept-gap", arguments->accepted[i]);
	}
	if (r == 0 && arguments->archive != NULL) {
		r = program_audit(config->audit_file, name, "archive", arguments->archive);
	}
	return r == 0 && arguments->rebuild
		       ? program_audit(config->audit_file, name, "rebuild", config->data)
		       : r;
}

static int dump(const struct aggregator_config *config)
{
	char error[512] = "";
	int r = dump_write(config, stdout, error, sizeof error);
	if (r != 0) {
		log_line(LOG_ERROR, "the store can't be dumped", "why=\"%s\"", error);
	}
	return exit_code_of(r);
}

/* `--rebuild VIEW` is `--rebuild`: views are filled together, for they are read from one log and switched in as one. */
static int drop_view_name(int argc, char **argv)
{
	int kept = 0;
	for (int i = 0; i < argc; i++) {
		argv[kept++] = argv[i];
		bool is_rebuild = strcmp(argv[i], "--rebuild") == 0;
		if (is_rebuild && i + 1 < argc && argv[i + 1][0] != '-') {
			i++;
		}
	}
	argv[kept] = NULL;
	return kept;
}

int main(int argc, char **argv)
{
	static struct aggregator_config config;
	struct arguments arguments = {0};
	struct program program;
	const struct program_flag flags[] = {
		{"--accept-gap", "TEXT",
			"go on although the log lacks this; exactly as it was refused",
			arguments.accepted, NULL, ACCEPTED_MAX},
		{"--rebuild", NULL, "count the log anew beside the live store, then switch to that",
			NULL, &arguments.rebuild, 0},
		{"--archive", "FILE",
			"read what `till archive cat` wrote (-: standard input), then the log",
			&arguments.archive, NULL, 0},
		{"--dump", NULL, "print every row of a stopped store as lines of JSON and exit",
			NULL, &arguments.dump, 0},
		{0},
	};
	const struct program_spec spec = {
		.name = "till-aggregator",
		.summary = "counts each event once and answers for the totals",
		.schema = &aggregator_config_schema,
		.target = &config,
		.flags = flags,
		.validate = aggregator_config_check,
	};
	argc = drop_view_name(argc, argv);
	int code = program_parse(&program, &spec, argc, argv);
	if (code < 0 && !arguments.dump && write_down(&config, &arguments) != 0) {
		code = EXIT_FAILED;
	}
	if (code < 0) {
		code = arguments.dump ? dump(&config) : run(&config, &arguments, &program);
	}
	aggregator_config_deinit(&config);
	return code;
}
