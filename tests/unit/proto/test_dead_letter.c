#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/dead_letter.h"

static struct document document;
static struct buffer buffer;

static int set_up(void **state)
{
	(void)state;
	buffer_init(&buffer, 1 << 20);
	return document_init(&document, 4096);
}

static int tear_down(void **state)
{
	(void)state;
	document_deinit(&document);
	buffer_deinit(&buffer);
	return 0;
}

static struct dead_letter example(void)
{
	return (struct dead_letter){
		.certificate = {slice_of_text("uk"), 4711, KIND_CART_DLQ, 17},
		.received_ms = INT64_C(1291191960000),
		.source = slice_of_text("zmq"),
		.refused_by = slice_of_text("edge"),
		.reason = REASON_BAD_VALUE,
		.field = slice_of_text("action"),
		.message = slice_of_text("action \"take\" is neither \"add\" nor \"remove\""),
		.bytes = slice_of("\xff\x00{", 3),
	};
}

static void assert_equal_letters(const struct dead_letter *a, const struct dead_letter *b)
{
	assert_true(slice_equal(a->certificate.edge, b->certificate.edge));
	assert_true(a->certificate.run == b->certificate.run);
	assert_int_equal(a->certificate.kind, b->certificate.kind);
	assert_true(a->certificate.seq == b->certificate.seq);
	assert_true(a->received_ms == b->received_ms);
	assert_true(slice_equal(a->source, b->source));
	assert_true(slice_equal(a->refused_by, b->refused_by));
	assert_int_equal(a->reason, b->reason);
	assert_true(slice_equal(a->message, b->message));
	assert_true(slice_equal(a->bytes, b->bytes));
}

static int decode(struct dead_letter *ret_letter, struct complaint *complaint)
{
	return dead_letter_decode(&document, buffer_slice(&buffer), ret_letter, complaint);
}

static void test_an_envelope_keeps_the_bytes_as_received(void **state)
{
	struct dead_letter letter = example();
	struct certificate certificate;
	struct complaint complaint;
	struct dead_letter again;

	(void)state;
	buffer_clear(&buffer);
	dead_letter_encode(&letter, &buffer);
	assert_int_equal(decode(&again, &complaint), 0);
	assert_equal_letters(&letter, &again);
	assert_true(slice_equal(letter.field, again.field));
	/* the spool and the sender read its certificate as any event's */
	assert_int_equal(event_peek_certificate(buffer_slice(&buffer), &certificate), 0);
	assert_int_equal(certificate.kind, KIND_CART_DLQ);
}

static void test_what_does_not_fit_is_cut_and_says_so(void **state)
{
	enum { SIZE = 300000 };
	struct dead_letter letter = example();
	struct complaint complaint;
	struct dead_letter again;
	char edge[EDGE_ID_SIZE_MAX];
	char message[COMPLAINT_SIZE_MAX - 1];
	uint8_t *bytes = calloc(1, SIZE);

	(void)state;
	memset(edge, 'e', sizeof edge);
	memset(message, 'm', sizeof message);
	letter.certificate.edge = slice_of(edge, sizeof edge);
	letter.certificate.run = RUN_MAX;
	letter.certificate.seq = INT64_MAX;
	letter.message = slice_of(message, sizeof message);
	letter.bytes = slice_of(bytes, SIZE);
	buffer_clear(&buffer);
	dead_letter_encode(&letter, &buffer);
	assert_true(buffer.size <= DEAD_LETTER_SIZE_MAX);
	assert_int_equal(decode(&again, &complaint), 0);
	assert_int_equal(again.bytes.size, DEAD_LETTER_BYTES_MAX);
	assert_non_null(memmem(again.message.bytes, again.message.size,
		"mm (truncated_from=300000)", strlen("mm (truncated_from=300000)")));
	free(bytes);
}

static void test_a_broken_envelope_is_refused(void **state)
{
	struct dead_letter letter = example();
	struct complaint complaint;
	struct dead_letter again;
	uint8_t *large = calloc(1, DEAD_LETTER_SIZE_MAX + 1);

	(void)state;
	buffer_clear(&buffer);
	dead_letter_encode(&letter, &buffer);
	size_t whole = buffer.size;
	for (size_t size = 0; size < whole; size++) {
		assert_int_equal(dead_letter_decode(&document, slice_of(buffer.bytes, size), &again,
					 &complaint),
			REASON_BAD_FRAME);
	}
	assert_int_equal(dead_letter_decode(&document, slice_of(large, DEAD_LETTER_SIZE_MAX + 1),
				 &again, &complaint),
		REASON_TOO_LARGE);
	assert_int_equal(dead_letter_decode(&document, slice_of("\x05", 1), &again, &complaint),
		REASON_BAD_TYPE);
	free(large);
}

/* Each key left out, or of another type. */
static void test_every_key_of_an_envelope_is_needed(void **state)
{
	static const char *const keys[] = {"kind", "edge", "run", "seq", "received_ms", "source",
		"refused_by", "code", "field", "message", "bytes"};
	enum { KEY_COUNT = sizeof keys / sizeof *keys };
	struct dead_letter letter = example();
	struct complaint complaint;
	struct dead_letter again;
	struct buffer whole;
	struct writer writer;

	(void)state;
	buffer_init(&whole, 4096);
	dead_letter_encode(&letter, &whole);
	for (size_t wrong = 0; wrong < 2 * KEY_COUNT; wrong++) {
		struct document parts;
		assert_int_equal(document_init(&parts, 64), 0);
		assert_int_equal(document_decode(&parts, ENCODING_MSGPACK, buffer_slice(&whole), 1,
					 &complaint),
			0);
		buffer_clear(&buffer);
		writer_init(&writer, ENCODING_MSGPACK, &buffer);
		write_map(&writer, wrong < KEY_COUNT ? KEY_COUNT - 1 : KEY_COUNT);
		for (size_t i = 0; i < KEY_COUNT; i++) {
			if (i == wrong) {
				continue;
			}
			write_key(&writer, keys[i]);
			if (i + KEY_COUNT == wrong) {
				write_bool(&writer, true);
			} else {
				write_node(
					&writer, node_find(parts.nodes, keys[i]), ENCODING_MSGPACK);
			}
		}
		assert_int_not_equal(decode(&again, &complaint), 0);
		document_deinit(&parts);
	}
	buffer_deinit(&whole);
}

