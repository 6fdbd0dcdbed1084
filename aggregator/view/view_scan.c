#include "aggregator/view/view_scan.h"
#include "aggregator/view/view_suggest.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_letter(c) || is_digit(c) || (c != 0 && strchr(".:+-", c) != NULL);
}

void scanner_start(struct scanner *scanner, const char *key, const char *value)
{
	scanner->key = key;
	scanner->at = value;
	scanner_next(scanner);
}

static void keep(struct scanner *scanner, size_t *size, char c)
{
	if (*size >= sizeof scanner->word - 1) {
		scanner->token = TOKEN_BROKEN;
		return;
	}
	scanner->word[(*size)++] = c;
}

static void read_word(struct scanner *scanner, size_t *size)
{
	scanner->token = TOKEN_WORD;
	while (is_word(*scanner->at) && scanner->token == TOKEN_WORD) {
		keep(scanner, size, *scanner->at++);
	}
}

static void read_quoted(struct scanner *scanner, size_t *size)
{
	scanner->token = TOKEN_QUOTED;
	scanner->at++;
	while ((uint8_t)*scanner->at >=
		' ') { /* control characters would not survive the canonical text */
		if (*scanner->at == '"' && *++scanner->at != '"') {
			return;
		}
		keep(scanner, size, *scanner->at++);
		if (scanner->token == TOKEN_BROKEN) {
			return;
		}
	}
	scanner->token = TOKEN_BROKEN;
}

static void read_sign(struct scanner *scanner, size_t *size)
{
	char c = *scanner->at++;
	bool may_equal = strchr("!<>", c) != NULL;

	keep(scanner, size, c);
	if (may_equal && *scanner->at == '=') {
		keep(scanner, size, *scanner->at++);
	}
	bool is_sign = strchr("(),*=<>", c) != NULL || *size == 2;
	scanner->token = is_sign ? TOKEN_SIGN : TOKEN_BROKEN;
}

void scanner_next(struct scanner *scanner)
{
	size_t size = 0;

	memset(scanner->word, 0, sizeof scanner->word);
	while (is_space(*scanner->at)) {
		scanner->at++;
	}
	if (*scanner->at == 0) {
		scanner->token = TOKEN_END;
	} else if (is_word(*scanner->at)) {
		read_word(scanner, &size);
	} else if (*scanner->at == '"') {
		read_quoted(scanner, &size);
	} else {
		read_sign(scanner, &size);
	}
}

bool scanner_take_sign(struct scanner *scanner, const char *sign)
{
	if (!scanner_is(scanner, TOKEN_SIGN, sign)) {
		return false;
	}
	scanner_next(scanner);
	return true;
}

int scanner_fail(struct scanner *scanner, const char *format, ...)
{
	char sentence[COMPLAINT_SIZE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof sentence, format, arguments);
	va_end(arguments);
	snprintf(scanner->error, scanner->error_size, "%s %s: %s%s%s",
		scanner->subject == NULL ? "view" : scanner->subject, scanner->view_name,
		scanner->key == NULL ? "" : scanner->key, scanner->key == NULL ? "" : ": ",
		sentence);
	return -EINVAL;
}

static void list_words(const char *const *words, size_t count, char *list, size_t list_size)
{
	size_t size = 0;

	list[0] = 0;
	for (size_t i = 0; i < count && size < list_size; i++) {
		int n = snprintf(
			list + size, list_size - size, "%s%s", i == 0 ? "" : ", ", words[i]);
		size += n > 0 ? (size_t)n : 0;
	}
}

int scanner_fail_word(
	struct scanner *scanner, const char *what, const char *const *words, size_t count)
{
	const char *meant = suggest_word(slice_of_text(scanner->word), words, count);
	char list[COMPLAINT_SIZE_MAX / 2];

	if (scanner->token != TOKEN_WORD) {
		return scanner_fail_expected(scanner, what);
	}
	if (meant != NULL) {
		return scanner_fail(scanner, "unknown %s \"%s\"; did you mean \"%s\"?", what,
			scanner->word, meant);
	}
	list_words(words, count, list, sizeof list);
	return scanner_fail(scanner, "unknown %s \"%s\"; known are %s", what, scanner->word, list);
}

int scanner_fail_expected(struct scanner *scanner, const char *what)
{
	if (scanner->token == TOKEN_END) {
		return scanner_fail(scanner, "%s is missing at the end", what);
	}
	if (scanner->token == TOKEN_BROKEN) {
		return scanner_fail(scanner,
			"\"%s\" is too long, not closed, or no part of a declaration",
			scanner->word);
	}
	return scanner_fail(scanner, "%s was expected, not \"%s\"", what, scanner->word);
}

int scanner_choose(
	struct scanner *scanner, const char *what, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (scanner_is(scanner, TOKEN_WORD, words[i])) {
			return (int)i;
		}
	}
	return scanner_fail_word(scanner, what, words, count);
}

bool name_is_valid(const char *name)
{
	size_t size = strlen(name);

	if (size == 0 || size > VIEW_NAME_SIZE_MAX || !is_letter(name[0])) {
		return false;
	}
	for (size_t i = 1; i < size; i++) {
		if (!is_letter(name[i]) && !is_digit(name[i])) {
			return false;
		}
	}
	return true;
}
