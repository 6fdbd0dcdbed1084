#include "aggregator/desk/staged_answer.h"
#include "aggregator/answer/answer_parts.h"
#include "aggregator/answer/difference.h"
#include <errno.h>

enum { CURSOR_SIZE = 2 * ROW_KEY_CAPACITY + 1 };

/* What is compared. */
struct staged {
	struct desk *desk;
	const struct query *query;
	struct desk_moment live, staged;
};

static void write_count(struct writer *writer, const char *key, uint64_t count)
{
	write_key(writer, key);
	write_unsigned(writer, count);
}

/* How many records `ahead` has read and `behind` has not: what both have not read makes no difference between them. */
static uint64_t records_ahead(const struct pipeline *ahead, const struct pipeline *behind)
{
	uint64_t count = 0;

	for (size_t i = 0; i < ahead->partition_count; i++) {
		const struct partition *ours = ahead->partitions[i];
		const struct partition *theirs =
			pipeline_partition(behind, ours->topic, ours->number);
		int64_t read = theirs == NULL ? 0 : theirs->position.next;
		count += ours->position.next > read ? (uint64_t)(ours->position.next - read) : 0;
	}
	return count;
}

/* PLACE_PAIRS. */
static void write_place(const struct staged *staged, struct writer *writer)
{
	const struct pipeline *live = staged->desk->live->pipeline;
	const struct pipeline *shadow = staged->desk->shadow->pipeline;

	write_key(writer, "store");
	write_text(writer, slice_of_text(stores_root(staged->desk->stores)->shadow_id));
	write_key(writer, "progress");
	write_double(writer, staged->desk->health.rebuild_progress);
	write_key(writer, "caught_up");
	write_bool(writer, pipeline_is_caught_up(shadow));
	write_count(writer, "live_ahead", records_ahead(live, shadow));
	write_count(writer, "staged_ahead", records_ahead(shadow, live));
}

enum { PLACE_PAIRS = 5 };

/* ---- all views */

static int count_rows(const struct answer_context *context, uint32_t id, uint64_t *ret_count)
{
	*ret_count = 0;
	for (size_t i = 0; i < context->shard_count; i++) {
		struct view_summary sums;
		int r = snapshot_summary(context->shards[i].snapshot, id, &sums);
		if (r != 0) {
			return r > 0 ? -EBADMSG : r;
		}
		*ret_count += sums.row_count;
	}
	return 0;
}

static const char *change_of(const struct view *live, const struct view *staged)
{
	return live == NULL ? "new" : strcmp(live->text, staged->text) == 0 ? "same" : "changed";
}

static int write_view(const struct staged *staged, const struct view *view, struct writer *writer)
{
	const struct view *live =
		view_set_find(staged->live.context.views, slice_of_text(view->name));
	uint64_t staged_rows = 0, live_rows = 0;

	int r = count_rows(&staged->staged.context, view->id, &staged_rows);
	if (r == 0 && live != NULL) {
		r = count_rows(&staged->live.context, live->id, &live_rows);
	}
	write_map(writer, 4);
	write_key(writer, "view");
	write_text(writer, slice_of_text(view->name));
	write_key(writer, "change");
	write_key(writer, change_of(live, view));
	write_count(writer, "staged_rows", staged_rows);
	write_key(writer, "live_rows");
	if (live == NULL) {
		write_nil(writer);
	} else {
		write_unsigned(writer, live_rows);
	}
	return r;
}

/* Tables are beside both alike. */
static uint32_t count_views(const struct view_set *views)
{
	uint32_t count = 0;

	for (size_t i = 0; i < view_set_count(views); i++) {
		count += !view_is_table(view_set_at(views, i));
	}
	return count;
}

static int write_overview(
	const struct staged *staged, const struct freshness *freshness, struct buffer *reply)
{
	const struct view_set *views = staged->staged.context.views;
	struct writer writer;
	int r = 0;

	writer_init(&writer, staged->query->encoding, reply);
	write_map(&writer, 3);
	write_key(&writer, "ok");
	write_bool(&writer, true);
	write_key(&writer, "staged");
	write_map(&writer, PLACE_PAIRS + 1);
	write_place(staged, &writer);
	write_key(&writer, "views");
	write_array(&writer, count_views(views));
	for (size_t i = 0; r == 0 && i < view_set_count(views); i++) {
		if (!view_is_table(view_set_at(views, i))) {
			r = write_view(staged, view_set_at(views, i), &writer);
		}
	}
	write_key(&writer, "as_of");
	answer_write_as_of(&writer, freshness);
	return r != 0 ? r : reply->error;
}

