#include "aggregator/live/live_message.h"
#include "aggregator/answer/answer_parts.h"
#include "aggregator/view/view_plan.h"
#include "aggregator/view/view_suggest.h"
#include <errno.h>

/* The rows of one message. */
struct page {
	struct answering answering;
	struct query query; /* says the encoding */
	struct row_list gone;
};

static int add_gone(struct page *page, const struct changed_key *key)
{
	struct row_list *gone = &page->gone;
	struct writer writer;

	writer_init(&writer, page->query.encoding, &gone->bytes);
	int r = row_key_write(&writer, page->answering.view, key->key, key->longs);
	if (r < 0) {
		return r;
	}
	buffer_append(&gone->ends, &gone->bytes.size, sizeof gone->bytes.size);
	gone->count++;
	return gone->bytes.error != 0 ? gone->bytes.error : gone->ends.error;
}

static int add_key(struct page *page, const struct changed_key *key)
{
	struct row row;
	int r = layers_find_row(page->answering.context, page->answering.view, key->key, &row);

	if (r == STORE_E_ABSENT) {
		return add_gone(page, key);
	}
	return r == 0 ? row_list_add(&page->answering, key->key, &row) : r;
}

static bool is_full(const struct page *page)
{
	return page->answering.rows.bytes.size + page->gone.bytes.size > LIVE_SIZE_FULL;
}

static int read_rows(struct page *page, const struct live_draft *draft, size_t *ret_keys)
{
	const struct changed_keys *keys = live_streams_keys(draft->streams, draft->view_id);
	size_t count = changed_keys_count(keys);
	size_t told = 0;
	int r = 0;

	count = count < draft->keys_max ? count : draft->keys_max;
	while (r == 0 && told < count && !is_full(page)) {
		const struct changed_key key = changed_keys_at(keys, told);
		r = add_key(page, &key);
		told += r == 0;
	}
	*ret_keys = told;
	return r;
}

static void write_place(const struct live_draft *draft, struct writer *writer)
{
	write_key(writer, "stream");
	write_text(writer, slice_of_text(live_streams_place(draft->streams)->stream));
	write_key(writer, "n");
	write_unsigned(writer, live_streams_number(draft->streams, draft->view_id, draft->task));
}

static enum live_type type_of(enum live_task task)
{
	static const enum live_type types[] = {
		[LIVE_TASK_HELLO] = LIVE_HELLO,
		[LIVE_TASK_RESET] = LIVE_RESET,
		[LIVE_TASK_ROWS] = LIVE_ROWS,
		[LIVE_TASK_IDLE] = LIVE_IDLE,
	};

	return types[task];
}

static void write_message(
	const struct live_draft *draft, const struct page *page, struct buffer *payload)
{
	bool has_rows = draft->task == LIVE_TASK_ROWS;
	bool has_rate = draft->task == LIVE_TASK_HELLO;
	struct writer writer;

	writer_init(&writer, page->query.encoding, payload);
	write_map(&writer, 4 + 2 * (uint32_t)has_rows + (uint32_t)has_rate);
	write_key(&writer, "type");
	write_key(&writer, live_type_name(type_of(draft->task)));
	write_place(draft, &writer);
	if (has_rate) {
		write_key(&writer, "rate");
		write_integer(&writer, draft->rate);
	}
	if (has_rows) {
		write_key(&writer, "rows");
		row_list_write(&page->answering.rows, &writer);
		write_key(&writer, "gone");
		row_list_write(&page->gone, &writer);
	}
	write_key(&writer, "as_of");
	answer_write_as_of(&writer, &draft->context->freshness);
}

static void row_list_init(struct row_list *list)
{
	buffer_init(&list->bytes, ANSWER_SIZE_MAX);
	buffer_init(&list->ends, LIVE_ROWS_MAX * 2 * sizeof(size_t));
}

static void row_list_deinit(struct row_list *list)
{
	buffer_deinit(&list->bytes);
	buffer_deinit(&list->ends);
}

int live_message_write(const struct live_draft *draft, enum encoding encoding,
	struct buffer *ret_payload, size_t *ret_keys)
{
	struct page page = {.query = {.encoding = encoding}};
	size_t keys = 0;
	int r = 0;

	page.answering = (struct answering){
		.context = draft->context,
		.query = &page.query,
		.view = view_set_at(draft->context->views, draft->view_id),
	};
	row_list_init(&page.answering.rows);
	row_list_init(&page.gone);
	if (draft->task == LIVE_TASK_ROWS) {
		r = read_rows(&page, draft, &keys);
	}
	if (r == 0) {
		write_message(draft, &page, ret_payload);
		r = ret_payload->error;
	}
	row_list_deinit(&page.answering.rows);
	row_list_deinit(&page.gone);
	if (r == 0) {
		*ret_keys = keys;
	}
	return r;
}

void live_message_write_unknown(
	const struct view_set *views, const struct live_topic *topic, struct buffer *ret_payload)
{
	struct complaint complaint;
	struct writer writer;

	answer_complain_of_view(views, topic->view, &complaint);
	writer_init(&writer, topic->encoding, ret_payload);
	write_map(&writer, 2);
	write_key(&writer, "type");
	write_key(&writer, live_type_name(LIVE_ERROR));
	write_key(&writer, "error");
	write_map(&writer, 2);
	write_key(&writer, "code");
	write_key(&writer, reason_code(complaint.reason));
	write_key(&writer, "message");
	write_text(&writer, slice_of_text(complaint.message));
}
