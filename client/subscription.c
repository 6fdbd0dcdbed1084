#include "client/subscription.h"

#include "client/connection.h"
#include "client/query_client.h"
#include "proto/query.h"
#include "proto/writer.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	REQUEST_SIZE_MAX = 4096 + ANSWER_SIZE_MAX / 64, /* with a cursor */
	PAGE_ROWS = 10000,
	/* Heard nothing for so long: the connection may be half-open, so another one is made. */
	SILENCE_MS_MAX = 5000,
	RETRY_MS = 500, /* after an answer that says not now */
	VIEWS_NODES_MAX = 64 * 1024,
	MESSAGE_SIZE_MAX = 2 * ANSWER_SIZE_MAX,
};

enum question { QUESTION_NONE, QUESTION_VIEWS, QUESTION_PAGE };

struct subscription {
	struct subscription_options options;
	struct connection *connection;
	struct query_client *client;
	struct live_table *table;
	uint8_t topic[LIVE_TOPIC_SIZE_MAX];
	enum question question;
	uint64_t reading; /* whose page was asked for */
	int64_t ask_after_ms;
	int64_t heard_ms;
	struct buffer views; /* the answer to `views`, kept for the names of columns */
	struct document document;
	const struct node *view; /* in it; NULL: not known yet */
	int failure; /* SUBSCRIPTION_E_*, for good */
	char complaint[COMPLAINT_SIZE_MAX];
};

static int fail(struct subscription *subscription, int failure, const char *words)
{
	subscription->failure = failure;
	snprintf(subscription->complaint, sizeof subscription->complaint, "%s", words);
	return failure;
}

/* What the table can't go on from. A handler of the loop passes on no positive code: the next step says it. */
static int from_table(struct subscription *subscription, int r)
{
	switch (r) {
	case LIVE_TABLE_E_REFUSED:
		fail(subscription, SUBSCRIPTION_E_REFUSED,
			live_table_complaint(subscription->table));
		return 0;
	case LIVE_TABLE_E_TOO_LARGE:
		fail(subscription, SUBSCRIPTION_E_TOO_LARGE,
			"the view has too many rows to follow");
		return 0;
	case LIVE_TABLE_E_MALFORMED:
		fail(subscription, SUBSCRIPTION_E_MALFORMED, "no aggregator answers there");
		return 0;
	default:
		return r;
	}
}

static int on_received(void *owner, const struct message *message)
{
	struct subscription *subscription = owner;
	const struct iovec *payload = &message->frames[message->frame_count - 1];

	subscription->heard_ms = clock_monotonic_ms();
	if (message->frame_count != 2 || subscription->failure != 0 || subscription->view == NULL) {
		return 0;
	}
	return from_table(subscription, live_table_take(subscription->table,
						slice_of(payload->iov_base, payload->iov_len)));
}

static void on_lost(void *owner)
{
	struct subscription *subscription = owner;

	live_table_restart(subscription->table);
}

static int make_parts(struct subscription *subscription)
{
	const struct subscription_options *options = &subscription->options;
	const struct live_topic topic = {ENCODING_JSON, slice_of_text(options->view)};
	const struct live_table_options table = {
		options->rows_max, options->changed, options->owner};
	const struct query_client_options client = {.context = options->context,
		.loop = options->loop,
		.endpoint = options->queries,
		.keys = options->keys,
		.timeout_ms = 10000};
	const struct connection_options connection = {.context = options->context,
		.loop = options->loop,
		.endpoint = options->publish,
		.keys = options->keys,
		.frame_size_max = MESSAGE_SIZE_MAX,
		.topic = slice_of(
			subscription->topic, live_topic_write(&topic, subscription->topic)),
		.received = on_received,
		.lost = on_lost,
		.owner = subscription};

	int r = live_table_new(&table, &subscription->table);
	if (r == 0) {
		r = document_init(&subscription->document, VIEWS_NODES_MAX);
	}
	if (r == 0) {
		r = query_client_new(&client, &subscription->client);
	}
	return r == 0 ? connection_new(&connection, &subscription->connection) : r;
}

int subscription_new(
	const struct subscription_options *options, struct subscription **ret_subscription)
{
	if (strlen(options->view) > VIEW_NAME_SIZE_MAX) {
		return -ENAMETOOLONG;
	}
	struct subscription *subscription = calloc(1, sizeof *subscription);
	if (subscription == NULL) {
		return -ENOMEM;
	}
	subscription->options = *options;
	subscription->heard_ms = clock_monotonic_ms();
	buffer_init(&subscription->views, ANSWER_FRAME_SIZE_MAX);
	int r = make_parts(subscription);
	if (r != 0) {
		subscription_free(subscription);
		return r;
	}
	*ret_subscription = subscription;
	return 0;
}

