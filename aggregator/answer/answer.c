#include "aggregator/answer/answer_parts.h"
#include "aggregator/answer/gate.h"
#include "aggregator/view/table.h"
#include "aggregator/view/view_suggest.h"
#include <errno.h>
#include <stdlib.h>

static uint32_t count_gaps(const struct freshness *freshness)
{
	uint32_t count = 0;

	while (freshness->gaps != NULL && freshness->gaps[count] != NULL) {
		count++;
	}
	return count;
}

void answer_write_as_of(struct writer *writer, const struct freshness *freshness)
{
	uint32_t gap_count = count_gaps(freshness);

	write_map(writer, 5);
	write_key(writer, "store");
	write_text(writer, slice_of_text(freshness->store_id));
	write_key(writer, "commit");
	write_unsigned(writer, freshness->commit);
	write_key(writer, "event_ts");
	if (freshness->event_ts == 0) {
		write_nil(writer);
	} else {
		write_integer(writer, freshness->event_ts);
	}
	write_key(writer, "lag");
	if (freshness->lag < 0) {
		write_nil(writer);
	} else {
		write_integer(writer, freshness->lag);
	}
	write_key(writer, "gaps");
	write_array(writer, gap_count);
	for (uint32_t i = 0; i < gap_count; i++) {
		write_text(writer, slice_of_text(freshness->gaps[i]));
	}
}

static void write_names(struct writer *writer, const char *key, size_t count,
	const char *(*name_of)(const struct view *view, size_t i), const struct view *view)
{
	write_key(writer, key);
	write_array(writer, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		write_text(writer, slice_of_text(name_of(view, i)));
	}
}

static const char *group_name(const struct view *view, size_t i)
{
	return view->groups[i].name;
}

static const char *group_type(const struct view *view, size_t i)
{
	return group_type_name(&view->groups[i]);
}

static const char *measure_name(const struct view *view, size_t i)
{
	return view->measures[i].name;
}

static const char *measure_type(const struct view *view, size_t i)
{
	return measure_type_name(&view->measures[i]);
}

/* Relative to the value; nil: exact. */
static void write_errors(struct writer *writer, const struct view *view)
{
	write_key(writer, "measure_errors");
	write_array(writer, (uint32_t)view->measure_count);
	for (size_t i = 0; i < view->measure_count; i++) {
		if (view->measures[i].op == MEASURE_QUANTILE) {
			write_text(writer, slice_of_text(HISTOGRAM_ERROR_TEXT));
		} else {
			write_nil(writer);
		}
	}
}

static void write_view(
	struct writer *writer, const struct view *view, const struct view_summary *sums)
{
	char kinds[VIEW_KINDS_TEXT_SIZE];

	view_kinds_write(view, kinds);
	write_map(writer, 11);
	write_key(writer, "name");
	write_text(writer, slice_of_text(view->name));
	write_key(writer, "kind");
	write_text(writer, slice_of_text(kinds));
	write_names(writer, "group_by", view->group_count, group_name, view);
	write_names(writer, "group_types", view->group_count, group_type, view);
	write_names(writer, "measures", view->measure_count, measure_name, view);
	write_names(writer, "measure_types", view->measure_count, measure_type, view);
	write_errors(writer, view);
	write_key(writer, "retain_ms");
	if (view->retain_ms == 0) {
		write_nil(writer);
	} else {
		write_integer(writer, view->retain_ms);
	}
	write_key(writer, "stored_rows");
	write_unsigned(writer, sums->row_count);
	write_key(writer, "unmatched");
	write_unsigned(writer, sums->unmatched);
	write_key(writer, "expired");
	write_unsigned(writer, sums->expired);
}

