/* view_scan.h - reads the value of one key of a [view.NAME] section token by token, and words complaints. Pure. */
#pragma once
#include "aggregator/view/view_plan.h"

enum token {
	TOKEN_END,
	TOKEN_WORD, /* letters, digits and _ . : + - */
	TOKEN_QUOTED, /* "text"; "" stands for one " */
	TOKEN_SIGN, /* ( ) , * = != < <= > >= */
	TOKEN_BROKEN, /* too long, an open quote, or a byte that belongs nowhere */
};

/* One declaration on its way to a view. */
struct scanner {
	const char *subject; /* "table"; NULL: "view" */
	const char *view_name;
	const char *key; /* whose value is being read */
	const char *at;
	enum token token; /* the current one */
	char word[VIEW_LITERAL_SIZE_MAX + 1]; /* and its text */
	char *error;
	size_t error_size;
};

/* Starts on the value of `key` and reads the first token. */
void scanner_start(struct scanner *scanner, const char *key, const char *value);
void scanner_next(struct scanner *scanner);
static inline bool scanner_is(const struct scanner *scanner, enum token token, const char *word)
{
	return scanner->token == token && strcmp(scanner->word, word) == 0;
}
/* Takes the sign when it is the current token. */
bool scanner_take_sign(struct scanner *scanner, const char *sign);

/* The sentence, with view and key in front. Always -EINVAL. */
int scanner_fail(struct scanner *scanner, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The current token is no `what` ("field", "kind" …): names the nearest of these words, or all of them. -EINVAL. */
int scanner_fail_word(
	struct scanner *scanner, const char *what, const char *const *words, size_t count);
/* A `what` was expected where the current token is. -EINVAL. */
int scanner_fail_expected(struct scanner *scanner, const char *what);
/* The current token's place among these words; -EINVAL with the complaint. */
int scanner_choose(
	struct scanner *scanner, const char *what, const char *const *words, size_t count);
/* Is this a name: a letter or _, then letters, digits and _; at most VIEW_NAME_SIZE_MAX bytes? */
bool name_is_valid(const char *name);
