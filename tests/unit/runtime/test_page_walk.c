/* A walk over LMDB's files without LMDB: it reads what LMDB reads, and no file that it lets pass makes LMDB read something else. */
#include "runtime/page_walk.h"
#include "tests/unit/rounds.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <lmdb.h>

enum {
	PAGE_SIZE = 4096,
	PATH_SIZE = 128,
	TABLES = 3,
	VALUE_SIZE_MAX = 20000,
	AT_TRANSACTION = 144,
	MAP_SIZE = 64 << 20
};

struct file {
	char path[PATH_SIZE];
	uint8_t *bytes; /* owned */
	size_t size;
};

/* What a reading saw, in its order. */
struct sight {
	uint64_t rows, hash;
};

static uint64_t chance = 1;

static uint64_t draw(uint64_t bound)
{
	chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (chance >> 33) % bound;
}

static void see(struct sight *sight, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	for (size_t i = 0; i < size; i++) {
		sight->hash = (sight->hash ^ at[i]) * UINT64_C(1099511628211);
	}
	sight->hash = (sight->hash ^ size) * UINT64_C(1099511628211);
}

static int see_table(void *owner, struct page_bytes name)
{
	see(owner, name.bytes, name.size);
	return 0;
}

static int see_row(void *owner, struct page_bytes key, struct page_bytes value)
{
	struct sight *sight = owner;
	see(sight, key.bytes, key.size);
	see(sight, value.bytes, value.size);
	sight->rows++;
	return 0;
}

static int walk(const struct file *file, struct sight *sight)
{
	const struct page_visitor visitor = {.owner = sight, .table = see_table, .row = see_row};
	const struct page_walk_file walked = {
		.bytes = file->bytes, .size = file->size, .transaction = PAGE_WALK_NEWEST};
	const char *why = NULL;

	*sight = (struct sight){0};
	int r = page_walk(&walked, &visitor, &why);
	assert_true(r <= 0 || why[0] != '\0');
	return r;
}

/* ---- LMDB */

static MDB_env *open_env(const char *path, unsigned flags)
{
	MDB_env *env = NULL;
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, TABLES), 0);
	assert_int_equal(mdb_env_set_mapsize(env, MAP_SIZE), 0);
	assert_int_equal(
		mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC | flags, 0600), 0);
	return env;
}

static void change(MDB_txn *txn, MDB_dbi table)
{
	static uint8_t value[VALUE_SIZE_MAX];
	char key[64];
	uint64_t number = draw(400);
	MDB_val name = {
		(size_t)snprintf(key, sizeof key, "key-%0*d", (int)(number % 40 + 4), (int)number),
		key};
	MDB_val data = {draw(8) == 0 ? draw(sizeof value) : draw(300), value};

	memset(value, (int)draw(256), data.mv_size);
	if (draw(100) < 35) {
		int rc = mdb_del(txn, table, &name, NULL);
		assert_true(rc == 0 || rc == MDB_NOTFOUND);
	} else {
		assert_int_equal(mdb_put(txn, table, &name, &data, 0), 0);
	}
}

static void commit_changes(MDB_env *env, int count)
{
	static const char *const names[TABLES] = {"b", "a", "longer-name"};
	MDB_txn *txn;
	MDB_dbi tables[TABLES];

	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	for (int i = 0; i < TABLES; i++) {
		assert_int_equal(mdb_dbi_open(txn, names[i], MDB_CREATE, &tables[i]), 0);
	}
	for (int i = 0; i < count; i++) {
		change(txn, tables[draw(TABLES)]);
	}
	if (draw(20) == 0) {
		assert_int_equal(mdb_drop(txn, tables[draw(TABLES)], 0), 0);
	}
	assert_int_equal(mdb_txn_commit(txn), 0);
}

static void load(struct file *file)
{
	struct stat status;
	int fd = open(file->path, O_RDONLY);
	assert_int_equal(fstat(fd, &status), 0);
	free(file->bytes);
	file->size = (size_t)status.st_size;
	file->bytes = malloc(file->size);
	assert_int_equal(read(fd, file->bytes, file->size), status.st_size);
	close(fd);
}

static void store(const struct file *file)
{
	int fd = open(file->path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, file->bytes, file->size), file->size);
	close(fd);
}

