#include "runtime/zonefile.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/till-zones-XXXXXX";

static void put(const char *name, const char *bytes, size_t size)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(bytes, 1, size, out), size);
	assert_int_equal(fclose(out), 0);
}

static int make_zones(void **state)
{
	static const char list[] =
		"# version 2026f\nR E 1980 o - S 28 1s 0 -\n"
		"Z Europe/Berlin 0:53:28 - LMT 1893 Ap\n1 E CE%sT\n"
		"Z Etc/GMT+5 -5 - %z\nL Europe/Berlin Arctic/Longyearbyen\nZ\nL\n";
	char path[128];
	static char large[ZONEFILE_SIZE_MAX + 1] = "TZif";
	(void)state;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/Etc", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	put("Etc/GMT+5", "TZif2 and more", 14);
	put("Text", "not a zone", 10);
	put("Short", "TZ", 2);
	put("Large", large, sizeof large);
	put("tzdata.zi", list, sizeof list - 1);
	return setenv("TZDIR", folder, 1);
}

static int remove_zones(void **state)
{
	static const char *const names[] = {
		"Etc/GMT+5", "Text", "Short", "Large", "Etc", "tzdata.zi", "."};
	char path[128];
	(void)state;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		(void)remove(path);
	}
	return rmdir(folder);
}

static void test_a_zones_bytes_are_read(void **state)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	(void)state;

	assert_int_equal(zonefile_read("Etc/GMT+5", &bytes, &size), 0);
	assert_int_equal(size, 14);
	assert_memory_equal(bytes, "TZif2 and more", 14);
	free(bytes);
}

static void test_names_do_not_lead_out_of_the_folder(void **state)
{
	static const char *const names[] = {"", "/etc/passwd", "../secret", "Etc/../Text",
		"Etc//GMT+5", "Etc/", "Etc/GMT 5", "a\\b",
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm"};
	uint8_t *bytes = NULL;
	size_t size = 7;
	(void)state;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_int_equal(zonefile_read(names[i], &bytes, &size), -EINVAL);
	}
	assert_null(bytes);
	assert_int_equal(size, 7);
}

static void test_what_is_no_zone_is_refused(void **state)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	(void)state;

	assert_int_equal(zonefile_read("Nowhere", &bytes, &size), -ENOENT);
	assert_int_equal(zonefile_read("Text", &bytes, &size), -EINVAL);
	assert_int_equal(zonefile_read("Short", &bytes, &size), -EINVAL);
	assert_int_equal(zonefile_read("Large", &bytes, &size), -EINVAL);
	assert_int_equal(zonefile_read("Etc", &bytes, &size), -EINVAL);
	assert_null(bytes);
}

static void test_the_name_that_was_meant_is_found(void **state)
{
	static const struct {
		const char *given, *meant;
	} cases[] = {{"Europe/Berln", "Europe/Berlin"}, {"europe/berlin", "Europe/Berlin"},
		{"Berlin", "Europe/Berlin"}, {"arctic/longyearbyn", "Arctic/Longyearbyen"},
		{"etc/gmt+5", "Etc/GMT+5"}, {"Europe/Atlantis", NULL}, {"Paris", NULL}, {"", NULL}};
	char meant[ZONE_NAME_SIZE_MAX + 1];
	(void)state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool is_found = zonefile_suggest(cases[i].given, meant);
		assert_int_equal(is_found, cases[i].meant != NULL);
		assert_string_equal(
			is_found ? meant : "", cases[i].meant != NULL ? cases[i].meant : "");
	}
}

static void test_without_a_list_nothing_is_suggested(void **state)
{
	char meant[ZONE_NAME_SIZE_MAX + 1];
	(void)state;

	assert_int_equal(setenv("TZDIR", "/nowhere", 1), 0);
	assert_false(zonefile_suggest("Europe/Berln", meant));
	assert_int_equal(setenv("TZDIR", folder, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_zones_bytes_are_read),
		cmocka_unit_test(test_names_do_not_lead_out_of_the_folder),
		cmocka_unit_test(test_what_is_no_zone_is_refused),
		cmocka_unit_test(test_the_name_that_was_meant_is_found),
		cmocka_unit_test(test_without_a_list_nothing_is_suggested),
	};
	return cmocka_run_group_tests(tests, make_zones, remove_zones);
}
