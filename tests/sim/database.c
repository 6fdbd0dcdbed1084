#include "tests/sim/database.h"
#include "tests/sim/forget_requests.h"
#include "tests/sim/operator.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ONE_RUN_IN = 6,
	KEYS = 24, /* of each table */
	PRODUCTS = 5,
	CHANGES_MAX = 4096,
	NOTES_MAX = 3 * CHANGES_MAX, /* of a partition: some changes are told again */
	TABLES = TOPICS - TILL_TOPICS,
	VALUE_SIZE = 400,
	TOLD_A_STEP = 3,
	RESENT_MAX = 5,
};

enum op { OP_CREATE, OP_UPDATE, OP_READ, OP_DELETE, OP_TOMBSTONE };

struct row {
	bool is_there;
	int product;
	int user;
	int quantity; /* 0: of a line it is no event */
};

/* One line of the database's log, or one that a snapshot reads. */
struct change {
	enum op op;
	int table; /* from 0 */
	int key;
	uint64_t lsn;
	struct row row; /* as it is afterwards */
};

/* A transaction that is open: it has its place in the log, and nobody sees yet what it did. */
struct open_change {
	bool is_there;
	struct change change;
};

static bool is_in_play;
static struct row rows[TABLES][KEYS];
static struct change changes[CHANGES_MAX];
static size_t change_count, told,
	noted; /* changes; by the connector; until where it knows that it did */
static struct open_change open_change;
static uint64_t lsn;
static struct change notes[TABLES][PARTITIONS][NOTES_MAX]; /* what each record of the log says */
static uint64_t odd_records;

void database_begin(void)
{
	is_in_play = world_draw(ONE_RUN_IN) == 0;
	memset(rows, 0, sizeof rows);
	change_count = told = noted = 0;
	open_change.is_there = false;
	lsn = 1000;
	odd_records = 0;
}

bool database_is_in_play(void)
{
	return is_in_play;
}

bool database_is_calm(void)
{
	return told == change_count && !open_change.is_there;
}

uint64_t database_odd_records(void)
{
	return odd_records;
}

/* ---- records */

static bool is_odd(const struct change *change)
{
	return change->op == OP_TOMBSTONE
		       ? change->table == TOPIC_STOCK - TILL_TOPICS
		       : change->table == 0 && change->row.is_there && change->row.quantity == 0;
}

static size_t write_envelope(const struct change *change, char value[VALUE_SIZE])
{
	static const char *const ops[] = {"c", "u", "r", "d"};
	char before[24], after[160];
	bool is_there = change->op != OP_DELETE;

	snprintf(before, sizeof before, "{\"id\":%d}", change->key);
	snprintf(after, sizeof after,
		"{\"id\":%d,\"product_id\":\"p%d\",\"user_id\":\"u%d\",\"action\":\"add\","
		"\"quantity\":%d}",
		change->key, change->row.product, change->row.user, change->row.quantity);
	return (size_t)snprintf(value, VALUE_SIZE,
		"{\"before\":%s,\"after\":%s,\"source\":{\"connector\":\"postgresql\",\"lsn\":%llu,"
		"\"txId\":7,\"snapshot\":\"%s\",\"ts_ms\":1291191960000},\"op\":\"%s\",\"ts_ms\":"
		"1}",
		is_there ? "null" : before, is_there ? after : "null",
		(unsigned long long)change->lsn, change->op == OP_READ ? "true" : "false",
		ops[change->op]);
}

static void tell(const struct change *change, int partition)
{
	int topic = TILL_TOPICS + change->table;
	char key[24], value[VALUE_SIZE];
	size_t value_size = 0;
	int64_t at = kafka_size(topic, partition);

	if (at == NOTES_MAX) {
		abort();
	}
	if (topic == TOPIC_PEOPLE) {
		snprintf(key, sizeof key, "u%d", change->key);
		value_size = (size_t)snprintf(value, sizeof value,
			"{\"user_id\":\"u%d\",\"points\":%d}", change->key, change->row.quantity);
	} else {
		snprintf(key, sizeof key, "{\"id\":%d}", change->key);
		value_size = change->op == OP_TOMBSTONE ? 0 : write_envelope(change, value);
	}
	value_size = change->op == OP_TOMBSTONE ? 0 : value_size;
	notes[change->table][partition][at] = *change;
	odd_records += is_odd(change);
	world_trace("database: topic %d partition %d: %s: %.*s", topic, partition, key,
		(int)value_size, value);
	kafka_append(topic, partition,
		kafka_record_new((struct kafka_bytes){key, strlen(key)},
			(struct kafka_bytes){value, value_size}));
}