static bool see_with_lmdb(MDB_txn *txn, MDB_val name, struct sight *sight)
{
	char text[64];
	MDB_cursor *cursor;
	MDB_val key, data;
	MDB_dbi table;

	snprintf(text, sizeof text, "%.*s", (int)name.mv_size, (char *)name.mv_data);
	if (mdb_dbi_open(txn, text, 0, &table) != 0 || mdb_cursor_open(txn, table, &cursor) != 0) {
		return false;
	}
	see(sight, name.mv_data, name.mv_size);
	int rc;
	while ((rc = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) == 0) {
		MDB_val found;
		if (mdb_get(txn, table, &key, &found) != 0 || found.mv_data != data.mv_data) {
			return false;
		}
		(void)see_row(sight, (struct page_bytes){key.mv_data, key.mv_size},
			(struct page_bytes){data.mv_data, data.mv_size});
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND;
}

/* Does LMDB see the same, by search and one after the other? */
static bool lmdb_sees(const char *path, const struct sight *walked)
{
	struct sight sight = {0};
	MDB_env *env = open_env(path, MDB_RDONLY);
	MDB_txn *txn;
	MDB_dbi names;
	MDB_cursor *cursor;
	MDB_val key, data;

	assert_int_equal(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &names), 0);
	assert_int_equal(mdb_cursor_open(txn, names, &cursor), 0);
	bool is_whole = true;
	while (is_whole && mdb_cursor_get(cursor, &key, &data, MDB_NEXT) == 0) {
		is_whole = see_with_lmdb(txn, key, &sight);
	}
	mdb_cursor_close(cursor);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return is_whole && sight.rows == walked->rows && sight.hash == walked->hash;
}

static int make_file(void **state)
{
	struct file *file = calloc(1, sizeof *file);
	snprintf(file->path, sizeof file->path, "/tmp/till-pages-XXXXXX");
	int fd = mkstemp(file->path);
	assert_true(fd >= 0);
	close(fd);
	*state = file;
	return 0;
}

static int drop_file(void **state)
{
	struct file *file = *state;
	unlink(file->path);
	free(file->bytes);
	free(file);
	return 0;
}

static void fill(struct file *file, int commits)
{
	MDB_env *env = open_env(file->path, 0);
	for (int i = 0; i < commits; i++) {
		commit_changes(env, (int)draw(60));
	}
	mdb_env_close(env);
	load(file);
}

/* ---- tests */

static void test_what_lmdb_wrote_is_seen_as_lmdb_sees_it(void **state)
{
	struct file *file = *state;
	struct sight sight;

	MDB_env *env = open_env(file->path, 0);
	mdb_env_close(env);
	load(file);
	assert_int_equal(walk(file, &sight), 0);
	assert_int_equal(sight.rows, 0);
	for (int i = 0; i < 30; i++) {
		fill(file, 1 + (int)draw(4));
		assert_int_equal(walk(file, &sight), 0);
		assert_true(lmdb_sees(file->path, &sight));
	}
	assert_true(sight.rows > 50);
}

static void test_a_compacted_copy_is_whole(void **state)
{
	struct file *file = *state;
	struct sight before, after;

	fill(file, 20);
	assert_int_equal(walk(file, &before), 0);
	MDB_env *env = open_env(file->path, 0);
	char path[PATH_SIZE];
	snprintf(path, sizeof path, "%.100s.copy", file->path);
	assert_int_equal(mdb_env_copy2(env, path, MDB_CP_COMPACT), 0);
	mdb_env_close(env);
	assert_int_equal(rename(path, file->path), 0);
	load(file);
	assert_int_equal(walk(file, &after), 0);
	assert_int_equal(before.rows, after.rows);
	assert_int_equal(before.hash, after.hash);
}

/* In a child: what passes must not kill LMDB either. */
static int judge_flipped(const struct file *file, const struct sight *whole)
{
	struct sight sight;
	if (walk(file, &sight) != 0) {
		return 0;
	}
	if (sight.rows != whole->rows) {
		return 1;
	}
	store(file);
	return lmdb_sees(file->path, &sight) ? 0 : 2;
}

static void test_no_flipped_bit_makes_lmdb_see_what_the_walk_did_not(void **state)
{
	struct file *file = *state;
	struct sight whole;
	int refused = 0;

	fill(file, 12);
	assert_int_equal(walk(file, &whole), 0);
	for (int i = 0; i < rounds_of(400); i++) {
		size_t at = draw(file->size);
		if (i % 2 == 0) { /* where pages are held together */
			at = at / PAGE_SIZE * PAGE_SIZE + draw(200);
		}
		uint8_t bit = (uint8_t)(1u << draw(8));
		struct sight ignored;
		file->bytes[at] ^= bit;
		int r = walk(file, &ignored);
		refused += r != 0;
		int status = 0;
		pid_t child = r == 0 ? fork() : 0;
		if (r == 0 && child == 0) {
			_exit(judge_flipped(file, &whole));
		}
		if (r == 0) {
			assert_int_equal(waitpid(child, &status, 0), child);
		}
		if (status != 0) {
			fail_msg("bit %d of page %zu + %zu: %x", bit, at / PAGE_SIZE,
				at % PAGE_SIZE, status);
		}
		file->bytes[at] ^= bit;
	}
	assert_true(refused > rounds_of(400) / 100);
	store(file);
}

static uint8_t *newest_meta(const struct file *file)
{
	uint64_t first, second;
	memcpy(&first, file->bytes + AT_TRANSACTION, sizeof first);
	memcpy(&second, file->bytes + PAGE_SIZE + AT_TRANSACTION, sizeof second);
	return file->bytes + (first < second ? PAGE_SIZE : 0);
}

