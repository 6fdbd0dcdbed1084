#include "runtime/key_file.h"
#include "runtime/keyring.h"
#include "runtime/zap.h"
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

/* Key pairs of libzmq's test suite. */
#define SERVER_PUBLIC "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define SERVER_SECRET "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
#define CLIENT_PUBLIC "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/till-test-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

static const char *path_of(const char *name)
{
	static char path[256];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

/* As an admin does it: another file under the same name. */
static void put(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof path, "%s/.new", dir);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(rename(path, path_of(name)), 0);
}

/* ---- one public file */

static int parse(const char *text, struct key_holder **ret_holder, struct config_error *error)
{
	return key_holder_parse("/keys/berlin.pub", text, strlen(text), ret_holder, error);
}

static void test_a_public_file_says_who_and_what(void **state)
{
	struct key_holder *holder = NULL;
	struct config_error error;

	(void)state;
	assert_int_equal(parse("# ours\n[key]\npublic = " SERVER_PUBLIC "\n\n[rights]\n"
			       "edges = store-17, United Kingdom\nsend = yes\nviews = *\n"
			       "producers = till-1, till-2\nkinds = order\n",
				 &holder, &error),
		0);
	assert_string_equal(holder->name, "berlin");
	assert_string_equal(holder->key.text, SERVER_PUBLIC);
	assert_true(key_list_has(holder->edges, "store-17", 8));
	assert_true(key_list_has(holder->edges, "United Kingdom", 14));
	assert_false(key_list_has(holder->edges, "store-1", 7));
	assert_false(key_list_has(holder->edges, "store-177", 9));
	assert_false(key_list_has(holder->edges, "", 0));
	assert_true(key_list_has(holder->views, "products", 8));
	assert_true(key_list_has_all(holder->views));
	assert_false(key_list_has(holder->stores, "store-17", 8));
	assert_true(holder->sends);
	assert_true(key_list_has(holder->producers, "till-2", 6));
	assert_true(key_list_has(holder->kinds, "order", 5));
	assert_false(holder->is_admin);
	key_holder_free(holder);
}

static void test_a_key_without_rights_may_do_nothing(void **state)
{
	struct key_holder *holder = NULL;
	struct config_error error;

	(void)state;
	assert_int_equal(
		parse("[key]\npublic = " SERVER_PUBLIC "\n[rights]\nedges =\n", &holder, &error),
		0);
	assert_false(holder->sends || holder->is_admin);
	assert_false(key_list_has(holder->edges, "a", 1));
	assert_false(key_list_has_all(holder->edges));
	assert_false(key_list_has_all(NULL));
	key_holder_free(holder);
}

static void test_what_is_wrong_is_said_with_its_line(void **state)
{
	static const struct {
		const char *text;
		const char *error;
	} cases[] = {
		{"", "/keys/berlin.pub: its last line has no end: is it still being written?"},
		{"[key]\npublic = " SERVER_PUBLIC "\n[rights]\nedges = store-1",
			"/keys/berlin.pub: its last line has no end: is it still being written?"},
		{"[rights]\nsend = yes\n", "/keys/berlin.pub: [key] public is missing"},
		{"[key]\npublic = too short\n", "/keys/berlin.pub:2: [key] public: is no public"},
		{"[key]\npublic = " SERVER_PUBLIC "\nsecret = " SERVER_SECRET "\n",
			"/keys/berlin.pub:3: [key] secret: unknown key; a public key's file has "
			"only"},
		{"[rights]\nedges = *, a\n", "/keys/berlin.pub:2: [rights] edges: \"*\" is all"},
		{"[rights]\nedges = a\nedges = b\n", "/keys/berlin.pub:3: [rights] edges: is "},
		{"[rights]\nsend = perhaps\n", "/keys/berlin.pub:2: [rights] send: \"perhaps\""},
		{"[rights]\nroot = yes\n", "/keys/berlin.pub:2: [rights] root: unknown right;"},
		{"[other]\n", "/keys/berlin.pub:1: [other]: no such section"},
		{"[rights]\nviews = "
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
			"/keys/berlin.pub:2: [rights] views: \"aaaa"},
	};
	struct key_holder *holder = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config_error error = {.text = ""};
		assert_int_equal(parse(cases[i].text, &holder, &error), -EINVAL);
		assert_int_equal(strncmp(error.text, cases[i].error, strlen(cases[i].error)), 0);
		assert_null(strstr(error.text, SERVER_SECRET));
	}
	assert_null(holder);
}

