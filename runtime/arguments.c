/* The command line of a daemon, as far as program.h promises it. */
#include "runtime/log.h"
#include "runtime/program.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { LIST_MAX = 256 }; /* -c and -o together */

enum command { RUN, CHECK, PRINT_CONFIG, HELP, VERSION };

struct arguments {
	const struct program_spec *spec;
	int argc; /* what is left */
	char **argv;
	enum command command;
	enum log_level level;
	int ready_fd;
	const char *files[LIST_MAX];
	size_t file_count;
	const char *assignments[LIST_MAX];
	size_t assignment_count;
	struct config_error *error;
};

/* The common ones, in the order of --help. */
struct common_flag {
	const char *name, *short_name, *argument, *help;
	int (*take)(struct arguments *arguments, const char *value);
};

static int take_file(struct arguments *arguments, const char *value)
{
	if (arguments->file_count == LIST_MAX) {
		return config_fail(arguments->error, "more than %d files", LIST_MAX);
	}
	arguments->files[arguments->file_count++] = value;
	return 0;
}

static int take_assignment(struct arguments *arguments, const char *value)
{
	if (arguments->assignment_count == LIST_MAX) {
		return config_fail(arguments->error, "more than %d times -o", LIST_MAX);
	}
	arguments->assignments[arguments->assignment_count++] = value;
	return 0;
}

static int take_check(struct arguments *arguments, const char *value)
{
	(void)value;
	arguments->command = CHECK;
	return 0;
}

static int take_print_config(struct arguments *arguments, const char *value)
{
	(void)value;
	arguments->command = PRINT_CONFIG;
	return 0;
}

static int take_help(struct arguments *arguments, const char *value)
{
	(void)value;
	arguments->command = HELP;
	return 0;
}

static int take_version(struct arguments *arguments, const char *value)
{
	(void)value;
	arguments->command = VERSION;
	return 0;
}

static int take_ready_fd(struct arguments *arguments, const char *value)
{
	char *end = NULL;

	errno = 0;
	long fd = strtol(value, &end, 10);
	bool is_number = isdigit((unsigned char)*value) && *end == '\0' && errno == 0;
	if (!is_number || fd > INT16_MAX || fcntl((int)fd, F_GETFD) < 0) {
		return config_fail(arguments->error,
			"--ready-fd %s: is not the number of an open file", value);
	}
	(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	arguments->ready_fd = (int)fd;
	return 0;
}

static int take_log_level(struct arguments *arguments, const char *value)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{"error", LOG_ERROR},
		{"warning", LOG_WARNING},
		{"info", LOG_INFO},
		{"debug", LOG_DEBUG},
	};
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
		if (strcmp(levels[i].name, value) == 0) {
			arguments->level = levels[i].level;
			return 0;
		}
	}
	return config_fail(
		arguments->error, "--log-level %s: use error, warning, info or debug", value);
}

static const struct common_flag common_flags[] = {
	{"--config", "-c", "FILE", "read this configuration; may be given several times",
		take_file},
	{"--option", "-o", "SECTION.KEY=VALUE", "set one option; wins over every file",
		take_assignment},
	{"--check", NULL, NULL, "check the configuration and end", take_check},
	{"--print-config", NULL, NULL, "print the configuration in effect and end",
		take_print_config},
	{"--ready-fd", NULL, "N", "write one line of JSON to this file descriptor when ready",
		take_ready_fd},
	{"--log-level", NULL, "LEVEL",
		"error, warning, info or debug; default is $TILL_LOG, else info", take_log_level},
	{"--help", "-h", NULL, "print this and end", take_help},
	{"--version", "-V", NULL, "print the version and end", take_version},
	{NULL, NULL, NULL, NULL, NULL},
};

/* "--name" or "--name=value", the value then in *ret_value. */
static bool matches(const char *argument, const char *name, const char **ret_value)
{
	size_t size = name != NULL ? strlen(name) : 0;

	if (size == 0 || strncmp(argument, name, size) != 0) {
		return false;
	}
	if (argument[size] == '=' && name[1] == '-') {
		*ret_value = argument + size + 1;
		return true;
	}
	return argument[size] == '\0';
}

/* *value is what stood behind "=", if anything; else the next argument is taken when one is wanted. */
static int complete_value(
	struct arguments *arguments, const char *name, bool wanted, const char **value)
{
	if (!wanted && *value != NULL) {
		return config_fail(arguments->error, "%s takes no value", name);
	}
	if (wanted && *value == NULL) {
		if (arguments->argc == 0) {
			return config_fail(arguments->error, "%s needs a value", name);
		}
		*value = *arguments->argv++;
		arguments->argc--;
	}
	return 0;
}

static int store_flag(
	const struct arguments *arguments, const struct program_flag *flag, const char *value)
{
	unsigned count_max = flag->count_max > 0 ? flag->count_max : 1;

	if (flag->ret_set != NULL) {
		*flag->ret_set = true;
	}
	if (flag->ret_text == NULL) {
		return 0;
	}
	for (unsigned i = 0; i < count_max; i++) {
		if (flag->ret_text[i] == NULL) {
			flag->ret_text[i] = value;
			return 0;
		}
	}
	return config_fail(arguments->error, "%s is given more than %u time%s", flag->name,
		count_max, count_max > 1 ? "s" : "");
}

/* 1: it was one of these; 0: not; or -EINVAL. */
static int try_common(struct arguments *arguments, const char *argument)
{
	for (const struct common_flag *flag = common_flags; flag->name != NULL; flag++) {
		const char *value = NULL;
		if (matches(argument, flag->name, &value) ||
			matches(argument, flag->short_name, &value)) {
			int r = complete_value(
				arguments, flag->name, flag->argument != NULL, &value);
			r = r == 0 ? flag->take(arguments, value) : r;
			return r < 0 ? r : 1;
		}
	}
	return 0;
}

