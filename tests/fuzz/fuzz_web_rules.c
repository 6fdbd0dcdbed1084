/* Any bytes as Host, Origin, Sec-Fetch-Site and Authorization of a request to the aggregator, each up to a NUL, behind a byte of what
 * is configured: who gets in is who the rules of docs/HTTP.md let in, told here in another way: by a grammar of names and numbers. */
#include "aggregator/web/web_rules.h"
#include "tests/fuzz/fuzz.h"
#include <strings.h>

static char reader_token[] = "reader of the tests", admin_token[] = "admin of the tests";
static const char *const names[] = {"till.example", "other.example"};

/* ---- the grammar: each cuts what it takes off the front */

static bool take_char(const char **at, char wanted)
{
	bool is_it = **at == wanted;
	*at += is_it;
	return is_it;
}

static int digit_of(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : 99;
}

/* Up to `digits_max` digits of this base; -1: none, or more. */
static long take_number(const char **at, int base, int digits_max)
{
	long number = 0;
	int count = 0;

	for (; digit_of(**at) < base; (*at)++, count++) {
		number = count < digits_max ? number * base + digit_of(**at) : number;
	}
	return count > 0 && count <= digits_max ? number : -1;
}

/* Four numbers up to 255, none with a zero in front. */
static bool take_v4(const char **at, int bytes[4])
{
	for (int i = 0; i < 4; i++) {
		if (i > 0 && !take_char(at, '.')) {
			return false;
		}
		const char *begin = *at;
		long number = take_number(at, 10, 3);
		if (number < 0 || number > 255 || (begin[0] == '0' && *at - begin > 1)) {
			return false;
		}
		bytes[i] = (int)number;
	}
	return true;
}

/* Groups with a colon between each; where four numbers end them these are two. Their count; -1: no such thing. */
static int take_groups(const char **at, int groups[8], bool *ret_has_v4)
{
	int count = 0;

	while (digit_of(**at) < 16) {
		const char *begin = *at;
		int bytes[4];
		long group = take_number(at, 16, 4);
		if (**at == '.') {
			*at = begin;
			if (count > 6 || !take_v4(at, bytes)) {
				return -1;
			}
			groups[count++] = bytes[0] * 256 + bytes[1];
			groups[count++] = bytes[2] * 256 + bytes[3];
			*ret_has_v4 = true;
			return count;
		}
		if (group < 0 || count == 8) {
			return -1;
		}
		groups[count++] = (int)group;
		if ((*at)[0] != ':' || (*at)[1] == ':') {
			return count;
		}
		(*at)++;
		if (digit_of(**at) >= 16) {
			return -1;
		}
	}
	return count;
}

/* RFC 4291, 2.2: eight groups, or fewer with one "::" for those that are left out. */
static bool take_v6(const char **at, int groups[8])
{
	int front[8] = {0}, back[8] = {0};
	bool ends = false;
	int front_count = take_groups(at, front, &ends), back_count = 0;

	if (front_count < 0) {
		return false;
	}
	memcpy(groups, front, sizeof front);
	if (front_count == 8 || ends) {
		return front_count == 8;
	}
	if (!take_char(at, ':') || !take_char(at, ':')) {
		return false;
	}
	back_count = take_groups(at, back, &ends);
	if (back_count < 0 || front_count + back_count > 7) {
		return false;
	}
	for (int i = 0; i < back_count; i++) {
		groups[8 - back_count + i] = back[i];
	}
	return true;
}

static bool is_loopback_v6(const int groups[8])
{
	int sum = groups[0] + groups[1] + groups[2] + groups[3] + groups[4];

	return sum == 0 && ((groups[5] == 0 && groups[6] == 0 && groups[7] == 1) ||
				   (groups[5] == 0xffff && groups[6] >> 8 == 127));
}

/* A colon and a number, or nothing. */
static bool ends_with_port(const char *at)
{
	if (*at == ':') {
		at++;
		for (int i = 0; i < 5 && *at >= '0' && *at <= '9'; i++) {
			at++;
		}
	}
	return *at == '\0';
}

static bool is_named(const char *host, const char *name)
{
	size_t size = strlen(name);

	return strncasecmp(host, name, size) == 0 && ends_with_port(host + size);
}

