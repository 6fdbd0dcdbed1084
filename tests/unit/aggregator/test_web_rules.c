#include "aggregator/web/web_rules.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static char token[] = "a token for readers", admin_token[] = "a token for administrators";

static struct web_access loopback(void)
{
	return (struct web_access){.listen = "127.0.0.1:9172"};
}

static struct web_access everywhere(void)
{
	return (struct web_access){
		.listen = "0.0.0.0:9172", .token = token, .hosts = "till.example, Other.Example"};
}

static bool knows(struct web_access access, const char *host, const char *origin)
{
	const struct web_said said = {.host = host, .origin = origin};
	struct web_refusal refusal = {0};
	bool known = web_knows_host(&access, &said, &refusal);
	assert_int_equal(refusal.status, known ? 0 : 403);
	return known;
}

static void test_foreign_names_are_refused(void **state)
{
	static const char *const ours[] = {"localhost", "LOCALHOST:9172", "127.0.0.1:9172",
		"127.0.0.1", "127.9.9.9:1", "[::1]:9172", "[::1]"};
	static const char *const foreign[] = {"evil.example", "evil.example:9172",
		"localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1:9172",
		"[2001:db8::1]:9172", "", ":9172", "[", "]", "[]", "[x]:1",
		"127.0.0.1@evil.example", "localhost:1:2", "localhost:evil", "localhost:1/",
		"[::1]:123456"};
	char endless[600];
	(void)state;

	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
		assert_true(knows(loopback(), ours[i], NULL));
		assert_true(knows(everywhere(), ours[i], NULL));
	}
	for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
		assert_false(knows(loopback(), foreign[i], NULL));
	}
	memset(endless, 'a', sizeof endless - 1);
	endless[sizeof endless - 1] = '\0';
	assert_false(knows(loopback(), endless, NULL));
	assert_false(knows(loopback(), NULL, NULL));
}

/* No name server leads a number elsewhere, and other names are listed. */
static void test_other_machines_come_by_number_or_by_a_listed_name(void **state)
{
	(void)state;
	assert_true(knows(everywhere(), "192.0.2.1:9172", NULL));
	assert_true(knows(everywhere(), "[2001:db8::1]:9172", NULL));
	assert_true(knows(everywhere(), "till.example", NULL));
	assert_true(knows(everywhere(), "OTHER.example:443", NULL));
	assert_false(knows(everywhere(), "evil.example", NULL));
	assert_false(knows(everywhere(), "sub.till.example", NULL));
}

static void test_pages_of_others_are_refused(void **state)
{
	(void)state;
	assert_true(knows(loopback(), "localhost:9172", "http://localhost:9172"));
	assert_true(knows(loopback(), "localhost:9172", "HTTPS://LocalHost:9172"));
	assert_false(knows(loopback(), "localhost:9172", "http://localhost:8080"));
	assert_false(knows(loopback(), "localhost:9172", "http://127.0.0.1:9172"));
	assert_false(knows(loopback(), "localhost:9172", "http://evil.example"));
	assert_false(knows(loopback(), "localhost:9172", "null"));
	assert_false(knows(loopback(), "localhost:9172", ""));
	assert_false(knows(loopback(), "localhost:9172", "file://localhost:9172"));
}

/* "reader", "admin", or the status of the refusal. */
static const char *right_of(struct web_access access, const char *authorization, const char *site)
{
	static char status[8];
	const struct web_said said = {.authorization = authorization, .site = site};
	struct web_refusal refusal = {0};
	const struct key_holder *holder = web_holder(&access, &said, &refusal);

	if (holder != NULL) {
		assert_true(key_list_has_all(holder->views));
		return holder->is_admin ? "admin" : "reader";
	}
	assert_true(refusal.words[0] != '\0');
	assert_int_equal(refusal.wants_token, refusal.status == 401);
	snprintf(status, sizeof status, "%u", refusal.status);
	return status;
}

static void test_on_loopback_everybody_reads_and_nobody_administers(void **state)
{
	(void)state;
	assert_string_equal(right_of(loopback(), NULL, NULL), "reader");
	assert_string_equal(right_of(loopback(), "Basic dTpw", NULL), "reader"); /* a proxy's */
	assert_string_equal(right_of(loopback(), "Bearer guessed", NULL), "401");
}

