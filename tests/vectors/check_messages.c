/* headers, replies, queries, dead letters */
#include "vectors.h"

#include "proto/dead_letter.h"
#include "proto/producer.h"
#include "proto/query.h"
#include <stdio.h>

static void check_output(struct check *check, const struct node *vector)
{
	if (vector_hex(check, vector, "msgpack") &&
		!slice_equal(buffer_slice(&check->bytes), buffer_slice(&check->output))) {
		check_fail(check, "other msgpack");
	}
}

static void check_output_json(struct check *check, const struct node *vector)
{
	check_equal_text(check, "json", vector_text(vector, "json"), buffer_slice(&check->output));
}

static void check_header(struct check *check, const struct node *vector, struct slice bytes)
{
	struct producer_header header = {.n = 0};
	struct complaint complaint;
	int r = producer_header_decode(&check->document, bytes, &header, &complaint);

	if (r != 0) {
		check_fail(check, "refused: %s", complaint.message);
		return;
	}
	check_equal_text(check, "producer", vector_text(vector, "producer"), header.producer);
	check_equal_number(check, "n", vector_integer(check, vector, "n"), (int64_t)header.n);
	buffer_clear(&check->output);
	producer_header_encode(&header, encoding_of(bytes), &check->output);
	if (!slice_equal(bytes, buffer_slice(&check->output))) {
		check_fail(check, "encoded otherwise");
	}
}

void check_headers(struct check *check, const struct node *vector)
{
	struct producer_header header;
	struct complaint complaint;

	if (vector_has(vector, "code")) {
		struct slice input = vector_input(check, vector);
		int r = producer_header_decode(&check->document, input, &header, &complaint);
		check_refused(check, vector, r, &complaint);
		return;
	}
	check_header(check, vector, vector_text(vector, "json"));
	vector_hex(check, vector, "msgpack");
	check_header(check, vector, buffer_slice(&check->bytes));
}

/* What was read, written again in both encodings, is what the vector says. */
static void check_reply(struct check *check, const struct node *vector, struct slice bytes)
{
	static struct reply_error errors[REPLY_ERRORS_MAX];
	struct complaint complaint;
	struct reply reply;
	int r = reply_decode(&check->document, bytes, errors, &reply, &complaint);

	if (r != 0) {
		check_fail(check, "refused: %s", complaint.message);
		return;
	}
	buffer_clear(&check->output);
	reply_encode(&reply, ENCODING_JSON, &check->output);
	check_output_json(check, vector);
	buffer_clear(&check->output);
	reply_encode(&reply, ENCODING_MSGPACK, &check->output);
	check_output(check, vector);
}

void check_replies(struct check *check, const struct node *vector)
{
	static struct reply_error errors[REPLY_ERRORS_MAX];
	struct complaint complaint;
	struct reply reply;

	if (vector_has(vector, "code")) {
		struct slice input = vector_input(check, vector);
		int r = reply_decode(&check->document, input, errors, &reply, &complaint);
		check_refused(check, vector, r, &complaint);
		return;
	}
	check_reply(check, vector, vector_text(vector, "json"));
	vector_hex(check, vector, "msgpack");
	struct buffer copy = {.limit = 1 << 20};
	buffer_append(&copy, check->bytes.bytes, check->bytes.size);
	check_reply(check, vector, buffer_slice(&copy));
	buffer_deinit(&copy);
}

static void check_count(
	struct check *check, const struct node *vector, const char *key, const struct node *node)
{
	const struct node *own = node_find(vector, key);
	int64_t wanted = own == NULL               ? 0
			 : own->type == NODE_ARRAY ? own->count
						   : vector_integer(check, vector, key);

	check_equal_number(check, key, wanted, node == NULL ? 0 : node->count);
}

/* [7, "d"] */
static void check_asked_span(
	struct check *check, const char *what, const struct node *wanted, const struct span *span)
{
	static const char *const units[] = {"min", "h", "d", "w", "mo"};
	int64_t count = 0;

	if (wanted == NULL) {
		return;
	}
	node_integer(node_first(wanted), &count);
	check_equal_number(check, what, count, span->count);
	check_equal_text(
		check, what, node_next(node_first(wanted))->text, slice_of_text(units[span->unit]));
}

