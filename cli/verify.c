#include "cli/commands.h"
#include "cli/options.h"
#include "cli/session.h"
#include "cli/spool_walk.h"
#include "cli/store_check.h"
#include "runtime/program.h"
#include <string.h>

int command_verify(int argc, char **argv)
{
	struct positionals positionals;
	const struct option options[] = {{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0}};
	const struct options_spec spec = {"till verify", "spool DIR\nstore DIR",
		"Checks what lies on disk, without changing it. spool: the data directory of an "
		"edge, running or not.\n"
		"store: that of an aggregator that is stopped: every checksum, and that all sums "
		"add up.\n"
		"Exit code: 0 all is well, 1 something is damaged.",
		options, 2, 2};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code >= 0) {
		return code;
	}
	if (strcmp(positionals.items[0], "spool") == 0) {
		struct spool_options spool = {.folder = positionals.items[1], .index = -1};
		return spool_walk_verify(&spool);
	}
	if (strcmp(positionals.items[0], "store") == 0) {
		return store_check_folder(positionals.items[1]);
	}
	say("till verify", "spool or store, not \"%s\"", positionals.items[0]);
	return EXIT_USAGE;
}
