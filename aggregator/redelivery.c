#include "aggregator/redelivery.h"
#include "client/resend.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include "runtime/security.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	/* What an edge has for each letter, and how long another is begun: with what Kafka takes below REPLAY_TIMEOUT_MS. */
	LETTER_MS_MAX = 4000,
	SENDING_MS_MAX = 6000,
	ARGUMENTS_SIZE = REPLAY_PLACES_MAX * LETTER_PLACE_SIZE + 1024,
	RESULT_SIZE = 512,
	/* Names of topics, and what a request can put right. */
	ORDER_SIZE_MAX = 2 * QUERY_SIZE_MAX,
};

enum order_state { ORDER_NONE, ORDER_READING, ORDER_SENDING, ORDER_DONE };

struct redelivery {
	struct redelivery_options options;
	const char *to; /* NULL: nowhere */
	struct client_keys keys;
	bool has_keys;
	struct inspection *inspection;
	enum order_state state;
	uint64_t ticket; /* of the last order */
	struct buffer order; /* what it wants, to know it by */
	struct buffer asked; /* the same of who asks */
	struct complaint refusal; /* nothing was begun; REASON_NONE: it was */
	struct mailbag *mailbag; /* NULL while it is read: the inspector has it */
	struct mailbag_letter *sending;
	struct resend *resend;
	int64_t until_ms; /* no letter is begun after it */
	char who[KEY_NAME_SIZE];
	char arguments[ARGUMENTS_SIZE];
	struct metric *letters[MAIL_STATE_COUNT]; /* NULL: that is no end */
};

/* ---- what is wanted */

static void identify(const struct query_replay *wanted, struct buffer *buffer)
{
	buffer_clear(buffer);
	buffer_append(buffer, &wanted->place_count, sizeof wanted->place_count);
	for (uint32_t i = 0; i < wanted->place_count; i++) {
		const struct letter_place *place = &wanted->places[i];
		buffer_append(buffer, place->topic, strlen(place->topic) + 1);
		buffer_append(buffer, &place->partition, sizeof place->partition);
		buffer_append(buffer, &place->offset, sizeof place->offset);
	}
	for (uint32_t i = 0; i < wanted->set_count; i++) {
		const struct pair *pair = &wanted->set[i];
		buffer_append(buffer, &pair->left.size, sizeof pair->left.size);
		buffer_append(buffer, pair->left.bytes, pair->left.size);
		buffer_append(buffer, &pair->right.size, sizeof pair->right.size);
		buffer_append(buffer, pair->right.bytes, pair->right.size);
	}
}

static bool is_the_order(struct redelivery *redelivery, const struct query_replay *wanted)
{
	identify(wanted, &redelivery->asked);
	return redelivery->asked.error == 0 && redelivery->order.error == 0 &&
	       slice_equal(buffer_slice(&redelivery->asked), buffer_slice(&redelivery->order));
}

/* Which letters, where to, and the names of the fields that are set: their values may be personal. */
static void describe(const struct query_replay *wanted, const char *to, char text[ARGUMENTS_SIZE])
{
	char place[LETTER_PLACE_SIZE];
	size_t at = 0;

	for (uint32_t i = 0; i < wanted->place_count && at < ARGUMENTS_SIZE; i++) {
		at += (size_t)snprintf(text + at, ARGUMENTS_SIZE - at, "%s%s", i > 0 ? ", " : "",
			letter_place_format(&wanted->places[i], place));
	}
	if (at < ARGUMENTS_SIZE) {
		at += (size_t)snprintf(text + at, ARGUMENTS_SIZE - at, " to %s", to);
	}
	for (uint32_t i = 0; i < wanted->set_count && at < ARGUMENTS_SIZE; i++) {
		struct slice field = wanted->set[i].left;
		at += (size_t)snprintf(text + at, ARGUMENTS_SIZE - at, " set %.*s",
			(int)(field.size > 64 ? 64 : field.size), (const char *)field.bytes);
	}
}