static void check_period(struct check *check, const struct node *vector, const char *key,
	const struct query_period *period)
{
	const struct node *wanted = node_find(vector, key);
	const struct node *last = wanted == NULL ? NULL : node_find(wanted, "last");

	check_equal_number(check, key, wanted != NULL, period->is_given);
	if (wanted != NULL) {
		check_equal_text(check, "from", vector_text(wanted, "from"), period->from);
		check_equal_text(check, "to", vector_text(wanted, "to"), period->to);
	}
	check_equal_number(check, "last", last != NULL, period->has_last);
	check_asked_span(check, "last", last, &period->last);
}

/* Pairs of texts: [["edge","="],…] */
static void check_pairs(
	struct check *check, const struct node *vector, const char *key, const struct query *query)
{
	const struct node *wanted = node_find(vector, key);
	bool is_where = strcmp(key, "where") == 0;
	uint32_t count = wanted == NULL ? 0 : wanted->count;

	uint32_t got = is_where ? query->where_count : query->order_count;

	check_equal_number(check, key, count, got);
	if (count != got || count == 0) {
		return;
	}
	const struct node *pair = node_first(wanted);
	for (uint32_t i = 0; i < count; i++, pair = node_next(pair)) {
		const struct node *name = node_first(pair);
		const char *way = is_where                       ? query_op_name(query->where[i].op)
				  : query->order_by[i].ascending ? "asc"
								 : "desc";
		check_equal_text(check, key, name->text,
			is_where ? query->where[i].field : query->order_by[i].by);
		check_equal_text(check, key, node_next(name)->text, slice_of_text(way));
	}
}

static void check_refinement(
	struct check *check, const struct node *vector, const struct query *query)
{
	const struct node *shift = node_find(vector, "shift");

	check_pairs(check, vector, "where", query);
	check_pairs(check, vector, "order_by", query);
	check_count(check, vector, "group_by", query->group_by);
	check_period(check, vector, "range", &query->range);
	check_period(check, vector, "earlier", &query->compare.earlier);
	check_equal_number(check, "shift", shift != NULL, query->compare.has_shift);
	check_asked_span(check, "shift", shift, &query->compare.shift);
	check_equal_number(check, "explain", vector_has(vector, "explain"), query->explain);
}

/* "-500000": in millionths, and longer than a number of JSON may be. */
static money read_micros(struct slice text)
{
	bool is_negative = text.size > 0 && text.bytes[0] == '-';
	money number = 0;

	for (size_t i = is_negative; i < text.size; i++) {
		number = number * 10 + (text.bytes[i] - '0');
	}
	return is_negative ? -number : number;
}

static void check_edges(struct check *check, const struct node *vector, const struct query *query)
{
	const struct node *wanted = node_find(vector, "edges");
	uint32_t count = wanted == NULL ? 0 : wanted->count;

	check_equal_number(check, "edges", count, query->edge_count);
	if (count != query->edge_count || count == 0) {
		return;
	}
	const struct node *edge = node_first(wanted);
	for (uint32_t i = 0; i < count; i++, edge = node_next(edge)) {
		if (read_micros(edge->text) != query->edges[i]) {
			check_fail(check, "edge %u is another", i);
		}
	}
}

/* What is asked of all rows, and of tables beside views. */
static void check_whole(struct check *check, const struct node *vector, const struct query *query)
{
	check_equal_text(check, "join", vector_text(vector, "join"), query->join);
	check_equal_number(
		check, "with_missing", vector_has(vector, "with_missing"), query->with_missing);
	check_equal_number(check, "staged", vector_has(vector, "staged"), query->is_staged);
	check_equal_number(
		check, "cumulative", vector_has(vector, "cumulative"), query->is_cumulative);
	check_equal_number(check, "until_share",
		vector_has(vector, "until_share") ? vector_integer(check, vector, "until_share")
						  : 0,
		query->until_share);
	check_equal_number(check, "bands",
		vector_has(vector, "bands") ? vector_integer(check, vector, "bands") : 0,
		query->band_count);
	check_edges(check, vector, query);
}