/* ---- one view, row by row */

static void write_hex(struct writer *writer, struct slice bytes)
{
	char text[CURSOR_SIZE];

	for (size_t i = 0; i < bytes.size; i++) {
		snprintf(text + 2 * i, 3, "%02x", bytes.bytes[i]);
	}
	write_text(writer, slice_of(text, 2 * bytes.size));
}

static int digit_of(uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = memchr(digits, byte, sizeof digits - 1);

	return found == NULL ? -1 : (int)(found - digits);
}

static bool read_hex(struct slice text, struct row_key *ret_key)
{
	bool ok = text.size % 2 == 0 && text.size / 2 <= sizeof ret_key->bytes;

	for (size_t i = 0; ok && i < text.size / 2; i++) {
		int high = digit_of(text.bytes[2 * i]), low = digit_of(text.bytes[2 * i + 1]);
		ok = high >= 0 && low >= 0;
		ret_key->bytes[i] = (uint8_t)(ok ? 16 * high + low : 0);
	}
	ret_key->size = ok ? text.size / 2 : 0;
	return ok;
}

static void write_names(struct writer *writer, const struct difference *difference)
{
	const struct view *view = difference->live_view;

	write_key(writer, "group_by");
	write_array(writer, (uint32_t)view->group_count);
	for (size_t i = 0; i < view->group_count; i++) {
		write_text(writer, slice_of_text(view->groups[i].name));
	}
	write_key(writer, "compared");
	write_array(writer, (uint32_t)difference->pair_count);
	for (size_t i = 0; i < difference->pair_count; i++) {
		write_text(writer, slice_of_text(view->measures[difference->pairs[i].live].name));
	}
}

static void write_sum(
	struct writer *writer, const struct measure *measure, const char *key, money sum)
{
	write_key(writer, key);
	if (strcmp(measure_type_name(measure), "money") == 0) {
		write_money(writer, sum);
	} else {
		integer_write(writer, sum);
	}
}

static uint32_t count_summed(const struct difference *difference)
{
	uint32_t count = 0;

	for (size_t i = 0; i < difference->pair_count; i++) {
		count += measure_adds_up(
			&difference->live_view->measures[difference->pairs[i].live]);
	}
	return count;
}

static void write_sums(struct writer *writer, const struct difference *difference)
{
	write_key(writer, "sums");
	write_array(writer, count_summed(difference) * (uint32_t)difference->sums_count);
	for (size_t i = 0; i < difference->sums_count * difference->pair_count; i++) {
		const struct difference_sums *sums = &difference->sums[i / difference->pair_count];
		size_t pair = i % difference->pair_count;
		const struct measure *measure =
			&difference->live_view->measures[difference->pairs[pair].live];
		if (measure_adds_up(measure)) {
			write_map(writer, 4);
			write_key(writer, "measure");
			write_text(writer, slice_of_text(measure->name));
			write_key(writer, "currency");
			write_text(writer, slice_of(sums->currency, sums->currency_size));
			write_sum(writer, measure, "live", sums->live[pair]);
			write_sum(writer, measure, "staged", sums->staged[pair]);
		}
	}
}

static void write_rows(struct writer *writer, const struct difference *difference)
{
	size_t begin = 0;

	write_key(writer, "rows");
	write_array(writer, difference->told);
	for (uint32_t i = 0; i < difference->told; i++) {
		size_t end;
		memcpy(&end, difference->ends.bytes + i * sizeof end, sizeof end);
		write_raw(writer, slice_of(difference->rows.bytes + begin, end - begin));
		begin = end;
	}
}

