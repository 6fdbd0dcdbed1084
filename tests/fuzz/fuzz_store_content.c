/* Any tables and rows as those of a store (script.h): refused or taken, and where all rows are as an aggregator writes them, exactly
 * the views are named whose rows do not add up. Acts: 0 a table by its bytes; 1 a row: u8 size of the key, key, value; 2 the same,
 * with its seal; 3 a table by number and generation; 4 the root: live, shadow; 5 a row of a view: view, event count, key; 6 a
 * stream: edge, kind, seqs; 7 the sums of views and ledger as they are so far; 8 a row among the names, as 1; 9 a member: view, key. */
#include "aggregator/store/store_content.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/script.h"
#include <errno.h>

const struct structure fuzz_structure = {.mutate = mutate_rows};

enum act { TABLE, ROW, SEALED_ROW, NUMBERED_TABLE, ROOT, VIEW_ROW, STREAM, SUMS, NOTE, MEMBER };

enum { VALUE_SIZE_MAX = 1 << 17, LIVE = 1, VIEWS = 4, COUNT_SIZE = 8 };

struct sums {
	uint64_t row_count, matched, hash_sum;
	struct table_sum members;
};

struct world {
	struct store_content content;
	struct ledger ledger; /* of what was counted in the live generation */
	struct sums views[VIEWS];
	struct store_sums sums;
	struct buffer value;
	bool is_sound; /* all so far is what an aggregator writes */
};

static void seal(struct world *world, struct slice key)
{
	pack_u32(&world->value, seal_of(key, buffer_slice(&world->value)));
	fuzz_require(world->value.error == 0);
}

static void give_row(struct world *world, struct slice key, struct slice value)
{
	if (key.size == 0) {
		return; /* LMDB has none, and page_walk lets none pass */
	}
	int r = store_content_row(&world->content, key, value);
	fuzz_require(r == 0 || r == STORE_E_CORRUPT || r == STORE_E_FOREIGN);
	fuzz_require(r == 0 || !world->is_sound);
}

static void give_table(struct world *world, enum store_table table, uint32_t generation)
{
	char name[STORE_TABLE_NAME_SIZE];

	store_table_name(table, generation, name);
	fuzz_require(store_content_table(&world->content, slice_of_text(name)) == 0);
	fuzz_require(world->content.generation == NULL || world->content.table == table);
}

/* What `value` holds, under the key. */
static void give_value(struct world *world, enum store_table table, struct slice key)
{
	give_table(world, table, LIVE);
	seal(world, key);
	if (!table_is_of_views(table)) {
		table_sum_add(
			&world->sums.generations[0].tables[table], buffer_slice(&world->value));
	}
	give_row(world, key, buffer_slice(&world->value));
	buffer_clear(&world->value);
}

static void give_bytes(struct world *world, struct slice bytes, bool is_sealed)
{
	size_t size = bytes.size == 0 ? 0 : bytes.bytes[0];

	world->is_sound = false;
	if (size == 0 || size >= bytes.size) {
		return;
	}
	struct slice key = slice_of(bytes.bytes + 1, size);
	buffer_append(&world->value, key.bytes + size, bytes.size - 1 - size);
	if (is_sealed) {
		seal(world, key);
	}
	give_row(world, key, buffer_slice(&world->value));
	buffer_clear(&world->value);
}

static void give_root(struct world *world, uint32_t live, uint32_t shadow)
{
	static const char id[STORE_ID_SIZE] = "0123";
	const struct slice key = slice_of_text("root");

	world->is_sound = world->is_sound && live == LIVE && shadow == 0;
	buffer_append_text(&world->value, "till");
	pack_u32(&world->value, STORE_VERSION);
	pack_u32(&world->value, 0);
	pack_u32(&world->value, 1);
	pack_u8(&world->value, 1);
	pack_u32(&world->value, live);
	pack_u32(&world->value, shadow);
	pack_u32(&world->value, 0);
	pack_u32(&world->value, 2);
	buffer_append(&world->value, id, sizeof id);
	buffer_append(&world->value, id, sizeof id);
	fuzz_require(store_content_table(&world->content, slice_of_text("meta")) == 0);
	seal(world, key);
	table_sum_add(&world->sums.meta, buffer_slice(&world->value));
	give_row(world, key, buffer_slice(&world->value));
	buffer_clear(&world->value);
}

static void give_member(struct world *world, const struct script_step *step)
{
	uint8_t bytes[] = {(uint8_t)(script_byte(step, 0) % VIEWS), script_byte(step, 1)};
	uint8_t sealed[SEAL_SIZE];
	struct slice key = slice_of(bytes, sizeof bytes);

	seal_write(key, slice_of(NULL, 0), sealed);
	table_sum_add(&world->views[bytes[0]].members, slice_of(sealed, sizeof sealed));
	give_value(world, TABLE_MEMBERS, key);
}

static void give_note(struct world *world, struct slice bytes)
{
	size_t size = bytes.size == 0 ? 0 : bytes.bytes[0];

	world->is_sound = false;
	if (size > 0 && size < bytes.size) {
		struct slice key = slice_of(bytes.bytes + 1, size);
		int r = store_content_note(
			&world->content, key, slice_of(key.bytes + size, bytes.size - 1 - size));
		fuzz_require(r == 0 || r == STORE_E_CORRUPT);
	}
}

