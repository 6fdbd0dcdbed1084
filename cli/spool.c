#include "cli/commands.h"
#include "cli/options.h"
#include "cli/session.h"
#include "cli/spool_walk.h"
#include "proto/event.h"
#include "runtime/program.h"
#include <string.h>

static const char name[] = "till spool";

int command_spool(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct spool_options *options);
	} actions[] = {{"list", spool_walk_list}, {"show", spool_walk_show},
		{"verify", spool_walk_verify}, {"export", spool_walk_export}};
	struct spool_options spool = {.index = -1};
	struct positionals positionals;
	const struct option options[] = {
		{"--lane", 0, OPTION_TEXT, &spool.lane, "LANE",
			"only this one: order, cart, view, order.dlq, cart.dlq, view.dlq", 0, 0},
		{"--index", 0, OPTION_INTEGER, &spool.index, "N", "only blocks with this index", 0,
			0},
		{"--msgpack", 0, OPTION_FLAG, &spool.msgpack, NULL,
			"export: the events' very bytes instead of JSON lines", 0, 0},
		{NULL, 0, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	const struct options_spec spec = {"till spool",
		"list DIR [OPTIONS]\nshow DIR [OPTIONS]\nverify DIR [OPTIONS]\nexport DIR "
		"[OPTIONS]",
		"Reads the spool of an edge (its data directory) without changing it, running or "
		"not. list: the blocks that\n"
		"wait. show: their events. verify: every checksum and every event; exit code 1 "
		"when something is damaged.\n"
		"export: the events with their certificates, to rescue them.",
		options, 2, 2};

	int code = options_or_exit(&spec, argc, argv, &positionals);
	if (code >= 0) {
		return code;
	}
	spool.folder = positionals.items[1];
	enum kind kind;
	if (spool.lane != NULL && !kind_from_name(slice_of_text(spool.lane), &kind)) {
		say(name, "there is no lane \"%s\"", spool.lane);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		if (strcmp(positionals.items[0], actions[i].name) == 0) {
			return actions[i].run(&spool);
		}
	}
	say(name, "list, show, verify or export, not \"%s\"", positionals.items[0]);
	return EXIT_USAGE;
}
