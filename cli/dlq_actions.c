#include "cli/deed.h"
#include "cli/dlq.h"
#include "cli/json_text.h"
#include "cli/number_text.h"
#include "cli/record_text.h"
#include "cli/text_table.h"
#include "client/resend.h"
#include "proto/timestamp.h"
#include "proto/writer.h"
#include "runtime/program.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE_MAX_ALL = 16 * 1024 * 1024, DEPTH_MAX = 64 };

static const char name[] = "till dlq";

/* What list and replay gather on their way. */
struct gathering {
	const struct dlq_options *options;
	struct document document;
	struct buffer buffer;
	struct text_table table;
	struct session session; /* replay: with the edge */
	struct resend *resend;
	uint64_t count;
	uint64_t repeated;
	uint64_t failed;
};

static int gathering_init(struct gathering *gathering, const struct dlq_options *options)
{
	*gathering = (struct gathering){.options = options};
	buffer_init(&gathering->buffer, TEXT_SIZE_MAX_ALL);
	return document_init(&gathering->document, EVENT_NODES_MAX);
}

static void gathering_deinit(struct gathering *gathering)
{
	resend_free(gathering->resend);
	session_close(&gathering->session);
	document_deinit(&gathering->document);
	buffer_deinit(&gathering->buffer);
}

static void print_buffer(struct buffer *buffer)
{
	fwrite(buffer->bytes, 1, buffer->size, stdout);
	fputc('\n', stdout);
	buffer_clear(buffer);
}

static int list_letter(void *owner, const struct dlq_letter *letter)
{
	struct gathering *gathering = owner;
	char text[LETTER_PLACE_SIZE];

	gathering->count++;
	if (gathering->options->json) {
		if (record_text_json(&gathering->document, letter->place.topic, letter->record,
			    &gathering->buffer) == 0) {
			print_buffer(&gathering->buffer);
		}
		return -1;
	}
	text_table_add_text(&gathering->table, letter_place_format(&letter->place, text));
	if (!letter->letter_ok) {
		text_table_add_text(&gathering->table, "-");
		text_table_add_text(&gathering->table, "-");
		text_table_add_text(&gathering->table, "-");
		text_table_add_text(&gathering->table, "no dead letter of till");
		return -1;
	}
	timestamp_format(letter->letter.received_ms, text);
	text_table_add_text(&gathering->table, text);
	text_table_add(&gathering->table, letter->letter.certificate.edge);
	text_table_add_text(&gathering->table, reason_code(letter->letter.reason));
	text_table_add(&gathering->table, letter->letter.message);
	return -1;
}

int dlq_list(const struct dlq_options *options)
{
	static const char *const headings[] = {"letter", "received", "edge", "code", "message"};
	struct gathering gathering;

	if (gathering_init(&gathering, options) != 0) {
		return EXIT_FAILED;
	}
	text_table_init(&gathering.table, 5);
	gathering.table.cell_width_max = 100;
	for (size_t i = 0; i < 5; i++) {
		text_table_add_text(&gathering.table, headings[i]);
	}
	int code = dlq_walk(options, list_letter, &gathering);
	if (code < 0 && !options->json && gathering.count > 0) {
		text_table_print(&gathering.table, stdout);
	}
	if (code < 0 && !options->json) {
		char number[NUMBER_TEXT_SIZE];
		say(name, "%s letter%s", number_text(number, (int64_t)gathering.count),
			gathering.count == 1 ? "" : "s");
	}
	text_table_deinit(&gathering.table);
	gathering_deinit(&gathering);
	return code < 0 ? EXIT_STOPPED : code;
}

/* Sixteen bytes a line, as hexdump -C has them. */
static void print_bytes(struct slice bytes)
{
	for (size_t at = 0; at < bytes.size; at += 16) {
		size_t count = bytes.size - at < 16 ? bytes.size - at : 16;
		printf("%08zx ", at);
		for (size_t i = 0; i < 16; i++) {
			if (i < count) {
				printf(" %02x", bytes.bytes[at + i]);
			} else {
				printf("   ");
			}
		}
		printf("  ");
		for (size_t i = 0; i < count; i++) {
			uint8_t byte = bytes.bytes[at + i];
			putchar(byte >= ' ' && byte < 0x7f ? byte : '.');
		}
		putchar('\n');
	}
}

