#include "edge/pseudonym_ssl.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char key[] = "0123456789abcdef0123456789abcdef";

static void make(const char *with, const char *id, char text[PSEUDONYM_TEXT_SIZE + 1])
{
	struct pseudonymiser *pseudonymiser = NULL;

	assert_int_equal(pseudonymiser_new(with, &pseudonymiser), 0);
	assert_int_equal(pseudonym_make(pseudonymiser, slice_of_text(id), text), 0);
	text[PSEUDONYM_TEXT_SIZE] = '\0';
	pseudonymiser_free(pseudonymiser);
}

/* Held against `openssl dgst -sha256 -hmac` and coreutils' base32: edges of all versions must agree. */
static void test_a_pseudonym_is_the_same_for_ever(void **state)
{
	char text[PSEUDONYM_TEXT_SIZE + 1];
	(void)state;

	make(key, "17850", text);
	assert_string_equal(text, "p_gyitssseyzda22z5k6zy4orbby");
	make(key, "", text);
	assert_string_equal(text, "p_pfwngb4k6fddm5j5e2z3kvkuei");
}

static void test_another_key_or_id_is_another_pseudonym(void **state)
{
	char one[PSEUDONYM_TEXT_SIZE + 1], two[PSEUDONYM_TEXT_SIZE + 1];
	(void)state;

	make(key, "17850", one);
	make("another key of some length", "17850", two);
	assert_string_not_equal(one, two);
	make(key, "17851", two);
	assert_string_not_equal(one, two);
}

/* A dead letter that is replayed comes in a second time. */
static void test_a_pseudonym_stays_as_it_is(void **state)
{
	char once[PSEUDONYM_TEXT_SIZE + 1], twice[PSEUDONYM_TEXT_SIZE + 1];
	(void)state;

	make(key, "17850", once);
	make(key, once, twice);
	assert_string_equal(once, twice);
	make(key, "p_short", twice);
	assert_string_not_equal(twice, "p_short");
}

static void test_one_serves_many_ids_one_after_the_other(void **state)
{
	struct pseudonymiser *pseudonymiser = NULL;
	char first[PSEUDONYM_TEXT_SIZE], other[PSEUDONYM_TEXT_SIZE], again[PSEUDONYM_TEXT_SIZE];
	(void)state;

	assert_int_equal(pseudonymiser_new(key, &pseudonymiser), 0);
	assert_int_equal(pseudonym_make(pseudonymiser, slice_of_text("a"), first), 0);
	assert_int_equal(pseudonym_make(pseudonymiser, slice_of_text("b"), other), 0);
	assert_int_equal(pseudonym_make(pseudonymiser, slice_of_text("a"), again), 0);
	assert_memory_equal(first, again, sizeof first);
	assert_memory_not_equal(first, other, sizeof first);
	pseudonymiser_free(pseudonymiser);
}

static void test_a_short_key_is_refused(void **state)
{
	struct pseudonymiser *pseudonymiser = NULL;
	(void)state;

	assert_int_equal(pseudonymiser_new("0123456789abcde", &pseudonymiser), -EINVAL);
	assert_null(pseudonymiser);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_pseudonym_is_the_same_for_ever),
		cmocka_unit_test(test_another_key_or_id_is_another_pseudonym),
		cmocka_unit_test(test_a_pseudonym_stays_as_it_is),
		cmocka_unit_test(test_one_serves_many_ids_one_after_the_other),
		cmocka_unit_test(test_a_short_key_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