static bool is_of_letters(const struct redelivery *redelivery, const char *topic)
{
	for (int i = 0; i < KIND_EVENT_COUNT; i++) {
		if (strcmp(redelivery->options.config->topics[KIND_EVENT_COUNT + i], topic) == 0) {
			return true;
		}
	}
	return false;
}

/* ---- its end */

static void describe_end(const struct mailbag *mailbag, char result[RESULT_SIZE])
{
	int size = snprintf(result, RESULT_SIZE, "done: %u letters", mailbag->count);

	if (mailbag->complaint.reason != REASON_NONE) {
		snprintf(result, RESULT_SIZE, "failed: nothing was sent: %s",
			mailbag->complaint.message);
		return;
	}
	for (int state = MAIL_GONE; state < MAIL_STATE_COUNT; state++) {
		uint32_t count = mailbag_count(mailbag, (enum mail_state)state);
		if (count > 0 && size < RESULT_SIZE) {
			size += snprintf(result + size, (size_t)(RESULT_SIZE - size), ", %u %s",
				count, mail_state_name((enum mail_state)state));
		}
	}
}

static int finish(struct redelivery *redelivery)
{
	char result[RESULT_SIZE];

	redelivery->resend = resend_free(redelivery->resend);
	redelivery->sending = NULL;
	redelivery->state = ORDER_DONE;
	for (int i = 0; i < MAIL_STATE_COUNT; i++) {
		metric_add(redelivery->letters[i],
			mailbag_count(redelivery->mailbag, (enum mail_state)i));
	}
	describe_end(redelivery->mailbag, result);
	administration_end_replay(
		redelivery->options.administration, redelivery->who, redelivery->arguments, result);
	return redelivery->options.done(redelivery->options.owner);
}

/* ---- letter by letter */

static void give_up(struct redelivery *redelivery, enum reason reason, const char *words)
{
	struct complaint why;

	complaint_set(&why, reason, "", "%s", words);
	mailbag_give_up(redelivery->mailbag, &why);
}

static void settle(struct redelivery *redelivery, const struct resend_answer *answer)
{
	static const enum mail_state states[] = {
		[RESEND_ACCEPTED] = MAIL_ACCEPTED,
		[RESEND_REPEATED] = MAIL_REPEATED,
		[RESEND_INVALID] = MAIL_REFUSED,
		[RESEND_UNSENT] = MAIL_UNSENT,
		[RESEND_UNKNOWN] = MAIL_UNKNOWN,
	};
	struct mailbag_letter *letter = redelivery->sending;

	redelivery->sending = NULL;
	letter->state = states[answer->fate];
	letter->complaint = answer->complaint;
	if (answer->fate == RESEND_UNSENT) {
		mailbag_give_up(redelivery->mailbag, &answer->complaint);
	} else if (answer->fate == RESEND_UNKNOWN) {
		give_up(redelivery, REASON_TIMEOUT,
			"the edge did not answer for the letter before this one");
	}
}

/* Begins the next one, or ends the order where none is left. */
static int send_next(struct redelivery *redelivery, int64_t now_ms)
{
	struct mailbag *mailbag = redelivery->mailbag;
	struct mailbag_letter *letter = mailbag_first_read(mailbag);

	if (letter != NULL && now_ms >= redelivery->until_ms) {
		give_up(redelivery, REASON_TIMEOUT,
			"the letters before this one took all the time; send it again");
		letter = NULL;
	}
	if (letter != NULL) {
		int r = resend_start(redelivery->resend, mailbag_event(mailbag, letter), now_ms);
		if (r < 0) {
			give_up(redelivery, REASON_INTERNAL, strerror(-r));
			letter = NULL;
		}
	}
	redelivery->sending = letter;
	return letter != NULL ? 0 : finish(redelivery);
}

/* What goes wrong on the way to an edge is an answer, and never the end of the program. */
static int step(struct redelivery *redelivery, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct resend_answer answer;
	int r = resend_step(redelivery->resend, now_ms, ret_wait_ms);

	if (r < 0 || !resend_result(redelivery->resend, &answer)) {
		return r;
	}
	settle(redelivery, &answer);
	*ret_wait_ms = 0;
	return send_next(redelivery, now_ms);
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct redelivery *redelivery = owner;

	return redelivery->sending != NULL ? step(redelivery, now_ms, ret_wait_ms) : 0;
}

