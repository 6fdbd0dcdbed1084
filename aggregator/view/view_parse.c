/* The grammar of [view.NAME]: deploy/views.conf says what may stand there. */
#include "aggregator/view/view_retain.h"
#include "aggregator/view/view_where.h"
#include "runtime/config.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const kind_words[] = {"order", "cart", "view", "dead_letter", "basket"};
enum { KIND_WORD_COUNT = sizeof kind_words / sizeof kind_words[0] };

const char *view_kind_name(enum view_kind kind)
{
	return kind == VIEW_KIND_TABLE ? "table" : kind_words[kind];
}

void view_kinds_write(const struct view *view, char ret_text[VIEW_KINDS_TEXT_SIZE])
{
	size_t size =
		(size_t)snprintf(ret_text, VIEW_KINDS_TEXT_SIZE, "%s", view_kind_name(view->kind));

	for (unsigned kind = view->kind + 1; kind < KIND_WORD_COUNT; kind++) {
		if ((view->kinds >> kind & 1) != 0) {
			size += (size_t)snprintf(ret_text + size, VIEW_KINDS_TEXT_SIZE - size,
				", %s", kind_words[kind]);
		}
	}
}

/* What a view can be grouped by, and its column. */
static const struct group_field group_words[] = {
	{.name = "product_id", .source = GROUP_BY_FIELD, .field = FIELD_PRODUCT_ID},
	{.name = "order_id", .source = GROUP_BY_FIELD, .field = FIELD_ORDER_ID},
	{.name = "user_id", .source = GROUP_BY_FIELD, .field = FIELD_USER_ID},
	{.name = "category", .source = GROUP_BY_FIELD, .field = FIELD_CATEGORY},
	{.name = "channel", .source = GROUP_BY_FIELD, .field = FIELD_CHANNEL},
	{.name = "payment", .source = GROUP_BY_FIELD, .field = FIELD_PAYMENT},
	{.name = "action", .source = GROUP_BY_FIELD, .field = FIELD_ACTION},
	{.name = "page", .source = GROUP_BY_FIELD, .field = FIELD_PAGE},
	{.name = "currency", .source = GROUP_BY_FIELD, .field = FIELD_CURRENCY},
	{.name = "quantity", .source = GROUP_BY_QUANTITY, .field = FIELD_QUANTITY},
	{.name = "minute", .source = GROUP_BY_BUCKET, .bucket = BUCKET_MINUTE},
	{.name = "hour", .source = GROUP_BY_BUCKET, .bucket = BUCKET_HOUR},
	{.name = "day", .source = GROUP_BY_BUCKET, .bucket = BUCKET_DAY},
	{.name = "week", .source = GROUP_BY_BUCKET, .bucket = BUCKET_WEEK},
	{.name = "month", .source = GROUP_BY_BUCKET, .bucket = BUCKET_MONTH},
	{.name = "weekday", .source = GROUP_BY_BUCKET, .bucket = BUCKET_WEEKDAY},
	{.name = "hour_of_day", .source = GROUP_BY_BUCKET, .bucket = BUCKET_HOUR_OF_DAY},
	{.name = "edge", .source = GROUP_BY_EDGE},
	{.name = "kind", .source = GROUP_BY_KIND},
	{.name = "code", .source = GROUP_BY_CODE},
};
enum { GROUP_WORD_COUNT = sizeof group_words / sizeof group_words[0] };

const struct group_field *group_field_find(struct slice name)
{
	for (size_t i = 0; i < GROUP_WORD_COUNT; i++) {
		if (slice_equals_text(name, group_words[i].name)) {
			return &group_words[i];
		}
	}
	return NULL;
}

static bool has_group(const struct view *view, const char *name)
{
	for (size_t i = 0; i < view->group_count; i++) {
		if (strcmp(view->groups[i].name, name) == 0) {
			return true;
		}
	}
	return false;
}

/* The optional `(ts)` of a bucket. */
static int parse_bucket_argument(struct scanner *scanner)
{
	if (!scanner_take_sign(scanner, "(")) {
		return 0;
	}
	if (!scanner_is(scanner, TOKEN_WORD, "ts")) {
		return scanner_fail_expected(scanner, "ts, the time of the event,");
	}
	scanner_next(scanner);
	return scanner_take_sign(scanner, ")") ? 0 : scanner_fail_expected(scanner, "\")\"");
}