/* What all tables add up to: the last thing that a transaction writes. */
static void tell_sums(struct world *world)
{
	const struct slice key = slice_of_text("sums");

	world->sums.transaction = world->content.transaction;
	world->sums.generations[0].number = LIVE;
	store_sums_encode(&world->sums, &world->value);
	seal(world, key);
	fuzz_require(store_content_note(&world->content, key, buffer_slice(&world->value)) == 0);
	buffer_clear(&world->value);
}

static void give_view_row(struct world *world, const struct script_step *step)
{
	uint8_t key[] = {(uint8_t)(script_byte(step, 0) % VIEWS), script_byte(step, 2)};
	uint8_t count[COUNT_SIZE] = {script_byte(step, 1)}; /* little-endian */
	struct sums *sums = &world->views[key[0]];

	buffer_append(&world->value, count, sizeof count);
	sums->row_count++;
	sums->matched += count[0];
	sums->hash_sum += row_hash(
		seal_of(slice_of(key, sizeof key), buffer_slice(&world->value)), COUNT_SIZE);
	give_value(world, TABLE_ROWS, slice_of(key, sizeof key));
}

static void give_stream(struct world *world, const struct script_step *step)
{
	uint8_t key[STREAM_KEY_SIZE_MAX];
	struct counted counted = {0};
	struct stream_sums sums = {.accepted = 0};
	const struct stream_id id = {.edge = slice_of_text("uk"),
		.run = 1,
		.kind = script_byte(step, 0) % STREAM_KIND_COUNT};

	for (size_t i = 1; i < step->bytes.size; i++) {
		sums.accepted += counted_add(&counted, script_byte(step, i) + 1u) == 0;
	}
	sums.rejected = sums.accepted / 3;
	sums.accepted -= sums.rejected;
	world->ledger.tallies[id.kind].accepted += sums.accepted;
	world->ledger.tallies[id.kind].rejected += sums.rejected;
	stream_encode(&sums, &counted, &world->value);
	give_value(world, TABLE_STREAMS, slice_of(key, stream_key(&id, key)));
	counted_deinit(&counted);
}

static void give_sums(struct world *world)
{
	for (uint32_t id = 0; id < VIEWS; id++) {
		uint8_t key[SUMMARY_KEY_SIZE];
		const struct view_summary summary = {
			.name = slice_of_text("v"),
			.text = slice_of_text("kind = order"),
			.row_count = world->views[id].row_count,
			.matched = world->views[id].matched,
			.hash_sum = world->views[id].hash_sum,
			.member_count = world->views[id].members.count,
			.member_hash_sum = world->views[id].members.hash_sum,
		};
		view_summary_encode(&summary, &world->value);
		give_value(world, TABLE_SUMMARY, summary_key(id, key));
	}
	ledger_encode(&world->ledger, &world->value);
	give_value(world, TABLE_SUMMARY, SUMMARY_LEDGER);
}

static void act(struct world *world, const struct script_step *step)
{
	switch ((int)step->act) {
	case TABLE:
		world->is_sound = false;
		fuzz_require(store_content_table(&world->content, step->bytes) == 0);
		break;
	case ROW:
	case SEALED_ROW:
		give_bytes(world, step->bytes, step->act == SEALED_ROW);
		break;
	case NUMBERED_TABLE: /* a store has three generations at most */
		world->is_sound = false;
		give_table(world, (enum store_table)(script_byte(step, 0) % TABLE_COUNT),
			1u + script_byte(step, 1));
		break;
	case ROOT:
		give_root(world, script_byte(step, 0), script_byte(step, 1));
		break;
	case VIEW_ROW:
		give_view_row(world, step);
		break;
	case STREAM:
		give_stream(world, step);
		break;
	case SUMS:
		give_sums(world);
		break;
	case NOTE:
		give_note(world, step->bytes);
		break;
	case MEMBER:
		give_member(world, step);
		break;
	default:
		break;
	}
}

/* Whatever came, when the sums are told at last nothing is missing. */
static void end(struct world *world)
{
	uint64_t damaged = 0;
	int r = store_content_end(&world->content, &damaged);

	fuzz_require(r == 0 || r == STORE_E_CORRUPT || r == STORE_E_FOREIGN || r == STORE_E_ABSENT);
	if (world->is_sound) {
		give_root(world, LIVE, 0);
		give_sums(world);
		tell_sums(world);
		fuzz_require(store_content_end(&world->content, &damaged) == 0 && damaged == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct slice copy = fuzz_copy(data, size);
	struct slice script = copy;
	struct script_step step;

	memset(&world, 0, sizeof world);
	world.is_sound = true;
	buffer_init(&world.value, VALUE_SIZE_MAX);
	while (script_next(&script, &step)) {
		act(&world, &step);
	}
	end(&world);
	buffer_deinit(&world.value);
	ledger_deinit(&world.ledger);
	fuzz_free(copy);
	return 0;
}
