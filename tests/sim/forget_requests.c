#include "tests/sim/forget_requests.h"
#include "tests/sim/kafka.h"
#include "tests/sim/tills.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	ONE_RUN_IN = 6,
	REQUESTS_MAX = 64,
	HASH_SIZE = 33,
	QUESTION_SIZE = 80,
};

struct request {
	int user;
	bool is_revoke;
};

struct user {
	bool is_forgotten; /* as was asked last */
	char hash[HASH_SIZE]; /* under which the aggregator keeps him; "": none yet */
	int64_t until_ms; /* hidden in what was appended before: the aggregator's word, learned at the end */
};

static bool is_in_play;
static struct request requests[REQUESTS_MAX];
static size_t request_count, done, done_in_backup;
static bool is_asked; /* the first that is not done */
static struct user users[USERS];

void forget_requests_begin(void)
{
	is_in_play = world_draw(ONE_RUN_IN) == 0;
	request_count = done = done_in_backup = 0;
	is_asked = false;
	memset(users, 0, sizeof users);
}

bool forget_requests_are_in_play(void)
{
	return is_in_play;
}

bool forget_requests_are_done(void)
{
	return done == request_count;
}

bool forget_requests_are_none(void)
{
	return request_count == 0;
}

void forget_requests_back_up(void)
{
	done_in_backup = done;
}

void forget_requests_restore(void)
{
	if (is_asked) { /* it is dead: whatever it said was of before */
		aggregator_part_reply(&requests);
		is_asked = false;
	}
	done = done_in_backup;
}

/* ---- asking */

static void add_request(void)
{
	int user = (int)world_draw(world_draw(3) == 0 ? USERS : 2); /* some change their mind */

	if (request_count == REQUESTS_MAX) {
		return;
	}
	requests[request_count++] = (struct request){user, users[user].is_forgotten};
	users[user].is_forgotten = !users[user].is_forgotten;
	world_note_fault(users[user].is_forgotten ? FAULT_USER_FORGOTTEN : FAULT_USER_BACK, "");
}

static void ask(void)
{
	const struct request *request = &requests[done];
	char question[QUESTION_SIZE];

	snprintf(question, sizeof question, "{\"query\":\"forget\",\"user\":\"u%d\",\"revoke\":%s}",
		request->user, request->is_revoke ? "true" : "false");
	is_asked = aggregator_part_request(&requests, question);
}

static void hear(const char *reply)
{
	static const char name[] = "\"hash\":\"";
	struct user *user = &users[requests[done].user];
	const char *hash = strstr(reply, name);

	is_asked = false;
	world_note("operator: u%d, asked to %s: %.80s", requests[done].user,
		requests[done].is_revoke ? "come back" : "go", reply);
	if (strstr(reply, "\"ok\":true") != NULL && hash != NULL) {
		snprintf(user->hash, sizeof user->hash, "%s", hash + sizeof name - 1);
		done++;
	}
}

void forget_requests_step(void)
{
	if (!is_in_play) {
		return;
	}
	if (world.has_faults && world_happens(100)) {
		add_request();
	}
	if (is_asked) {
		const char *reply = aggregator_part_reply(&requests);
		if (reply != NULL) {
			hear(reply);
		}
	} else if (done < request_count && (!world.has_faults || world_draw(10) == 0)) {
		ask();
	}
}

/* ---- what it must come to */

static int64_t parse_time(const char *text)
{
	struct tm tm = {0};
	int ms = 0;

	if (sscanf(text, "%d-%d-%dT%d:%d:%d.%dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
		    &tm.tm_min, &tm.tm_sec, &ms) != 7) {
		abort();
	}
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return (int64_t)timegm(&tm) * 1000 + ms;
}