/* Each place and each field that is set, as the vector has them. */
static void check_replay(
	struct check *check, const struct node *vector, const struct query_replay *replay)
{
	const struct node *places = node_find(vector, "places"), *set = node_find(vector, "set");
	char text[LETTER_PLACE_SIZE];

	check_equal_number(
		check, "places", places != NULL ? places->count : 0, replay->place_count);
	check_equal_number(check, "set", set != NULL ? set->count : 0, replay->set_count);
	const struct node *place = places != NULL ? node_first(places) : NULL;
	for (uint32_t i = 0; place != NULL && i < replay->place_count; i++) {
		check_equal_text(check, "place", place->text,
			slice_of_text(letter_place_format(&replay->places[i], text)));
		place = node_next(place);
	}
	const struct node *field = set != NULL ? node_first(set) : NULL;
	for (uint32_t i = 0; field != NULL && i < replay->set_count; i++) {
		check_equal_text(check, "field", field->text, replay->set[i].left);
		check_equal_text(check, "value", node_next(field)->text, replay->set[i].right);
		field = node_next(node_next(field));
	}
}

static void check_look(
	struct check *check, const struct node *vector, const struct query_look *look)
{
	static const char *const begins[] = {
		[LOOK_NEWEST] = "newest", [LOOK_OFFSET] = "offset", [LOOK_TIME] = "time"};
	char at[32];

	snprintf(at, sizeof at, "%lld", (long long)look->at);
	check_equal_text(check, "topic", vector_text(vector, "topic"), slice_of_text(look->topic));
	check_equal_text(
		check, "of_edge", vector_text(vector, "of_edge"), slice_of_text(look->edge));
	check_equal_text(check, "of_code", vector_text(vector, "of_code"),
		slice_of_text(reason_code(look->code)));
	if (vector_has(vector, "topic")) {
		check_equal_number(check, "partition", vector_integer(check, vector, "partition"),
			look->partition);
		check_equal_text(check, "begins", vector_text(vector, "begins"),
			slice_of_text(begins[look->from]));
		check_equal_text(check, "at", vector_text(vector, "at"), slice_of_text(at));
	}
}

static void check_query(struct check *check, const struct node *vector, const struct query *query)
{
	int64_t timeout_ms = vector_has(vector, "timeout_ms")
				     ? vector_integer(check, vector, "timeout_ms")
				     : QUERY_TIMEOUT_MS_DEFAULT;
	int64_t max_lag =
		vector_has(vector, "max_lag") ? vector_integer(check, vector, "max_lag") : -1;

	check_equal_text(check, "type", vector_text(vector, "type"),
		slice_of_text(query_type_name(query->type)));
	check_equal_text(check, "view", vector_text(vector, "view"), query->view);
	check_equal_text(check, "by", vector_text(vector, "by"), query->by);
	check_refinement(check, vector, query);
	check_whole(check, vector, query);
	check_look(check, vector, &query->look);
	check_replay(check, vector, &query->replay);
	check_equal_text(check, "cursor", vector_text(vector, "cursor"), query->cursor);
	check_equal_text(check, "user", vector_text(vector, "user"), query->user);
	check_count(check, vector, "key", query->key);
	check_count(check, vector, "keys", query->keys);
	check_count(check, vector, "from", query->from);
	check_count(check, vector, "to", query->to);
	check_equal_number(check, "timeout_ms", timeout_ms, query->timeout_ms);
	check_equal_number(check, "max_lag", max_lag, query->max_lag);
	check_equal_number(check, "after",
		vector_has(vector, "after") ? vector_integer(check, vector, "after") : 0,
		query->after_count);
	if (vector_has(vector, "limit")) {
		check_equal_number(
			check, "limit", vector_integer(check, vector, "limit"), query->limit);
	}
	if (vector_has(vector, "seq")) {
		check_equal_text(check, "edge", vector_text(vector, "edge"), query->about.edge);
		check_equal_number(check, "run", vector_integer(check, vector, "run"),
			(int64_t)query->about.run);
		check_equal_number(check, "seq", vector_integer(check, vector, "seq"),
			(int64_t)query->about.seq);
	}
	if (vector_has(vector, "by_minute")) {
		check_equal_number(check, "by_minute", node_find(vector, "by_minute")->boolean,
			query->is_by_minute);
	}
	if (vector_has(vector, "revoke")) {
		check_equal_number(
			check, "revoke", node_find(vector, "revoke")->boolean, query->revoke);
	}
	if (vector_has(vector, "ascending")) {
		check_equal_number(check, "ascending", node_find(vector, "ascending")->boolean,
			query->ascending);
	}
}