static int try_own(struct arguments *arguments, const char *argument)
{
	for (const struct program_flag *flag = arguments->spec->flags;
		flag != NULL && flag->name != NULL; flag++) {
		const char *value = NULL;
		if (matches(argument, flag->name, &value)) {
			int r = complete_value(
				arguments, flag->name, flag->argument != NULL, &value);
			r = r == 0 ? store_flag(arguments, flag, value) : r;
			return r < 0 ? r : 1;
		}
	}
	return 0;
}

static int read_arguments(struct arguments *arguments)
{
	const char *level = getenv("TILL_LOG");
	if (level != NULL && *level != '\0' && take_log_level(arguments, level) < 0) {
		return config_fail(arguments->error,
			"TILL_LOG=%.80s: use error, warning, info or debug", level);
	}
	while (arguments->argc > 0) {
		const char *argument = *arguments->argv++;
		arguments->argc--;
		int r = try_common(arguments, argument);
		r = r == 0 ? try_own(arguments, argument) : r;
		if (r < 0) {
			return r;
		}
		if (r == 0) {
			return config_fail(
				arguments->error, "%.80s: unknown argument; try --help", argument);
		}
	}
	return 0;
}

static int read_configuration(const struct arguments *arguments)
{
	const struct program_spec *spec = arguments->spec;
	struct config_error *error = arguments->error;

	int r = config_init(spec->schema, spec->target, error);
	for (size_t i = 0; r == 0 && i < arguments->file_count; i++) {
		r = config_read_file(spec->schema, spec->target, arguments->files[i], error);
	}
	for (size_t i = 0; r == 0 && i < arguments->assignment_count; i++) {
		r = config_set(spec->schema, spec->target, arguments->assignments[i], error);
	}
	if (r == 0) {
		r = config_finish(spec->schema, spec->target, error);
	}
	if (r == 0 && spec->validate != NULL) {
		r = spec->validate(spec->target, error);
	}
	return r;
}

static void print_flag(const char *name, const char *short_name, const char *argument)
{
	printf("  %s%s%s%s%s\n", short_name != NULL ? short_name : "",
		short_name != NULL ? ", " : "", name, argument != NULL ? " " : "",
		argument != NULL ? argument : "");
}

static void print_help(const struct program_spec *spec)
{
	printf("%s - %s\n\nusage: %s [-c FILE] [-o SECTION.KEY=VALUE] ...\n\n", spec->name,
		spec->summary, spec->name);
	for (const struct program_flag *flag = spec->flags; flag != NULL && flag->name != NULL;
		flag++) {
		print_flag(flag->name, NULL, flag->argument);
		printf("        %s\n", flag->help);
	}
	for (const struct common_flag *flag = common_flags; flag->name != NULL; flag++) {
		print_flag(flag->name, flag->short_name, flag->argument);
		printf("        %s\n", flag->help);
	}
	printf("\nOptions of the configuration, with their defaults:\n");
	config_print_help(spec->schema, stdout);
	printf("\nEnds with 0 when asked to stop, 1 when a restart may help, 2 on wrong usage or "
	       "configuration, 4 when\nan operator has to decide.\n");
}

/* What the operator wrote is wrong, unless the machine had nothing to read it with: then a restart may help. */
static int fail_usage(const struct program_spec *spec, const struct config_error *error, int r)
{
	bool is_machine = r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EIO;

	fprintf(stderr, "%s: %s\n", spec->name, error->text);
	return is_machine ? EXIT_FAILED : EXIT_USAGE;
}

/* libzmq aborts, or spins, when a process runs out of file descriptors: take all that we are allowed. */
static int take_files(struct config_error *error)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
		return 0;
	}
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur < PROGRAM_FILES_MIN) {
		return config_fail(error,
			"may open %llu files and needs %d at least: raise LimitNOFILE in its unit, "
			"or the hard limit of ulimit -n",
			(unsigned long long)limit.rlim_cur, (int)PROGRAM_FILES_MIN);
	}
	return 0;
}

/* What ends at once is done here; the target is empty again then. */
static int run_command(const struct arguments *arguments)
{
	const struct program_spec *spec = arguments->spec;

	int r = read_configuration(arguments);
	if (r == 0 && arguments->command == RUN) {
		r = take_files(arguments->error);
	}
	if (r == 0 && arguments->command == RUN) {
		return -1;
	}
	if (r == 0 && arguments->command == PRINT_CONFIG) {
		config_print(spec->schema, spec->target, stdout);
	}
	config_deinit(spec->schema, spec->target);
	return r == 0 ? EXIT_STOPPED : fail_usage(spec, arguments->error, r);
}

int program_parse(struct program *program, const struct program_spec *spec, int argc, char **argv)
{
	struct config_error error = {.text = ""};
	struct arguments arguments = {.spec = spec,
		.argc = argc > 0 ? argc - 1 : 0,
		.argv = argv + 1,
		.level = LOG_INFO,
		.ready_fd = -1,
		.error = &error};

	int r = read_arguments(&arguments);
	if (r < 0) {
		return fail_usage(spec, &error, r);
	}
	if (arguments.command == HELP) {
		print_help(spec);
		return EXIT_STOPPED;
	}
	if (arguments.command == VERSION) {
		printf("%s %s\n", spec->name, program_version());
		return EXIT_STOPPED;
	}
	log_init(spec->name, arguments.level);
	program->ready_fd = arguments.ready_fd;
	return run_command(&arguments);
}