static int check_group(
	struct scanner *scanner, const struct view *view, const struct group_field *group)
{
	if (has_group(view, group->name)) {
		return scanner_fail(scanner, "\"%s\" is there twice", group->name);
	}
	if (view->group_count == VIEW_GROUP_FIELDS_MAX) {
		return scanner_fail(scanner, "at most %d group fields", VIEW_GROUP_FIELDS_MAX);
	}
	if (group->source == GROUP_BY_CODE && view->kind != VIEW_KIND_DEAD_LETTER) {
		char kinds[VIEW_KINDS_TEXT_SIZE];
		view_kinds_write(view, kinds);
		return scanner_fail(scanner,
			"only dead letters have a \"code\"; this view is of kind %s", kinds);
	}
	return check_field(scanner, view, group->name);
}

static int parse_group(struct scanner *scanner, struct view *view)
{
	const char *names[GROUP_WORD_COUNT];

	for (size_t i = 0; i < GROUP_WORD_COUNT; i++) {
		names[i] = group_words[i].name;
	}
	if (scanner_is(scanner, TOKEN_WORD, "ts")) {
		return scanner_fail(
			scanner, "a row for each millisecond? use minute(ts), hour(ts), day(ts) …");
	}
	int index = scanner_choose(scanner, "group field", names, GROUP_WORD_COUNT);
	if (index < 0) {
		return index;
	}
	const struct group_field *group = &group_words[index];
	int r = check_group(scanner, view, group);
	if (r < 0) {
		return r;
	}
	scanner_next(scanner);
	view->groups[view->group_count++] = *group;
	return group->source == GROUP_BY_BUCKET ? parse_bucket_argument(scanner) : 0;
}

/* Items with commas between them, up to the end. */
static int parse_list(struct scanner *scanner, struct view *view,
	int (*parse_item)(struct scanner *scanner, struct view *view))
{
	do {
		int r = parse_item(scanner, view);
		if (r < 0) {
			return r;
		}
	} while (scanner_take_sign(scanner, ","));
	return scanner->token == TOKEN_END ? 0 : scanner_fail_expected(scanner, "\",\" or the end");
}

static int check_measure_name(struct scanner *scanner, const struct view *view)
{
	if (scanner->token != TOKEN_WORD || !name_is_valid(scanner->word)) {
		return scanner_fail_expected(
			scanner, "a measure's name (letters, digits and _; at most 40),");
	}
	if (has_group(view, scanner->word)) {
		return scanner_fail(scanner, "\"%s\" is a group field already", scanner->word);
	}
	for (size_t i = 0; i < view->measure_count; i++) {
		if (strcmp(view->measures[i].name, scanner->word) == 0) {
			return scanner_fail(scanner, "\"%s\" is there twice", scanner->word);
		}
	}
	return view->measure_count < VIEW_MEASURES_MAX
		       ? 0
		       : scanner_fail(scanner, "at most %d measures", VIEW_MEASURES_MAX);
}

static int parse_op(struct scanner *scanner, enum measure_op *ret_op)
{
	const char *names[MEASURE_RATIO + 1];

	for (int i = 0; i <= MEASURE_RATIO; i++) {
		names[i] = measure_op_name((enum measure_op)i);
	}
	int op = scanner_choose(scanner, "measure", names, MEASURE_RATIO + 1);
	if (op < 0) {
		return op;
	}
	*ret_op = (enum measure_op)op;
	scanner_next(scanner);
	return scanner_take_sign(scanner, "(") ? 0 : scanner_fail_expected(scanner, "\"(\"");
}

