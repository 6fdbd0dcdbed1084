/* tables: what there is, as {"query":"views"} does it of views. */
#include "aggregator/answer/answer_parts.h"
#include "aggregator/answer/gate.h"
#include "aggregator/store/table_rows.h"

static bool is_shown(const struct answer_context *context, const struct view *view)
{
	return view_is_table(view) && gate_shows_view(context->asker, view);
}

static void write_texts(struct writer *writer, const char *key, const struct view *table,
	size_t count, const char *(*text_of)(const struct view *table, size_t i))
{
	write_key(writer, key);
	write_array(writer, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		write_text(writer, slice_of_text(text_of(table, i)));
	}
}

static const char *key_name(const struct view *table, size_t i)
{
	return table->groups[i].name;
}

static const char *column_name(const struct view *table, size_t i)
{
	return table->measures[i].name;
}

static const char *column_type(const struct view *table, size_t i)
{
	return measure_type_name(&table->measures[i]);
}

/* A key whose records lie in several shards counts in each: to tell them apart would be a walk. */
static int count_rows(
	const struct answer_context *context, const struct view *table, uint64_t *ret_count)
{
	*ret_count = 0;
	for (size_t i = 0; i < context->shard_count; i++) {
		uint64_t count = 0;
		int r = table_rows_count(context->shards[i].entries, table->id, &count);
		if (r < 0) {
			return r;
		}
		*ret_count += count;
	}
	return 0;
}

static int write_table(
	const struct answer_context *context, const struct view *table, struct writer *writer)
{
	uint64_t count = 0;
	int r = count_rows(context, table, &count);

	if (r < 0) {
		return r;
	}
	write_map(writer, 5);
	write_key(writer, "name");
	write_text(writer, slice_of_text(view_short_name(table)));
	write_texts(writer, "key", table, table->group_count, key_name);
	write_texts(writer, "columns", table, table->measure_count, column_name);
	write_texts(writer, "column_types", table, table->measure_count, column_type);
	write_key(writer, "stored_rows");
	write_unsigned(writer, count);
	return 0;
}

int answer_tables_write(const struct answer_context *context, struct writer *writer)
{
	size_t count = view_set_count(context->views);
	uint32_t shown = 0;
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		shown += is_shown(context, view_set_at(context->views, i));
	}
	write_array(writer, shown);
	for (size_t i = 0; i < count && r == 0; i++) {
		const struct view *view = view_set_at(context->views, i);
		r = is_shown(context, view) ? write_table(context, view, writer) : 0;
	}
	return r;
}