static void write_difference(const struct staged *staged, const struct difference *difference,
	const struct freshness *freshness, struct buffer *reply)
{
	struct writer writer;

	writer_init(&writer, staged->query->encoding, reply);
	write_map(&writer, difference->next.size > 0 ? 4 : 3);
	write_key(&writer, "ok");
	write_bool(&writer, true);
	write_key(&writer, "difference");
	write_map(&writer, PLACE_PAIRS + 9);
	write_place(staged, &writer);
	write_key(&writer, "view");
	write_text(&writer, slice_of_text(difference->staged_view->name));
	write_names(&writer, difference);
	write_count(&writer, "equal", difference->equal);
	write_count(&writer, "differing", difference->differing);
	write_count(&writer, "only_live", difference->only_live);
	write_count(&writer, "only_staged", difference->only_staged);
	write_sums(&writer, difference);
	write_rows(&writer, difference);
	if (difference->next.size > 0) {
		write_key(&writer, "next");
		write_hex(&writer, row_key_slice(&difference->next));
	}
	write_key(&writer, "as_of");
	answer_write_as_of(&writer, freshness);
}

static int refuse(struct complaint *complaint, const char *name, const char *why)
{
	complaint_set(complaint, REASON_BAD_REQUEST, "view",
		"rows of view %s can't be compared: %s; ask for them with \"staged\":true", name,
		why);
	return REASON_BAD_REQUEST;
}

static int find_views(
	const struct staged *staged, struct difference *difference, struct complaint *complaint)
{
	struct slice name = staged->query->view;

	difference->staged_view = view_set_find(staged->staged.context.views, name);
	difference->live_view = view_set_find(staged->live.context.views, name);
	if (difference->staged_view == NULL) {
		return answer_complain_of_view(staged->staged.context.views, name, complaint);
	}
	if (difference->live_view == NULL) {
		return refuse(complaint, difference->staged_view->name, "it is new");
	}
	const char *why = difference_refuses(difference->live_view, difference->staged_view);
	return why == NULL ? 0 : refuse(complaint, difference->staged_view->name, why);
}

static int answer_difference(
	struct staged *staged, const struct freshness *freshness, struct buffer *reply)
{
	struct difference difference = {
		.live = &staged->live.context,
		.staged = &staged->staged.context,
		.encoding = staged->query->encoding,
		.limit = staged->query->limit,
	};
	struct complaint complaint;
	struct row_key from = {0};

	int r = find_views(staged, &difference, &complaint);
	if (r == 0 && !read_hex(staged->query->cursor, &from)) {
		complaint_set(&complaint, REASON_BAD_REQUEST, "cursor",
			"cursor is no `next` of such an answer; begin anew");
		r = REASON_BAD_REQUEST;
	}
	if (r == 0) {
		r = difference_make(&difference, row_key_slice(&from));
		if (r == 0) {
			write_difference(staged, &difference, freshness, reply);
		}
		difference_deinit(&difference);
	}
	if (r > 0) {
		query_encode_error(&complaint, staged->query->encoding, reply);
	}
	return r < 0 ? r : reply->error;
}

/* ---- */

static void explain(int error, const struct query *query, struct buffer *reply)
{
	struct complaint complaint;

	if (error == -EMSGSIZE) {
		complaint_set(&complaint, REASON_TOO_LARGE, "limit",
			"the answer would be over %d bytes; ask for fewer rows", ANSWER_SIZE_MAX);
	} else {
		complaint_set(&complaint, REASON_INTERNAL, "", "the rows could not be compared: %s",
			strerror(-error));
	}
	query_encode_error(&complaint, query->encoding, reply);
}

int staged_answer_write(struct desk *desk, const struct query *query,
	const struct freshness *freshness, struct buffer *reply)
{
	struct staged staged = {.desk = desk, .query = query};
	size_t begin = reply->size;

	int r = desk_moment_begin(desk, &staged.live);
	if (r == 0) {
		r = desk_staged_moment_begin(desk, &staged.staged);
		if (r == 0) {
			r = query->view.size > 0 ? answer_difference(&staged, freshness, reply)
						 : write_overview(&staged, freshness, reply);
		}
		desk_moment_end(&staged.staged);
	}
	desk_moment_end(&staged.live);
	if (r < 0) {
		buffer_truncate(reply, begin);
		explain(r, query, reply);
	}
	return reply->error;
}