static void test_a_file_of_rights_that_others_may_write_is_refused(void **state)
{
	struct key_holder *holder = NULL;
	struct config_error error;

	(void)state;
	put("a.pub", "[key]\npublic = " SERVER_PUBLIC "\n");
	assert_int_equal(chmod(path_of("a.pub"), 0664), 0);
	assert_int_equal(key_holder_read(path_of("a.pub"), &holder, &error), -EINVAL);
	assert_non_null(strstr(error.text, "others may write it: chmod go-w"));
	assert_int_equal(chmod(path_of("a.pub"), 0644), 0);
	assert_int_equal(key_holder_read(path_of("a.pub"), &holder, &error), 0);
	key_holder_free(holder);
}

/* ---- a pair */

static void test_a_pair_is_written_once_and_read_again(void **state)
{
	struct config_error error;
	struct curve_key key;
	struct curve_key again;
	struct curve_pair pair;
	struct stat status;

	(void)state;
	assert_int_equal(key_file_write(dir, "berlin", "[rights]\nsend = yes\n", &key, &error), 0);
	assert_int_equal(stat(path_of("berlin.key"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(key_file_read_pair(path_of("berlin.key"), &pair, &error), 0);
	assert_string_equal(pair.public_key.text, key.text);
	assert_int_equal(key_file_read_public(path_of("berlin.pub"), &again, &error), 0);
	assert_string_equal(again.text, key.text);

	assert_int_equal(key_file_write(dir, "berlin", "", &again, &error), -EEXIST);
	assert_int_equal(key_file_read_pair(path_of("berlin.key"), &pair, &error), 0);
	assert_string_equal(pair.public_key.text, key.text);
	assert_int_equal(unlink(path_of("berlin.key")), 0);
	assert_int_equal(key_file_write(dir, "berlin", "", &again, &error), -EEXIST);
	assert_int_equal(access(path_of("berlin.key"), F_OK), -1); /* none without the other */
}

static void test_a_secret_that_others_can_reach_is_refused(void **state)
{
	struct config_error error;
	struct curve_key key;
	struct curve_pair pair;

	(void)state;
	assert_int_equal(key_file_write(dir, "a", "", &key, &error), 0);
	assert_int_equal(chmod(path_of("a.key"), 0644), 0);
	assert_int_equal(key_file_read_pair(path_of("a.key"), &pair, &error), -EINVAL);
	assert_non_null(strstr(error.text, "is open to others: chmod 600"));
	assert_int_equal(chmod(path_of("a.key"), 0600), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(key_file_read_pair(path_of("a.key"), &pair, &error), -EINVAL);
	assert_non_null(strstr(error.text, "others may replace files in it"));
	assert_int_equal(chmod(dir, 01777), 0); /* as /tmp: only the owner replaces */
	assert_int_equal(key_file_read_pair(path_of("a.key"), &pair, &error), 0);
}

static void test_no_error_shows_a_secret(void **state)
{
	static const char *const texts[] = {
		SERVER_SECRET "\n",
		"[key]\npublic = " CLIENT_PUBLIC "\nsecret = " SERVER_SECRET "\n", /* no pair */
		"[key]\nsecret " SERVER_SECRET "\n",
		"[key]\npublic = " SERVER_PUBLIC "\nsecret = " SERVER_SECRET " x\n",
		"[" SERVER_SECRET "]\n",
	};
	struct curve_pair pair;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct config_error error;
		put("a.key", texts[i]);
		assert_int_equal(chmod(path_of("a.key"), 0600), 0);
		assert_int_equal(key_file_read_pair(path_of("a.key"), &pair, &error), -EINVAL);
		assert_non_null(strstr(error.text, "is not a secret key as \"till keygen\""));
		assert_null(strstr(error.text, "JTKVSB"));
	}
}

static void test_text_that_is_no_key_is_none(void **state)
{
	struct curve_key key;

	(void)state;
	assert_true(curve_key_parse(SERVER_PUBLIC, &key));
	assert_false(curve_key_parse("", &key));
	assert_false(curve_key_parse(SERVER_PUBLIC "1", &key));
	assert_false(curve_key_parse("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf\"", &key));
	/* "#####" is 85^5 - 1, and more than four bytes hold */
	assert_false(curve_key_parse("########################################", &key));
	assert_false(curve_key_of_bytes("short", 5, &key));
}

/* ---- a directory */

struct heard {
	char text[1024];
};

static void note(void *owner, const char *what, const char *name)
{
	struct heard *heard = owner;
	size_t used = strlen(heard->text);
	snprintf(heard->text + used, sizeof heard->text - used, "%s %s;", what, name);
}

static void on_added(void *owner, const struct key_holder *holder)
{
	note(owner, "added", holder->name);
}

static void on_changed(void *owner, const struct key_holder *holder)
{
	note(owner, "changed", holder->name);
}

static void on_removed(void *owner, const struct key_holder *holder)
{
	note(owner, "removed", holder->name);
}

static void on_ignored(void *owner, const char *why, bool is_old_kept)
{
	note(owner, is_old_kept ? "kept" : "ignored", why + strlen(dir));
}

static void on_nothing(void *owner, const struct key_holder *holder)
{
	(void)owner, (void)holder;
}

static void on_no_complaint(void *owner, const char *why, bool is_old_kept)
{
	(void)owner, (void)is_old_kept;
	fail_msg("%s", why);
}

static const char *refresh(struct keyring *keyring, int expected)
{
	static struct heard heard;
	const struct keyring_listener listener = {
		&heard, on_added, on_changed, on_removed, on_ignored};

	heard.text[0] = '\0';
	assert_int_equal(keyring_refresh(keyring, false, &listener), expected);
	return heard.text;
}

static struct keyring *open_ring(void)
{
	struct keyring *keyring = NULL;
	struct config_error error;

	assert_int_equal(keyring_open(dir, &keyring, &error), 0);
	return keyring;
}

static void test_a_directory_is_followed_while_it_changes(void **state)
{
	struct keyring *keyring = open_ring();

	(void)state;
	assert_null(keyring_find(keyring, SERVER_PUBLIC));
	put("a.pub", "[key]\npublic = " SERVER_PUBLIC "\n[rights]\nedges = a\n");
	put("notes.txt", "not a key");
	put("b.key", "neither");
	assert_string_equal(refresh(keyring, KEYRING_E_CHANGED), "added a;");
	assert_string_equal(keyring_find(keyring, SERVER_PUBLIC)->name, "a");
	assert_null(keyring_find(keyring, CLIENT_PUBLIC));
	assert_string_equal(refresh(keyring, 0), "");

	put("b.pub", "[key]\npublic = " CLIENT_PUBLIC "\n");
	put("a.pub", "[key]\npublic = " SERVER_PUBLIC "\n[rights]\nedges = b\n");
	assert_string_equal(refresh(keyring, KEYRING_E_CHANGED), "changed a;added b;");
	assert_true(key_list_has(keyring_find(keyring, SERVER_PUBLIC)->edges, "b", 1));
	assert_int_equal(keyring_count(keyring), 2);

	assert_int_equal(unlink(path_of("a.pub")), 0);
	assert_string_equal(refresh(keyring, KEYRING_E_CHANGED), "removed a;");
	assert_null(keyring_find(keyring, SERVER_PUBLIC));
	assert_non_null(keyring_find(keyring, CLIENT_PUBLIC));
	keyring_free(keyring);
}

/* A typing error must neither lock a store out nor let more in. */
static void test_a_bad_file_leaves_in_force_what_it_said_before(void **state)
{
	struct keyring *keyring;

	(void)state;
	put("a.pub", "[key]\npublic = " SERVER_PUBLIC "\n[rights]\nedges = a\n");
	keyring = open_ring();
	put("a.pub", "[key]\npublic = " SERVER_PUBLIC "\n[rights]\nedgs = b\n");
	put("b.pub", "[key]\n");
	const char *said = refresh(keyring, 0);
	assert_non_null(strstr(said, "kept /a.pub:4: [rights] edgs: unknown right"));
	assert_non_null(strstr(said, "ignored /b.pub: [key] public is missing"));
	assert_true(key_list_has(keyring_find(keyring, SERVER_PUBLIC)->edges, "a", 1));
	assert_int_equal(keyring_bad_count(keyring), 2);
	assert_string_equal(refresh(keyring, 0), ""); /* once is enough */

	put("a.pub", "[key]\npublic = " SERVER_PUBLIC "\n[rights]\nedges = b\n");
	assert_string_equal(refresh(keyring, KEYRING_E_CHANGED), "changed a;");
	assert_int_equal(keyring_bad_count(keyring), 1);
	keyring_free(keyring);
}

/* A chain's thousand stores: each second only some of the files are looked at, but what changes the directory at once. */
static void test_a_large_directory_is_looked_at_bit_by_bit(void **state)
{
	struct keyring *keyring;
	struct curve_pair pair;
	char name[32], text[128];
	int looks = 0;

	(void)state;
	for (int i = 0; i < 2 * KEYRING_LOOK_FILES; i++) {
		assert_int_equal(curve_pair_new(&pair), 0);
		snprintf(name, sizeof name, "%04d.pub", i);
		snprintf(text, sizeof text, "[key]\npublic = %s\n", pair.public_key.text);
		put(name, text);
	}
	keyring = open_ring();
	refresh(keyring, 0);
	refresh(keyring, 0);
	FILE *out = fopen(path_of(name), "a"); /* the last, in place */
	assert_non_null(out);
	assert_true(fputs("[rights]\nsend = yes\n", out) >= 0);
	assert_int_equal(fclose(out), 0);
	while (!keyring_find(keyring, pair.public_key.text)->sends) {
		static const struct keyring_listener listener = {
			NULL, on_nothing, on_nothing, on_nothing, on_no_complaint};
		assert_true(keyring_refresh(keyring, false, &listener) >= 0);
		assert_true(++looks <= 3);
	}
	assert_int_equal(unlink(path_of("0000.pub")), 0);
	assert_string_equal(refresh(keyring, KEYRING_E_CHANGED), "removed 0000;");
	put(name, text);
	assert_string_equal(refresh(keyring, KEYRING_E_CHANGED), "changed 0399;");
	keyring_free(keyring);
}

/* In place, and with the same size and time: only the time of the change of its inode may differ, or not even that. */
static void overwrite(const char *name, char edge)
{
	static const struct timespec times[2] = {{1000, 0}, {1000, 0}};
	FILE *out = fopen(path_of(name), "w");

	assert_non_null(out);
	fprintf(out, "[key]\npublic = %s\n[rights]\nedges = %c\n", SERVER_PUBLIC, edge);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(utimensat(-1, path_of(name), times, 0), 0);
}

/* Two writes within a tick of the file system's clock look the same, where that ticks coarsely. */
static void test_two_writes_of_one_moment_are_both_seen(void **state)
{
	struct keyring *keyring = open_ring();

	(void)state;
	for (int i = 0; i < 50; i++) {
		char name[16];
		snprintf(name, sizeof name, "%02d.pub", i);
		overwrite(name, 'a');
		refresh(keyring, KEYRING_E_CHANGED);
		overwrite(name, 'b');
		refresh(keyring, KEYRING_E_CHANGED);
		assert_true(key_list_has(keyring_find(keyring, SERVER_PUBLIC)->edges, "b", 1));
		assert_int_equal(unlink(path_of(name)), 0);
		refresh(keyring, KEYRING_E_CHANGED);
	}
	keyring_free(keyring);
}

static void test_of_two_files_with_one_key_the_first_counts(void **state)
{
	struct keyring *keyring;
	struct config_error error;

	(void)state;
	put("a.pub", "[key]\npublic = " SERVER_PUBLIC "\n");
	keyring = open_ring();
	put("b.pub", "[key]\npublic = " SERVER_PUBLIC "\n[rights]\nedges = *\n");
	assert_non_null(strstr(
		refresh(keyring, KEYRING_E_CHANGED), "/b.pub: [key] public: a.pub has the same"));
	assert_string_equal(keyring_find(keyring, SERVER_PUBLIC)->name, "a");
	assert_int_equal(unlink(path_of("a.pub")), 0);
	refresh(keyring, KEYRING_E_CHANGED);
	assert_string_equal(keyring_find(keyring, SERVER_PUBLIC)->name, "b");
	keyring = keyring_free(keyring);
	put("a.pub", "[key]\npublic = " SERVER_PUBLIC "\n");
	assert_int_equal(keyring_open(dir, &keyring, &error), -EINVAL); /* strict at start */
	assert_non_null(strstr(error.text, "b.pub: [key] public: a.pub has the same key"));
}

static void test_a_directory_that_goes_away_takes_nobody_with_it(void **state)
{
	struct keyring *keyring;
	char moved[80];

	(void)state;
	put("a.pub", "[key]\npublic = " SERVER_PUBLIC "\n");
	keyring = open_ring();
	snprintf(moved, sizeof moved, "%s.moved", dir);
	assert_int_equal(rename(dir, moved), 0);
	assert_non_null(strstr(refresh(keyring, 0), "No such file"));
	assert_string_equal(refresh(keyring, 0), "");
	assert_non_null(keyring_find(keyring, SERVER_PUBLIC));
	assert_int_equal(rename(moved, dir), 0);
	assert_string_equal(refresh(keyring, 0), "");
	assert_int_equal(chmod(dir, 0777), 0);
	assert_non_null(strstr(refresh(keyring, 0), "others may write it"));
	keyring_free(keyring);
}

static void test_a_bad_directory_is_refused_at_the_start(void **state)
{
	struct keyring *keyring = NULL;
	struct config_error error;

	(void)state;
	put("a.pub", "[key]\npublic = " SERVER_PUBLIC "\n[rights]\nedgs = b\n");
	assert_int_equal(keyring_open(dir, &keyring, &error), -EINVAL);
	assert_non_null(strstr(error.text, "a.pub:4: [rights] edgs: unknown right"));
	assert_int_equal(keyring_open(path_of("a.pub"), &keyring, &error), -EINVAL);
	assert_non_null(strstr(error.text, "is not a directory of keys"));
	assert_int_equal(keyring_open("/none/such", &keyring, &error), -EINVAL);
	assert_null(keyring);
}

static void test_without_a_directory_anybody_may_do_anything(void **state)
{
	(void)state;
	assert_true(keyring_holder(NULL, "")->sends);
	assert_true(key_list_has(keyring_holder(NULL, "")->edges, "any", 3));
	struct keyring *keyring = open_ring();
	assert_null(keyring_holder(keyring, ""));
	keyring_free(keyring);
}

/* ---- ZAP */

static struct iovec frame(const char *text)
{
	return (struct iovec){(void *)(uintptr_t)text, strlen(text)};
}

static void ask(struct message *message, const char *mechanism, const char *key)
{
	const struct iovec frames[] = {frame("peer"), frame(""), frame("1.0"), frame("7"),
		frame("producers"), frame("10.0.0.9"), frame(""), frame(mechanism), frame(key)};

	message->frame_count = sizeof frames / sizeof frames[0];
	memcpy(message->frames, frames, sizeof frames);
}

static void test_a_request_for_entry_is_read_and_answered(void **state)
{
	struct message message = {0};
	struct zap_request request;
	struct iovec reply[ZAP_REPLY_FRAMES];

	(void)state;
	ask(&message, "CURVE", "01234567890123456789012345678901");
	assert_true(zap_read(&message, &request));
	assert_true(request.is_curve);
	assert_string_equal(request.socket, "producers");
	assert_string_equal(request.address, "10.0.0.9");
	assert_int_equal(strlen(request.key.text), CURVE_KEY_SIZE);
	zap_reply(&message, &request, true, reply);
	assert_memory_equal(reply[0].iov_base, "peer", 4);
	assert_memory_equal(reply[3].iov_base, "7", 1);
	assert_string_equal(reply[4].iov_base, "200");
	assert_string_equal(reply[6].iov_base, request.key.text);
	zap_reply(&message, &request, false, reply);
	assert_string_equal(reply[4].iov_base, "400");
	assert_int_equal(reply[6].iov_len, 0);
}

static void test_other_mechanisms_and_garbage_are_no_keys(void **state)
{
	struct message message = {0};
	struct zap_request request;

	(void)state;
	ask(&message, "PLAIN", "01234567890123456789012345678901");
	assert_true(zap_read(&message, &request));
	assert_false(request.is_curve);
	ask(&message, "CURVE", "too short");
	assert_true(zap_read(&message, &request));
	assert_false(request.is_curve);
	ask(&message, "NULL", "");
	message.frame_count = 8; /* NULL shows nothing */
	assert_true(zap_read(&message, &request));
	assert_false(request.is_curve);
	message.frame_count = 7;
	assert_false(zap_read(&message, &request));
	ask(&message, "CURVE", "01234567890123456789012345678901");
	message.frames[2] = frame("2.0");
	assert_false(zap_read(&message, &request));
}

#define DIR_TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_public_file_says_who_and_what),
		cmocka_unit_test(test_a_key_without_rights_may_do_nothing),
		cmocka_unit_test(test_what_is_wrong_is_said_with_its_line),
		DIR_TEST(test_a_file_of_rights_that_others_may_write_is_refused),
		DIR_TEST(test_a_pair_is_written_once_and_read_again),
		DIR_TEST(test_a_secret_that_others_can_reach_is_refused),
		DIR_TEST(test_no_error_shows_a_secret),
		cmocka_unit_test(test_text_that_is_no_key_is_none),
		DIR_TEST(test_a_directory_is_followed_while_it_changes),
		DIR_TEST(test_a_bad_file_leaves_in_force_what_it_said_before),
		DIR_TEST(test_a_large_directory_is_looked_at_bit_by_bit),
		DIR_TEST(test_two_writes_of_one_moment_are_both_seen),
		DIR_TEST(test_of_two_files_with_one_key_the_first_counts),
		DIR_TEST(test_a_directory_that_goes_away_takes_nobody_with_it),
		DIR_TEST(test_a_bad_directory_is_refused_at_the_start),
		DIR_TEST(test_without_a_directory_anybody_may_do_anything),
		cmocka_unit_test(test_a_request_for_entry_is_read_and_answered),
		cmocka_unit_test(test_other_mechanisms_and_garbage_are_no_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