int redelivery_fetched(void *owner, struct mailbag *mailbag)
{
	struct redelivery *redelivery = owner;
	const struct resend_options options = {
		.context = redelivery->options.context,
		.loop = redelivery->options.loop,
		.endpoint = redelivery->to,
		.keys = redelivery->has_keys ? &redelivery->keys : NULL,
		.timeout_ms = LETTER_MS_MAX,
	};
	int64_t now_ms = loop_now_ms(redelivery->options.loop);

	redelivery->mailbag = mailbag;
	redelivery->state = ORDER_SENDING;
	redelivery->until_ms = now_ms + SENDING_MS_MAX;
	if (mailbag->complaint.reason != REASON_NONE || mailbag_first_read(mailbag) == NULL) {
		return finish(redelivery);
	}
	int r = resend_new(&options, &redelivery->resend);
	if (r < 0) {
		give_up(redelivery, REASON_INTERNAL, strerror(-r));
		return finish(redelivery);
	}
	loop_wake(redelivery->options.loop);
	return send_next(redelivery, now_ms);
}

/* ---- its beginning */

static bool check(struct redelivery *redelivery, const struct query_replay *wanted)
{
	struct complaint *refusal = &redelivery->refusal;

	refusal->reason = REASON_NONE;
	if (redelivery->to == NULL) {
		complaint_set(refusal, REASON_BAD_REQUEST, "query",
			"[aggregator] replay_to names no edge: use \"till dlq replay\" where an "
			"edge can be reached");
	}
	for (uint32_t i = 0; i < wanted->place_count && refusal->reason == REASON_NONE; i++) {
		if (!is_of_letters(redelivery, wanted->places[i].topic)) {
			complaint_set(refusal, REASON_FORBIDDEN, "places",
				"\"%s\" is no topic of till's dead letters",
				wanted->places[i].topic);
		}
	}
	return refusal->reason == REASON_NONE;
}

static void refuse_begun(struct redelivery *redelivery, const char *words)
{
	char result[RESULT_SIZE];

	complaint_set(&redelivery->refusal, REASON_INTERNAL, "", "nothing was sent: %s", words);
	snprintf(result, sizeof result, "failed: %s", redelivery->refusal.message);
	administration_end_replay(
		redelivery->options.administration, redelivery->who, redelivery->arguments, result);
}

/* Nobody else's order is under way. false: it was refused. */
static bool begin(struct redelivery *redelivery, const struct query_replay *wanted, const char *who)
{
	const struct administration *administration = redelivery->options.administration;

	redelivery->ticket++;
	redelivery->state = ORDER_DONE;
	redelivery->mailbag = mailbag_free(redelivery->mailbag);
	identify(wanted, &redelivery->order);
	if (!check(redelivery, wanted)) {
		return false;
	}
	snprintf(redelivery->who, sizeof redelivery->who, "%s", who);
	describe(wanted, redelivery->to, redelivery->arguments);
	if (administration_begin_replay(administration, redelivery->who, redelivery->arguments,
		    &redelivery->refusal) != 0) {
		return false;
	}
	struct mailbag *mailbag = mailbag_new(wanted);
	if (mailbag == NULL) {
		refuse_begun(redelivery, strerror(ENOMEM));
		return false;
	}
	if (!inspection_fetch(redelivery->inspection, mailbag)) {
		mailbag_free(mailbag);
		refuse_begun(redelivery, "other letters are being read");
		return false;
	}
	redelivery->state = ORDER_READING;
	return true;
}

enum verdict redelivery_judge(struct redelivery *redelivery, struct wish *wish, const char *who)
{
	bool is_busy = redelivery->state == ORDER_READING || redelivery->state == ORDER_SENDING;

