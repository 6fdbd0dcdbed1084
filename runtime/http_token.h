/* http_token.h - the token of a request: Authorization: Bearer TOKEN. Pure. */
#pragma once
#include <stdbool.h>

/* `authorization` is NULL where it did not come. Takes the same time whatever is wrong with the token. */
bool http_token_is(const char *authorization, const char *token);
/* Says it is a token, right or wrong: other schemes are others' affair, a proxy's in front of us. */
bool http_token_is_given(const char *authorization);