/* Does the measure mean anything for this operand? */
static int check_operand_of(struct scanner *scanner, const struct measure *measure)
{
	enum operand_type type = operand_type_of(measure->operand);
	const char *op = measure_op_name(measure->op);
	const char *operand = operand_text_of(measure->operand);
	bool is_number = type == TYPE_INTEGER || type == TYPE_MONEY;

	bool needs_number = measure->op == MEASURE_SUM || measure->op == MEASURE_AVERAGE ||
			    measure->op == MEASURE_QUANTILE;

	if (measure->operand.source == OPERAND_BASKET && measure->op != MEASURE_DISTINCT) {
		return scanner_fail(scanner, "basket can only be counted, by distinct(basket)");
	}
	if (measure->operand.source == OPERAND_KIND) {
		return scanner_fail(scanner,
			"kind can only be in conditions, such as count() where kind = order, and "
			"in group_by");
	}
	if (needs_number && !is_number) {
		return scanner_fail(scanner,
			"%s() needs a quantity or an amount of money, not \"%s\"", op, operand);
	}
	if ((measure->op == MEASURE_MIN || measure->op == MEASURE_MAX) && type == TYPE_TEXT) {
		return scanner_fail(scanner, "%s() needs a number or ts, not \"%s\"", op, operand);
	}
	return 0;
}

/* Whose a basket is, is no longer known once he was forgotten. */
static int check_distinct(
	struct scanner *scanner, const struct view *view, const struct measure *measure)
{
	bool is_user =
		measure->operand.source == OPERAND_TEXT && measure->operand.field == FIELD_USER_ID;

	return view->kind == VIEW_KIND_BASKET && measure->op == MEASURE_DISTINCT && is_user
		       ? scanner_fail(scanner, "distinct(user_id) needs a view of kind order")
		       : 0;
}

/* `count() where action = add`: what SQL calls FILTER. */
static int parse_measure_where(struct scanner *scanner, struct view *view, struct measure *measure)
{
	if (!scanner_is(scanner, TOKEN_WORD, "where")) {
		return 0;
	}
	if (measure->op == MEASURE_RATIO) {
		return scanner_fail(scanner,
			"a ratio() has no conditions: give them to the measures that it is of");
	}
	scanner_next(scanner);
	return parse_where(scanner, view, &measure->where);
}

/* The first ts is the smallest, and needs no certificate; a count of all events is the row's. */
static void simplify_measure(struct measure *measure)
{
	if (measure->op == MEASURE_COUNT && measure->where.count > 0) {
		measure->op = MEASURE_COUNT_SOME;
	}
	if (measure_is_stamped(measure) && measure->operand.source == OPERAND_TS) {
		measure->op = measure->op == MEASURE_FIRST ? MEASURE_MIN : MEASURE_MAX;
	}
}

/* `, 0.95` of a quantile(). */
static int parse_quantile(struct scanner *scanner, struct measure *measure)
{
	int64_t millionths = 0;

	if (!scanner_take_sign(scanner, ",")) {
		return scanner_fail_expected(scanner, "\",\" and a quantile such as 0.95");
	}
	if (scanner->token != TOKEN_WORD) {
		return scanner_fail_expected(scanner, "a quantile such as 0.95");
	}
	if (money_parse_text(slice_of_text(scanner->word), &millionths) != 0 || millionths <= 0 ||
		millionths >= MONEY_MICROS_PER_UNIT) {
		return scanner_fail(scanner,
			"\"%s\" is no quantile: it lies between 0 and 1, as 0.95 does, and has at "
			"most six digits; for the ends use min() and max()",
			scanner->word);
	}
	measure->millionths = (uint32_t)millionths;
	scanner_next(scanner);
	return 0;
}

static bool same_where(const struct view *view, struct condition_range a, struct condition_range b)
{
	bool same = a.count == b.count;

	for (size_t i = 0; same && i < a.count; i++) {
		const struct condition *x = &view->conditions[a.first + i];
		const struct condition *y = &view->conditions[b.first + i];
		same = x->operand.source == y->operand.source &&
		       x->operand.field == y->operand.field && x->comparison == y->comparison &&
		       x->number == y->number && strcmp(x->text, y->text) == 0;
	}
	return same;
}

