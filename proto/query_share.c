/* What a request asks of the whole of a view: shares of it, and bands. */
#include "proto/query_parts.h"

/* As amounts are shown, which may be longer than an event writes them; or a whole number. */
static bool take_decimal(const struct node *node, money *ret_number)
{
	int64_t number = 0, micros = 0;

	if (node->type == NODE_TEXT && money_parse_text(node->text, &micros) != 0) {
		return money_parse_sum(node->text, ret_number) == 0;
	}
	if (node->type != NODE_TEXT &&
		(!node_integer(node, &number) || money_from_integer(number, &micros) != 0)) {
		return false;
	}
	*ret_number = micros;
	return true;
}

int query_read_shares(struct request *request)
{
	const struct node *until = request->values[KEY_UNTIL_SHARE];
	struct query *query = request->query;
	int r = query_read_flag(request, KEY_CUMULATIVE, &query->is_cumulative);

	if (r != 0 || until == NULL) {
		return r;
	}
	money share = 0;
	if (!take_decimal(until, &share) || share <= 0 || share > MONEY_MICROS_PER_UNIT) {
		return query_refuse(request, KEY_UNTIL_SHARE,
			"must be a part of the whole, above 0 and at most 1, such as \"0.80\"");
	}
	query->until_share = (int64_t)share;
	query->is_cumulative = true;
	return 0;
}

static int read_edges(struct request *request)
{
	const struct node *edges = request->values[KEY_BAND_EDGES];
	struct query *query = request->query;
	const struct node *edge = node_first(edges);

	if (edges->type != NODE_ARRAY || edges->count == 0 || edges->count > QUERY_EDGES_MAX) {
		return query_refuse(request, KEY_BAND_EDGES,
			"must be an array of 1 to 100 amounts, such as [\"0\",\"50\",\"100\"]");
	}
	for (uint32_t i = 0; i < edges->count; i++) {
		money number = 0;
		if (!take_decimal(edge, &number) || (i > 0 && number <= query->edges[i - 1])) {
			return query_refuse(request, KEY_BAND_EDGES,
				"must hold decimal texts or whole numbers, each above the one "
				"before");
		}
		query->edges[i] = number;
		edge = node_next(edge);
	}
	query->edge_count = edges->count;
	return 0;
}

int query_read_bands(struct request *request)
{
	bool has_edges = request->values[KEY_BAND_EDGES] != NULL;

	if (has_edges == (request->query->band_count > 0)) {
		return query_refuse(
			request, KEY_BAND_EDGES, "or \"count\" is needed, and not both");
	}
	return has_edges ? read_edges(request) : 0;
}
