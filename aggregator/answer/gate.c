#include "aggregator/answer/gate.h"
#include "aggregator/view/view_plan.h"

bool gate_shows_all(const struct key_holder *asker)
{
	return asker == NULL || asker->is_admin || key_list_has_all(asker->views);
}

static bool may_view(const struct key_holder *asker, struct slice name)
{
	return gate_shows_all(asker) || key_list_has(asker->views, name.bytes, name.size);
}

/* The keys of its rows begin with the edge, then. */
static bool is_by_edge(const struct view *view)
{
	return view->group_count > 0 && view->groups[0].source == GROUP_BY_EDGE;
}

bool gate_shows_view(const struct key_holder *asker, const struct view *view)
{
	return may_view(asker, slice_of_text(view->name)) ||
	       (asker->stores != NULL && is_by_edge(view));
}

/* "" is a list, of nobody: NULL would be everybody. */
static const char *stores_of(const struct key_holder *asker)
{
	return asker->stores != NULL ? asker->stores : "";
}

const char *gate_stores_of(const struct key_holder *asker, const struct view *view)
{
	return may_view(asker, slice_of_text(view->name)) ? NULL : stores_of(asker);
}

const char *gate_stores_of_streams(const struct key_holder *asker)
{
	return gate_shows_all(asker) ? NULL : stores_of(asker);
}

bool gate_shows_row(const char *stores, struct slice key)
{
	const uint8_t *end = stores != NULL ? memchr(key.bytes, '\0', key.size) : NULL;

	return stores == NULL ||
	       (end != NULL && key_list_has(stores, key.bytes, (size_t)(end - key.bytes)));
}

/* Rows of others are left out of a list without a word, for a list is of what there is to see. Who names another's row is
 * told: an answer without it would say that the store sold nothing. */
static bool names_own_store(const struct key_holder *asker, const struct node *key)
{
	const struct node *first =
		key != NULL && key->type == NODE_ARRAY && key->count > 0 ? node_first(key) : NULL;

	return first == NULL || first->type != NODE_TEXT ||
	       key_list_has(asker->stores, first->text.bytes, first->text.size);
}

/* Rows that are rolled up may begin with another column; of them it sees what its own stores have in them. */
static bool begins_with_edge(const struct query *query)
{
	const struct node *groups = query->group_by;

	return groups == NULL ||
	       (groups->count > 0 && slice_equals_text(node_first(groups)->text, "edge"));
}

static bool names_own_stores(const struct key_holder *asker, const struct query *query)
{
	const struct node *keys = query->keys;

	if (!begins_with_edge(query)) {
		return true;
	}
	if (keys == NULL) {
		return names_own_store(asker, query->key);
	}
	const struct node *key = node_first(keys);
	for (uint32_t i = 0; i < keys->count; i++, key = node_next(key)) {
		if (!names_own_store(asker, key)) {
			return false;
		}
	}
	return true;
}

static int forbid(struct complaint *complaint, const char *words)
{
	complaint_set(complaint, REASON_FORBIDDEN, "", "%s", words);
	return REASON_FORBIDDEN;
}

static int check_join(
	const struct key_holder *asker, const struct query *query, struct complaint *complaint)
{
	if (query->join.size == 0 || may_view(asker, query->join)) {
		return 0;
	}
	complaint_set(complaint, REASON_FORBIDDEN, "join", "this key may not ask for \"%.*s\"",
		(int)query->join.size, (const char *)query->join.bytes);
	return REASON_FORBIDDEN;
}

static int check_rows(const struct key_holder *asker, const struct query *query,
	const struct view_set *views, struct complaint *complaint)
{
	const struct view *view = view_set_find(views, query->view);

	if (check_join(asker, query, complaint) != 0) {
		return REASON_FORBIDDEN;
	}
	if (may_view(asker, query->view)) {
		return 0;
	}
	/* Whether there is such a view is not its affair. */
	if (view == NULL || !gate_shows_view(asker, view)) {
		complaint_set(complaint, REASON_FORBIDDEN, "view",
			"this key may not ask for view \"%.*s\"", (int)query->view.size,
			(const char *)query->view.bytes);
		return REASON_FORBIDDEN;
	}
	return names_own_stores(asker, query)
		       ? 0
		       : forbid(complaint, "this key may not ask for rows of that store");
}

static int check_streams(
	const struct key_holder *asker, const struct query *query, struct complaint *complaint)
{
	struct slice edge = query->about.edge;

	if (gate_shows_all(asker)) {
		return 0;
	}
	if (asker->stores == NULL) {
		return forbid(complaint, "this key may not ask about edges: it has neither "
					 "views = * nor stores");
	}
	return edge.size == 0 || key_list_has(asker->stores, edge.bytes, edge.size)
		       ? 0
		       : forbid(complaint, "this key may not ask about that store");
}

int gate_check(const struct key_holder *asker, const struct query *query,
	const struct view_set *views, struct complaint *complaint)
{
	if (query_needs_admin(query->type)) {
		return asker->is_admin
			       ? 0
			       : forbid(complaint, "only a key with the right admin may do this");
	}
	switch (query->type) {
	case QUERY_STATUS:
	case QUERY_VITALS:
	case QUERY_BRIDGES:
	case QUERY_VIEWS:
	case QUERY_TABLES:
		return gate_shows_all(asker) || asker->views != NULL || asker->stores != NULL
			       ? 0
			       : forbid(complaint, "this key has no right to ask anything");
	case QUERY_STAGED:
		return gate_shows_all(asker)
			       ? 0
			       : forbid(complaint, "this key may not ask about what is staged: it "
						   "has not views = *");
	case QUERY_TOPICS:
		return gate_shows_all(asker)
			       ? 0
			       : forbid(complaint, "this key may not ask about Kafka's topics: it "
						   "has not views = *");
	case QUERY_EDGES:
	case QUERY_LEDGER:
	case QUERY_TRACE:
		return check_streams(asker, query, complaint);
	default:
		return check_rows(asker, query, views, complaint);
	}
}