/* Quantiles of the same numbers share one histogram. */
static int choose_histogram(struct scanner *scanner, struct view *view, size_t index)
{
	struct measure *measure = &view->measures[index];

	for (size_t i = 0; i < view->histogram_count; i++) {
		const struct measure *owner = &view->measures[view->histogram_owners[i]];
		if (owner->operand.source == measure->operand.source &&
			owner->operand.field == measure->operand.field &&
			same_where(view, owner->where, measure->where)) {
			measure->histogram = i;
			return 0;
		}
	}
	if (view->histogram_count == VIEW_HISTOGRAMS_MAX) {
		return scanner_fail(scanner,
			"quantiles of at most %d fields; those of one field under the same "
			"conditions cost no more than one",
			VIEW_HISTOGRAMS_MAX);
	}
	measure->histogram = view->histogram_count;
	view->histogram_owners[view->histogram_count++] = index;
	return 0;
}

/* The name of a measure that stands before the ratio(). */
static int parse_term(struct scanner *scanner, const struct view *view, size_t *ret_index)
{
	const char *names[VIEW_MEASURES_MAX];

	for (size_t i = 0; i < view->measure_count; i++) {
		names[i] = view->measures[i].name;
	}
	if (view->measure_count == 0) {
		return scanner_fail(scanner,
			"ratio() is of two measures that are declared before it, such as sold = "
			"count(), pieces = sum(quantity), each = ratio(pieces, sold)");
	}
	int index = scanner_choose(scanner, "measure before ratio()", names, view->measure_count);
	if (index < 0) {
		return index;
	}
	if (!measure_adds_up(&view->measures[index])) {
		return scanner_fail(scanner, "ratio() is of counts and sums, and \"%s\" is %s()",
			scanner->word, measure_op_name(view->measures[index].op));
	}
	*ret_index = (size_t)index;
	scanner_next(scanner);
	return 0;
}

static int parse_ratio(struct scanner *scanner, const struct view *view, struct measure *measure)
{
	int r = parse_term(scanner, view, &measure->dividend);
	if (r < 0) {
		return r;
	}
	if (!scanner_take_sign(scanner, ",")) {
		return scanner_fail_expected(scanner, "\",\" and the measure to divide by");
	}
	r = parse_term(scanner, view, &measure->divisor);
	return r == 0 && measure->divisor == measure->dividend
		       ? scanner_fail(scanner, "the ratio of \"%s\" to itself is always 1",
				 view->measures[measure->divisor].name)
		       : r;
}

/* What stands in the parentheses. */
static int parse_arguments(
	struct scanner *scanner, const struct view *view, struct measure *measure)
{
	if (measure->op == MEASURE_COUNT) {
		return 0;
	}
	if (measure->op == MEASURE_RATIO) {
		return parse_ratio(scanner, view, measure);
	}
	int r = parse_operand(scanner, view, &measure->operand);
	r = r < 0 ? r : check_operand_of(scanner, measure);
	r = r < 0 ? r : check_distinct(scanner, view, measure);
	return r == 0 && measure->op == MEASURE_QUANTILE ? parse_quantile(scanner, measure) : r;
}

static int parse_measure(struct scanner *scanner, struct view *view)
{
	struct measure *measure = &view->measures[view->measure_count];
	int r = check_measure_name(scanner, view);
	if (r < 0) {
		return r;
	}
	memcpy(measure->name, scanner->word, strlen(scanner->word) + 1);
	scanner_next(scanner);
	if (!scanner_take_sign(scanner, "=")) {
		return scanner_fail_expected(scanner, "\"=\" after the measure's name");
	}
	r = parse_op(scanner, &measure->op);
	if (r == 0) {
		r = parse_arguments(scanner, view, measure);
	}
	if (r < 0) {
		return r;
	}
	if (!scanner_take_sign(scanner, ")")) {
		return scanner_fail_expected(scanner, "\")\"");
	}
	view->measure_count++;
	r = parse_measure_where(scanner, view, measure);
	if (r == 0 && measure->op == MEASURE_QUANTILE) {
		r = choose_histogram(scanner, view, view->measure_count - 1);
	}
	simplify_measure(measure);
	return r;
}