static bool learn_user(int number, const char *list, char *ret_words, size_t words_size)
{
	static const char name[] = "\"until\":";
	struct user *user = &users[number];
	const char *entry = user->hash[0] == '\0' ? NULL : strstr(list, user->hash);
	const char *until = entry == NULL ? NULL : strstr(entry, name);
	bool was_asked = user->hash[0] != '\0';

	if (was_asked != (until != NULL)) {
		snprintf(
			ret_words, words_size, "nobody knows that u%d was to be forgotten", number);
		return false;
	}
	until = was_asked ? until + sizeof name - 1 : NULL;
	bool is_in_force = was_asked && strncmp(until, "null", 4) == 0;
	if (is_in_force != user->is_forgotten) {
		snprintf(ret_words, words_size, "u%d is %sforgotten", number,
			is_in_force ? "" : "not ");
		return false;
	}
	user->until_ms = is_in_force ? INT64_MAX : was_asked ? parse_time(until + 1) : INT64_MIN;
	return true;
}

bool forget_requests_learn(struct aggregator_part *part, char *ret_words, size_t words_size)
{
	bool is_right = true;

	const char *list = is_in_play ? aggregator_part_ask(part, "{\"query\":\"forgotten\"}") : "";
	for (int i = 0; is_right && i < USERS; i++) {
		is_right = learn_user(i, list, ret_words, words_size);
	}
	return is_right;
}

bool forget_requests_hide(int user, int64_t append_ms)
{
	return is_in_play && user < USERS && append_ms < users[user].until_ms;
}

/* When the log got a sale's records. */
struct times {
	int64_t first_ms, last_ms;
};

/* What one user's row may hold: certainly, and at most. */
struct share {
	uint64_t least, most;
	int64_t millionths; /* of what is certain */
};

struct users_said {
	uint64_t counts[USERS];
	int64_t millionths[USERS];
	bool has_other; /* a row that can't be */
};

static void take_time(void *owner, int topic, int partition, const struct kafka_entry *entry)
{
	struct times *times = owner;
	size_t sale = topic == 0 ? tills_sale_of(entry->record) : SIZE_MAX;

	(void)partition;
	if (sale < tills_sale_count()) {
		struct times *own = &times[sale];
		int64_t ms = entry->timestamp_ms;
		own->first_ms = own->first_ms == 0 || ms < own->first_ms ? ms : own->first_ms;
		own->last_ms = ms > own->last_ms ? ms : own->last_ms;
	}
}

static void take_user(void *owner, const char *name, uint64_t count, int64_t millionths)
{
	struct users_said *said = owner;
	size_t user = (size_t)strtoull(name + 1, NULL, 10);

	if (user >= USERS) {
		said->has_other = true;
		return;
	}
	said->counts[user] += count;
	said->millionths[user] += millionths;
}

static void add_sale(struct share *share, size_t sale, const struct times *times)
{
	int user = user_of_sale(sale);
	bool is_surely_there = !forget_requests_hide(user, times->first_ms);
	bool may_be_there = !forget_requests_hide(user, times->last_ms);

	share->least += is_surely_there;
	share->most += may_be_there;
	share->millionths += is_surely_there ? tills_sale(sale)->millionths : 0;
}

static bool share_is_right(const struct share *share, const struct users_said *said, int user,
	char *ret_words, size_t words_size)
{
	uint64_t count = said->counts[user];
	bool is_exact = share->least == share->most;

	if (count < share->least || count > share->most || said->has_other ||
		(is_exact && said->millionths[user] != share->millionths)) {
		snprintf(ret_words, words_size,
			"u%d has %llu sales and %lld millionths, not %llu to %llu and %lld", user,
			(unsigned long long)count, (long long)said->millionths[user],
			(unsigned long long)share->least, (unsigned long long)share->most,
			(long long)share->millionths);
		return false;
	}
	return true;
}

bool forget_requests_audit(
	struct aggregator_part *part, const uint64_t *counted, char *ret_words, size_t words_size)
{
	struct times *times = calloc(tills_sale_count() + 1, sizeof *times);
	struct users_said said = {0};
	struct share shares[USERS] = {{0}};
	bool is_right = true;

	if (times == NULL) {
		abort();
	}
	kafka_each(take_time, times);
	for (size_t i = 0; i < tills_sale_count(); i++) {
		if (counted[i] > 0) {
			add_sale(&shares[user_of_sale(i)], i, &times[i]);
		}
	}
	aggregator_part_each_row(part, "by_user", take_user, &said);
	for (int i = 0; is_right && i < USERS; i++) {
		is_right = share_is_right(&shares[i], &said, i, ret_words, words_size);
	}
	free(times);
	return is_right;
}
