#include "proto/change_position.h"

#include "proto/checksum.h"

/* A count or number of `source`; null and absent are 0, and *ret_is_there says so. */
static bool read_number(const struct node *source, const char *name, uint64_t *ret_number)
{
	const struct node *node = node_find(source, name);
	int64_t number = 0;

	if (node == NULL || !node_integer(node, &number) || number < 0) {
		return false;
	}
	*ret_number = (uint64_t)number;
	return true;
}

/* Decimal digits and nothing else, at most 18. */
static bool read_digits(struct slice text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (text.size == 0 || text.size > 18) {
		return false;
	}
	for (size_t i = 0; i < text.size; i++) {
		if (text.bytes[i] < '0' || text.bytes[i] > '9') {
			return false;
		}
		number = number * 10 + (text.bytes[i] - '0');
	}
	*ret_number = number;
	return true;
}

/* What stands before and behind the last `separator`; false without one. */
static bool cut_last(
	struct slice text, uint8_t separator, struct slice *ret_head, struct slice *ret_tail)
{
	for (size_t i = text.size; i > 0; i--) {
		if (text.bytes[i - 1] == separator) {
			*ret_head = slice_of(text.bytes, i - 1);
			*ret_tail = slice_of(text.bytes + i, text.size - i);
			return true;
		}
	}
	return false;
}

static int refuse_missing(const char *name, const char *why, struct complaint *complaint)
{
	complaint_set(complaint, REASON_MISSING_FIELD, "source", "source.%s %s", name, why);
	return REASON_MISSING_FIELD;
}

/* "true", "first", "last", "incremental" …, or the boolean of old versions. */
static bool is_snapshot(const struct node *source)
{
	const struct node *node = node_find(source, "snapshot");

	if (node == NULL || node->type == NODE_NIL) {
		return false;
	}
	if (node->type == NODE_BOOL) {
		return node->boolean;
	}
	return node->type == NODE_TEXT && !slice_equals_text(node->text, "false");
}

static int read_postgresql(
	const struct node *source, struct change_position *position, struct complaint *complaint)
{
	position->database = DATABASE_POSTGRESQL;
	if (!read_number(source, "lsn", &position->log)) {
		return refuse_missing(
			"lsn", "is missing: it orders the changes of a row", complaint);
	}
	read_number(source, "txId", &position->transaction);
	position->snapshot = position->is_snapshot ? position->log : 0;
	return 0;
}

/* MySQL: SERVER_UUID:N, or SERVER_UUID:TAG:N. MariaDB: DOMAIN-SERVER-N, numbered through within the domain. */
static void read_gtid(const struct node *source, struct change_position *position)
{
	const struct node *node = node_find(source, "gtid");
	struct slice origin;
	struct slice number;
	struct slice server;
	uint8_t hash[16];

	if (node == NULL || node->type != NODE_TEXT) {
		return;
	}
	bool is_found = cut_last(node->text, ':', &origin, &number);
	if (!is_found) {
		is_found = cut_last(node->text, '-', &origin, &number) &&
			   cut_last(origin, '-', &origin, &server);
	}
	if (!is_found || !read_digits(number, &position->transaction)) {
		return;
	}
	checksum_hash128(origin, hash);
	for (size_t i = 0; i < sizeof position->gtid_origin; i++) {
		position->gtid_origin = position->gtid_origin << 8 | hash[i];
	}
	position->gtid_origin |= 1;
}

static int read_mysql(
	const struct node *source, struct change_position *position, struct complaint *complaint)
{
	const struct node *file = node_find(source, "file");
	struct slice name;
	struct slice number;

	position->database = DATABASE_MYSQL;
	if (file == NULL || file->type != NODE_TEXT || !cut_last(file->text, '.', &name, &number) ||
		!read_digits(number, &position->log)) {
		return refuse_missing(
			"file", "is no binlog file's name such as mysql-bin.000003", complaint);
	}
	if (!read_number(source, "pos", &position->offset)) {
		return refuse_missing(
			"pos", "is missing: it orders the changes of a row", complaint);
	}
	read_number(source, "row", &position->row);
	read_number(source, "server_id", &position->server);
	read_gtid(source, position);
	return 0;
}

int change_position_read(const struct node *source, struct change_position *ret_position,
	struct complaint *complaint)
{
	struct change_position position = {0};
	const struct node *connector =
		source != NULL && source->type == NODE_MAP ? node_find(source, "connector") : NULL;
	int r = REASON_BAD_VALUE;

	if (connector == NULL || connector->type != NODE_TEXT) {
		return refuse_missing("connector", "is missing", complaint);
	}
	position.is_snapshot = is_snapshot(source);
	if (slice_equals_text(connector->text, "postgresql")) {
		r = read_postgresql(source, &position, complaint);
	} else if (slice_equals_text(connector->text, "mysql") ||
		   slice_equals_text(connector->text, "mariadb")) {
		r = read_mysql(source, &position, complaint);
	} else {
		complaint_set(complaint, REASON_BAD_VALUE, "source",
			"source.connector \"%.*s\" is none of postgresql, mysql, mariadb",
			(int)(connector->text.size < 64 ? connector->text.size : 64),
			(const char *)connector->text.bytes);
	}
	if (r == 0) {
		*ret_position = position;
	}
	return r;
}

static enum change_order order_numbers(uint64_t kept, uint64_t next)
{
	if (kept == next) {
		return CHANGE_SAME;
	}
	return next > kept ? CHANGE_NEWER : CHANGE_OLDER;
}

static enum change_order order_postgresql(
	const struct change_position *kept, const struct change_position *next)
{
	if (!next->is_snapshot) {
		return kept->is_snapshot ? CHANGE_NEWER : order_numbers(kept->log, next->log);
	}
	if (kept->is_snapshot || next->log > kept->snapshot) {
		return order_numbers(kept->log, next->log);
	}
	return CHANGE_OLDER; /* the snapshot that the kept change followed, or one before it */
}

static enum change_order order_mysql(
	const struct change_position *kept, const struct change_position *next)
{
	enum change_order order = CHANGE_SAME;

	if (kept->gtid_origin != 0 && next->gtid_origin != 0) {
		if (kept->gtid_origin != next->gtid_origin) {
			return CHANGE_UNORDERED;
		}
		order = order_numbers(kept->transaction, next->transaction);
	} else if (kept->server != next->server && kept->server != 0 && next->server != 0) {
		return CHANGE_UNORDERED;
	}
	if (order == CHANGE_SAME) {
		order = order_numbers(kept->log, next->log);
	}
	if (order == CHANGE_SAME) {
		order = order_numbers(kept->offset, next->offset);
	}
	return order == CHANGE_SAME ? order_numbers(kept->row, next->row) : order;
}

enum change_order change_position_order(
	const struct change_position *kept, const struct change_position *next)
{
	if (kept->database != next->database) {
		return CHANGE_UNORDERED;
	}
	return next->database == DATABASE_POSTGRESQL ? order_postgresql(kept, next)
						     : order_mysql(kept, next);
}

struct change_position change_position_follow(
	const struct change_position *kept, const struct change_position *next)
{
	struct change_position position = *next;

	if (!next->is_snapshot && kept->database == next->database) {
		position.snapshot = kept->snapshot;
	}
	return position;
}
