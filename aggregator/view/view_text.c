/* A view's canonical text: one `key = value` a line, in fixed order and spelling. */
#include "aggregator/view/table.h"
#include "aggregator/view/view_retain.h"
#include "aggregator/view/view_where.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Declarations are lines of an INI file: far shorter. */
enum { VIEW_TEXT_SIZE_MAX = 64 * 1024 };

static void write_groups(const struct view *view, struct buffer *text)
{
	buffer_append_text(text, "group_by = ");
	for (size_t i = 0; i < view->group_count; i++) {
		const struct group_field *group = &view->groups[i];
		if (group->is_automatic) {
			continue;
		}
		buffer_append_text(text, i == 0 ? "" : ", ");
		buffer_append_text(text, group->name);
		buffer_append_text(text, group->source == GROUP_BY_BUCKET ? "(ts)" : "");
	}
	buffer_append_byte(text, '\n');
}

static void write_measures(const struct view *view, struct buffer *text)
{
	buffer_append_text(text, "measures = ");
	for (size_t i = 0; i < view->measure_count; i++) {
		const struct measure *measure = &view->measures[i];
		buffer_append_text(text, i == 0 ? "" : ", ");
		buffer_append_text(text, measure->name);
		buffer_append_text(text, " = ");
		buffer_append_text(text, measure_op_name(measure->op));
		buffer_append_byte(text, '(');
		if (measure->op == MEASURE_RATIO) {
			buffer_append_text(text, view->measures[measure->dividend].name);
			buffer_append_text(text, ", ");
			buffer_append_text(text, view->measures[measure->divisor].name);
		} else if (!measure_takes_nothing(measure)) {
			buffer_append_text(text, operand_text_of(measure->operand));
		}
		if (measure->op == MEASURE_QUANTILE) {
			char quantile[MONEY_TEXT_SIZE];
			buffer_append_text(text, ", ");
			buffer_append(text, quantile, money_format(measure->millionths, quantile));
		}
		buffer_append_byte(text, ')');
		if (measure->where.count > 0) {
			buffer_append_text(text, " where ");
			write_where(view, measure->where, text);
		}
	}
	buffer_append_byte(text, '\n');
}

void basket_spans_write(struct basket_spans spans, char ret_text[BASKET_SPANS_TEXT_SIZE])
{
	snprintf(ret_text, BASKET_SPANS_TEXT_SIZE, "%lldms %lldms", (long long)spans.horizon_ms,
		(long long)spans.memory_ms);
}

char *view_write_text(const struct view *view)
{
	struct buffer text;
	char kinds[VIEW_KINDS_TEXT_SIZE];
	char *result = NULL;

	view_kinds_write(view, kinds);
	buffer_init(&text, VIEW_TEXT_SIZE_MAX);
	buffer_append_text(&text, "kind = ");
	buffer_append_text(&text, kinds);
	buffer_append_byte(&text, '\n');
	write_groups(view, &text);
	write_measures(view, &text);
	if (view->where.count > 0) {
		buffer_append_text(&text, "where = ");
		write_where(view, view->where, &text);
		buffer_append_byte(&text, '\n');
	}
	if (view->retain_ms > 0) {
		char span[32];
		snprintf(span, sizeof span, "retain = %lldm\n",
			(long long)(view->retain_ms / RETAIN_MS_LEAST));
		buffer_append_text(&text, span);
	}
	if (view->zone != NULL) {
		buffer_append_text(&text, "zone = ");
		buffer_append_text(&text, view->zone_name);
		buffer_append_byte(&text, '\n');
	}
	if (view_counts_baskets(view)) {
		char spans[BASKET_SPANS_TEXT_SIZE];
		basket_spans_write(view->baskets, spans);
		buffer_append_text(&text, "baskets = ");
		buffer_append_text(&text, spans);
		buffer_append_byte(&text, '\n');
	}
	if (text.error == 0) {
		result = strndup((const char *)text.bytes, text.size);
	}
	buffer_deinit(&text);
	return result;
}

/* The declaration's place for this key; NULL: no such key. */
static char **value_of(struct view_declaration *declaration, struct slice key)
{
	const struct {
		const char *key;
		char **value;
	} places[] = {
		{"kind", &declaration->kind},
		{"group_by", &declaration->group_by},
		{"measures", &declaration->measures},
		{"where", &declaration->where},
		{"retain", &declaration->retain},
		{"zone", &declaration->zone},
		{"baskets", &declaration->baskets},
	};

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		if (slice_equals_text(key, places[i].key)) {
			return places[i].value;
		}
	}
	return NULL;
}

/* One line without its end: "key = value". */
static int read_line(struct slice line, struct view_declaration *declaration)
{
	static const char separator[] = " = ";
	const uint8_t *sign = memmem(line.bytes, line.size, separator, 3);

	if (sign == NULL) {
		return -EINVAL;
	}
	size_t key_size = (size_t)(sign - line.bytes);
	char **value = value_of(declaration, slice_of(line.bytes, key_size));
	if (value == NULL || *value != NULL) {
		return -EINVAL;
	}
	*value = strndup((const char *)sign + 3, line.size - key_size - 3);
	return *value == NULL ? -ENOMEM : 0;
}

static int read_text(struct slice text, struct view_declaration *declaration)
{
	while (text.size > 0) {
		const uint8_t *end = memchr(text.bytes, '\n', text.size);
		if (end == NULL) {
			return -EINVAL;
		}
		size_t size = (size_t)(end - text.bytes);
		int r = read_line(slice_of(text.bytes, size), declaration);
		if (r < 0) {
			return r;
		}
		text = slice_of(end + 1, text.size - size - 1);
	}
	return 0;
}

int view_set_add_text(
	struct view_set *set, struct slice name, struct slice text, char *error, size_t error_size)
{
	struct view_declaration declaration = {0};
	int r = -EINVAL;

	if (name.size > 0 && memchr(name.bytes, '.', name.size) != NULL) {
		return view_set_add_table_text(set, name, text, error, error_size);
	}
	if (name.size > 0 && name.size <= VIEW_NAME_SIZE_MAX) {
		memcpy(declaration.name, name.bytes, name.size);
		r = read_text(text, &declaration);
	}
	if (r == -EINVAL) {
		snprintf(error, error_size, "view %s: its kept declaration can't be read",
			declaration.name);
	}
	if (r == 0) {
		r = view_set_add(set, &declaration, error, error_size);
	}
	view_declaration_deinit(&declaration);
	return r;
}