static void test_tokens_say_who_may_do_what(void **state)
{
	struct web_access access = loopback();
	(void)state;

	access.admin_token = admin_token;
	assert_string_equal(right_of(access, NULL, NULL), "reader");
	assert_string_equal(right_of(access, "Bearer a token for administrators", NULL), "admin");
	assert_string_equal(right_of(access, "Bearer a token for readers", NULL), "401");
	access.token = token;
	assert_string_equal(right_of(access, NULL, NULL), "401");
	assert_string_equal(right_of(access, "Basic dTpw", NULL), "401");
	assert_string_equal(right_of(access, "Bearer a token for readers", NULL), "reader");
	assert_string_equal(
		right_of(access, "bearer   a token for administrators ", NULL), "admin");
	assert_string_equal(right_of(access, "Bearer a token for reader", NULL), "401");
	assert_string_equal(right_of(access, "Bearer a token for readerss", NULL), "401");
	assert_string_equal(right_of(access, "Bearer ", NULL), "401");
}

static void test_where_keys_are_asked_for_nobody_reads_without_a_token(void **state)
{
	struct web_access access = loopback();
	(void)state;

	access.has_keys = true;
	assert_string_equal(right_of(access, NULL, NULL), "403");
	access.is_insecure = true;
	assert_string_equal(right_of(access, NULL, NULL), "403");
	access.admin_token = admin_token;
	assert_string_equal(right_of(access, NULL, NULL), "401");
	access.demands_certificate = true;
	assert_string_equal(right_of(access, NULL, NULL), "reader");
}

static void test_elsewhere_than_on_loopback_strangers_read_only_where_that_is_said(void **state)
{
	struct web_access access = everywhere();
	(void)state;

	assert_string_equal(right_of(access, NULL, NULL), "401");
	access.token = NULL;
	assert_string_equal(right_of(access, NULL, NULL), "403");
	access.is_insecure = true;
	assert_string_equal(right_of(access, NULL, NULL), "reader");
}

static void test_browsers_that_others_lead_here_are_refused(void **state)
{
	(void)state;
	assert_string_equal(right_of(loopback(), NULL, "same-origin"), "reader");
	assert_string_equal(right_of(loopback(), NULL, "none"), "reader");
	assert_string_equal(right_of(loopback(), NULL, "cross-site"), "403");
	assert_string_equal(right_of(loopback(), NULL, "same-site"), "403");
}

static int check(struct web_access access, bool has_tls)
{
	struct config_error error = {.text = ""};
	int r = web_access_check(&access, has_tls, &error);
	assert_int_equal(r == 0, error.text[0] == '\0');
	return r;
}

static void test_settings_that_let_strangers_in_are_refused(void **state)
{
	struct web_access access = everywhere();
	(void)state;

	assert_int_equal(check(loopback(), false), 0);
	assert_int_equal(check(access, true), 0);
	assert_true(check(access, false) < 0);
	access.token = NULL;
	assert_true(check(access, true) < 0);
	access.demands_certificate = true;
	assert_int_equal(check(access, true), 0);
	access.demands_certificate = false;
	access.is_insecure = true;
	assert_int_equal(check(access, false), 0);
	access = everywhere();
	access.listen = "";
	assert_int_equal(check(access, false), 0);
	access = loopback();
	access.token = access.admin_token = token;
	assert_true(check(access, false) < 0);
}

static void test_each_code_has_its_status(void **state)
{
	(void)state;
	assert_int_equal(web_status_of(REASON_NONE), 200);
	assert_int_equal(web_status_of(REASON_BAD_REQUEST), 400);
	assert_int_equal(web_status_of(REASON_UNKNOWN_QUERY), 400);
	assert_int_equal(web_status_of(REASON_UNKNOWN_FIELD), 400);
	assert_int_equal(web_status_of(REASON_BAD_KEY), 400);
	assert_int_equal(web_status_of(REASON_FORBIDDEN), 403);
	assert_int_equal(web_status_of(REASON_UNKNOWN_VIEW), 404);
	assert_int_equal(web_status_of(REASON_TOO_LARGE), 413);
	assert_int_equal(web_status_of(REASON_BUSY), 429);
	assert_int_equal(web_status_of(REASON_INTERNAL), 500);
	assert_int_equal(web_status_of(REASON_NOT_READY), 503);
	assert_int_equal(web_status_of(REASON_REBUILDING), 503);
	assert_int_equal(web_status_of(REASON_TIMEOUT), 504);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_foreign_names_are_refused),
		cmocka_unit_test(test_other_machines_come_by_number_or_by_a_listed_name),
		cmocka_unit_test(test_pages_of_others_are_refused),
		cmocka_unit_test(test_on_loopback_everybody_reads_and_nobody_administers),
		cmocka_unit_test(test_tokens_say_who_may_do_what),
		cmocka_unit_test(test_where_keys_are_asked_for_nobody_reads_without_a_token),
		cmocka_unit_test(
			test_elsewhere_than_on_loopback_strangers_read_only_where_that_is_said),
		cmocka_unit_test(test_browsers_that_others_lead_here_are_refused),
		cmocka_unit_test(test_settings_that_let_strangers_in_are_refused),
		cmocka_unit_test(test_each_code_has_its_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
