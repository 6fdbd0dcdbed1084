/* audit_log.h - what an administrator did: one line of JSON on disk before the action begins, and one with what became of it.
 * An action that can't be written down must not be done. Any thread. */
#pragma once
#include "runtime/config.h"

struct audit_entry {
	const char *program; /* "till-aggregator" */
	const char *who; /* the name of a key; NULL: whoever started this process, by uid */
	const char *action; /* "accept-gap" */
	const char *arguments; /* never a secret */
	const char *result; /* "begun", "done", "refused: …", "failed: …" */
};

/* Appends to `path`, which is made with mode 0600, and syncs it. `path` NULL or "": a line of the log, which systemd gives
 * to journald. 0, or -errno with the error set. */
int audit_write(const char *path, const struct audit_entry *entry, struct config_error *error);

/* Before an action; the entry's result is not looked at. 0, or -errno after the log has said why: then it must not be done. */
int audit_begin(const char *path, const struct audit_entry *entry);
/* What became of it. It is done already, so that it can't be written down is an error in the log and no more. */
void audit_end(const char *path, const struct audit_entry *entry, const char *result);
