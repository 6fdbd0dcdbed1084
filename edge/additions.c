#include "edge/additions.h"
#include "proto/pairs.h"
#include "proto/utf8.h"

static const struct event_addition *find(const struct additions *additions, struct slice name)
{
	for (size_t i = 0; i < additions->count; i++) {
		if (slice_equal(additions->of[i].name, name)) {
			return &additions->of[i];
		}
	}
	return NULL;
}

const struct event_addition *additions_find(const struct additions *additions, const char *name)
{
	return find(additions, slice_of_text(name));
}

bool additions_has(const struct additions *additions, struct slice name)
{
	return find(additions, name) != NULL;
}

static int read_kind(struct additions *additions, const char *text, struct config_error *error)
{
	struct slice name = slice_of_text(text);
	enum kind kind;

	if (name.size == 0) {
		return 0;
	}
	if (!kind_from_name(name, &kind) || kind_is_dead_letter(kind)) {
		return config_fail(error, "kind: \"%s\" is none of order, cart, view", text);
	}
	additions->of[additions->count++] = (struct event_addition){slice_of_text("kind"), name};
	return 0;
}

bool additions_can_set(struct slice name)
{
	return !slice_equals_text(name, field_name(FIELD_EVENT_ID));
}

static int add_pair(
	struct additions *additions, const struct pair *pair, struct config_error *error)
{
	int size = (int)pair->left.size;
	const char *name = (const char *)pair->left.bytes;

	if (!event_addition_is_allowed(pair->left)) {
		return config_fail(error, "set: %.*s is for the edge alone to set", size, name);
	}
	if (!additions_can_set(pair->left)) {
		return config_fail(error, "set: %.*s can't be the same for all events", size, name);
	}
	if (find(additions, pair->left) != NULL) {
		return config_fail(error, "set: %.*s is given twice", size, name);
	}
	if (pair->right.size == 0 || !utf8_is_valid(pair->right)) {
		return config_fail(
			error, "set: %.*s has no value, or none that is UTF-8", size, name);
	}
	additions->of[additions->count++] = (struct event_addition){pair->left, pair->right};
	return 0;
}

int additions_read(
	struct additions *additions, const char *kind, const char *set, struct config_error *error)
{
	struct pair_list list = {0};
	struct pairs_error why;

	additions->count = 0;
	int r = read_kind(additions, kind, error);
	if (r < 0 || set == NULL || *set == '\0') {
		return r;
	}
	if (pairs_add_several(&list, "set", set, &why) < 0) {
		return config_fail(error, "%s", why.text);
	}
	if (additions->count + list.count > ADDITIONS_MAX) {
		return config_fail(error, "set: at most %d fields", ADDITIONS_MAX - 1);
	}
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		r = add_pair(additions, &list.items[i], error);
	}
	return r;
}