static int show_letter(void *owner, const struct dlq_letter *letter)
{
	struct gathering *gathering = owner;
	const struct topic_record *record = letter->record;
	struct complaint complaint;
	struct text_table table;
	char place[LETTER_PLACE_SIZE];

	text_table_init(&table, 2);
	table.cell_width_max = 300;
	text_table_add_text(&table, "letter");
	text_table_add_text(&table, letter_place_format(&letter->place, place));
	for (size_t i = 0; i < record->header_count; i++) {
		text_table_add_text(&table, record->headers[i].name);
		text_table_add(&table, record->headers[i].value);
	}
	text_table_print(&table, stdout);
	text_table_deinit(&table);
	putchar('\n');
	int r = record->value.size == 0
			? REASON_BAD_FRAME
			: document_decode(&gathering->document, encoding_of(record->value),
				  record->value, DEPTH_MAX, &complaint);
	if (r == 0) {
		json_text_pretty(gathering->document.nodes, gathering->document.encoding,
			&gathering->buffer);
		print_buffer(&gathering->buffer);
	} else {
		print_bytes(record->value);
	}
	return -1;
}

int dlq_show(const struct dlq_options *options)
{
	struct gathering gathering;

	if (gathering_init(&gathering, options) != 0) {
		return EXIT_FAILED;
	}
	int code = dlq_walk(options, show_letter, &gathering);
	gathering_deinit(&gathering);
	return code < 0 ? EXIT_STOPPED : code;
}

static int fail_replay(int r)
{
	say(name, "%s", r == RESEND_E_INTERRUPTED ? "interrupted" : strerror(-r));
	return EXIT_FAILED;
}

/* Nothing can be sent behind one that the edge has not answered for. */
static int fail_silent(
	const struct gathering *gathering, const char *place, const struct resend_answer *answer)
{
	if (answer->fate == RESEND_UNKNOWN) {
		printf("%s  nobody knows: no answer\n", place);
		say(name, "%s: %s", gathering->options->to, answer->complaint.message);
	} else {
		say(name, "could not reach %s: %s; is the edge running?", gathering->options->to,
			answer->complaint.message);
	}
	return EXIT_NOT_REACHED;
}

static int send_letter(struct gathering *gathering, const char *place)
{
	struct resend_answer answer;

	int r = resend_ask(gathering->resend, buffer_slice(&gathering->buffer), &answer);
	if (r != 0) {
		return fail_replay(r);
	}
	switch (answer.fate) {
	case RESEND_ACCEPTED:
		printf("%s  accepted\n", place);
		break;
	case RESEND_REPEATED:
		printf("%s  was replayed before\n", place);
		gathering->repeated++;
		break;
	case RESEND_INVALID:
		printf("%s  refused again: %s: %s\n", place, reason_code(answer.complaint.reason),
			answer.complaint.message);
		gathering->failed++;
		break;
	case RESEND_UNSENT:
	case RESEND_UNKNOWN:
		gathering->failed++;
		return fail_silent(gathering, place, &answer);
	}
	fflush(stdout);
	return -1;
}

static void print_dry(struct gathering *gathering, const char *place)
{
	struct buffer text;
	struct complaint complaint;
	struct slice event = buffer_slice(&gathering->buffer);

	buffer_init(&text, TEXT_SIZE_MAX_ALL);
	if (document_decode(
		    &gathering->document, encoding_of(event), event, DEPTH_MAX, &complaint) == 0) {
		json_text_plain(gathering->document.nodes, gathering->document.encoding, &text);
	}
	printf("%s  %.*s\n", place, (int)text.size, (const char *)text.bytes);
	buffer_deinit(&text);
}