/* As of the last commit. A row that two shards have a part of counts twice: merging all keys would be a walk. */
static int add_sums(struct answering *answering)
{
	struct answer_context *context = answering->context;

	for (uint32_t id = 0; id < view_set_count(context->views); id++) {
		struct view_summary *sums = &answering->sums[id];
		*sums = (struct view_summary){0};
		for (size_t i = 0; i < context->shard_count; i++) {
			struct view_summary part;
			int r = snapshot_summary(context->shards[i].snapshot, id, &part);
			if (r != 0) {
				answering->view = view_set_at(context->views, id);
				return r > 0 ? -EBADMSG : r;
			}
			sums->row_count += part.row_count;
			sums->unmatched += part.unmatched;
			sums->expired += part.expired;
		}
	}
	return 0;
}

static bool is_listed(const struct key_holder *asker, const struct view *view)
{
	return !view_is_table(view) && gate_shows_view(asker, view);
}

static void write_views(const struct answering *answering, struct writer *writer)
{
	const struct view_set *views = answering->context->views;
	const struct key_holder *asker = answering->context->asker;
	size_t count = view_set_count(views);
	uint32_t shown = 0;

	for (size_t i = 0; i < count; i++) {
		shown += is_listed(asker, view_set_at(views, i));
	}
	write_array(writer, shown);
	for (size_t i = 0; i < count; i++) {
		if (is_listed(asker, view_set_at(views, i))) {
			write_view(writer, view_set_at(views, i), &answering->sums[i]);
		}
	}
}

void row_list_clear(struct row_list *rows)
{
	buffer_clear(&rows->bytes);
	buffer_clear(&rows->ends);
	rows->count = 0;
}

void row_list_write(const struct row_list *rows, struct writer *writer)
{
	size_t begin = 0;

	write_array(writer, (uint32_t)rows->count);
	for (size_t i = 0; i < rows->count; i++) {
		size_t end;
		memcpy(&end, rows->ends.bytes + i * sizeof end, sizeof end);
		write_raw(writer, slice_of(rows->bytes.bytes + begin, end - begin));
		begin = end;
	}
}

/* NULL: the view has no stream now. */
static const struct live_place *live_of(const struct answering *answering)
{
	const struct live_place *live = answering->context->live;

	return query_has_rows(answering->query->type) && live != NULL &&
			       (live->watched >> answering->view->id & 1) != 0
		       ? live
		       : NULL;
}

static void write_live(const struct answering *answering, struct writer *writer)
{
	const struct live_place *live = live_of(answering);

	if (live != NULL) {
		write_key(writer, "live");
		write_map(writer, 2);
		write_key(writer, "stream");
		write_text(writer, slice_of_text(live->stream));
		write_key(writer, "n");
		write_unsigned(writer, live->n[answering->view->id]);
	}
}

/* What is asked for. */
static int write_content(const struct answering *answering, struct writer *writer)
{
	const struct query *query = answering->query;
	bool has_rows = query_has_rows(query->type);

	write_key(writer, query->explain ? "explain"
			  : has_rows     ? "rows"
					 : query_type_name(query->type));
	if (query->explain) {
		write_raw(writer, buffer_slice(&answering->rows.bytes));
	} else if (has_rows) {
		row_list_write(&answering->rows, writer);
	} else if (query->type == QUERY_TABLES) {
		return answer_tables_write(answering->context, writer);
	} else {
		write_views(answering, writer);
	}
	return 0;
}

static int write_answer(const struct answering *answering, struct buffer *reply)
{
	uint32_t pairs =
		3 + (answering->next != NULL) + answering->is_cut + (live_of(answering) != NULL);
	struct writer writer;

	writer_init(&writer, answering->query->encoding, reply);
	write_map(&writer, pairs);
	write_key(&writer, "ok");
	write_bool(&writer, true);
	int r = write_content(answering, &writer);
	if (answering->next != NULL) {
		write_key(&writer, "next");
		write_text(&writer, slice_of_text(answering->next));
	}
	if (answering->is_cut) {
		write_key(&writer, "cut");
		write_bool(&writer, true);
	}
	write_live(answering, &writer);
	write_key(&writer, "as_of");
	answer_write_as_of(&writer, &answering->context->freshness);
	return r < 0 ? r : reply->error;
}

