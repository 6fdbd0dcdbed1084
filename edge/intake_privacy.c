#include "edge/intake_privacy.h"
#include <inttypes.h>
#include <stdio.h>

enum { INTAKE_E_NOBODY = 1 /* the event names no user */ };

int intake_hide_user(
	const struct taking *taking, struct event *event, char text[PSEUDONYM_TEXT_SIZE])
{
	struct pseudonymiser *pseudonymiser = taking->intake->options.pseudonymiser;

	if (pseudonymiser == NULL || !event_has(event, FIELD_USER_ID)) {
		return 0;
	}
	int r = pseudonym_make(pseudonymiser, event->text[FIELD_USER_ID], text);
	event->text[FIELD_USER_ID] = slice_of(text, PSEUDONYM_TEXT_SIZE);
	return r;
}

/* As normal form would spell it: 17850.0 is "17850". */
static struct slice spell_id(const struct node *node, char spelled[32])
{
	int64_t number;

	if (node->type == NODE_TEXT) {
		return node->text;
	}
	if (node_integer(node, &number)) {
		return slice_of(spelled, (size_t)snprintf(spelled, 32, "%" PRId64, number));
	}
	return node->raw;
}

static const struct node *find_user(const struct document *document)
{
	static const char *const names[] = {"user_id", "customer_id"};
	const struct node *found = NULL;

	for (size_t i = 0; i < sizeof names / sizeof names[0] && found == NULL; i++) {
		found = node_find(&document->nodes[0], names[i]);
	}
	return found != NULL && found->type != NODE_NIL ? found : NULL;
}

static bool lies_in(struct slice part, struct slice whole)
{
	return part.size > 0 && part.bytes >= whole.bytes &&
	       part.bytes + part.size <= whole.bytes + whole.size;
}

/* The value's encoding is cut out, and the pseudonym's put in. */
static void replace_value(const struct node *node, enum encoding encoding, const char *text,
	struct slice raw, struct buffer *room)
{
	const uint8_t *after = node->raw.bytes + node->raw.size;

	buffer_append(room, raw.bytes, (size_t)(node->raw.bytes - raw.bytes));
	buffer_append_byte(
		room, encoding == ENCODING_JSON ? '"' : 0xa0 | PSEUDONYM_TEXT_SIZE); /* fixstr */
	buffer_append(room, text, PSEUDONYM_TEXT_SIZE);
	if (encoding == ENCODING_JSON) {
		buffer_append_byte(room, '"');
	}
	buffer_append(room, after, (size_t)(raw.bytes + raw.size - after));
}

/* A line of a file: wherever it stands. */
static void replace_text(struct slice id, const char *text, struct slice raw, struct buffer *room)
{
	const uint8_t *at = raw.bytes, *end = raw.bytes + raw.size, *found;

	while (id.size > 0 && (found = memmem(at, (size_t)(end - at), id.bytes, id.size)) != NULL) {
		buffer_append(room, at, (size_t)(found - at));
		buffer_append(room, text, PSEUDONYM_TEXT_SIZE);
		at = found + id.size;
	}
	buffer_append(room, at, (size_t)(end - at));
}

static int hide(struct pseudonymiser *pseudonymiser, const struct document *document,
	struct slice raw, struct buffer *room)
{
	char text[PSEUDONYM_TEXT_SIZE], spelled[32];
	const struct node *user = find_user(document);

	if (user == NULL) {
		return INTAKE_E_NOBODY;
	}
	struct slice id = spell_id(user, spelled);
	int r = pseudonym_make(pseudonymiser, id, text);
	if (r < 0) {
		return r;
	}
	buffer_clear(room);
	if (lies_in(user->raw, raw)) {
		replace_value(user, document->encoding, text, raw, room);
	} else {
		replace_text(id, text, raw, room);
	}
	return room->error;
}

int intake_hide_user_in_letter(const struct taking *taking, enum encoding encoding,
	struct slice event, struct slice raw, struct slice *ret_letter)
{
	struct intake *intake = taking->intake;
	struct complaint complaint;

	*ret_letter = raw;
	if (intake->options.pseudonymiser == NULL) {
		return 0;
	}
	/* Once more: the event may have been refused before it was decoded. */
	int r = document_decode(&intake->document, encoding, event, NESTING_MAX, &complaint);
	if (r == 0) {
		r = hide(intake->options.pseudonymiser, &intake->document, raw, &intake->letter);
	}
	if (r == 0) {
		*ret_letter = buffer_slice(&intake->letter);
	}
	return r < 0 ? r : 0;
}
