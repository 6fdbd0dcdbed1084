#include "cli/hidden_password.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct span {
	char *at;
	size_t size;
};

/* Up to the last @: a password in which an @ or a slash was not written %40 or %2F is one all the same. */
static struct span password_of_user(char *address)
{
	char *end = strrchr(address, '@');
	char *colon = end != NULL ? strchr(address, ':') : NULL;

	if (colon == NULL || colon > end) {
		return (struct span){NULL, 0};
	}
	return (struct span){colon + 1, (size_t)(end - colon - 1)};
}

static struct span password_of_options(char *address)
{
	static const char name[] = "password=";
	char *options = strchr(address, '?');
	char *found = options != NULL ? strstr(options, name) : NULL;

	if (found == NULL) {
		return (struct span){NULL, 0};
	}
	found += sizeof name - 1;
	return (struct span){found, strcspn(found, "&")};
}

static void blot(struct span span)
{
	if (span.size > 0) {
		memset(span.at, '*', span.size);
	}
}

static int move(char **argument)
{
	char *scheme = strstr(*argument, "://");
	if (scheme == NULL) {
		return 0;
	}
	struct span of_user = password_of_user(scheme + 3);
	struct span of_options = password_of_options(scheme + 3);
	if (of_user.size + of_options.size == 0) {
		return 0;
	}
	char *copy = strdup(*argument);
	if (copy == NULL) {
		return -ENOMEM;
	}
	blot(of_user);
	blot(of_options);
	*argument = copy;
	return 0;
}

int hidden_password_move(int argc, char **argv)
{
	int r = 0;

	for (int i = 0; i < argc && r == 0; i++) {
		r = move(&argv[i]);
	}
	return r;
}
