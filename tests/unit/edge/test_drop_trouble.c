/* Files that vanish or change while they are read, and a spool that has no room just then. */
#include "edge/drop.h"
#include "edge/port.h"
#include "fixture.h"
#include <unistd.h>

enum { MARKS_MAX = 64, PATH_SIZE = FIXTURE_PATH_SIZE + 300, REPORT_SIZE = 4096 };

struct kept_mark {
	uint8_t key[512];
	size_t key_size;
	uint8_t value[SOURCE_MARK_VALUE_SIZE_MAX];
	size_t value_size; /* 0: deleted */
};

struct bench {
	char dir[FIXTURE_PATH_SIZE];
	struct drop_folder *folder;
	struct drop *drop;
	int64_t now_ms;
	int64_t wait_ms; /* after the last poll */
	bool takes_more;
	bool was_asked; /* and said yes, since the last submission */
	bool is_full;
	int submissions;
	int forgotten; /* of "a" */
	uint64_t ticket;
	int64_t settle_ms;
	struct kept_mark marks[MARKS_MAX];
	size_t mark_count;
	struct kept_mark handed[MARKS_MAX]; /* with the last submission */
	size_t handed_count;
};

static bool takes_more(void *owner)
{
	struct bench *bench = owner;

	bench->was_asked = bench->takes_more;
	return bench->takes_more;
}

static void hand_over(struct bench *bench, const struct source_mark *marks, size_t count)
{
	bench->handed_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct kept_mark *mark = &bench->handed[bench->handed_count++];
		memcpy(mark->key, marks[i].key.bytes, marks[i].key.size);
		mark->key_size = marks[i].key.size;
		mark->value_size = marks[i].value.size;
		if (mark->value_size > 0) {
			memcpy(mark->value, marks[i].value.bytes, mark->value_size);
		}
	}
}

static int submit(void *owner, const struct submission *submission)
{
	struct bench *bench = owner;
	const struct source_mark *marks = submission->marks;
	size_t count = submission->mark_count;

	assert_true(bench->was_asked); /* the desk has a place for those that asked */
	bench->was_asked = false;
	bench->submissions++;
	if (bench->is_full) {
		return PORT_E_FULL;
	}
	if (submission->judge != NULL) {
		const struct reply reply = {.accepted = (uint32_t)submission->item_count};
		count = submission->judge(submission->owner, &reply, &marks);
	}
	bench->ticket = submission->ticket;
	hand_over(bench, marks, count);
	return 0;
}

static void tell(void *owner, const struct drop_told *told)
{
	struct bench *bench = owner;

	bench->forgotten += told->news == DROP_NEWS_FORGOTTEN && strcmp(told->name, "a") == 0;
}

static struct kept_mark *find_mark(struct bench *bench, const struct kept_mark *wanted)
{
	for (size_t i = 0; i < bench->mark_count; i++) {
		struct kept_mark *mark = &bench->marks[i];
		if (mark->key_size == wanted->key_size &&
			memcmp(mark->key, wanted->key, mark->key_size) == 0) {
			return mark;
		}
	}
	return &bench->marks[bench->mark_count++];
}

/* What the last submission handed in is on disk, or found no room. */
static void settle(struct bench *bench, bool taken)
{
	for (size_t i = 0; taken && i < bench->handed_count; i++) {
		*find_mark(bench, &bench->handed[i]) = bench->handed[i];
	}
	drop_settled(bench->drop, bench->ticket, taken);
}

static void start(struct bench *bench)
{
	struct pairs_error error;
	const struct drop_options options = {
		.rules = {.format = LINE_NDJSON, .delimiter = ',', .events_max = 1},
		.has_format = true,
		.skip_repeated = true,
		.folder = bench->folder,
		.port = {bench, takes_more, submit, tell},
		.edge = "berlin-1",
		.source = "in",
		.settle_ms = bench->settle_ms,
		.poll_ms = 1000};

	assert_int_equal(drop_new(&options, &bench->drop, &error), 0);
	for (size_t i = 0; i < bench->mark_count; i++) {
		const struct kept_mark *mark = &bench->marks[i];
		if (mark->value_size > 0) {
			assert_int_equal(
				drop_remember(bench->drop, slice_of(mark->key, mark->key_size),
					slice_of(mark->value, mark->value_size)),
				0);
		}
	}
	assert_int_equal(drop_resume(bench->drop), 0);
}

static int make_bench(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);

	make_temp_dir(bench->dir);
	bench->now_ms = 1000;
	bench->takes_more = true;
	assert_int_equal(drop_folder_new(bench->dir, &bench->folder), 0);
	start(bench);
	*state = bench;
	return 0;
}

static int drop_bench(void **state)
{
	struct bench *bench = *state;
	char path[FIXTURE_PATH_SIZE];

	drop_free(bench->drop);
	drop_folder_free(bench->folder);
	snprintf(path, sizeof path, "%.200s/done", bench->dir);
	remove_temp_dir(path);
	snprintf(path, sizeof path, "%.200s/failed", bench->dir);
	remove_temp_dir(path);
	remove_temp_dir(bench->dir);
	free(bench);
	return 0;
}

static void put_file(const struct bench *bench, const char *name, const char *text)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/%s", bench->dir, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void remove_file(const struct bench *bench, const char *name)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/%s", bench->dir, name);
	assert_int_equal(unlink(path), 0);
}

static void poll_at(struct bench *bench, int64_t later_ms)
{
	bench->now_ms += later_ms;
	assert_int_equal(drop_poll(bench->drop, bench->now_ms, 4102444800000, &bench->wait_ms), 0);
}

