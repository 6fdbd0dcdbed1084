#include "cli/ranking.h"

#include "cli/answer_table.h"
#include "cli/json_text.h"
#include "cli/number_text.h"
#include "proto/query.h"
#include "proto/writer.h"
#include "runtime/program.h"
#include <errno.h>
#include <string.h>

enum { VIEWS_NODES_MAX = 64 * 1024 };

static const struct node *find_view(const struct node *views, const char *name)
{
	if (views == NULL || views->type != NODE_ARRAY) {
		return NULL;
	}
	const struct node *view = node_first(views);
	for (uint32_t i = 0; i < views->count; i++, view = node_next(view)) {
		const struct node *own = node_find(view, "name");
		if (own != NULL && own->type == NODE_TEXT && slice_equals_text(own->text, name)) {
			return view;
		}
	}
	return NULL;
}

static bool is_table(const struct ranking *ranking)
{
	return strncmp(ranking->view, QUERY_TABLE_PREFIX, strlen(QUERY_TABLE_PREFIX)) == 0;
}

void ranking_take_table(struct ranking *ranking, const char *table, char bytes[TABLE_VIEW_SIZE])
{
	if (table != NULL) {
		snprintf(bytes, TABLE_VIEW_SIZE, QUERY_TABLE_PREFIX "%s", table);
		ranking->view = bytes;
	}
}

int ranking_check_endpoint(const char *command, const char *endpoint)
{
	if (strchr(endpoint, ':') != NULL) {
		return -1;
	}
	say(command, "\"%s\" is no address; --view %s names a view", endpoint, endpoint);
	return EXIT_USAGE;
}

static const struct node *find_ranked(const struct ranking *ranking, const struct node *answer)
{
	return is_table(ranking) ? find_view(node_find(answer, "tables"),
					   ranking->view + strlen(QUERY_TABLE_PREFIX))
				 : find_view(node_find(answer, "views"), ranking->view);
}

/* The first measure; of a table the first column that is a number. */
static struct slice first_choice(const struct node *names, const struct node *types)
{
	const struct node *name = node_first(names);
	const struct node *type =
		types != NULL && types->type == NODE_ARRAY ? node_first(types) : NULL;

	for (uint32_t i = 0; type != NULL && i < names->count && i < types->count; i++) {
		if (type->type == NODE_TEXT && !slice_equals_text(type->text, "text")) {
			return name->text;
		}
		name = node_next(name);
		type = node_next(type);
	}
	return node_first(names)->text;
}

/* A view that is not there is left to the server's answer, which suggests another. */
static void choose_measure(const struct ranking *ranking, struct ranking_view *view)
{
	const struct node *found = find_ranked(ranking, view->document.nodes);
	const char *by = ranking->by;

	view->measures =
		found == NULL ? NULL : node_find(found, is_table(ranking) ? "columns" : "measures");
	if (by == NULL && view->measures != NULL &&
		!answer_list_has(view->measures, slice_of_text("total_revenue")) &&
		view->measures->type == NODE_ARRAY && view->measures->count > 0 &&
		node_first(view->measures)->type == NODE_TEXT) {
		struct slice first = first_choice(view->measures,
			is_table(ranking) ? node_find(found, "column_types") : NULL);
		snprintf(view->by, sizeof view->by, "%.*s", (int)first.size,
			(const char *)first.bytes);
		return;
	}
	snprintf(view->by, sizeof view->by, "%s", by != NULL ? by : "total_revenue");
}

int ranking_learn(struct ask *ask, const struct ranking *ranking, struct ranking_view *ret_view)
{
	struct answer_view answer;
	struct complaint complaint;

	int code = ask_text(ask,
		is_table(ranking) ? "{\"query\":\"tables\"}" : "{\"query\":\"views\"}", &answer);
	if (code >= 0) {
		return code;
	}
	buffer_init(&ret_view->bytes, ANSWER_SIZE_MAX);
	buffer_append(&ret_view->bytes, answer.bytes.bytes, answer.bytes.size);
	int r = ret_view->bytes.error;
	if (r == 0) {
		r = document_init(&ret_view->document, VIEWS_NODES_MAX);
	}
	if (r == 0) {
		r = document_decode(&ret_view->document, ENCODING_JSON,
			buffer_slice(&ret_view->bytes), NESTING_MAX, &complaint);
	}
	if (r != 0) {
		say(ask->command, "the answer about views can't be read");
		return EXIT_FAILED;
	}
	choose_measure(ranking, ret_view);
	return -1;
}