struct subscription *subscription_free(struct subscription *subscription)
{
	if (subscription == NULL) {
		return NULL;
	}
	connection_free(subscription->connection);
	query_client_free(subscription->client);
	live_table_free(subscription->table);
	document_deinit(&subscription->document);
	buffer_deinit(&subscription->views);
	free(subscription);
	return NULL;
}

/* ---- questions */

static void write_page_request(const struct subscription *subscription, struct buffer *request)
{
	const char *cursor = live_table_cursor(subscription->table);
	struct writer writer;

	writer_init(&writer, ENCODING_JSON, request);
	write_map(&writer, 3 + (cursor[0] != '\0'));
	write_key(&writer, "query");
	write_key(&writer, "scan");
	write_key(&writer, "view");
	write_key(&writer, subscription->options.view);
	write_key(&writer, "limit");
	write_integer(&writer, PAGE_ROWS);
	if (cursor[0] != '\0') {
		write_key(&writer, "cursor");
		write_key(&writer, cursor);
	}
}

/* "users" where the view is the table "table.users"; else NULL. */
static const char *table_name(const struct subscription *subscription)
{
	size_t size = strlen(QUERY_TABLE_PREFIX);

	return strncmp(subscription->options.view, QUERY_TABLE_PREFIX, size) == 0
		       ? subscription->options.view + size
		       : NULL;
}

static int ask(struct subscription *subscription, enum question question, int64_t now_ms)
{
	struct buffer request;

	buffer_init(&request, REQUEST_SIZE_MAX);
	if (question == QUESTION_PAGE) {
		write_page_request(subscription, &request);
	} else {
		buffer_append_text(&request, table_name(subscription) != NULL
						     ? "{\"query\":\"tables\"}"
						     : "{\"query\":\"views\"}");
	}
	int r = request.error;
	if (r == 0) {
		r = query_client_start(subscription->client, buffer_slice(&request), now_ms);
	}
	subscription->question = r == 0 ? question : QUESTION_NONE;
	subscription->reading = live_table_reading(subscription->table);
	buffer_deinit(&request);
	return r;
}

/* The names of its columns; 0, or SUBSCRIPTION_E_* where there is no such view. */
static int learn_view(struct subscription *subscription, const struct answer_view *answer)
{
	struct complaint complaint;

	buffer_clear(&subscription->views);
	buffer_append(&subscription->views, answer->bytes.bytes, answer->bytes.size);
	int r = subscription->views.error;
	if (r == 0) {
		r = document_decode(&subscription->document, ENCODING_JSON,
			buffer_slice(&subscription->views), ANSWER_DEPTH_MAX, &complaint);
	}
	if (r < 0) {
		return r;
	}
	const char *table = table_name(subscription);
	const char *wanted = table != NULL ? table : subscription->options.view;
	const struct node *views =
		r == 0 ? node_find(subscription->document.nodes, table != NULL ? "tables" : "views")
		       : NULL;
	const struct node *view =
		views != NULL && views->type == NODE_ARRAY ? node_first(views) : NULL;
	for (uint32_t i = 0; view != NULL && i < views->count; i++, view = node_next(view)) {
		const struct node *name = node_find(view, "name");
		const struct node *group_by = node_find(view, table != NULL ? "key" : "group_by");
		if (name != NULL && group_by != NULL && name->type == NODE_TEXT &&
			slice_equals_text(name->text, wanted)) {
			subscription->view = view;
			return from_table(
				subscription, live_table_name_key(subscription->table, group_by));
		}
	}
	return fail(subscription, SUBSCRIPTION_E_REFUSED, "unknown_view: there is no such view");
}

static bool is_for_a_while(const struct answer_view *answer)
{
	static const char *const codes[] = {"not_ready", "rebuilding", "busy", "timeout"};
	bool is_one = false;

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		is_one = is_one || slice_equals_text(answer->error_code, codes[i]);
	}
	return is_one;
}

static int take_refusal(
	struct subscription *subscription, const struct answer_view *answer, int64_t now_ms)
{
	char words[COMPLAINT_SIZE_MAX];

	bool is_halfway = live_table_cursor(subscription->table)[0] != '\0';
	if (is_halfway) { /* its cursor is of another store */
		live_table_restart(subscription->table);
	}
	if (is_halfway || is_for_a_while(answer)) {
		subscription->ask_after_ms = now_ms + RETRY_MS;
		return 0;
	}
	snprintf(words, sizeof words, "%.*s: %.*s", (int)answer->error_code.size,
		(const char *)answer->error_code.bytes, (int)answer->error_message.size,
		(const char *)answer->error_message.bytes);
	return fail(subscription, SUBSCRIPTION_E_REFUSED, words);
}

static int take_answer(
	struct subscription *subscription, const struct answer_view *answer, int64_t now_ms)
{
	enum question question = subscription->question;