/* The older of the two first pages is whole: LMDB would take it, and the last commit would be gone. */
static void test_an_older_state_is_not_passed_for_the_newest(void **state)
{
	struct file *file = *state;
	struct sight sight;

	fill(file, 9);
	for (int bit = 0; bit < 64; bit++) {
		newest_meta(file)[AT_TRANSACTION + bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(walk(file, &sight), PAGE_WALK_E_DAMAGED);
		load(file);
	}
}

static void test_a_readers_state_is_walked_while_it_is_one_of_the_two(void **state)
{
	struct file *file = *state;
	struct sight sight = {0};
	const struct page_visitor visitor = {.owner = &sight, .table = see_table, .row = see_row};
	uint64_t newest;
	const char *why = NULL;

	fill(file, 5);
	memcpy(&newest, newest_meta(file) + AT_TRANSACTION, sizeof newest);
	struct page_walk_file walked = {
		.bytes = file->bytes, .size = file->size, .transaction = newest};
	assert_int_equal(page_walk(&walked, &visitor, &why), 0);
	walked.transaction = newest - 1;
	assert_int_equal(page_walk(&walked, &visitor, &why), 0);
	walked.transaction = newest - 2;
	assert_int_equal(page_walk(&walked, &visitor, &why), PAGE_WALK_E_DAMAGED);
}

static void test_a_file_that_was_cut_off_is_damaged_and_no_file_of_lmdb_is_foreign(void **state)
{
	struct file *file = *state;
	struct sight sight;

	fill(file, 30);
	size_t size = file->size;
	for (file->size = size - 1; file->size > 3 * PAGE_SIZE; file->size -= PAGE_SIZE / 2) {
		int r = walk(file, &sight);
		assert_true(r == 0 || r == PAGE_WALK_E_DAMAGED); /* free pages may end it */
	}
	assert_int_equal(walk(file, &sight), PAGE_WALK_E_DAMAGED);
	for (file->size = 2 * PAGE_SIZE - 1; file->size > 0; file->size /= 2) {
		assert_int_equal(walk(file, &sight), PAGE_WALK_E_FOREIGN);
	}
	file->size = size;
	memset(file->bytes, 'x', size);
	assert_int_equal(walk(file, &sight), PAGE_WALK_E_FOREIGN);
}

/* LMDB keeps the names of tables in a table, too. */
static void test_rows_among_the_names_of_tables_are_seen_where_they_may_be(void **state)
{
	struct file *file = *state;
	struct sight sight = {0};
	MDB_val name = {4, "note"}, value = {5, "value"};
	const struct page_visitor visitor = {.owner = &sight, .table = see_table, .note = see_row};
	MDB_txn *txn = NULL;
	MDB_dbi names;
	const char *why = NULL;

	MDB_env *env = open_env(file->path, 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, NULL, 0, &names), 0);
	assert_int_equal(mdb_put(txn, names, &name, &value, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	load(file);
	const struct page_walk_file walked = {
		.bytes = file->bytes, .size = file->size, .transaction = PAGE_WALK_NEWEST};
	assert_int_equal(page_walk(&walked, &visitor, &why), 0);
	assert_int_equal(sight.rows, 1);
	assert_int_equal(walk(file, &sight), PAGE_WALK_E_DAMAGED);
}

static int stop_at_ten(void *owner, struct page_bytes key, struct page_bytes value)
{
	struct sight *sight = owner;
	(void)key;
	(void)value;
	return ++sight->rows == 10 ? 77 : 0;
}

static void test_the_visitor_ends_the_walk(void **state)
{
	struct file *file = *state;
	struct sight sight = {0};
	const struct page_visitor visitor = {
		.owner = &sight, .table = see_table, .row = stop_at_ten};
	const char *why = NULL;

	fill(file, 10);
	const struct page_walk_file walked = {
		.bytes = file->bytes, .size = file->size, .transaction = PAGE_WALK_NEWEST};
	assert_int_equal(page_walk(&walked, &visitor, &why), 77);
	assert_int_equal(sight.rows, 10);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, make_file, drop_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(test_what_lmdb_wrote_is_seen_as_lmdb_sees_it),
		FILE_TEST(test_a_compacted_copy_is_whole),
		FILE_TEST(test_no_flipped_bit_makes_lmdb_see_what_the_walk_did_not),
		FILE_TEST(test_an_older_state_is_not_passed_for_the_newest),
		FILE_TEST(test_a_readers_state_is_walked_while_it_is_one_of_the_two),
		FILE_TEST(test_a_file_that_was_cut_off_is_damaged_and_no_file_of_lmdb_is_foreign),
		FILE_TEST(test_rows_among_the_names_of_tables_are_seen_where_they_may_be),
		FILE_TEST(test_the_visitor_ends_the_walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