/* ---- rows */

static void log_change(struct change change)
{
	if (change.op != OP_TOMBSTONE) {
		rows[change.table][change.key] = change.row;
	}
	changes[change_count++] = change;
}

static void log_delete(int table, int key, uint64_t at)
{
	log_change((struct change){.op = OP_DELETE, .table = table, .key = key, .lsn = at});
	log_change((struct change){.op = OP_TOMBSTONE, .table = table, .key = key, .lsn = at});
}

static struct row draw_row(void)
{
	return (struct row){.is_there = true,
		.product = (int)world_draw(PRODUCTS),
		.user = (int)world_draw(USERS),
		.quantity = world_draw(20) == 0 ? 0 : 1 + (int)world_draw(9)};
}

/* The key of a row changes: a delete and a creation at one place of the log. */
static void move_row(int table, int key)
{
	int other = (int)world_draw(KEYS);

	if (!rows[table][other].is_there && other != key) {
		struct row row = rows[table][key];
		log_delete(table, key, ++lsn);
		log_change((struct change){OP_CREATE, table, other, lsn, row});
	}
}

static void change_row(int table, int key)
{
	struct change change = {OP_UPDATE, table, key, 0, draw_row()};
	uint64_t kind = world_draw(10);

	if (open_change.is_there && open_change.change.table == table) {
		return; /* it may hold the row's lock */
	}
	if (!rows[table][key].is_there) {
		change.op = OP_CREATE;
	} else if (kind < 3) {
		log_delete(table, key, ++lsn);
		return;
	} else if (kind < 5) {
		move_row(table, key);
		return;
	}
	change.lsn = ++lsn;
	if (!open_change.is_there && world_draw(8) == 0) {
		open_change = (struct open_change){true, change};
	} else {
		log_change(change);
	}
}

static void end_open_change(void)
{
	open_change.is_there = false;
	log_change(open_change.change);
}

/* Of people nothing but the log says which record is the newest. */
static void change_person(void)
{
	struct change change = {.op = world_draw(4) == 0 ? OP_TOMBSTONE : OP_READ,
		.table = TOPIC_PEOPLE - TILL_TOPICS,
		.key = (int)world_draw(KEYS),
		.row = draw_row()};
	tell(&change, (int)world_draw(PARTITIONS));
}

/* Reads all rows of both tables, once everything before is told. */
static void take_snapshot(void)
{
	world_note_fault(FAULT_SNAPSHOT_AGAIN, "");
	lsn++;
	for (int i = 0; i < 2 * KEYS; i++) {
		int table = i / KEYS, key = i % KEYS;
		if (rows[table][key].is_there) {
			log_change((struct change){OP_READ, table, key, lsn, rows[table][key]});
		}
	}
	noted = told;
}

static void change_something(void)
{
	if (change_count + 2 * KEYS + 4 > CHANGES_MAX) {
		return;
	}
	if (open_change.is_there && world_draw(20) == 0) {
		end_open_change();
	}
	if (world_draw(3) == 0) {
		change_row((int)world_draw(2), (int)world_draw(KEYS));
	}
	if (told == change_count && world_happens(200)) {
		take_snapshot();
	}
}

/* ---- the connector */

/* What its producer sent last comes once more. */
static void send_again(int table, int partition)
{
	int64_t end = kafka_size(TILL_TOPICS + table, partition);
	int64_t from = end - 1 - (int64_t)world_draw(RESENT_MAX);

	for (int64_t i = from < 0 ? 0 : from; i < end; i++) {
		struct change change = notes[table][partition][i];
		tell(&change, partition);
	}
}