	subscription->question = QUESTION_NONE;
	if (!answer->ok) {
		return take_refusal(subscription, answer, now_ms);
	}
	if (question == QUESTION_VIEWS) {
		return learn_view(subscription, answer);
	}
	/* It may have begun to read anew meanwhile: then this page is none of the new reading's. */
	return live_table_state(subscription->table) == LIVE_TABLE_READS &&
			       live_table_reading(subscription->table) == subscription->reading
		       ? from_table(
				 subscription, live_table_page(subscription->table, answer->root))
		       : 0;
}

static int take_result(struct subscription *subscription, int64_t now_ms)
{
	struct answer_view answer;

	int r = query_client_result(subscription->client, &answer);
	switch (r) {
	case QUERY_E_PENDING:
		return 0;
	case 0:
		return take_answer(subscription, &answer, now_ms);
	case QUERY_E_KEY_REFUSED:
		return fail(subscription, SUBSCRIPTION_E_KEY_REFUSED,
			client_refusal_words(CLIENT_KEY_REFUSED));
	case QUERY_E_NO_HANDSHAKE:
		return fail(subscription, SUBSCRIPTION_E_NO_HANDSHAKE,
			client_refusal_words(CLIENT_NO_HANDSHAKE));
	case QUERY_E_MALFORMED:
		return fail(subscription, SUBSCRIPTION_E_MALFORMED, "no aggregator answers there");
	default: /* no answer in time: it is away, and the stream says when it is back */
		subscription->question = QUESTION_NONE;
		subscription->ask_after_ms = now_ms + RETRY_MS;
		return r < 0 ? r : 0;
	}
}

static int ask_next(struct subscription *subscription, int64_t now_ms)
{
	if (now_ms < subscription->ask_after_ms || subscription->question != QUESTION_NONE) {
		return 0;
	}
	if (subscription->view == NULL) {
		return ask(subscription, QUESTION_VIEWS, now_ms);
	}
	return live_table_state(subscription->table) == LIVE_TABLE_READS
		       ? ask(subscription, QUESTION_PAGE, now_ms)
		       : 0;
}

static int step_client(struct subscription *subscription, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t wait_ms = INT64_MAX;
	int r = subscription->question == QUESTION_NONE
			? 0
			: query_client_step(subscription->client, now_ms, &wait_ms);

	if (r == 0 && subscription->question != QUESTION_NONE) {
		r = take_result(subscription, now_ms);
	}
	if (r == 0 && subscription->failure == 0) {
		enum question before = subscription->question;
		r = ask_next(subscription, now_ms);
		if (subscription->question != before) {
			wait_ms = 0; /* to send it */
		}
	}
	*ret_wait_ms = wait_ms < *ret_wait_ms ? wait_ms : *ret_wait_ms;
	return r;
}

/* A stream says something each second: one that is silent is dead. */
static void drop_silent(struct subscription *subscription, int64_t now_ms)
{
	if (connection_is_up(subscription->connection) &&
		now_ms - subscription->heard_ms > SILENCE_MS_MAX) {
		subscription->heard_ms = now_ms;
		connection_drop(subscription->connection);
	}
}

static int step_connection(struct subscription *subscription, int64_t now_ms, int64_t *ret_wait_ms)
{
	if (subscription->view == NULL) {
		return 0; /* first of all what its columns are called */
	}
	drop_silent(subscription, now_ms);
	int r = connection_step(subscription->connection, now_ms, ret_wait_ms);
	enum client_refusal refusal = connection_refusal(subscription->connection);
	if (r == 0 && refusal == CLIENT_KEY_REFUSED) {
		return fail(subscription, SUBSCRIPTION_E_KEY_REFUSED,
			"this key may not see every view, so it is not let onto the live socket");
	}
	if (r == 0 && refusal == CLIENT_NO_HANDSHAKE) {
		return fail(
			subscription, SUBSCRIPTION_E_NO_HANDSHAKE, client_refusal_words(refusal));
	}
	return r;
}

int subscription_step(struct subscription *subscription, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t wait_ms = RETRY_MS;
	int64_t client_wait_ms = RETRY_MS;

	int r = subscription->failure;
	if (r == 0) {
		r = step_connection(subscription, now_ms, &wait_ms);
	}
	if (r == 0) {
		r = step_client(subscription, now_ms, &client_wait_ms);
	}
	wait_ms = client_wait_ms < wait_ms ? client_wait_ms : wait_ms;
	*ret_wait_ms = wait_ms < RETRY_MS ? wait_ms : RETRY_MS;
	return r != 0 ? r : subscription->failure;
}

/* ---- what there is */

bool subscription_is_whole(const struct subscription *subscription)
{
	return live_table_state(subscription->table) == LIVE_TABLE_FOLLOWS;
}

int64_t subscription_silence_ms(const struct subscription *subscription, int64_t now_ms)
{
	return now_ms - subscription->heard_ms;
}

const char *subscription_complaint(const struct subscription *subscription)
{
	return subscription->complaint;
}

const struct live_table *subscription_table(const struct subscription *subscription)
{
	return subscription->table;
}
