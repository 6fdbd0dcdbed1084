/* scan: rows in key order, from … to, page by page. */
#include "aggregator/answer/answer_parts.h"
#include <errno.h>

static int complain_of_cursor(struct answering *answering)
{
	complaint_set(&answering->complaint, REASON_BAD_REQUEST, "cursor",
		"cursor is no `next` of a scan of view %s as it is declared now; begin the scan "
		"anew",
		answering->view->name);
	return REASON_BAD_REQUEST;
}

/* Where to begin, and where to end: the request's `to` and the cursor's, whichever comes first. */
int scan_range(struct answering *answering, struct row_key *from, struct scan_position *position)
{
	const struct query *query = answering->query;
	struct row_key to = {0};
	size_t count;
	int r = 0;

	if (query->from != NULL) {
		r = parse_key(answering, "from", query->from, from, &count);
	}
	if (r == 0 && query->to != NULL) {
		r = parse_key(answering, "to", query->to, &to, &count);
	}
	if (r != 0) {
		return r;
	}
	if (query->cursor.size > 0) {
		if (!cursor_read(answering, query->cursor, position)) {
			return complain_of_cursor(answering);
		}
		*from = position->key;
	}
	if (position->to.size == 0 || (to.size > 0 && row_key_compare(row_key_slice(&to),
							      row_key_slice(&position->to)) < 0)) {
		position->to = to;
	}
	return 0;
}

/* Rows until the limit, the end or a full answer; *ret_has_more tells that there is another one. */
static int collect(struct answering *answering, struct walk *walk, struct scan_position *position,
	bool *ret_has_more)
{
	struct slice last = row_key_slice(&position->key);
	struct row row;
	int r = 0;

	while ((r = walk_next(walk)) == 0) {
		struct slice key = row_key_slice(&walk->key);
		if (last.size > 0 && answering->rows.count == 0 && slice_equal(key, last)) {
			continue; /* the cursor's own row was in the answer before */
		}
		if (answering->rows.count == answering->query->limit) {
			*ret_has_more = true;
			return 0;
		}
		r = walk_row(walk, &row);
		if (r == 0) {
			r = row_list_add(answering, key, &row);
		}
		if (r == -EMSGSIZE && answering->rows.count > 0) {
			*ret_has_more = true;
			return 0;
		}
		if (r < 0) {
			return r;
		}
		position->key = walk->key;
		last.size = 0;
	}
	return r == WALK_E_END ? 0 : r;
}

int answer_scan(struct answering *answering)
{
	struct scan_position position = {0};
	struct row_key from = {0};
	struct walk walk;
	bool has_more = false;

	int r = scan_range(answering, &from, &position);
	if (r != 0) {
		return r;
	}
	r = walk_open(&walk, answering->context, answering->view, row_key_slice(&from),
		row_key_slice(&position.to));
	if (r == 0) {
		r = collect(answering, &walk, &position, &has_more);
	}
	walk_close(&walk);
	if (r == 0 && has_more) {
		answering->next = cursor_write(answering, &position);
		r = answering->next == NULL ? -ENOMEM : 0;
	}
	return r;
}