/* Until so many submissions were handed in, those taken between. */
static void poll_until(struct bench *bench, int submissions)
{
	for (int i = 0; i < 100 && bench->submissions < submissions; i++) {
		int before = bench->submissions;
		poll_at(bench, 10);
		if (bench->submissions > before && bench->submissions < submissions) {
			settle(bench, true);
		}
	}
	assert_int_equal(bench->submissions, submissions);
}

static bool read_report(
	const struct bench *bench, const char *place, const char *name, char text[REPORT_SIZE])
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/%s/%s.report.json", bench->dir, place, name);
	FILE *file = fopen(path, "r");
	if (file == NULL) {
		return false;
	}
	size_t size = fread(text, 1, REPORT_SIZE - 1, file);
	text[size] = '\0';
	fclose(file);
	return true;
}

/* One line of the file was counted, then the edge was killed and the file taken away. */
static void lose_file(struct bench *bench)
{
	put_file(bench, "a", "{\"order_id\":\"1\"}\n{\"order_id\":\"2\"}\n");
	poll_until(bench, 1);
	settle(bench, true);
	bench->drop = drop_free(bench->drop);
	remove_file(bench, "a");
	start(bench);
}

static void test_the_end_of_a_lost_file_waits_for_its_turn(void **state)
{
	struct bench *bench = *state;
	char report[REPORT_SIZE];

	lose_file(bench);
	bench->takes_more = false;
	poll_at(bench, 10);
	assert_int_equal(bench->submissions, 1);
	assert_in_range(bench->wait_ms, 1, DROP_RETRY_MS); /* and does not spin */
	bench->takes_more = true;
	poll_at(bench, DROP_RETRY_MS);
	assert_int_equal(bench->submissions, 2);
	settle(bench, true);
	poll_at(bench, 10);
	assert_true(read_report(bench, "failed", "a", report));
	assert_non_null(strstr(report, "it vanished when 1 lines of it were counted"));
}

static void test_the_end_of_a_lost_file_waits_for_room(void **state)
{
	struct bench *bench = *state;

	lose_file(bench);
	bench->is_full = true;
	poll_at(bench, 10);
	assert_int_equal(bench->submissions, 2);
	assert_in_range(bench->wait_ms, 1, DROP_RETRY_MS);
	poll_at(bench, 1);
	assert_int_equal(bench->submissions, 2); /* not yet again */
}

/* Else it would be read on, without a descriptor, for ever, and all others behind it wait. */
static void test_the_end_of_a_lost_file_that_was_not_kept_is_handed_in_again(void **state)
{
	struct bench *bench = *state;
	char report[REPORT_SIZE];

	lose_file(bench);
	put_file(bench, "b", "{\"order_id\":\"3\"}\n");
	poll_at(bench, 10);
	assert_int_equal(bench->submissions, 2);
	settle(bench, false);
	poll_at(bench, DROP_RETRY_MS);
	assert_int_equal(bench->submissions, 3);
	settle(bench, true);
	poll_until(bench, 5); /* its marks are deleted; the other is read */
	settle(bench, true);
	poll_at(bench, 10);
	assert_true(read_report(bench, "failed", "a", report));
	assert_true(read_report(bench, "done", "b", report));
}

static void write_on(const struct bench *bench, const char *name, const char *text)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof path, "%s/%s", bench->dir, name);
	FILE *file = fopen(path, "a");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Somebody's log is no reason to leave a day's sales lying. */
static void test_a_file_that_is_written_on_does_not_keep_the_others_waiting(void **state)
{
	struct bench *bench = *state;
	char report[REPORT_SIZE];

	bench->drop = drop_free(bench->drop);
	bench->settle_ms = 60000;
	start(bench);
	put_file(bench, "a", "{\"order_id\":\"1\"}\n{\"order_id\":\"2\"}\n");
	poll_until(bench, 1);
	uint64_t first = bench->ticket;
	put_file(bench, "b", "{\"order_id\":\"3\"}\n");
	write_on(bench, "a", "{\"order_id\":\"4\"}\n");
	settle(bench, true);
	drop_wake(bench->drop);
	poll_until(bench, 2);
	assert_int_not_equal(bench->ticket, first);
	settle(bench, true);
	poll_at(bench, 10);
	assert_true(read_report(bench, "done", "b", report));
}

static void test_a_damaged_position_is_told(void **state)
{
	struct bench *bench = *state;

	put_file(bench, "a", "{\"order_id\":\"1\"}\n{\"order_id\":\"2\"}\n");
	poll_until(bench, 1);
	settle(bench, true);
	bench->drop = drop_free(bench->drop);
	bench->marks[0].value_size--;
	start(bench);
	assert_int_equal(bench->forgotten, 1);
}

static void test_a_report_is_text_whatever_its_file_is_called(void **state)
{
	struct bench *bench = *state;
	char report[REPORT_SIZE];

	put_file(bench, "caf\xe9", "{\"order_id\":\"1\"}\n");
	poll_until(bench, 1);
	settle(bench, true);
	poll_at(bench, 10);
	assert_true(read_report(bench, "done", "caf\xe9", report));
	assert_non_null(strstr(report, "\"file\":\"caf?\""));
}

#define DROP_TEST(name) cmocka_unit_test_setup_teardown(name, make_bench, drop_bench)

int main(void)
{
	const struct CMUnitTest tests[] = {
		DROP_TEST(test_the_end_of_a_lost_file_waits_for_its_turn),
		DROP_TEST(test_the_end_of_a_lost_file_waits_for_room),
		DROP_TEST(test_the_end_of_a_lost_file_that_was_not_kept_is_handed_in_again),
		DROP_TEST(test_a_file_that_is_written_on_does_not_keep_the_others_waiting),
		DROP_TEST(test_a_damaged_position_is_told),
		DROP_TEST(test_a_report_is_text_whatever_its_file_is_called),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