static int parse_kind(struct scanner *scanner, struct view *view)
{
	int kind = scanner_choose(scanner, "kind", kind_words, KIND_WORD_COUNT);
	if (kind < 0) {
		return kind;
	}
	if ((view->kinds >> kind & 1) != 0) {
		return scanner_fail(scanner, "\"%s\" is there twice", scanner->word);
	}
	view->kinds |= 1U << kind;
	if (view_has_several_kinds(view) && (view->kinds & ~(unsigned)OF_EVENT) != 0) {
		return scanner_fail(scanner,
			"a view counts several kinds of order, cart and view alone; declare one "
			"of its own for dead_letter and for basket");
	}
	view->kind = view->kind < (enum view_kind)kind ? view->kind : (enum view_kind)kind;
	scanner_next(scanner);
	return 0;
}

static int parse_kinds(struct scanner *scanner, const char *value, struct view *view)
{
	if (value == NULL) {
		view->kind = VIEW_KIND_ORDER;
		view->kinds = OF_ORDER;
		return 0;
	}
	view->kind = VIEW_KIND_TABLE; /* behind all that can stand here */
	scanner_start(scanner, "kind", value);
	return parse_list(scanner, view, parse_kind);
}

static int parse_zone(struct scanner *scanner, const char *name, const struct zone_source *zones,
	struct view *view)
{
	scanner->key = "zone";
	view->zone_name = strdup(name);
	if (view->zone_name == NULL) {
		return -ENOMEM;
	}
	if (strcmp(name, "UTC") == 0) {
		return 0;
	}
	int r = zones->zone_of == NULL ? -ENOENT : zones->zone_of(zones->owner, name, &view->zone);
	if (r == -ENOMEM || r == 0) {
		return r;
	}
	return scanner_fail(scanner,
		"unknown time zone \"%s\"; names are like \"Europe/Berlin\" and \"UTC\"", name);
}

/* As basket_spans_write writes them; without, those that configurations begin with. */
static int parse_baskets(struct scanner *scanner, const char *text, struct view *view)
{
	struct basket_spans spans = {BASKET_HORIZON_MS_DEFAULT, BASKET_MEMORY_MS_DEFAULT};
	const char *space = text == NULL ? NULL : strchr(text, ' ');
	char first[BASKET_SPANS_TEXT_SIZE] = "";

	scanner->key = "baskets";
	if (space != NULL && (size_t)(space - text) < sizeof first) {
		memcpy(first, text, (size_t)(space - text));
	}
	bool is_read = space != NULL && config_parse_duration(first, &spans.horizon_ms) &&
		       config_parse_duration(space + 1, &spans.memory_ms);
	if ((text != NULL && !is_read) || spans.horizon_ms <= 0 ||
		spans.memory_ms < spans.horizon_ms) {
		return scanner_fail(scanner, "\"%s\" is no two time spans", text);
	}
	view->baskets = spans;
	return 0;
}

/* The finest bucket is over first. */
static bool find_retain_group(struct view *view)
{
	bool is_found = false;

	for (size_t i = 0; i < view->group_count; i++) {
		const struct group_field *group = &view->groups[i];
		bool is_better =
			!is_found || group->bucket < view->groups[view->retain_group].bucket;
		if (group->source == GROUP_BY_BUCKET && group->bucket <= BUCKET_MONTH &&
			is_better) {
			view->retain_group = i;
			is_found = true;
		}
	}
	return is_found;
}

static int parse_retain(struct scanner *scanner, const char *text, struct view *view)
{
	int64_t retain_ms = 0;

	scanner->key = "retain";
	if (!config_parse_duration(text, &retain_ms) || retain_ms > TIMESTAMP_MS_MAX) {
		return scanner_fail(scanner, "\"%s\" is no time span such as 36h or 7d", text);
	}
	if (retain_ms < RETAIN_MS_LEAST || retain_ms % RETAIN_MS_LEAST != 0) {
		return scanner_fail(scanner,
			"\"%s\" is not a number of whole minutes, such as 90m or 7d", text);
	}
	if (!find_retain_group(view)) {
		return scanner_fail(scanner,
			"a row ends with its time bucket, and there is none: add day(ts) to "
			"group_by, or minute, hour, week or month");
	}
	view->retain_ms = retain_ms;
	return 0;
}