/* Under which authorities do we answer? */
static bool may_be_asked_as(const char *host, bool is_local, bool has_names)
{
	const char *at = host;
	int bytes[4], groups[8];

	if (host == NULL) {
		return false;
	}
	if (is_named(host, "localhost") ||
		(has_names && (is_named(host, names[0]) || is_named(host, names[1])))) {
		return true;
	}
	if (take_v4(&at, bytes) && ends_with_port(at)) {
		return !is_local || bytes[0] == 127;
	}
	at = host;
	return take_char(&at, '[') && take_v6(&at, groups) && take_char(&at, ']') &&
	       ends_with_port(at) && (!is_local || is_loopback_v6(groups));
}

static bool is_same_page(const char *origin, const char *host)
{
	char http[1024], https[1024];

	snprintf(http, sizeof http, "http://%s", host);
	snprintf(https, sizeof https, "https://%s", host);
	return strcasecmp(origin, http) == 0 || strcasecmp(origin, https) == 0;
}

/* ---- who that is */

enum right { NOBODY, READER, ADMIN };

static bool says(const char *authorization, const char *token)
{
	size_t size = strlen(token);
	const char *at = authorization;

	if (at == NULL || strncasecmp(at, "bearer ", 7) != 0) {
		return false;
	}
	for (at += 7; *at == ' ' || *at == '\t'; at++) {
	}
	if (strncmp(at, token, size) != 0) {
		return false;
	}
	for (at += size; *at == ' ' || *at == '\t'; at++) {
	}
	return *at == '\0';
}

static enum right right_of(const struct web_access *access, const struct web_said *said)
{
	bool is_led = said->site != NULL && strcmp(said->site, "none") != 0 &&
		      strcmp(said->site, "same-origin") != 0;

	if (is_led) {
		return NOBODY;
	}
	if (access->admin_token != NULL && says(said->authorization, admin_token)) {
		return ADMIN;
	}
	if (access->token != NULL) {
		return says(said->authorization, reader_token) ? READER : NOBODY;
	}
	if (says(said->authorization, "") ||
		(said->authorization != NULL &&
			strncasecmp(said->authorization, "bearer ", 7) == 0)) {
		return NOBODY; /* a token that is none */
	}
	bool is_near = access->listen[0] == '1' || access->is_insecure;
	return access->demands_certificate || (!access->has_keys && is_near) ? READER : NOBODY;
}

/* A header's text on a heap of its own; without its NUL in the rest it did not come. */
static char *cut_text(struct slice *rest)
{
	const uint8_t *end = rest->size > 0 ? memchr(rest->bytes, '\0', rest->size) : NULL;

	if (end == NULL) {
		return NULL;
	}
	size_t size = (size_t)(end - rest->bytes);
	char *text = size < 1000 ? strndup((const char *)rest->bytes, size) : NULL;
	*rest = slice_of(end + 1, rest->size - size - 1);
	return text;
}

static void check(const struct web_access *access, const struct web_said *said)
{
	bool is_local = access->listen[0] == '1';
	struct web_refusal refusal = {0};
	bool may = may_be_asked_as(said->host, is_local, access->hosts != NULL) &&
		   (said->origin == NULL || is_same_page(said->origin, said->host));

	fuzz_require(web_knows_host(access, said, &refusal) == may);
	fuzz_require(may ? refusal.status == 0 : refusal.status == 403 && refusal.words[0] != '\0');
	refusal = (struct web_refusal){0};
	const struct key_holder *holder = web_holder(access, said, &refusal);
	enum right right = right_of(access, said);
	fuzz_require((holder != NULL) == (right != NOBODY));
	fuzz_require(holder == NULL || holder->is_admin == (right == ADMIN));
	fuzz_require(holder != NULL || refusal.status == 401 || refusal.status == 403);
	fuzz_require(refusal.wants_token == (refusal.status == 401));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t settings = size > 0 ? data[0] : 0;
	struct slice rest = slice_of(data + (size > 0), size - (size > 0));
	char *texts[4];

	for (int i = 0; i < 4; i++) {
		texts[i] = cut_text(&rest);
	}
	const struct web_access access = {
		.listen = (settings & 1) != 0 ? "0.0.0.0:9172" : "127.0.0.1:9172",
		.hosts = (settings & 2) != 0 ? "till.example, other.example" : NULL,
		.token = (settings & 4) != 0 ? reader_token : NULL,
		.admin_token = (settings & 8) != 0 ? admin_token : NULL,
		.demands_certificate = (settings & 16) != 0,
		.has_keys = (settings & 32) != 0,
		.is_insecure = (settings & 64) != 0,
	};
	check(&access, &(struct web_said){texts[0], texts[1], texts[2], texts[3]});
	for (int i = 0; i < 4; i++) {
		free(texts[i]);
	}
	return 0;
}
