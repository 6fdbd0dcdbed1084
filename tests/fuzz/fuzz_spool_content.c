/* Any tables and rows as those of a spool (script.h): refused or taken, and what is sound stays so. The first byte: bit 0, only
 * read. Acts: 0 a table by its bytes; 1 a row: u8 size of the key, key, value; 2 a table by its number; 3 a producer's row, as edges
 * write it: u8 size of the name, name, reply; 4 an event id of the window in both tables: u64 place, id; 5 the identity;
 * 6 the sums of the rows so far. */
#include "edge/event_id_row.h"
#include "edge/producers.h"
#include "edge/spool_block.h"
#include "edge/spool_content.h"
#include "edge/spool_identity.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/script.h"

const struct structure fuzz_structure = {.mutate = mutate_rows, .prefix_size = 1};

enum act { TABLE, ROW, NUMBERED_TABLE, PRODUCER, EVENT_ID, IDENTITY, SUMS };

enum { ROW_SIZE_MAX = 1 << 17, ORDER_SIZE = 8 };

static const char *const tables[SPOOL_TABLE_COUNT] = {
	"blocks", "corrupt", "producers", "event_ids", "marks", "meta", "event_id_order"};

struct world {
	struct spool_content content;
	bool is_sound; /* all rows so far are as an edge writes them */
};

static void give_table(struct world *world, enum spool_table table)
{
	struct spool_content *content = &world->content;

	fuzz_require(spool_content_table(content, slice_of_text(tables[table])) == 0);
	fuzz_require(content->has[table] && content->table == (int)table);
}

static void give_row(struct world *world, struct slice key, struct slice value)
{
	int r = spool_content_row(&world->content, key, value);

	fuzz_require(r >= 0 && r <= SPOOL_CONTENT_E_DAMAGED);
	fuzz_require(r == 0 || !world->is_sound);
}

/* u8 size of the first part, the first part, the second. */
static struct slice cut_part(struct slice bytes, struct slice *ret_rest)
{
	size_t size = bytes.size == 0 ? 0 : bytes.bytes[0];
	size_t left = bytes.size == 0 ? 0 : bytes.size - 1;

	size = size < left ? size : left;
	*ret_rest = slice_of(left == 0 ? NULL : bytes.bytes + 1 + size, left - size);
	return slice_of(left == 0 ? NULL : bytes.bytes + 1, size);
}

static void give_producer(struct world *world, struct slice bytes)
{
	struct producer_row row = {.n = 7, .used_ms = 8};
	struct slice name = cut_part(bytes, &row.reply);
	struct buffer buffer;

	buffer_init(&buffer, ROW_SIZE_MAX);
	producer_row_encode(name, &row, &buffer);
	give_table(world, SPOOL_TABLE_PRODUCERS);
	give_row(world, name, buffer_slice(&buffer));
	buffer_deinit(&buffer);
}

static void give_event_id(struct world *world, struct slice bytes)
{
	uint8_t row[ORDER_SIZE] = {0};

	if (bytes.size < ORDER_SIZE) {
		return;
	}
	struct slice id = slice_of(bytes.bytes + ORDER_SIZE, bytes.size - ORDER_SIZE);
	uint64_t order =
		spool_get_u64(bytes.bytes) | 1; /* 0 is for good, and stands in one table only */
	event_id_row_encode(id, order, slice_of(NULL, 0), row);
	give_table(world, SPOOL_TABLE_EVENT_IDS);
	give_row(world, id, slice_of(row, sizeof row));
	give_table(world, SPOOL_TABLE_EVENT_ID_ORDER);
	give_row(world, slice_of(row, sizeof row), id);
}

static void give_identity(struct world *world)
{
	const struct spool_identity identity = {.version = SPOOL_VERSION, .edge = "uk"};
	struct buffer buffer;

	buffer_init(&buffer, ROW_SIZE_MAX);
	spool_identity_encode(&identity, &buffer);
	give_table(world, SPOOL_TABLE_META);
	give_row(world, slice_of_text("identity"), buffer_slice(&buffer));
	buffer_deinit(&buffer);
}

static void give_sums(struct world *world)
{
	struct spool_sums sums = {.transaction = world->content.transaction};
	uint8_t bytes[SPOOL_SUMS_SIZE];

	memcpy(sums.tables, world->content.found, sizeof sums.tables);
	spool_sums_encode(&sums, bytes);
	fuzz_require(spool_content_note(&world->content, slice_of_text("sums"),
			     slice_of(bytes, sizeof bytes)) == 0);
	fuzz_require(spool_content_lost(&world->content) == 0);
}

static void act(struct world *world, const struct script_step *step)
{
	struct slice value, key;

	switch ((int)step->act) {
	case TABLE:
		fuzz_require(spool_content_table(&world->content, step->bytes) == 0);
		break;
	case ROW:
		world->is_sound = false;
		key = cut_part(step->bytes, &value);
		give_row(world, key, value);
		break;
	case NUMBERED_TABLE:
		give_table(world, (enum spool_table)(script_byte(step, 0) % SPOOL_TABLE_COUNT));
		break;
	case PRODUCER:
		give_producer(world, step->bytes);
		break;
	case EVENT_ID:
		give_event_id(world, step->bytes);
		break;
	case IDENTITY:
		give_identity(world);
		break;
	case SUMS:
		give_sums(world);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice copy = fuzz_copy(data, size);
	struct slice script = size == 0 ? copy : slice_of(copy.bytes + 1, size - 1);
	struct world world = {.content = {.table = -1}, .is_sound = true};
	struct script_step step;

	world.content.is_read_only = size > 0 && (copy.bytes[0] & 1) != 0;
	while (script_next(&script, &step)) {
		act(&world, &step);
	}
	int r = spool_content_end(&world.content);
	fuzz_require(r >= 0 && r <= SPOOL_CONTENT_E_LOST);
	if (world.is_sound) { /* whatever tables are missing: then every one is given, with an identity */
		give_identity(&world);
		give_sums(&world);
		for (int table = 0; table < SPOOL_TABLE_COUNT; table++) {
			give_table(&world, (enum spool_table)table);
		}
		fuzz_require(spool_content_end(&world.content) == 0);
	}
	fuzz_free(copy);
	return 0;
}