/* Amounts of different currencies must not be added up. */
static void add_currency(struct view *view)
{
	for (size_t i = 0; i < view->measure_count; i++) {
		const struct measure *measure = &view->measures[i];
		bool is_money = !measure_takes_nothing(measure) && measure->op != MEASURE_RATIO &&
				measure->op != MEASURE_DISTINCT &&
				operand_type_of(measure->operand) == TYPE_MONEY;
		if (is_money && !has_group(view, "currency")) {
			view->groups[view->group_count++] = (struct group_field){.name = "currency",
				.source = GROUP_BY_FIELD,
				.field = FIELD_CURRENCY,
				.is_automatic = true};
		}
	}
}

static int check_columns(struct scanner *scanner, const struct view *view)
{
	for (size_t i = 0; i < view->measure_count; i++) {
		if (has_group(view, view->measures[i].name)) {
			return scanner_fail(scanner,
				"\"%s\" can't be a measure's name: it is the column of the "
				"currency",
				view->measures[i].name);
		}
	}
	return 0;
}

static void lay_out_row(struct view *view)
{
	size_t offset = sizeof(uint64_t); /* after the number of events */

	for (size_t i = 0; i < view->measure_count; i++) {
		struct measure *measure = &view->measures[i];
		measure->offset = offset;
		offset += measure_fixed_size(measure);
		view->distinct_count += measure->op == MEASURE_DISTINCT;
		view->has_ratios |= measure->op == MEASURE_RATIO;
		view->has_stamps |= measure_is_stamped(measure);
	}
	view->row_fixed_size = offset - sizeof(uint64_t);
}

static int check_declaration(struct scanner *scanner, const struct view_declaration *declaration)
{
	if (!name_is_valid(declaration->name)) {
		return scanner_fail(scanner,
			"a view's name begins with a letter, has letters, digits and _, and at "
			"most %d of them",
			VIEW_NAME_SIZE_MAX);
	}
	if (declaration->group_by == NULL) {
		return scanner_fail(scanner,
			"group_by is missing: what a row is of, such as group_by = product_id");
	}
	if (declaration->measures == NULL) {
		return scanner_fail(scanner,
			"measures is missing: what a row tells, such as measures = order_count = "
			"count()");
	}
	return 0;
}

static int parse_keys(struct scanner *scanner, const struct view_declaration *declaration,
	const struct zone_source *zones, struct view *view)
{
	int r = parse_kinds(scanner, declaration->kind, view);

	if (r == 0) {
		scanner_start(scanner, "group_by", declaration->group_by);
		r = parse_list(scanner, view, parse_group);
	}
	if (r == 0) {
		scanner_start(scanner, "measures", declaration->measures);
		r = parse_list(scanner, view, parse_measure);
	}
	if (r == 0) {
		add_currency(view);
		r = check_columns(scanner, view);
	}
	if (r == 0 && declaration->where != NULL) {
		scanner_start(scanner, "where", declaration->where);
		r = parse_where(scanner, view, &view->where);
		r = r == 0 && scanner->token != TOKEN_END
			    ? scanner_fail_expected(scanner, "\"and\"")
			    : r;
	}
	if (r == 0 && declaration->zone != NULL) {
		r = parse_zone(scanner, declaration->zone, zones, view);
	}
	if (r == 0 && declaration->retain != NULL) {
		r = parse_retain(scanner, declaration->retain, view);
	}
	if (r == 0 && view->kind == VIEW_KIND_BASKET) {
		r = parse_baskets(scanner, declaration->baskets, view);
	}
	return r;
}

int view_parse(const struct view_declaration *declaration, const struct zone_source *zones,
	struct view *view, char *error, size_t error_size)
{
	struct scanner scanner = {
		.view_name = declaration->name, .error = error, .error_size = error_size};

	int r = check_declaration(&scanner, declaration);
	if (r == 0) {
		r = parse_keys(&scanner, declaration, zones, view);
	}
	if (r < 0) {
		return r;
	}
	memcpy(view->name, declaration->name, sizeof view->name);
	lay_out_row(view);
	view->text = view_write_text(view);
	return view->text == NULL ? -ENOMEM : 0;
}