static void check_request(struct check *check, const struct node *vector, struct slice bytes)
{
	static struct query query;
	struct complaint complaint;
	int r = query_decode(&check->document, bytes, &query, &complaint);

	if (vector_has(vector, "code")) {
		check_refused(check, vector, r, &complaint);
	} else if (r != 0) {
		check_fail(check, "refused: %s", complaint.message);
	} else {
		check_query(check, vector, &query);
	}
}

void check_queries(struct check *check, const struct node *vector)
{
	check_request(check, vector, vector_text(vector, "json"));
	vector_hex(check, vector, "msgpack");
	check_request(check, vector, buffer_slice(&check->bytes));
}

static void check_letter(
	struct check *check, const struct node *wanted, const struct dead_letter *letter)
{
	const struct certificate *certificate = &letter->certificate;

	check_equal_text(check, "kind", vector_text(wanted, "kind"),
		slice_of_text(kind_name(certificate->kind)));
	check_equal_text(check, "edge", vector_text(wanted, "edge"), certificate->edge);
	check_equal_number(
		check, "run", vector_integer(check, wanted, "run"), (int64_t)certificate->run);
	check_equal_number(
		check, "seq", vector_integer(check, wanted, "seq"), (int64_t)certificate->seq);
	check_equal_number(check, "received_ms", vector_integer(check, wanted, "received_ms"),
		letter->received_ms);
	check_equal_text(check, "source", vector_text(wanted, "source"), letter->source);
	check_equal_text(
		check, "refused_by", vector_text(wanted, "refused_by"), letter->refused_by);
	check_equal_text(check, "code", vector_text(wanted, "code"),
		slice_of_text(reason_code(letter->reason)));
	check_equal_text(check, "field", vector_text(wanted, "field"), letter->field);
	check_equal_text(check, "message", vector_text(wanted, "message"), letter->message);
}

static void check_envelope(
	struct check *check, const struct node *vector, const struct dead_letter *letter)
{
	const struct node *wanted = node_find(vector, "letter");

	buffer_clear(&check->output);
	dead_letter_encode(letter, &check->output);
	if (!slice_equal(buffer_slice(&check->output), buffer_slice(&check->bytes))) {
		check_fail(check, "encoded otherwise");
	}
	buffer_clear(&check->output);
	buffer_append(&check->output, letter->bytes.bytes, letter->bytes.size);
	vector_hex(check, wanted, "bytes");
	if (!slice_equal(buffer_slice(&check->output), buffer_slice(&check->bytes))) {
		check_fail(check, "other bytes");
	}
}

static int read_letter(struct check *check, const struct node *vector, struct dead_letter *letter,
	struct complaint *complaint)
{
	const struct node *headers = node_find(vector, "headers");
	struct slice values[DLQ_HEADER_COUNT];

	if (headers == NULL) {
		vector_hex(check, vector, "envelope");
		return dead_letter_decode(
			&check->document, buffer_slice(&check->bytes), letter, complaint);
	}
	for (int header = 0; header < DLQ_HEADER_COUNT; header++) {
		values[header] = vector_text(
			headers, dead_letter_header_name((enum dead_letter_header)header));
	}
	return dead_letter_from_headers(values, slice_of("x", 1), letter, complaint);
}

void check_dead_letters(struct check *check, const struct node *vector)
{
	struct complaint complaint;
	struct dead_letter letter;
	int r = read_letter(check, vector, &letter, &complaint);

	if (vector_has(vector, "refused")) {
		check_equal_text(check, "code", vector_text(vector, "refused"),
			slice_of_text(r == 0 ? "accepted" : reason_code(complaint.reason)));
		return;
	}
	if (r != 0) {
		check_fail(check, "refused: %s", complaint.message);
		return;
	}
	check_letter(check, node_find(vector, "letter"), &letter);
	if (vector_has(vector, "envelope")) {
		check_envelope(check, vector, &letter);
	}
}