void ranking_view_deinit(struct ranking_view *view)
{
	document_deinit(&view->document);
	buffer_deinit(&view->bytes);
}

static void write_shares(const struct ranking *ranking, struct writer *writer)
{
	if (ranking->cumulative) {
		write_key(writer, "cumulative");
		write_bool(writer, true);
	}
	if (ranking->until_share != NULL) {
		write_key(writer, "until_share");
		write_key(writer, ranking->until_share);
	}
}

int ranking_ask(struct ask *ask, const struct ranking *ranking, const struct ranking_view *view,
	struct answer_view *ret_answer)
{
	struct buffer buffer;
	struct writer writer;

	buffer_init(&buffer, QUERY_SIZE_MAX);
	writer_init(&writer, ENCODING_JSON, &buffer);
	write_map(&writer,
		4 + (ranking->limit > 0) + ranking->cumulative + (ranking->until_share != NULL) +
			(ranking->refining == NULL ? 0 : refining_count(ranking->refining)));
	write_key(&writer, "query");
	write_key(&writer, "top");
	write_key(&writer, "view");
	write_key(&writer, ranking->view);
	write_key(&writer, "by");
	write_key(&writer, view->by);
	if (ranking->limit > 0) {
		write_key(&writer, "limit");
		write_integer(&writer, ranking->limit);
	}
	write_shares(ranking, &writer);
	write_key(&writer, "order");
	write_key(&writer, ranking->ascending ? "asc" : "desc");
	if (ranking->refining != NULL) {
		refining_write(ranking->refining, &writer);
	}
	int code = EXIT_USAGE;
	if (buffer.error == 0) {
		code = ask_question(ask, buffer_slice(&buffer), ret_answer);
	} else if (buffer.error == -ENOMEM) {
		say(ask->command, "%s", strerror(ENOMEM));
		code = EXIT_FAILED;
	} else {
		say(ask->command, "the question is too long");
	}
	buffer_deinit(&buffer);
	return code;
}

static void print_explanation(const struct answer_view *answer, FILE *out)
{
	struct buffer text;

	buffer_init(&text, ANSWER_SIZE_MAX);
	json_text_pretty(node_find(answer->root, "explain"), encoding_of(answer->bytes), &text);
	fwrite(text.bytes, 1, text.size, out);
	fputc('\n', out);
	buffer_deinit(&text);
}

void ranking_print(const struct answer_view *answer, const struct ranking_view *view, FILE *out)
{
	struct text_table table;

	if (node_find(answer->root, "explain") != NULL) {
		print_explanation(answer, out);
		return;
	}
	if (!answer_table_fill(&table, node_find(answer->root, "rows"), "", view->measures)) {
		fputs("nothing counted yet\n", out);
		return;
	}
	text_table_print(&table, out);
	text_table_deinit(&table);
}

const char *freshness_text(const struct answer_view *answer, char out[128])
{
	const struct node *as_of = node_find(answer->root, "as_of");
	const struct node *lag = as_of != NULL ? node_find(as_of, "lag") : NULL;
	char number[NUMBER_TEXT_SIZE];
	int64_t count = 0;

	if (lag == NULL) {
		return NULL;
	}
	if (lag->type == NODE_NIL) {
		snprintf(out, 128, "Kafka can't be reached: totals as the store has them");
		return out;
	}
	if (!node_integer(lag, &count) || count == 0) {
		return NULL;
	}
	snprintf(out, 128, "%s record%s not counted yet", number_text(number, count),
		count == 1 ? " is" : "s are");
	return out;
}
