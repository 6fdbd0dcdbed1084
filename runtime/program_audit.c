/* What an operator asked of this process, for the audit log: begun, and what became of it. */
#include "runtime/audit_log.h"
#include "runtime/program.h"
#include <string.h>

/* Actions that were begun, of this process: its start, and what its command line says. */
enum { BEGUN_MAX = 300 };
static struct {
	const char *file;
	struct audit_entry entries[BEGUN_MAX]; /* ended ones have no action */
	size_t count;
} begun;

int program_audit(const char *file, const char *program, const char *action, const char *arguments)
{
	const struct audit_entry entry = {
		.program = program, .action = action, .arguments = arguments};

	if (audit_begin(file, &entry) < 0) {
		return EXIT_FAILED;
	}
	begun.file = file;
	if (begun.count < BEGUN_MAX) {
		begun.entries[begun.count++] = entry;
	}
	return 0;
}

void program_audit_end(const char *action, const char *arguments, const char *result)
{
	for (size_t i = 0; i < begun.count; i++) {
		struct audit_entry *entry = &begun.entries[i];
		if (entry->action != NULL && strcmp(entry->action, action) == 0 &&
			(arguments == NULL || strcmp(entry->arguments, arguments) == 0)) {
			audit_end(begun.file, entry, result);
			entry->action = NULL;
			return;
		}
	}
}

void program_audit_end_all(const char *result)
{
	for (size_t i = 0; i < begun.count; i++) {
		if (begun.entries[i].action != NULL) {
			audit_end(begun.file, &begun.entries[i], result);
		}
	}
	begun.count = 0;
}
