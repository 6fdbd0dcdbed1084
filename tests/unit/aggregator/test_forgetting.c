/* Who is forgotten, or comes back, while one shard's disk has no room. */
#include "aggregator/desk/forgetting.h"
#include "sample_views.h"
#include "scratch_dir.h"
#include <errno.h>
#include <inttypes.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAP_SIZE = 16 * 1024 * 1024, SHARDS = 3, NOW_MS = 1000000 };

static bool shard_1_is_full;

static bool is_full(int fd)
{
	char link[64], path[512];

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, path, sizeof path - 1);
	path[size < 0 ? 0 : size] = '\0';
	return shard_1_is_full && strstr(path, "/shard-1/") != NULL;
}

static ssize_t no_room(void)
{
	errno = ENOSPC;
	return -1;
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	return is_full(fd) ? no_room() : syscall(SYS_writev, fd, pieces, count);
}

ssize_t take_pwrite(int fd, const void *bytes, size_t size, off_t at) __asm__("pwrite");
ssize_t take_pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	return is_full(fd) ? no_room() : syscall(SYS_pwrite64, fd, bytes, size, at);
}

ssize_t take_pwrite64(int fd, const void *bytes, size_t size, off_t at) __asm__("pwrite64");
ssize_t take_pwrite64(int fd, const void *bytes, size_t size, off_t at)
{
	return take_pwrite(fd, bytes, size, at);
}

int statvfs(const char *restrict path, struct statvfs *restrict disk)
{
	(void)path;
	*disk = (struct statvfs){
		.f_frsize = 4096, .f_blocks = 1000000, .f_bavail = shard_1_is_full ? 0 : 500000};
	return 0;
}

struct fixture {
	char dir[SCRATCH_PATH_SIZE];
	struct view_set *views;
	struct stores *stores;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	scratch_make(fixture->dir);
	fixture->views = sample_views();
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	shard_1_is_full = false;
	stores_free(fixture->stores);
	view_set_free(fixture->views);
	scratch_remove(fixture->dir);
	free(fixture);
	return 0;
}

static void start(struct fixture *fixture)
{
	const struct stores_options options = {.dir = fixture->dir,
		.shard_count = SHARDS,
		.map_size = MAP_SIZE,
		.may_create = true,
		.views = fixture->views,
		.new_id = "made-here"};
	char error[512] = "";

	fixture->stores = stores_free(fixture->stores);
	assert_int_equal(stores_new(&options, &fixture->stores, error, sizeof error), 0);
}

static int ask(struct fixture *fixture, const char *user, bool revoke, int64_t now_ms)
{
	const struct query query = {.user = slice_of_text(user), .revoke = revoke};
	const struct forgetting forgetting = {
		.stores = fixture->stores, .views = fixture->views, .now_ms = now_ms, .by = "boss"};
	struct complaint complaint = {0};
	struct forget_plan plan;

	int r = forgetting_plan(&forgetting, &query, &plan, &complaint);
	if (r == 0) {
		r = forgetting_carry_out(&forgetting, &plan, &complaint);
	}
	forget_plan_deinit(&plan);
	return r;
}

/* In each shard, and whoever it is that was read. */
static void assert_hidden_until(const struct fixture *fixture, const char *user, int64_t until_ms)
{
	for (size_t i = 0; i < SHARDS; i++) {
		const struct forgotten *forgotten = store_forgotten(fixture->stores->items[i]);
		struct slice name = slice_of_text(user);
		bool before = forgotten_standing(forgotten, name, until_ms - 1).is_hidden;
		bool from_then = forgotten_standing(forgotten, name, until_ms).is_hidden;
		if (!before || from_then) {
			fail_msg("shard %zu hides %s otherwise than until %" PRId64, i, user,
				until_ms);
		}
	}
}

static void test_who_comes_back_does_so_in_a_shard_without_room_too(void **state)
{
	struct fixture *fixture = *state;

	start(fixture);
	assert_int_equal(ask(fixture, "u1", false, NOW_MS), 0);
	shard_1_is_full = true;
	assert_int_equal(ask(fixture, "u1", true, NOW_MS + 10), 0);
	assert_hidden_until(fixture, "u1", NOW_MS + 10);
	assert_int_equal(ask(fixture, "u1", true, NOW_MS + 20), 0); /* it was so before */
	assert_hidden_until(fixture, "u1", NOW_MS + 10);
	shard_1_is_full = false;
	for (int i = 0; i < 2; i++) {
		start(fixture);
		assert_hidden_until(fixture, "u1", NOW_MS + 10);
	}
}

static void test_nobody_comes_back_before_a_shard_knows_that_he_went(void **state)
{
	struct fixture *fixture = *state;

	start(fixture);
	shard_1_is_full = true;
	assert_int_equal(ask(fixture, "u1", false, NOW_MS), REASON_INTERNAL);
	assert_int_equal(ask(fixture, "u1", true, NOW_MS + 10), REASON_INTERNAL);
	for (size_t i = 0; i < SHARDS; i++) {
		const struct forgotten *forgotten = store_forgotten(fixture->stores->items[i]);
		assert_int_equal(forgotten_has(forgotten, slice_of_text("u1")), i == 0);
	}
	shard_1_is_full = false;
	assert_int_equal(ask(fixture, "u1", true, NOW_MS + 20), 0);
	assert_hidden_until(fixture, "u1", NOW_MS + 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who_comes_back_does_so_in_a_shard_without_room_too),
		TEST(test_nobody_comes_back_before_a_shard_knows_that_he_went),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
