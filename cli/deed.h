/* deed.h - what this command changes elsewhere, for the audit log: written down before it is done, and again with what became
 * of it (runtime/audit_log.h). Into the file that --audit or TILL_AUDIT names, else to syslog. */
#pragma once

struct deed {
	const char *file; /* NULL: syslog */
	const char *action; /* "dlq-replay" */
	const char *arguments; /* never what is personal */
};

/* Sets the file: what --audit said, or NULL. */
void deed_init(struct deed *deed, const char *file, const char *action, const char *arguments);
/* -1 to go on; else the exit code, the reason said: then it must not be done. */
int deed_begin(const struct deed *deed);
void deed_end(const struct deed *deed, const char *result);