static void connect(void)
{
	if (world_happens(150) && noted < told && world.has_faults) {
		world_note_fault(FAULT_ROWS_RETOLD, "");
		told = noted;
	} else if (world_fails(FAULT_ROWS_RETOLD, 3000)) {
		send_again((int)world_draw(2), (int)world_draw(PARTITIONS));
	}
	for (int i = 0; i < TOLD_A_STEP && told < change_count; i++) {
		tell(&changes[told], changes[told].key % PARTITIONS);
		told++;
	}
	if (world_draw(10) == 0) {
		noted = told;
	}
}

void database_step(void)
{
	if (!is_in_play) {
		return;
	}
	if (world.has_faults) {
		change_something();
	} else if (open_change.is_there) {
		end_open_change();
	}
	if (kafka_is_away() || kafka_is_other() || world_draw(4) == 0) {
		return;
	}
	connect();
	if (world.has_faults && world_draw(6) == 0) {
		change_person();
	}
}

/* ---- what it must come to */

/* Of one key, as far as the log was read. */
struct kept {
	bool is_known, is_buried;
	bool is_snapshot;
	uint64_t lsn, snapshot;
	int64_t append_ms; /* of the record that says so */
	int64_t clock_ms; /* of people, as the next */
	int partition;
	struct row row;
};

struct model {
	struct kept kept[TABLES][KEYS];
	bool has_lost; /* records that an operator went on without */
};

static bool is_newer(const struct kept *kept, const struct change *change)
{
	bool is_snapshot = change->op == OP_READ;
	bool is_same = change->lsn == kept->lsn && is_snapshot == kept->is_snapshot;

	if (!kept->is_known || (kept->is_buried && is_same && change->row.is_there)) {
		return true;
	}
	return is_snapshot ? change->lsn > kept->lsn && change->lsn > kept->snapshot
			   : kept->is_snapshot || change->lsn > kept->lsn;
}

static void follow_row(struct kept *kept, const struct change *change, int64_t append_ms)
{
	bool is_snapshot = change->op == OP_READ;

	if (change->op == OP_TOMBSTONE) {
		if (kept->row.is_there && change->table == 0) {
			kept->is_buried = true;
			kept->row.is_there = false;
		}
		return;
	}
	if (is_newer(kept, change)) {
		kept->is_known = true;
		kept->is_buried = false;
		kept->is_snapshot = is_snapshot;
		kept->lsn = change->lsn;
		kept->snapshot = is_snapshot ? change->lsn : kept->snapshot;
		kept->append_ms = append_ms;
		kept->row = change->row;
		kept->row.is_there = change->row.is_there && !is_odd(change);
	}
}

static void follow_person(
	struct kept *kept, const struct change *change, int64_t clock_ms, int partition)
{
	bool is_newer = clock_ms > kept->clock_ms ||
			(clock_ms == kept->clock_ms && partition >= kept->partition);

	if (!kept->is_known || is_newer) {
		*kept = (struct kept){.is_known = true,
			.clock_ms = clock_ms,
			.partition = partition,
			.row = change->row};
		kept->row.is_there = change->op != OP_TOMBSTONE;
	}
}

static void read_log(struct model *model, int table, int partition)
{
	int topic = TILL_TOPICS + table;
	int64_t clock_ms = 0;

	for (int64_t i = 0; i < kafka_size(topic, partition); i++) {
		const struct kafka_entry *entry = kafka_at(topic, partition, i);
		const struct change *change = &notes[table][partition][i];
		struct kept *kept = &model->kept[table][change->key];
		if (entry->is_lost) {
			model->has_lost = true;
		} else if (topic == TOPIC_PEOPLE) {
			clock_ms = entry->timestamp_ms > clock_ms ? entry->timestamp_ms : clock_ms;
			if (!forget_requests_hide(change->key, entry->timestamp_ms)) {
				follow_person(kept, change, clock_ms, partition);
			}
		} else {
			follow_row(kept, change, entry->timestamp_ms);
		}
	}
}

