#include "edge/http_rules.h"
#include "fixture.h"
#include "runtime/http_token.h"

static void assert_format(const char *type, enum http_format format)
{
	enum http_format read = HTTP_FORMAT_ANY;
	assert_true(http_format_read(type, &read));
	assert_int_equal(read, format);
}

static void test_types_are_read_without_their_parameters(void **state)
{
	enum http_format format;
	(void)state;

	assert_format(NULL, HTTP_FORMAT_ANY);
	assert_format("application/json", HTTP_FORMAT_JSON);
	assert_format("Application/JSON ; charset=UTF-8", HTTP_FORMAT_JSON);
	assert_format("application/json;charset=\"utf-8\"", HTTP_FORMAT_JSON);
	assert_format("application/json; odata=verbose", HTTP_FORMAT_JSON);
	assert_format("application/x-ndjson", HTTP_FORMAT_NDJSON);
	assert_format("application/jsonl", HTTP_FORMAT_NDJSON);
	assert_format("application/msgpack", HTTP_FORMAT_MSGPACK);
	assert_format("application/x-msgpack", HTTP_FORMAT_MSGPACK);
	assert_format(" application/vnd.msgpack", HTTP_FORMAT_MSGPACK);
	static const char *const refused[] = {"", "text/plain", "application/x-www-form-urlencoded",
		"application/jsonx", "application/json; charset=latin1", "json", ";",
		"multipart/form-data; boundary=application/json"};
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_false(http_format_read(refused[i], &format));
	}
}

static void test_only_plain_bodies_are_taken(void **state)
{
	(void)state;
	assert_true(http_coding_is_plain(NULL));
	assert_true(http_coding_is_plain(""));
	assert_true(http_coding_is_plain(" Identity "));
	assert_false(http_coding_is_plain("gzip"));
	assert_false(http_coding_is_plain("identity, gzip"));
}

static void test_the_answer_is_in_what_was_asked_for(void **state)
{
	(void)state;
	assert_false(http_wants_msgpack(NULL, false));
	assert_true(http_wants_msgpack(NULL, true));
	assert_true(http_wants_msgpack("*/*", true));
	assert_false(http_wants_msgpack("text/html, */*", false));
	assert_true(http_wants_msgpack("application/msgpack", false));
	assert_true(http_wants_msgpack("text/html, application/x-msgpack;q=0.5", false));
	assert_false(http_wants_msgpack("application/json", true));
	assert_false(http_wants_msgpack("application/msgpack;q=0, application/json", true));
	assert_false(http_wants_msgpack("application/msgpack; q=0.0", false));
	assert_true(http_wants_msgpack(",,;;=,application/msgpack", false));
}

static void assert_key(const char *value, const char *key)
{
	char read[REQUEST_KEY_SIZE_MAX + 1];
	assert_true(http_key_read(value, read));
	assert_string_equal(read, key);
}

static void test_a_key_is_the_same_with_and_without_quotes(void **state)
{
	char longest[REQUEST_KEY_SIZE_MAX + 4], read[REQUEST_KEY_SIZE_MAX + 1];
	(void)state;

	assert_key("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324");
	assert_key(" \"8e03978e\" ", "8e03978e");
	assert_key("\"a \\\"b\\\" \\\\\"", "a \"b\" \\");
	assert_key("a\"b", "a\"b");
	memset(longest, 'k', sizeof longest);
	longest[0] = longest[REQUEST_KEY_SIZE_MAX + 1] = '"';
	longest[REQUEST_KEY_SIZE_MAX + 2] = '\0';
	assert_true(http_key_read(longest, read));
	assert_int_equal(strlen(read), REQUEST_KEY_SIZE_MAX);
	longest[0] = longest[REQUEST_KEY_SIZE_MAX + 1] = 'k';
	assert_false(http_key_read(longest, read)); /* two more */
	assert_true(http_key_read(longest + 2, read));
	static const char *const refused[] = {
		"", "   ", "\"\"", "\"", "\"a", "\"a\"b\"", "\"a\\b\"", "\"a\\\"", "a\tb", "a\x7f"};
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_false(http_key_read(refused[i], read));
	}
	memset(longest, 'k', sizeof longest);
	longest[0] = '"';
	longest[REQUEST_KEY_SIZE_MAX + 2] = '"';
	longest[REQUEST_KEY_SIZE_MAX + 3] = '\0';
	assert_false(http_key_read(longest, read)); /* one more, within quotes */
}

static void test_only_the_very_token_opens(void **state)
{
	(void)state;
	assert_true(http_token_is("Bearer secret", "secret"));
	assert_true(http_token_is("bearer  secret ", "secret"));
	static const char *const wrong[] = {NULL, "", "Bearer", "Bearer ", "Bearer secre",
		"Bearer secretx", "Bearer Secret", "Basic secret", "secret", "Bearer xsecret"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_false(http_token_is(wrong[i], "secret"));
	}
}

static void test_every_outcome_has_its_status(void **state)
{
	static const struct {
		enum reason refusal;
		unsigned status;
	} refusals[] = {
		{REASON_SPOOL_FULL, 429},
		{REASON_SHUTTING_DOWN, 503},
		{REASON_TOO_LARGE, 413},
		{REASON_BAD_VALUE, 422},
		{REASON_BAD_FRAME, 400},
		{REASON_INTERNAL, 500},
	};
	(void)state;

	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		assert_int_equal(
			http_status_of(&(struct submission_result){
				.outcome = SUBMISSION_REFUSED, .refusal = refusals[i].refusal}),
			refusals[i].status);
	}
	assert_int_equal(http_status_of(&(struct submission_result){.accepted = 1}), 200);
	assert_int_equal(
		http_status_of(&(struct submission_result){.accepted = 1, .invalid = 9}), 200);
	assert_int_equal(http_status_of(&(struct submission_result){.repeated_events = 1}), 200);
	assert_int_equal(
		http_status_of(&(struct submission_result){.repeated_events = 1, .invalid = 1}),
		200);
	assert_int_equal(http_status_of(&(struct submission_result){.invalid = 1}), 422);
	/* Asked again, it hears the same. */
	assert_int_equal(
		http_status_of(&(struct submission_result){.invalid = 1, .repeated = true}), 422);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types_are_read_without_their_parameters),
		cmocka_unit_test(test_only_plain_bodies_are_taken),
		cmocka_unit_test(test_the_answer_is_in_what_was_asked_for),
		cmocka_unit_test(test_a_key_is_the_same_with_and_without_quotes),
		cmocka_unit_test(test_only_the_very_token_opens),
		cmocka_unit_test(test_every_outcome_has_its_status),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
