#include "cli/deed.h"
#include "runtime/audit_log.h"
#include "runtime/program.h"
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

void deed_init(struct deed *deed, const char *file, const char *action, const char *arguments)
{
	*deed = (struct deed){.file = file, .action = action, .arguments = arguments};
	if (file == NULL) {
		const char *named = getenv("TILL_AUDIT");
		deed->file = named != NULL && named[0] != '\0' ? named : NULL;
	}
}

static struct audit_entry entry_of(const struct deed *deed)
{
	return (struct audit_entry){
		.program = "till", .action = deed->action, .arguments = deed->arguments};
}

/* Whoever keeps the machine's log gets it; where nobody does, there is none to refuse it. */
static void tell_syslog(const struct deed *deed, const char *result)
{
	openlog("till", LOG_PID, LOG_AUTH);
	syslog(LOG_NOTICE, "audit uid=%lu action=%s arguments=\"%s\" result=\"%s\"",
		(unsigned long)getuid(), deed->action, deed->arguments, result);
	closelog();
}

int deed_begin(const struct deed *deed)
{
	const struct audit_entry entry = entry_of(deed);

	if (deed->file == NULL) {
		tell_syslog(deed, "begun");
		return -1;
	}
	return audit_begin(deed->file, &entry) < 0 ? EXIT_FAILED : -1;
}

void deed_end(const struct deed *deed, const char *result)
{
	const struct audit_entry entry = entry_of(deed);

	if (deed->file == NULL) {
		tell_syslog(deed, result);
	} else {
		audit_end(deed->file, &entry, result);
	}
}
