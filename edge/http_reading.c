#include "edge/http_reading.h"
#include "edge/http_rules.h"
#include "edge/line_batch.h"
#include "runtime/http_token.h"

/* ---- the head */

static const struct http_refusal token_missing = {401, "a token is needed: Authorization: Bearer …",
	"WWW-Authenticate", "Bearer realm=\"till\""};
static const struct http_refusal token_wrong = {
	401, "this is not the token", "WWW-Authenticate", "Bearer realm=\"till\""};
static const struct http_refusal coding_refused = {415,
	"a body with a Content-Encoding is not taken: send it plain", "Accept-Encoding",
	"identity"};
static const struct http_refusal type_refused = {415,
	"Content-Type: application/json, application/x-ndjson or application/msgpack, in UTF-8",
	"Accept-Post", "application/json, application/x-ndjson, application/msgpack"};
static const struct http_refusal key_refused = {400,
	"an Idempotency-Key has 1 to 255 bytes, and within quotes \\ only before \" and \\", NULL,
	NULL};
static const struct http_refusal kind_unknown = {
	400, "?kind= is none of order, cart, view", NULL, NULL};
static const struct http_refusal kind_differs = {
	400, "?kind= is another kind than this address takes", NULL, NULL};

static const struct http_refusal *judge_kind(const char *name, const struct additions *additions)
{
	const struct event_addition *set = additions_find(additions, "kind");
	enum kind kind;

	if (name == NULL) {
		return NULL;
	}
	if (!kind_from_name(slice_of_text(name), &kind) || kind_is_dead_letter(kind)) {
		return &kind_unknown;
	}
	return set != NULL && !slice_equals_text(set->value, name) ? &kind_differs : NULL;
}

static const struct http_refusal *judge(
	const struct http_said *said, const char *token, const struct additions *additions)
{
	char key[REQUEST_KEY_SIZE_MAX + 1];
	enum http_format format;

	if (token != NULL && !http_token_is(said->authorization, token)) {
		return said->authorization == NULL ? &token_missing : &token_wrong;
	}
	if (!http_coding_is_plain(said->coding)) {
		return &coding_refused;
	}
	if (!http_format_read(said->type, &format)) {
		return &type_refused;
	}
	if (said->key != NULL && !http_key_read(said->key, key)) {
		return &key_refused;
	}
	return judge_kind(said->kind, additions);
}

bool http_head_is_taken(const struct http_said *said, const char *token,
	const struct additions *additions, struct http_refusal *ret_refusal)
{
	const struct http_refusal *refusal = judge(said, token, additions);

	if (refusal != NULL) {
		*ret_refusal = *refusal;
	}
	return refusal == NULL;
}

/* ---- the body */

/* A line that is too long becomes one complaint; cutting goes on behind it. */
static struct slice pass_long_line(struct line_batch *batch, struct slice rest, uint64_t line)
{
	const uint8_t *end = memchr(rest.bytes, '\n', rest.size);
	size_t size = end != NULL ? (size_t)(end - rest.bytes) + 1 : rest.size;

	line_batch_add_long(batch, slice_of(rest.bytes, LINE_SAMPLE_SIZE), size, line);
	return slice_of(rest.bytes + size, rest.size - size);
}

static int cut_lines(struct line_batch *batch, struct slice rest, const char **ret_words)
{
	uint64_t line = 0;

	line_batch_begin(batch);
	while (rest.size > 0) {
		struct line_cut cut = {0};
		int r = line_batch_cut(batch, rest, true, line, &cut);
		if (r < 0) {
			return r;
		}
		line += cut.lines;
		rest = slice_of(rest.bytes + cut.size, rest.size - cut.size);
		if (cut.stop == LINE_STOP_FULL) {
			*ret_words = "more than 10000 lines: send them in several requests";
			return HTTP_E_REFUSED;
		}
		if (cut.stop == LINE_STOP_TOO_LONG) {
			rest = pass_long_line(batch, rest, line++);
		}
	}
	if (line_batch_count(batch) == 0) {
		*ret_words = "no events: every line is empty";
		return HTTP_E_REFUSED;
	}
	return 0;
}

/* 0, HTTP_E_REFUSED, -errno. */
static int read_events(struct submission *submission, enum http_format format,
	struct line_batch *batch, const char **ret_words)
{
	bool is_json = encoding_of(submission->events) == ENCODING_JSON;

	if (submission->events.size == 0) {
		*ret_words = "no events: the body is empty";
		return HTTP_E_REFUSED;
	}
	if (format == HTTP_FORMAT_NDJSON) {
		int r = cut_lines(batch, submission->events, ret_words);
		submission->items = line_batch_items(batch);
		submission->item_count = line_batch_count(batch);
		return r;
	}
	if (format == HTTP_FORMAT_JSON && !is_json) {
		*ret_words = "Content-Type says JSON, and the body is none";
		return HTTP_E_REFUSED;
	}
	if (format == HTTP_FORMAT_MSGPACK && is_json) {
		*ret_words = "Content-Type says msgpack, and the body is no map and no array of it";
		return HTTP_E_REFUSED;
	}
	return 0;
}

static void add_additions(
	struct http_reading *reading, const struct additions *additions, const char *kind)
{
	struct submission *submission = &reading->submission;

	memcpy(reading->additions, additions->of, sizeof additions->of);
	submission->additions = reading->additions;
	submission->addition_count = additions->count;
	if (kind != NULL && additions_find(additions, "kind") == NULL) { /* else it is the same */
		reading->additions[submission->addition_count++] =
			(struct event_addition){slice_of_text("kind"), slice_of_text(kind)};
	}
}

int http_reading_make(const struct http_reader *reader, const struct http_said *said,
	struct slice body, struct http_reading *ret_reading, const char **ret_words)
{
	struct submission *submission = &ret_reading->submission;
	enum http_format format = HTTP_FORMAT_ANY;

	(void)http_format_read(said->type, &format);
	bool is_msgpack = format == HTTP_FORMAT_MSGPACK ||
			  (format == HTTP_FORMAT_ANY && encoding_of(body) == ENCODING_MSGPACK);
	bool wants_msgpack = http_wants_msgpack(said->accept, is_msgpack);
	*submission = (struct submission){
		.events = body,
		.reply = wants_msgpack ? SUBMISSION_REPLY_MSGPACK : SUBMISSION_REPLY_JSON,
	};
	if (said->key != NULL && http_key_read(said->key, ret_reading->key)) {
		submission->request_key = slice_of_text(ret_reading->key);
	}
	add_additions(ret_reading, reader->additions, said->kind);
	return read_events(submission, format, reader->batch, ret_words);
}