int answer_complain_of_view(
	const struct view_set *views, struct slice name, struct complaint *complaint)
{
	const char *names[VIEWS_MAX];
	size_t prefix = strlen(TABLE_PREFIX), count = 0;
	bool is_table = name.size > prefix && memcmp(name.bytes, TABLE_PREFIX, prefix) == 0;

	for (size_t i = 0; i < view_set_count(views); i++) {
		const struct view *view = view_set_at(views, i);
		if (view_is_table(view) == is_table) {
			names[count++] = view_short_name(view);
		}
	}
	if (is_table) {
		name = slice_of(name.bytes + prefix, name.size - prefix);
	}
	const char *meant = suggest_word(name, names, count);
	complaint_set(complaint, REASON_UNKNOWN_VIEW, is_table ? "table" : "view",
		"no %s \"%.*s\"%s%s%s", is_table ? "table" : "view", (int)name.size,
		(const char *)name.bytes, meant == NULL ? "" : "; did you mean \"",
		meant == NULL ? "" : meant, meant == NULL ? "" : "\"?");
	return REASON_UNKNOWN_VIEW;
}

static int find_view(struct answering *answering)
{
	const struct view_set *views = answering->context->views;
	struct slice name = answering->query->view;

	answering->view = view_set_find(views, name);
	return answering->view != NULL
		       ? 0
		       : answer_complain_of_view(views, name, &answering->complaint);
}

static int find_rows(struct answering *answering)
{
	static int (*const finders[])(struct answering * answering) = {
		[QUERY_GET] = answer_get, [QUERY_TOP] = answer_top, [QUERY_SCAN] = answer_scan};
	enum query_type type = answering->query->type;

	if (type == QUERY_VIEWS) {
		return add_sums(answering);
	}
	if (type == QUERY_TABLES) {
		return 0;
	}
	if (!query_has_rows(type)) {
		complaint_set(&answering->complaint, REASON_UNKNOWN_QUERY, "query",
			"%s is not answered from views", query_type_name(type));
		return REASON_UNKNOWN_QUERY;
	}
	int r = find_view(answering);
	if (r != 0) {
		return r;
	}
	return query_is_refined(answering->query) ? answer_refined(answering)
						  : finders[type](answering);
}

/* A failure as the asker sees it. */
static void explain(struct answering *answering, int error)
{
	const char *view = answering->view == NULL ? "?" : answering->view->name;

	if (error == -EMSGSIZE) {
		complaint_set(&answering->complaint, REASON_TOO_LARGE, "",
			"the answer would be over %d bytes; ask for fewer rows or use scan",
			ANSWER_SIZE_MAX);
	} else if (error == -EBADMSG) {
		complaint_set(&answering->complaint, REASON_INTERNAL, "",
			"a row of view %s in the store is corrupt; nothing is guessed: restore the "
			"store or rebuild it",
			view);
	} else {
		complaint_set(&answering->complaint, REASON_INTERNAL, "",
			"view %s could not be read: %s", view, strerror(-error));
	}
}

int answer_query(
	struct answer_context *context, const struct query *query, struct buffer *ret_reply)
{
	struct answering answering = {.context = context, .query = query};
	size_t size_before = ret_reply->size;

	buffer_init(&answering.rows.bytes, ANSWER_SIZE_MAX);
	buffer_init(&answering.rows.ends, (size_t)SCAN_LIMIT_MAX * 2 * sizeof(size_t));
	int r = find_rows(&answering);
	if (r == 0) {
		r = write_answer(&answering, ret_reply);
	}
	if (r != 0) {
		if (r < 0) {
			explain(&answering, r);
		}
		buffer_truncate(ret_reply, size_before);
		query_encode_error(&answering.complaint, query->encoding, ret_reply);
	}
	free(answering.next);
	buffer_deinit(&answering.rows.bytes);
	buffer_deinit(&answering.rows.ends);
	return ret_reply->error;
}
