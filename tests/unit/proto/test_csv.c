/* RFC 4180 by a table: each input is read whole and byte by byte, for a piece may end anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/csv.h"
#include <stdio.h>
#include <stdlib.h>

/* Records as "[a|b](line)", broken ones as "!why(line)". */
static void render(
	struct csv *csv, enum csv_result result, const struct csv_record *record, FILE *out)
{
	(void)csv;
	if (result == CSV_BROKEN) {
		fprintf(out, "!%s(%llu)", record->why, (unsigned long long)record->line);
		return;
	}
	fputc('[', out);
	for (uint32_t i = 0; i < record->count; i++) {
		fprintf(out, "%s%.*s", i == 0 ? "" : "|", (int)record->cells[i].size,
			(const char *)record->cells[i].bytes);
	}
	fprintf(out, "](%llu)", (unsigned long long)record->line);
}

static void read_all(const char *text, size_t size, size_t piece, char delimiter,
	char *ret_rendered, size_t rendered_size)
{
	struct csv *csv = NULL;
	struct csv_record record;
	enum csv_result result;
	FILE *out = fmemopen(ret_rendered, rendered_size, "w");

	assert_int_equal(csv_new(delimiter, &csv), 0);
	for (size_t at = 0; at <= size; at += piece) {
		size_t left = size - at;
		struct slice input = slice_of(text + at, left < piece ? left : piece);
		while ((result = csv_read(csv, &input, false, &record)) != CSV_MORE) {
			render(csv, result, &record, out);
		}
	}
	struct slice nothing = {NULL, 0};
	while ((result = csv_read(csv, &nothing, true, &record)) != CSV_MORE) {
		render(csv, result, &record, out);
	}
	fclose(out);
	csv_free(csv);
}

static const struct {
	const char *text;
	const char *records;
	char delimiter;
} cases[] = {
	{"a,b\n1,2\n", "[a|b](1)[1|2](2)", ','},
	{"a,b\r\n1,2\r\n", "[a|b](1)[1|2](2)", ','},
	{"a,b\n1,2", "[a|b](1)[1|2](2)", ','},
	{"\xef\xbb\xbf"
	 "a,b\n",
		"[a|b](1)", ','},
	{"\xef\xbbx,b\n", "[\xef\xbbx|b](1)", ','},
	{"\"a,b\",c\n", "[a,b|c](1)", ','},
	{"\"say \"\"hi\"\"\",c\n", "[say \"hi\"|c](1)", ','},
	{"\"two\nlines\",c\nd,e\n", "[two\nlines|c](1)[d|e](3)", ','},
	{"\"two\r\nlines\",c\r\nd,e\r\n", "[two\r\nlines|c](1)[d|e](3)", ','},
	{",\n,,\n", "[|](1)[||](2)", ','},
	{"\"\"\n", "[](1)", ','},
	{"\n\r\na,b\n\nc,d\n\n", "[a|b](3)[c|d](5)", ','},
	{"a;b,c\n", "[a|b,c](1)", ';'},
	{"a\tb\n", "[a|b](1)", '\t'},
	{"5\" nails,b\n", "[5\" nails|b](1)", ','},
	{"a\rb,c\n", "[a\rb|c](1)", ','},
	{"a\r\r\n", "[a\r](1)", ','},
	{"\"a\"b,c\nd,e\n", "!has text behind a closing quote(1)[d|e](2)", ','},
	{"\"a\"\rb,c\nd,e\n", "!has text behind a closing quote(1)[d|e](2)", ','},
	{"a,b\n\"open,c\n", "[a|b](1)!has a quote that is never closed(2)", ','},
	{"", "", ','},
	{"\r", "", ','},
	{"z\xc3\xbcrich,b", "[z\xc3\xbcrich|b](1)", ','},
};

static void test_records_come_out_whatever_the_pieces(void **state)
{
	(void)state;
	char rendered[512];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t size = strlen(cases[i].text);
		for (size_t piece = 1; piece <= size + 1; piece++) {
			memset(rendered, 0, sizeof rendered);
			read_all(cases[i].text, size, piece, cases[i].delimiter, rendered,
				sizeof rendered);
			assert_string_equal(rendered, cases[i].records);
		}
	}
}

/* A record over the limit is one invalid line, though it spans many: its quotes are still followed. */
static void test_a_record_over_the_limit_is_one_broken_record(void **state)
{
	(void)state;
	size_t size = CSV_RECORD_SIZE_MAX + 100;
	char *text = malloc(size);
	char rendered[512] = "";

	memset(text, 'x', size);
	text[0] = '"';
	for (size_t i = 1000; i < size - 10; i += 1000) {
		text[i] = '\n';
	}
	memcpy(text + size - 6, "\"\na,b\n", 6);
	read_all(text, size, size, ',', rendered, sizeof rendered);
	assert_string_equal(rendered, "!is larger than 256 KiB(1)[a|b](264)");
	free(text);
}

static void test_too_many_cells_are_a_broken_record(void **state)
{
	(void)state;
	char text[CSV_CELLS_MAX + 16];
	char rendered[512] = "";

	memset(text, ',', sizeof text);
	memcpy(text + CSV_CELLS_MAX + 8, "\nc,d\n", 5);
	read_all(text, CSV_CELLS_MAX + 13, 7, ',', rendered, sizeof rendered);
	assert_string_equal(rendered, "!has more than 1,024 cells(1)[c|d](2)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_come_out_whatever_the_pieces),
		cmocka_unit_test(test_a_record_over_the_limit_is_one_broken_record),
		cmocka_unit_test(test_too_many_cells_are_a_broken_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
