#include "runtime/certificate_words_ssl.h"
#include "runtime/kafka_trouble.h"
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { OLD = 0x020002ff, NEW = 0x020601ff };

static const char refused[] =
	"[thrd:x]: h:1/1: Connect to ipv4#1.2.3.4:1 failed: Connection refused "
	"(after 1ms in state CONNECT)";
static const char wrong_password[] =
	"[thrd:x]: h:1/1: SASL authentication error: Authentication failed during authentication "
	"due to invalid credentials with SASL mechanism SCRAM-SHA-512 (after 360ms in state X)";
static const char expired[] = "[thrd:x]: h:1/1: Certificate (subject=/CN=a, issuer=/CN=b) "
			      "verification callback failed: the certificate has expired";
static const char handshake[] = "[thrd:x]: h:1/1: SSL handshake failed: error:0A000086:SSL "
				"routines::certificate verify failed: broker certificate could not "
				"be verified (after 7ms in state SSL_HANDSHAKE)";

static struct kafka_trouble trouble;

static const char *why(bool *ret_is_telling)
{
	static char text[KAFKA_TROUBLE_SIZE];
	bool is_telling = kafka_trouble_why(&trouble, "nothing known", text, sizeof text);

	if (ret_is_telling != NULL) {
		*ret_is_telling = is_telling;
	}
	return text;
}

static int setup(void **state)
{
	(void)state;
	kafka_trouble_init(&trouble, NEW);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kafka_trouble_deinit(&trouble);
	return 0;
}

static void test_nothing_is_known_at_first(void **state)
{
	bool is_telling = true;
	(void)state;

	assert_string_equal(why(&is_telling), "nothing known");
	assert_false(is_telling);
	assert_false(kafka_trouble_hear(&trouble, "CONFWARN", "a property is unused", 0));
	assert_string_equal(why(NULL), "nothing known");
}

static void test_words_are_cut_to_what_stays_the_same(void **state)
{
	bool is_telling = true;
	(void)state;

	assert_true(kafka_trouble_hear(&trouble, "FAIL", refused, 0));
	assert_string_equal(
		why(&is_telling), "h:1/1: Connect to ipv4#1.2.3.4:1 failed: Connection refused");
	assert_false(is_telling);
}

static void test_the_telling_line_outlives_its_consequences(void **state)
{
	bool is_telling = false;
	(void)state;

	kafka_trouble_hear(&trouble, "FAIL", refused, 0);
	kafka_trouble_hear(&trouble, "SSLCERTVRFY", expired, 1);
	kafka_trouble_hear(&trouble, "FAIL", handshake, 2);
	kafka_trouble_hear(&trouble, "ERROR", "1/1 brokers are down", 3);
	assert_non_null(strstr(why(&is_telling), "the certificate has expired"));
	assert_true(is_telling);
}

static void test_another_telling_line_takes_its_place_at_once(void **state)
{
	(void)state;
	kafka_trouble_hear(&trouble, "SSLCERTVRFY", expired, 1);
	kafka_trouble_hear(&trouble, "FAIL", wrong_password, 2);
	assert_non_null(strstr(why(NULL), "invalid credentials"));
	assert_null(strstr(why(NULL), "2.6.1")); /* this librdkafka is new enough */
}

static void test_what_was_not_said_again_for_long_gives_way(void **state)
{
	(void)state;
	kafka_trouble_hear(&trouble, "FAIL", wrong_password, 0);
	kafka_trouble_hear(&trouble, "FAIL", refused, KAFKA_TROUBLE_HOLD_MS - 1);
	assert_non_null(strstr(why(NULL), "invalid credentials"));
	kafka_trouble_hear(&trouble, "FAIL", refused, KAFKA_TROUBLE_HOLD_MS);
	assert_non_null(strstr(why(NULL), "Connection refused"));
	kafka_trouble_over(&trouble);
	assert_string_equal(why(NULL), "nothing known");
}

/* Without the hint an operator would look for a typing error in a password that is right. */
static void test_an_old_library_s_scram_is_named(void **state)
{
	(void)state;
	trouble.library_version = OLD;
	kafka_trouble_hear(&trouble, "FAIL", wrong_password, 0);
	assert_non_null(strstr(why(NULL), "older than 2.6.1"));
}

static void test_each_verdict_on_a_certificate_has_its_words(void **state)
{
	(void)state;
	assert_non_null(strstr(certificate_words(X509_V_ERR_CERT_HAS_EXPIRED), "has expired"));
	assert_non_null(strstr(certificate_words(X509_V_ERR_CERT_NOT_YET_VALID), "not valid yet"));
	assert_non_null(strstr(certificate_words(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY),
		"ssl.ca.location"));
	assert_non_null(strstr(certificate_words(X509_V_ERR_HOSTNAME_MISMATCH), "another host"));
	assert_non_null(strstr(certificate_words(X509_V_ERR_CERT_REVOKED), "revoked"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_nothing_is_known_at_first),
		CASE(test_words_are_cut_to_what_stays_the_same),
		CASE(test_the_telling_line_outlives_its_consequences),
		CASE(test_another_telling_line_takes_its_place_at_once),
		CASE(test_what_was_not_said_again_for_long_gives_way),
		CASE(test_an_old_library_s_scram_is_named),
		CASE(test_each_verdict_on_a_certificate_has_its_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
