#include "cli/watch_live.h"

#include "cli/answer_table.h"
#include "cli/terminal.h"
#include "client/subscription.h"
#include "proto/writer.h"
#include "runtime/clock.h"
#include "runtime/program.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
	REDRAW_MS = 100,
	REDRAW_SHARE = 10, /* drawing takes at most so much of the time: 1 in 10 */
	STALE_MS = 3000, /* a live stream says something each second */
	ROW_NODES_MAX = 4096,
	RANKED_SIZE_MAX = 64 * 1024 * 1024,
	RANKED_NODES_MAX = 16 * 1024 * 1024,
};

struct panel {
	const struct ranking *ranking;
	struct ranking_view view;
	struct subscription *subscription;
	struct watch *watch;
};

struct watch {
	struct ask *ask;
	const struct watch_live_options *options;
	struct panel panels[WATCH_PANELS_MAX];
	size_t panel_count;
	char publish[ENDPOINT_SIZE];
	struct document document; /* of one row or key */
	bool is_picture;
	bool is_changed;
	bool was_stale;
	bool is_shut_out; /* this key may not listen */
	int64_t draw_after_ms;
	int64_t shown; /* pictures or lines */
	int code; /* -1: goes on */
};

static int end(struct watch *watch, int code)
{
	watch->code = code;
	loop_stop(watch->ask->session.loop);
	return 0;
}

static int shown_one(struct watch *watch)
{
	watch->shown++;
	bool is_last = watch->options->count > 0 && watch->shown >= watch->options->count;
	return is_last ? end(watch, EXIT_STOPPED) : 0;
}

static const struct node *decode(struct watch *watch, struct slice json)
{
	struct complaint complaint;

	int r = document_decode(&watch->document, ENCODING_JSON, json, NESTING_MAX, &complaint);
	return r == 0 ? watch->document.nodes : NULL;
}

/* ---- which rows */

static bool is_chosen_value(const struct watch *watch, const struct node *value)
{
	const struct text_list *rows = watch->options->rows;
	bool is_chosen = false;

	for (size_t i = 0; i < rows->count; i++) {
		struct slice text = value->type == NODE_TEXT ? value->text : value->raw;
		is_chosen = is_chosen || slice_equals_text(text, rows->items[i]);
	}
	return is_chosen;
}

static bool is_chosen(struct watch *watch, struct slice key)
{
	struct buffer array;
	bool is_chosen = watch->options->rows->count == 0;

	if (is_chosen) {
		return true;
	}
	buffer_init(&array, RANKED_SIZE_MAX);
	buffer_append_byte(&array, '[');
	buffer_append(&array, key.bytes, key.size);
	buffer_append_byte(&array, ']');
	const struct node *values = array.error == 0 ? decode(watch, buffer_slice(&array)) : NULL;
	const struct node *value = values == NULL ? NULL : node_first(values);
	for (uint32_t i = 0; values != NULL && i < values->count; i++, value = node_next(value)) {
		is_chosen = is_chosen || is_chosen_value(watch, value);
	}
	buffer_deinit(&array);
	return is_chosen;
}

/* ---- lines */

static void print_json(const struct panel *panel, const struct live_change *change)
{
	bool is_gone = change->row.bytes == NULL;
	struct slice shown = is_gone ? change->key : change->row;

	printf("{\"view\":\"%s\",\"%s\":%s%.*s%s}\n", panel->ranking->view,
		is_gone ? "gone" : "row", is_gone ? "[" : "", (int)shown.size,
		(const char *)shown.bytes, is_gone ? "]" : "");
}

static void print_line(struct watch *watch, const struct live_change *change)
{
	const struct node *row = change->row.bytes == NULL ? NULL : decode(watch, change->row);

	if (row == NULL || row->type != NODE_MAP) {
		printf("gone %.*s\n", (int)change->key.size, (const char *)change->key.bytes);
		return;
	}
	const struct node *column = node_first(row);
	for (uint32_t i = 0; i < row->count; i++, column = node_next(node_next(column))) {
		char out[ANSWER_CELL_SIZE];
		struct slice cell = answer_cell(node_next(column), false, out);
		printf("%s%.*s=%.*s", i == 0 ? "" : " ", (int)column->text.size,
			(const char *)column->text.bytes, (int)cell.size, (const char *)cell.bytes);
	}
	putchar('\n');
}