/* As the bridge writes them. */
static void fill_headers(struct slice values[DLQ_HEADER_COUNT])
{
	static const char *const texts[DLQ_HEADER_COUNT] = {"uk", "4711", "cart.dlq", "17",
		"1291191960000", "zmq", "edge", "cart_events", "bad_value",
		"action \"take\" is neither \"add\" nor \"remove\""};

	for (int header = 0; header < DLQ_HEADER_COUNT; header++) {
		values[header] = slice_of_text(texts[header]);
	}
}

static void test_kafkas_headers_bring_a_letter_back(void **state)
{
	struct dead_letter letter = example();
	struct slice values[DLQ_HEADER_COUNT];
	struct complaint complaint;
	struct dead_letter again;

	(void)state;
	fill_headers(values);
	assert_int_equal(dead_letter_from_headers(values, letter.bytes, &again, &complaint), 0);
	assert_equal_letters(&letter, &again);

	/* what the bridge refused bears the certificate of the event */
	values[DLQ_HEADER_KIND] = slice_of_text("order");
	values[DLQ_HEADER_REFUSED_BY] = slice_of_text("bridge");
	assert_int_equal(dead_letter_from_headers(values, letter.bytes, &again, &complaint), 0);
	assert_int_equal(again.certificate.kind, KIND_ORDER);
}

static void test_headers_of_others_are_refused(void **state)
{
	char endless[DEAD_LETTER_SOURCE_SIZE_MAX + 2];
	const struct {
		enum dead_letter_header header;
		const char *value;
		enum reason reason;
	} rows[] = {
		{DLQ_HEADER_EDGE, "", REASON_BAD_CERTIFICATE},
		{DLQ_HEADER_EDGE, " uk", REASON_BAD_CERTIFICATE},
		{DLQ_HEADER_RUN, "", REASON_MISSING_FIELD},
		{DLQ_HEADER_RUN, "0", REASON_BAD_CERTIFICATE},
		{DLQ_HEADER_RUN, "9007199254740992", REASON_BAD_CERTIFICATE},
		{DLQ_HEADER_RUN, "-1", REASON_BAD_VALUE},
		{DLQ_HEADER_RUN, "4711 ", REASON_BAD_VALUE},
		{DLQ_HEADER_SEQ, "99999999999999999999", REASON_BAD_VALUE},
		{DLQ_HEADER_SEQ, "0", REASON_BAD_CERTIFICATE},
		{DLQ_HEADER_KIND, "sale", REASON_BAD_CERTIFICATE},
		{DLQ_HEADER_KIND, "order", REASON_BAD_CERTIFICATE}, /* refused by the edge */
		{DLQ_HEADER_RECEIVED_MS, "now", REASON_BAD_VALUE},
		{DLQ_HEADER_REFUSED_BY, "nobody", REASON_BAD_VALUE},
		{DLQ_HEADER_REFUSED_BY, "", REASON_BAD_VALUE},
		{DLQ_HEADER_CODE, "", REASON_MISSING_FIELD},
		{DLQ_HEADER_SOURCE, endless, REASON_BAD_VALUE},
		{DLQ_HEADER_MESSAGE, "\xff", REASON_BAD_VALUE},
	};
	struct slice values[DLQ_HEADER_COUNT];
	struct slice bytes = slice_of("x", 1);
	struct complaint complaint;
	struct dead_letter again;

	(void)state;
	memset(endless, 'a', sizeof endless - 1);
	endless[sizeof endless - 1] = '\0';
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		fill_headers(values);
		values[rows[i].header] = slice_of_text(rows[i].value);
		int r = dead_letter_from_headers(values, bytes, &again, &complaint);
		if (r != (int)rows[i].reason || complaint.reason != rows[i].reason) {
			fail_msg("row %zu: %d %s", i, r, complaint.message);
		}
	}
	fill_headers(values);
	values[DLQ_HEADER_CODE] = slice_of_text("of tomorrow");
	assert_int_equal(dead_letter_from_headers(values, bytes, &again, &complaint), 0);
	assert_int_equal(again.reason, REASON_INTERNAL);
}

static void test_headers_have_connects_names(void **state)
{
	(void)state;
	assert_string_equal(dead_letter_header_name(DLQ_HEADER_EDGE), "till.edge");
	assert_string_equal(
		dead_letter_header_name(DLQ_HEADER_CODE), "__connect.errors.exception.class.name");
	assert_string_equal(
		dead_letter_header_name(DLQ_HEADER_MESSAGE), "__connect.errors.exception.message");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_envelope_keeps_the_bytes_as_received),
		cmocka_unit_test(test_what_does_not_fit_is_cut_and_says_so),
		cmocka_unit_test(test_a_broken_envelope_is_refused),
		cmocka_unit_test(test_every_key_of_an_envelope_is_needed),
		cmocka_unit_test(test_kafkas_headers_bring_a_letter_back),
		cmocka_unit_test(test_headers_of_others_are_refused),
		cmocka_unit_test(test_headers_have_connects_names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
