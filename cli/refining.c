#include "cli/refining.h"

#include "cli/session.h"
#include "proto/limits.h"
#include <errno.h>
#include <string.h>

/* The longest first: "<=" begins with "<". Words stand between spaces. */
static const char *const signs[] = {"!=", "<=", ">=", "=", "<", ">", " in ", " prefix "};
enum { SIGN_COUNT = sizeof signs / sizeof signs[0] };

struct condition_text {
	struct slice column, op, value;
};

static struct slice trim(const char *begin, const char *end)
{
	while (begin < end && *begin == ' ') {
		begin++;
	}
	while (begin < end && end[-1] == ' ') {
		end--;
	}
	return slice_of(begin, (size_t)(end - begin));
}

/* The sign that comes first in the text parts it: a value may hold any. */
static bool split_condition(const char *text, struct condition_text *ret_condition)
{
	const char *found = NULL;
	const char *sign = NULL;

	for (size_t i = 0; i < SIGN_COUNT; i++) {
		const char *at = strstr(text, signs[i]);
		if (at != NULL && (found == NULL || at < found)) {
			found = at;
			sign = signs[i];
		}
	}
	if (found == NULL) {
		return false;
	}
	const char *end = found + strlen(sign);
	ret_condition->column = trim(text, found);
	ret_condition->op = trim(found, end);
	ret_condition->value = trim(end, end + strlen(end));
	return ret_condition->column.size > 0;
}

/* Cuts an item off a list; false at its end. */
static bool next_item(struct slice *rest, struct slice *ret_item)
{
	if (rest->bytes == NULL || rest->size == 0) {
		return false;
	}
	const uint8_t *comma = memchr(rest->bytes, ',', rest->size);
	size_t size = comma == NULL ? rest->size : (size_t)(comma - rest->bytes);
	const char *begin = (const char *)rest->bytes;

	*ret_item = trim(begin, begin + size);
	size_t taken = comma == NULL ? size : size + 1;
	*rest = slice_of(rest->bytes + taken, rest->size - taken);
	return true;
}

static uint32_t count_items(struct slice list)
{
	struct slice item;
	uint32_t count = 0;

	while (next_item(&list, &item)) {
		count++;
	}
	return count;
}

static void write_list(struct writer *writer, struct slice list)
{
	struct slice item;

	write_array(writer, count_items(list));
	while (next_item(&list, &item)) {
		write_text(writer, item);
	}
}

static int complain(const char *command, const char *option, const char *value, const char *wanted)
{
	say(command, "%s wants %s, not \"%s\"", option, wanted, value);
	return -EINVAL;
}

int refining_check(const struct refining *refining, const char *command)
{
	struct condition_text condition;

	for (size_t i = 0; i < refining->where.count; i++) {
		if (!split_condition(refining->where.items[i], &condition)) {
			return complain(command, "--where", refining->where.items[i],
				"a condition such as total_revenue>=100.00");
		}
	}
	if (refining->with_missing && refining->join == NULL) {
		say(command,
			"--with-missing wants --join TABLE: the table whose rows may be missing");
		return -EINVAL;
	}
	if (refining->last != NULL && (refining->from != NULL || refining->to != NULL)) {
		say(command, "--last and --from or --to don't go together");
		return -EINVAL;
	}
	return 0;
}

static bool has_range(const struct refining *refining)
{
	return refining->from != NULL || refining->to != NULL || refining->last != NULL;
}

uint32_t refining_count(const struct refining *refining)
{
	return (uint32_t)((refining->where.count > 0) + (refining->group_by != NULL) +
			  (refining->join != NULL) + refining->with_missing + has_range(refining) +
			  (refining->compare != NULL) + (refining->order_by != NULL) +
			  refining->explain + refining->staged);
}

static void write_member(struct writer *writer, const char *key, struct slice text)
{
	write_key(writer, key);
	write_text(writer, text);
}

/* Values are text: the server reads of it what the column is. */
static void write_condition(struct writer *writer, const char *text)
{
	struct condition_text condition = {.column = slice_of(NULL, 0)};

	split_condition(text, &condition);
	write_map(writer, 3);
	write_member(writer, "field", condition.column);
	write_member(writer, "op", condition.op);
	write_key(writer, "value");
	if (slice_equals_text(condition.op, "in")) {
		write_list(writer, condition.value);
	} else {
		write_text(writer, condition.value);
	}
}

static void write_where(struct writer *writer, const struct text_list *where)
{
	write_key(writer, "where");
	write_array(writer, (uint32_t)where->count);
	for (size_t i = 0; i < where->count; i++) {
		write_condition(writer, where->items[i]);
	}
}

static void write_range(struct writer *writer, const struct refining *refining)
{
	const char *const values[] = {refining->from, refining->to, refining->last};
	static const char *const keys[] = {"from", "to", "last"};
	uint32_t count = 0;

	for (size_t i = 0; i < 3; i++) {
		count += values[i] != NULL;
	}
	write_key(writer, "range");
	write_map(writer, count);
	for (size_t i = 0; i < 3; i++) {
		if (values[i] != NULL) {
			write_member(writer, keys[i], slice_of_text(values[i]));
		}
	}
}

static void write_comparison(struct writer *writer, const char *compare)
{
	const char *dots = strstr(compare, "..");

	write_key(writer, "compare");
	write_map(writer, 1);
	if (dots == NULL) {
		write_member(writer, "shift", slice_of_text(compare));
		return;
	}
	write_key(writer, "to");
	write_map(writer, 2);
	write_member(writer, "from", slice_of(compare, (size_t)(dots - compare)));
	write_member(writer, "to", slice_of_text(dots + 2));
}

static void write_order(struct writer *writer, struct slice list)
{
	struct slice item;

	write_key(writer, "order_by");
	write_array(writer, count_items(list));
	while (next_item(&list, &item)) {
		const uint8_t *colon = item.size == 0 ? NULL : memchr(item.bytes, ':', item.size);
		size_t size = colon == NULL ? item.size : (size_t)(colon - item.bytes);
		write_map(writer, colon == NULL ? 1 : 2);
		write_member(writer, "by", slice_of(item.bytes, size));
		if (colon != NULL) {
			write_member(writer, "order", slice_of(colon + 1, item.size - size - 1));
		}
	}
}

void refining_write_list(struct writer *writer, const char *list)
{
	write_list(writer, slice_of_text(list));
}

void refining_write(const struct refining *refining, struct writer *writer)
{
	if (refining->join != NULL) {
		write_key(writer, "join");
		write_key(writer, refining->join);
	}
	if (refining->with_missing) {
		write_key(writer, "with_missing");
		write_bool(writer, true);
	}
	if (refining->where.count > 0) {
		write_where(writer, &refining->where);
	}
	if (refining->group_by != NULL) {
		write_key(writer, "group_by");
		write_list(writer, slice_of_text(refining->group_by));
	}
	if (has_range(refining)) {
		write_range(writer, refining);
	}
	if (refining->compare != NULL) {
		write_comparison(writer, refining->compare);
	}
	if (refining->order_by != NULL) {
		write_order(writer, slice_of_text(refining->order_by));
	}
	if (refining->staged) {
		write_key(writer, "staged");
		write_bool(writer, true);
	}
	if (refining->explain) {
		write_key(writer, "explain");
		write_bool(writer, true);
	}
}