static int on_changed(void *owner, const struct live_change *change)
{
	struct panel *panel = owner;
	struct watch *watch = panel->watch;

	watch->is_changed = true;
	if (watch->is_picture || watch->code >= 0 || !is_chosen(watch, change->key)) {
		return 0;
	}
	if (watch->options->json) {
		print_json(panel, change);
	} else {
		print_line(watch, change);
	}
	if (fflush(stdout) != 0) {
		return end(watch, EXIT_FAILED); /* whoever read the lines is gone */
	}
	return shown_one(watch);
}

/* ---- pictures */

struct ranked {
	double rank;
	struct live_change row;
};

/* The rows that lead, the first of them first. */
struct leaders {
	struct panel *panel;
	struct ranked *items; /* one more than are wanted */
	size_t count, wanted;
};

static double rank_of(struct watch *watch, const char *by, struct slice row)
{
	const struct node *map = decode(watch, row);
	const struct node *value = map == NULL ? NULL : node_find(map, by);
	char text[64];
	double rank = 0;

	if (value == NULL || node_real(value, &rank)) {
		return rank;
	}
	if (value->type == NODE_TEXT) {
		snprintf(text, sizeof text, "%.*s", (int)value->text.size,
			(const char *)value->text.bytes);
		rank = strtod(text, NULL);
	}
	return rank;
}

static bool leads(const struct ranked *a, const struct ranked *b)
{
	size_t size = a->row.key.size < b->row.key.size ? a->row.key.size : b->row.key.size;

	return a->rank != b->rank ? a->rank > b->rank
				  : memcmp(a->row.key.bytes, b->row.key.bytes, size) < 0;
}

static int consider(void *owner, const struct live_change *row)
{
	struct leaders *leaders = owner;
	struct watch *watch = leaders->panel->watch;

	if (!is_chosen(watch, row->key)) {
		return 0;
	}
	struct ranked item = {rank_of(watch, leaders->panel->view.by, row->row), *row};
	size_t at = leaders->count;
	while (at > 0 && leads(&item, &leaders->items[at - 1])) {
		leaders->items[at] = leaders->items[at - 1];
		at--;
	}
	leaders->items[at] = item;
	leaders->count += leaders->count < leaders->wanted;
	return 0;
}

static void print_rows(const struct panel *panel, const struct leaders *leaders)
{
	struct complaint complaint;
	struct text_table table;
	struct document document;
	struct buffer rows;

	buffer_init(&rows, RANKED_SIZE_MAX);
	buffer_append_byte(&rows, '[');
	for (size_t i = 0; i < leaders->count; i++) {
		buffer_append(&rows, ",", i > 0);
		buffer_append(
			&rows, leaders->items[i].row.row.bytes, leaders->items[i].row.row.size);
	}
	buffer_append_byte(&rows, ']');
	int r = document_init(&document, RANKED_NODES_MAX);
	if (r == 0 && rows.error == 0) {
		r = document_decode(
			&document, ENCODING_JSON, buffer_slice(&rows), NESTING_MAX, &complaint);
	}
	if (r == 0 && answer_table_fill(&table, document.nodes, "", panel->view.measures)) {
		text_table_print(&table, stdout);
		text_table_deinit(&table);
	} else {
		fputs("nothing counted yet\n", stdout);
	}
	document_deinit(&document);
	buffer_deinit(&rows);
}

static void print_panel(struct panel *panel)
{
	struct leaders leaders = {.panel = panel, .wanted = (size_t)panel->ranking->limit};

	leaders.items = calloc(leaders.wanted + 1, sizeof *leaders.items);
	if (leaders.items != NULL) {
		live_table_each(subscription_table(panel->subscription), consider, &leaders);
		print_rows(panel, &leaders);
	}
	free(leaders.items);
}