static int replay_letter(void *owner, const struct dlq_letter *letter)
{
	struct gathering *gathering = owner;
	char place[LETTER_PLACE_SIZE];

	gathering->count++;
	letter_place_format(&letter->place, place);
	buffer_clear(&gathering->buffer);
	int r = letter->letter_ok
			? letter_replay(&letter->letter, &letter->place, &gathering->options->set,
				  &gathering->document, &gathering->buffer)
			: LETTER_E_UNREADABLE;
	if (r < 0) {
		say(name, "%s", strerror(-r));
		return EXIT_FAILED;
	}
	if (r > 0) {
		gathering->failed++;
		printf("%s  %s\n", place,
			r == LETTER_E_NAME ? "its place is too long for an event_id"
					   : "holds no event that can be sent");
		return -1;
	}
	if (gathering->options->dry_run) {
		print_dry(gathering, place);
		return -1;
	}
	return send_letter(gathering, place);
}

/* -1 to go on, else the exit code, the reason said. */
static int open_replay(struct gathering *gathering, char endpoint[ENDPOINT_SIZE])
{
	const struct dlq_options *options = gathering->options;
	struct session *session = &gathering->session;
	int r = session_open(session);
	int code = r == 0 ? session_read_keys(session, name, &options->keys) : -1;

	if (r == 0 && code < 0) {
		const struct resend_options resend = {
			.context = session->context,
			.loop = session->loop,
			.endpoint = endpoint_complete(options->to, endpoint),
			.timeout_ms = options->timeout_ms,
			.keys = session_keys(session),
		};
		r = resend_new(&resend, &gathering->resend);
	}
	if (r < 0) {
		say(name, "%s", strerror(-r));
		return EXIT_FAILED;
	}
	return code;
}

static int replay_all(struct gathering *gathering)
{
	char endpoint[ENDPOINT_SIZE];
	int code = gathering->options->dry_run ? -1 : open_replay(gathering, endpoint);

	return code < 0 ? dlq_walk(gathering->options, replay_letter, gathering) : code;
}

/* Which letters, where to, and the names of the fields that are set: their values may be personal. */
static void describe(const struct dlq_options *options, char *text, size_t size)
{
	char place[LETTER_PLACE_SIZE];
	size_t at = (size_t)snprintf(text, size, "%s to %s",
		options->place.topic[0] != '\0' ? letter_place_format(&options->place, place)
						: "all that are meant",
		options->to);

	for (size_t i = 0; i < options->set.count && at < size; i++) {
		struct slice field = options->set.items[i].left;
		at += (size_t)snprintf(text + at, size - at, " set %.*s", (int)field.size,
			(const char *)field.bytes);
	}
}

/* Says how it went; `text` is the same for the audit log. */
static int conclude(const struct gathering *gathering, int code, char *text, size_t size)
{
	char counts[128];

	snprintf(counts, sizeof counts,
		"%llu letters, %llu of them replayed before, %llu not accepted",
		(unsigned long long)gathering->count, (unsigned long long)gathering->repeated,
		(unsigned long long)gathering->failed);
	bool is_whole = code < 0;
	if (is_whole) {
		say(name, "%s", counts);
		code = gathering->failed > 0 ? EXIT_FAILED : EXIT_STOPPED;
	}
	snprintf(text, size, "%s: %s%s", code == EXIT_STOPPED ? "done" : "failed", counts,
		is_whole ? "" : ", then it ended");
	return code;
}

int dlq_replay(const struct dlq_options *options)
{
	char arguments[1024], result[256];
	struct gathering gathering;
	struct deed deed;

	describe(options, arguments, sizeof arguments);
	deed_init(&deed, options->audit, "dlq-replay", arguments);
	int code = options->dry_run ? -1 : deed_begin(&deed);
	if (code >= 0) {
		return code;
	}
	int r = gathering_init(&gathering, options);
	if (r < 0) {
		say(name, "%s", strerror(-r));
	}
	code = conclude(
		&gathering, r == 0 ? replay_all(&gathering) : EXIT_FAILED, result, sizeof result);
	if (!options->dry_run) {
		deed_end(&deed, result);
	}
	gathering_deinit(&gathering);
	return code;
}
