#include "client/answer_view.h"

static struct slice error_text(const struct node *root, const char *key)
{
	const struct node *error = node_find(root, "error");
	const struct node *text = error != NULL ? node_find(error, key) : NULL;

	return text != NULL && text->type == NODE_TEXT ? text->text : slice_of(NULL, 0);
}

static int64_t error_retry_ms(const struct node *root)
{
	const struct node *error = node_find(root, "error");
	const struct node *number = error != NULL ? node_find(error, "retry_after_ms") : NULL;
	int64_t retry_ms = 0;

	return number != NULL && node_integer(number, &retry_ms) && retry_ms > 0 ? retry_ms : 0;
}

int answer_view_read(struct document *document, struct slice bytes, struct answer_view *ret_answer)
{
	struct complaint complaint;

	int r = document_decode(document, encoding_of(bytes), bytes, ANSWER_DEPTH_MAX, &complaint);
	if (r != 0) {
		return r < 0 ? r : ANSWER_VIEW_E_MALFORMED;
	}
	const struct node *root = document->nodes;
	const struct node *ok = node_find(root, "ok");
	if (ok == NULL || ok->type != NODE_BOOL) {
		return ANSWER_VIEW_E_MALFORMED;
	}
	*ret_answer = (struct answer_view){.bytes = bytes,
		.root = root,
		.ok = ok->boolean,
		.error_code = error_text(root, "code"),
		.error_message = error_text(root, "message"),
		.retry_after_ms = error_retry_ms(root)};
	return 0;
}