/* Of the one that has been silent longest. */
static int64_t silence_ms(const struct watch *watch, int64_t now_ms)
{
	int64_t longest_ms = 0;

	for (size_t i = 0; i < watch->panel_count; i++) {
		int64_t own_ms = subscription_silence_ms(watch->panels[i].subscription, now_ms);
		longest_ms = own_ms > longest_ms ? own_ms : longest_ms;
	}
	return longest_ms;
}

static bool is_whole(const struct watch *watch)
{
	bool is_whole = true;

	for (size_t i = 0; i < watch->panel_count; i++) {
		is_whole = is_whole && subscription_is_whole(watch->panels[i].subscription);
	}
	return is_whole;
}

static void print_head(const struct watch *watch, int64_t now_ms)
{
	char clock[16];
	time_t now = time(NULL);
	struct tm local;
	int64_t silent_s = silence_ms(watch, now_ms) / 1000;

	localtime_r(&now, &local);
	strftime(clock, sizeof clock, "%H:%M:%S", &local);
	printf("%s  %s  ", clock, watch->ask->endpoint);
	if (silent_s * 1000 >= STALE_MS) {
		printf("stale: nothing heard for %d s; trying on\n", (int)silent_s);
	} else {
		printf("%s\n", is_whole(watch) ? "live" : "reading");
	}
}

static void draw(struct watch *watch, int64_t now_ms)
{
	if (terminal_is_out()) {
		terminal_clear();
	}
	print_head(watch, now_ms);
	for (size_t i = 0; i < watch->panel_count; i++) {
		struct panel *panel = &watch->panels[i];
		printf("\n%s by %s\n", panel->ranking->view, panel->view.by);
		print_panel(panel);
	}
	fflush(stdout);
	watch->is_changed = false;
	int64_t took_ms = clock_monotonic_ms() - now_ms;
	watch->draw_after_ms =
		now_ms + (took_ms * REDRAW_SHARE > REDRAW_MS ? took_ms * REDRAW_SHARE : REDRAW_MS);
}

/* ---- the loop */

static void say_stale(struct watch *watch, int64_t now_ms)
{
	bool is_stale = silence_ms(watch, now_ms) >= STALE_MS;

	if (is_stale == watch->was_stale) {
		watch->is_changed |= is_stale; /* the seconds go on */
		return;
	}
	watch->was_stale = is_stale;
	watch->is_changed = true;
	if (!watch->is_picture) {
		say(watch->ask->command, "%s",
			is_stale ? "nothing is heard from the aggregator; trying on"
				 : "the aggregator is heard again");
	}
}

static int step_all(struct watch *watch, int64_t now_ms, int64_t *ret_wait_ms)
{
	int r = 0;

	for (size_t i = 0; i < watch->panel_count && r == 0; i++) {
		struct subscription *subscription = watch->panels[i].subscription;
		int64_t wait_ms = REDRAW_MS;
		r = subscription_step(subscription, now_ms, &wait_ms);
		*ret_wait_ms = wait_ms < *ret_wait_ms ? wait_ms : *ret_wait_ms;
		watch->is_shut_out = r == SUBSCRIPTION_E_KEY_REFUSED;
		if (watch->is_shut_out && watch->shown == 0) {
			r = end(watch, EXIT_FAILED);
			break;
		}
		if (r > 0) {
			say(watch->ask->command, "%s", subscription_complaint(subscription));
			r = end(watch, EXIT_FAILED);
			break;
		}
	}
	return r;
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct watch *watch = owner;

	*ret_wait_ms = REDRAW_MS;
	if (watch->code >= 0) {
		return 0;
	}
	int r = step_all(watch, now_ms, ret_wait_ms);
	if (r < 0 || watch->code >= 0) {
		return r;
	}
	say_stale(watch, now_ms);
	bool has_news = watch->is_changed && (is_whole(watch) || watch->was_stale);
	if (watch->is_picture && has_news && now_ms >= watch->draw_after_ms) {
		draw(watch, now_ms);
		return shown_one(watch);
	}
	return 0;
}

