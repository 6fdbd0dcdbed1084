#include "runtime/http_token.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static const char scheme[] = "Bearer ";

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool http_token_is_given(const char *authorization)
{
	return authorization != NULL && strncasecmp(authorization, scheme, sizeof scheme - 1) == 0;
}

bool http_token_is(const char *authorization, const char *token)
{
	size_t size = strlen(token);

	if (!http_token_is_given(authorization)) {
		return false;
	}
	const char *given = authorization + sizeof scheme - 1;
	while (is_blank(*given)) {
		given++;
	}
	size_t given_size = strlen(given);
	while (given_size > 0 && is_blank(given[given_size - 1])) {
		given_size--;
	}
	unsigned difference = given_size != size;
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = i < given_size ? (uint8_t)given[i] : 0;
		difference |= byte ^ (uint8_t)token[i];
	}
	return difference == 0;
}
