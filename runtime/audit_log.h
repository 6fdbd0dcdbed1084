/* audit_log.h - what an administrator did: one line of JSON each, on disk before the action begins. An action that can't be
 * written down must not be done. Any thread. */
#pragma once
#include "runtime/config.h"

struct audit_entry {
	const char *program; /* "till-aggregator" */
	const char *who; /* the name of a key; NULL: whoever started this process, by uid */
	const char *action; /* "accept-gap" */
	const char *arguments; /* never a secret */
	const char *result; /* "begun", "done", "refused: …" */
};

/* Appends to `path`, which is made with mode 0600, and syncs it. `path` NULL or "": a line of the log, which systemd gives
 * to journald. 0, or -errno with the error set. */
int audit_write(const char *path, const struct audit_entry *entry, struct config_error *error);
