/* A disk that fills up while LMDB writes: the kernel takes a part of what it is given, and nothing of the next. */
#include "log_world.h"
#include <errno.h>
#include <stdatomic.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static atomic_bool disk_is_full, disk_is_broken;

/* Half of it, as on the last free block; the disk of a broken one has room. */
ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	struct iovec first = pieces[0];
	if (!disk_is_full && !disk_is_broken) {
		return syscall(SYS_writev, fd, pieces, count);
	}
	first.iov_len /= 2;
	return syscall(SYS_writev, fd, &first, 1);
}

static ssize_t write_at(int fd, const void *bytes, size_t size, off_t at)
{
	bool is_short = disk_is_full || disk_is_broken;
	return syscall(SYS_pwrite64, fd, bytes, is_short ? size / 2 : size, at);
}

ssize_t take_pwrite(int fd, const void *bytes, size_t size, off_t at) __asm__("pwrite");
ssize_t take_pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	return write_at(fd, bytes, size, at);
}

ssize_t take_pwrite64(int fd, const void *bytes, size_t size, off_t at) __asm__("pwrite64");
ssize_t take_pwrite64(int fd, const void *bytes, size_t size, off_t at)
{
	return write_at(fd, bytes, size, at);
}

int statvfs(const char *restrict path, struct statvfs *restrict disk)
{
	(void)path;
	*disk = (struct statvfs){
		.f_frsize = 4096, .f_blocks = 1000000, .f_bavail = disk_is_full ? 0 : 500000};
	return 0;
}

static void log_orders(struct log_world *world, uint64_t first, uint64_t last)
{
	char product[32];
	for (uint64_t seq = first; seq <= last; seq++) {
		snprintf(product, sizeof product, "p%" PRIu64, seq);
		log_order(world, seq, product);
	}
	read_log(world);
}

static void test_a_full_disk_pauses_and_the_same_commit_is_tried_again(void **state)
{
	struct log_world *world = new_log_world();
	(void)state;
	log_order(world, 1, "tea");
	start_and_read(world);
	disk_is_full = true;
	log_orders(world, 2, 500);
	commit_all(world);
	assert_int_equal(world->full, 1);
	log_orders(world, 501, 600);
	assert_int_equal(
		orders_counted(world), 600); /* base, what waits for room, what came since */

	struct shard *shard = world->pipeline->shards[0];
	shard_retry(shard, 1);
	shard_retry(shard, 1 + 1000);
	worker_drain(world->stores->workers[0]);
	assert_int_equal(world->full, 2);
	disk_is_full = false;
	shard_retry(shard, 2000);
	shard_retry(shard, 2000 + 1000);
	worker_drain(world->stores->workers[0]);
	commit_all(world);
	assert_int_equal(orders_counted(world), 600);
	drop_store(world);
	open_store(world, ROOMY_MAP);
	assert_int_equal(orders_counted(world), 600);
	assert_int_equal(position_of(world)->next, 600);
	free_log_world(world);
}

static void test_what_failed_on_a_disk_with_room_is_not_tried_again(void **state)
{
	struct log_world *world = new_log_world();
	(void)state;
	log_order(world, 1, "tea");
	start_and_read(world);
	disk_is_broken = true;
	world->error_expected = -EIO;
	log_orders(world, 2, 50);
	bool is_clean = false;
	assert_int_equal(pipeline_flush(world->pipeline, &is_clean), 0);
	worker_drain(world->stores->workers[0]);
	assert_int_equal(world->error_expected, 0); /* it was told */
	disk_is_broken = false;
	drop_store(world);
	open_store(world, ROOMY_MAP);
	assert_int_equal(orders_counted(world), 1);
	assert_int_equal(position_of(world)->next, 1);
	free_log_world(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_full_disk_pauses_and_the_same_commit_is_tried_again),
		cmocka_unit_test(test_what_failed_on_a_disk_with_room_is_not_tried_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