/* What answers say. */
struct sums {
	uint64_t counts[KEYS];
	int64_t quantities[KEYS];
	bool has_other; /* a row that can't be */
};

static void take_row(void *owner, const char *name, uint64_t count, int64_t quantity)
{
	struct sums *sums = owner;
	size_t number =
		(size_t)strtoull(name[0] >= '0' && name[0] <= '9' ? name : name + 1, NULL, 10);

	if (number >= KEYS) {
		sums->has_other = true;
		return;
	}
	sums->counts[number] += count;
	sums->quantities[number] += quantity;
}

static bool is_equal(const struct sums *said, const struct sums *due, const char *view,
	char *ret_words, size_t words_size)
{
	for (int i = 0; i < KEYS; i++) {
		if (said->counts[i] != due->counts[i] ||
			said->quantities[i] != due->quantities[i] || said->has_other) {
			snprintf(ret_words, words_size,
				"%s: %d has %llu rows and a quantity of %lld, not %llu and %lld",
				view, i, (unsigned long long)said->counts[i],
				(long long)said->quantities[i], (unsigned long long)due->counts[i],
				(long long)due->quantities[i]);
			return false;
		}
	}
	return true;
}

/* By product for what is counted, by key for tables. */
static bool table_is_right(const struct model *model, int table, char *ret_words, size_t words_size)
{
	static const char *const views[TABLES] = {"by_line", "table.stock", "table.people"};
	struct sums said = {0}, due = {0};

	for (int key = 0; key < KEYS; key++) {
		const struct row *row = &model->kept[table][key].row;
		if (row->is_there) {
			int place = table == 0 ? row->product : key;
			due.counts[place]++;
			due.quantities[place] += row->quantity;
		}
	}
	aggregator_part_each_row(operator_aggregator(), views[table], take_row, &said);
	return is_equal(&said, &due, views[table], ret_words, words_size);
}

/* The rules, applied to a log that lost nothing, give the rows as they are. */
static bool model_is_right(const struct model *model, char *ret_words, size_t words_size)
{
	for (int i = 0; i < 2 * KEYS && !model->has_lost; i++) {
		int table = i / KEYS, key = i % KEYS;
		const struct row *row = &rows[table][key], *read = &model->kept[table][key].row;
		bool is_there = row->is_there && (table != 0 || row->quantity != 0);
		if (read->is_there != is_there ||
			(is_there && (read->product != row->product ||
					     read->quantity != row->quantity))) {
			snprintf(ret_words, words_size,
				"row %d of table %d is not what its changes say", key, table);
			return false;
		}
	}
	return true;
}

/* Rows of who is hidden are in all totals but his. */
static bool users_are_right(const struct model *model, char *ret_words, size_t words_size)
{
	struct sums said = {0}, due = {0};

	for (int key = 0; key < KEYS; key++) {
		const struct kept *kept = &model->kept[0][key];
		int user = kept->row.user;
		if (kept->row.is_there && !forget_requests_hide(user, kept->append_ms)) {
			due.counts[user]++;
			due.quantities[user] += kept->row.quantity;
		}
	}
	aggregator_part_each_row(operator_aggregator(), "by_line_and_user", take_row, &said);
	return is_equal(&said, &due, "by_line_and_user", ret_words, words_size);
}

bool database_audit(char *ret_words, size_t words_size)
{
	struct model model = {0};
	bool is_right = true;

	for (int i = 0; i < TABLES * PARTITIONS; i++) {
		read_log(&model, i / PARTITIONS, i % PARTITIONS);
	}
	if (model.has_lost && world.faults[FAULT_REBUILD] > 0) {
		return true; /* a rebuild may have had what was given up */
	}
	is_right = model_is_right(&model, ret_words, words_size);
	for (int table = 0; is_right && table < TABLES; table++) {
		is_right = table_is_right(&model, table, ret_words, words_size);
	}
	return is_right &&
	       (!forget_requests_are_in_play() || users_are_right(&model, ret_words, words_size));
}