static int open_panel(struct watch *watch, const struct ranking *ranking)
{
	struct panel *panel = &watch->panels[watch->panel_count];
	const struct subscription_options options = {.context = watch->ask->session.context,
		.loop = watch->ask->session.loop,
		.publish = watch->publish,
		.queries = watch->ask->endpoint,
		.view = ranking->view,
		.keys = session_keys(&watch->ask->session),
		.changed = on_changed,
		.owner = panel};

	panel->ranking = ranking;
	panel->watch = watch;
	watch->panel_count++;
	int code = ranking_learn(watch->ask, ranking, &panel->view);
	if (code >= 0) {
		return code;
	}
	if (panel->view.measures == NULL ||
		ranking->by != NULL) { /* a misspelt name is told with what was meant */
		struct answer_view answer;
		code = ranking_ask(watch->ask, ranking, &panel->view, &answer);
	}
	if (code >= 0) {
		return code;
	}
	int r = subscription_new(&options, &panel->subscription);
	if (r < 0) {
		say(watch->ask->command, "%s", strerror(-r));
		return EXIT_FAILED;
	}
	return -1;
}

static void close_panels(struct watch *watch)
{
	for (size_t i = 0; i < watch->panel_count; i++) {
		subscription_free(watch->panels[i].subscription);
		ranking_view_deinit(&watch->panels[i].view);
	}
	document_deinit(&watch->document);
}

void watch_live_endpoint(const char *queries, const char *published, char out[ENDPOINT_SIZE])
{
	static const char *const all[] = {"tcp://0.0.0.0:", "tcp://[::]:", "tcp://*:"};
	const char *port = strrchr(published, ':');
	const char *colon = strrchr(queries, ':');
	bool stands_for_all = false;

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		stands_for_all = stands_for_all || strncmp(published, all[i], strlen(all[i])) == 0;
	}
	if (stands_for_all && colon != NULL && strncmp(queries, "tcp://", 6) == 0) {
		snprintf(out, ENDPOINT_SIZE, "%.*s%s", (int)(colon - queries), queries, port);
	} else {
		snprintf(out, ENDPOINT_SIZE, "%s", published);
	}
}

/* Asks where it publishes. -1 to go on; -2: nowhere; else the exit code. */
static int find_endpoint(struct watch *watch)
{
	struct answer_view answer;
	char published[ENDPOINT_SIZE];

	int code = ask_text(watch->ask, "{\"query\":\"status\"}", &answer);
	if (code >= 0) {
		return code;
	}
	const struct node *publish = node_find(answer.root, "publish");
	if (publish == NULL || publish->type != NODE_TEXT) {
		return -2;
	}
	snprintf(published, sizeof published, "%.*s", (int)publish->text.size,
		(const char *)publish->text.bytes);
	watch_live_endpoint(watch->ask->endpoint, published, watch->publish);
	return -1;
}

static int run(struct watch *watch)
{
	struct loop *loop = watch->ask->session.loop;

	int r = loop_add_tick(loop, on_tick, watch);
	if (r == 0) {
		r = loop_run(loop);
	}
	loop_remove_tick(loop, on_tick, watch);
	if (r < 0) {
		say(watch->ask->command, "%s", strerror(-r));
		return EXIT_FAILED;
	}
	if (watch->is_shut_out && watch->shown == 0) {
		return -1;
	}
	return watch->code >= 0 ? watch->code : EXIT_STOPPED;
}

int watch_live(struct ask *ask, const struct watch_live_options *options)
{
	struct watch watch = {.ask = ask,
		.options = options,
		.is_picture = terminal_is_out() && !options->json,
		.code = -1};
	size_t first = watch.is_picture ? 0 : options->ranking_count - 1;

	int code = find_endpoint(&watch);
	if (code != -1) {
		return code == -2 ? -1 : code;
	}
	if (document_init(&watch.document, ROW_NODES_MAX) < 0) {
		return EXIT_FAILED;
	}
	for (size_t i = first; i < options->ranking_count && code < 0; i++) {
		code = open_panel(&watch, &options->rankings[i]);
	}
	if (code < 0) {
		code = run(&watch);
	}
	close_panels(&watch);
	return code;
}
