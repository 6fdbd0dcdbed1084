/* Any bytes as a request to an edge's HTTP source: six header texts, each up to a NUL, and the rest as the body. */
#include "edge/http_reading.h"
#include "edge/http_rules.h"
#include "edge/line_batch.h"
#include "runtime/http_token.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_http};

enum { TEXTS = 6 };

/* A header's text on a heap of its own; without its NUL in the rest it did not come. */
static char *cut_text(struct slice *rest)
{
	const uint8_t *end = rest->size > 0 ? memchr(rest->bytes, '\0', rest->size) : NULL;

	if (end == NULL) {
		return NULL;
	}
	size_t size = (size_t)(end - rest->bytes);
	char *text = strndup((const char *)rest->bytes, size);
	fuzz_require(text != NULL);
	*rest = slice_of(end + 1, rest->size - size - 1);
	return text;
}

/* A key that was read, written as a structured field, is read as the same again. */
static void check_key(const char *value)
{
	char key[REQUEST_KEY_SIZE_MAX + 1], again[REQUEST_KEY_SIZE_MAX + 1];
	char quoted[2 * REQUEST_KEY_SIZE_MAX + 3] = "\"";
	size_t size = 1;

	if (value == NULL || !http_key_read(value, key)) {
		return;
	}
	fuzz_require(key[0] != '\0');
	for (const char *at = key; *at != '\0'; at++) {
		if (*at == '"' || *at == '\\') {
			quoted[size++] = '\\';
		}
		quoted[size++] = *at;
	}
	quoted[size++] = '"';
	quoted[size] = '\0';
	fuzz_require(http_key_read(quoted, again) && strcmp(key, again) == 0);
}

static void check_items(const struct submission *submission)
{
	fuzz_require(submission->item_count > 0 && submission->item_count <= FRAME_EVENTS_MAX);
	for (size_t i = 0; i < submission->item_count; i++) {
		const struct submission_item *item = &submission->items[i];
		const uint8_t *end = submission->events.bytes + submission->events.size;
		fuzz_require(item->raw.size > 0 && item->raw.bytes >= submission->events.bytes);
		fuzz_require(item->raw.bytes + item->raw.size <= end);
		fuzz_require(item->event.size > 0 || item->complaint->reason != REASON_NONE);
	}
}

static void check_request(const struct http_said *said, struct slice body, struct line_batch *batch)
{
	static const struct additions none = {.count = 0};
	const struct http_reader reader = {&none, batch};
	struct http_refusal refusal;
	struct http_reading reading;
	const char *words = NULL;

	if (!http_head_is_taken(said, NULL, &none, &refusal)) {
		fuzz_require(refusal.status >= 400 && refusal.words[0] != '\0');
		return;
	}
	int r = http_reading_make(&reader, said, body, &reading, &words);
	fuzz_require(r == 0 || (r == HTTP_E_REFUSED && words != NULL));
	fuzz_require(r != 0 || reading.submission.events.size > 0);
	if (r == 0 && reading.submission.items != NULL) {
		check_items(&reading.submission);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct line_batch *batch;
	const struct line_rules rules = {
		.format = LINE_NDJSON, .delimiter = ',', .events_max = FRAME_EVENTS_MAX};
	struct pairs_error error;
	struct slice rest = slice_of(data, size);
	char *texts[TEXTS];

	fuzz_require(batch != NULL || line_batch_new(&rules, &batch, &error) == 0);
	for (int i = 0; i < TEXTS; i++) {
		texts[i] = cut_text(&rest);
	}
	struct slice body = fuzz_copy(rest.bytes, rest.size);
	const struct http_said said = {texts[0], texts[1], texts[2], texts[3], texts[4], texts[5]};
	check_key(said.key);
	if (said.authorization != NULL) {
		fuzz_require(!http_token_is(said.authorization, "a token that nobody guesses"));
	}
	check_request(&said, body, batch);
	fuzz_free(body);
	for (int i = 0; i < TEXTS; i++) {
		free(texts[i]);
	}
	return 0;
}