	if (wish->ticket != 0) {
		return is_busy && wish->ticket == redelivery->ticket ? VERDICT_WAIT
								     : VERDICT_ANSWER;
	}
	if (is_busy && !is_the_order(redelivery, wish->replay)) {
		return VERDICT_BUSY;
	}
	if (!is_busy && !begin(redelivery, wish->replay, who)) {
		return VERDICT_ANSWER;
	}
	wish->ticket = redelivery->ticket;
	return VERDICT_WAIT;
}

/* ---- the answer */

static int refuse(
	const struct complaint *complaint, const struct query *query, struct buffer *reply)
{
	query_encode_error(complaint, query->encoding, reply);
	return reply->error;
}

int redelivery_answer(
	struct redelivery *redelivery, const struct query *query, struct buffer *reply)
{
	struct complaint complaint;

	if (redelivery->state != ORDER_DONE || !is_the_order(redelivery, &query->replay)) {
		complaint_set(&complaint, REASON_BUSY, "", "it gave way to another; ask again");
		return refuse(&complaint, query, reply);
	}
	if (redelivery->refusal.reason != REASON_NONE) {
		return refuse(&redelivery->refusal, query, reply);
	}
	return mailbag_write(redelivery->mailbag, redelivery->to, query->encoding, reply);
}

/* ---- the whole */

static int add_metrics(struct redelivery *redelivery)
{
	char labels[64];

	for (int i = MAIL_GONE; i < MAIL_STATE_COUNT; i++) {
		snprintf(labels, sizeof labels, "result=\"%s\"",
			mail_state_name((enum mail_state)i));
		redelivery->letters[i] = metrics_add(redelivery->options.metrics, METRIC_COUNTER,
			"till_aggregator_letters_resent_total", labels,
			"dead letters that an administrator had sent again, by what became of "
			"them");
		if (redelivery->letters[i] == NULL) {
			return -ENOMEM;
		}
	}
	return 0;
}

static int read_keys(struct redelivery *redelivery, struct config_error *error)
{
	const struct aggregator_config *config = redelivery->options.config;

	redelivery->to = security_has(config->replay_to) ? config->replay_to : NULL;
	redelivery->has_keys = security_has(config->edge_key);
	return redelivery->has_keys ? client_keys_read(config->key_file, config->edge_key,
					      &redelivery->keys, error)
				    : 0;
}

const char *redelivery_to(const struct redelivery *redelivery)
{
	return redelivery->to;
}

int redelivery_new(const struct redelivery_options *options, struct redelivery **ret_redelivery,
	struct config_error *error)
{
	struct redelivery *redelivery = calloc(1, sizeof *redelivery);

	if (redelivery == NULL) {
		return -ENOMEM;
	}
	redelivery->options = *options;
	buffer_init(&redelivery->order, ORDER_SIZE_MAX);
	buffer_init(&redelivery->asked, ORDER_SIZE_MAX);
	int r = read_keys(redelivery, error);
	if (r == 0) {
		r = add_metrics(redelivery);
	}
	if (r == 0) {
		r = loop_add_tick(options->loop, on_tick, redelivery);
	}
	if (r < 0) {
		redelivery_free(redelivery);
		return r;
	}
	*ret_redelivery = redelivery;
	return 0;
}

void redelivery_use(struct redelivery *redelivery, struct inspection *inspection)
{
	redelivery->inspection = inspection;
}

struct redelivery *redelivery_free(struct redelivery *redelivery)
{
	if (redelivery == NULL) {
		return NULL;
	}
	if (redelivery->state == ORDER_READING || redelivery->state == ORDER_SENDING) {
		administration_end_replay(redelivery->options.administration, redelivery->who,
			redelivery->arguments,
			redelivery->state == ORDER_READING
				? "stopped: nothing was sent"
				: "stopped: nobody knows which of them the edge has");
	}
	loop_remove_tick(redelivery->options.loop, on_tick, redelivery);
	resend_free(redelivery->resend);
	mailbag_free(redelivery->mailbag);
	client_keys_forget(&redelivery->keys);
	buffer_deinit(&redelivery->order);
	buffer_deinit(&redelivery->asked);
	free(redelivery);
	return NULL;
}
