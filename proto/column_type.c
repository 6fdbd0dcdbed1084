#include "proto/column_type.h"

#include <errno.h>
#include <stdio.h>

/* A logical type by the name of its schema. What is not here (Uuid, Enum, Json, Year, …) is plain. */
static const struct {
	const char *name;
	enum column_kind kind;
} logical_types[] = {
	{"org.apache.kafka.connect.data.Decimal", COLUMN_DECIMAL},
	{"org.apache.kafka.connect.data.Date", COLUMN_DATE},
	{"org.apache.kafka.connect.data.Timestamp", COLUMN_TIMESTAMP_MS},
	{"org.apache.kafka.connect.data.Time", COLUMN_TIME_OF_DAY},
	{"io.debezium.data.VariableScaleDecimal", COLUMN_VARIABLE_DECIMAL},
	{"io.debezium.time.Date", COLUMN_DATE},
	{"io.debezium.time.Timestamp", COLUMN_TIMESTAMP_MS},
	{"io.debezium.time.MicroTimestamp", COLUMN_TIMESTAMP_US},
	{"io.debezium.time.NanoTimestamp", COLUMN_TIMESTAMP_NS},
	{"io.debezium.time.ZonedTimestamp", COLUMN_ZONED},
	{"io.debezium.time.IsoDate", COLUMN_ISO_DATE},
	{"io.debezium.time.IsoTimestamp", COLUMN_ISO_TIMESTAMP},
	{"io.debezium.time.Time", COLUMN_TIME_OF_DAY},
	{"io.debezium.time.MicroTime", COLUMN_TIME_OF_DAY},
	{"io.debezium.time.NanoTime", COLUMN_TIME_OF_DAY},
	{"io.debezium.time.ZonedTime", COLUMN_TIME_OF_DAY},
	{"io.debezium.time.IsoTime", COLUMN_TIME_OF_DAY},
};

static const struct {
	const char *name;
	enum column_kind kind;
} literal_types[] = {
	{"bytes", COLUMN_BYTES},
	{"float", COLUMN_FLOAT},
	{"double", COLUMN_DOUBLE},
};

static const struct {
	const char *word;
	enum column_kind kind;
} declared_types[] = {
	{"variable_decimal", COLUMN_VARIABLE_DECIMAL},
	{"text", COLUMN_TEXT},
	{"double", COLUMN_DOUBLE},
	{"float", COLUMN_FLOAT},
	{"date", COLUMN_DATE},
	{"timestamp_ms", COLUMN_TIMESTAMP_MS},
	{"timestamp_us", COLUMN_TIMESTAMP_US},
	{"timestamp_ns", COLUMN_TIMESTAMP_NS},
	{"zoned_timestamp", COLUMN_ZONED},
	{"iso_date", COLUMN_ISO_DATE},
	{"iso_timestamp", COLUMN_ISO_TIMESTAMP},
};
const char column_type_words[] =
	"decimal(SCALE), variable_decimal, text, double, float, date, timestamp_ms, timestamp_us, "
	"timestamp_ns, zoned_timestamp, iso_date, iso_timestamp";

static bool text_is(const struct node *node, const char *text)
{
	return node != NULL && node->type == NODE_TEXT && slice_equals_text(node->text, text);
}

/* The scale is a parameter, and parameters are text. */
static int32_t scale_of_schema(const struct node *schema)
{
	const struct node *parameters = node_find(schema, "parameters");
	const struct node *node = parameters != NULL ? node_find(parameters, "scale") : NULL;
	int64_t scale = 0;

	if (node == NULL || !node_integer(node, &scale) || scale < -COLUMN_SCALE_MAX ||
		scale > COLUMN_SCALE_MAX) {
		return COLUMN_SCALE_MAX + 1; /* no value fits it */
	}
	return (int32_t)scale;
}

struct column_type column_type_of_schema(const struct node *schema)
{
	const struct node *name = node_find(schema, "name");
	const struct node *type = node_find(schema, "type");

	for (size_t i = 0; i < sizeof logical_types / sizeof *logical_types; i++) {
		if (text_is(name, logical_types[i].name)) {
			enum column_kind kind = logical_types[i].kind;
			return (struct column_type){
				kind, kind == COLUMN_DECIMAL ? scale_of_schema(schema) : 0};
		}
	}
	for (size_t i = 0; i < sizeof literal_types / sizeof *literal_types; i++) {
		if (text_is(type, literal_types[i].name)) {
			return (struct column_type){literal_types[i].kind, 0};
		}
	}
	return (struct column_type){COLUMN_PLAIN, 0};
}

/* "decimal(2)" */
static bool decimal_from_words(struct slice words, struct column_type *ret_type)
{
	static const char head[] = "decimal(";
	size_t head_size = sizeof head - 1;
	int32_t scale = 0;

	if (words.size < head_size + 2 || words.size > head_size + 3 ||
		memcmp(words.bytes, head, head_size) != 0 || words.bytes[words.size - 1] != ')') {
		return false;
	}
	for (size_t i = head_size; i < words.size - 1; i++) {
		if (words.bytes[i] < '0' || words.bytes[i] > '9') {
			return false;
		}
		scale = scale * 10 + (words.bytes[i] - '0');
	}
	if (scale > COLUMN_SCALE_MAX) {
		return false;
	}
	*ret_type = (struct column_type){COLUMN_DECIMAL, scale};
	return true;
}

bool column_type_from_words(struct slice words, struct column_type *ret_type)
{
	for (size_t i = 0; i < sizeof declared_types / sizeof *declared_types; i++) {
		if (slice_equals_text(words, declared_types[i].word)) {
			*ret_type = (struct column_type){declared_types[i].kind, 0};
			return true;
		}
	}
	return decimal_from_words(words, ret_type);
}

static int add_type(struct column_types *types, const char *option, const struct pair *pair,
	struct pairs_error *error)
{
	struct column_type type;

	if (column_types_find(types, pair->left).kind != COLUMN_UNKNOWN) {
		snprintf(error->text, sizeof error->text, "%s: column \"%.*s\" is given twice",
			option, (int)pair->left.size, (const char *)pair->left.bytes);
		return -EINVAL;
	}
	if (!column_type_from_words(pair->right, &type)) {
		snprintf(error->text, sizeof error->text, "%s: \"%.*s\" is none of %s", option,
			(int)(pair->right.size < 32 ? pair->right.size : 32),
			(const char *)pair->right.bytes, column_type_words);
		return -EINVAL;
	}
	types->items[types->count].column = pair->left;
	types->items[types->count++].type = type;
	return 0;
}

int column_types_parse(
	struct column_types *types, const char *option, const char *text, struct pairs_error *error)
{
	struct pair_list pairs = {.count = 0};
	int r = pairs_add_columns(&pairs, option, text, error);

	types->count = 0;
	for (size_t i = 0; r == 0 && i < pairs.count; i++) {
		r = add_type(types, option, &pairs.items[i], error);
	}
	return r;
}

struct column_type column_types_find(const struct column_types *types, struct slice column)
{
	for (size_t i = 0; types != NULL && i < types->count; i++) {
		if (slice_equal(types->items[i].column, column)) {
			return types->items[i].type;
		}
	}
	return (struct column_type){COLUMN_UNKNOWN, 0};
}
