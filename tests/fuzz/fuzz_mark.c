/* Any bytes as what an edge keeps in its spool beside blocks: marks of files and of messages, rows of producers and event ids, and
 * their keys. Refused, or written again to what means the same. */
#include "edge/drop_state.h"
#include "edge/event_id_row.h"
#include "edge/mqtt_event.h"
#include "edge/mqtt_filters.h"
#include "edge/producers.h"
#include "edge/spool_block.h"
#include "edge/tail_position.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_value};

enum { MARK_SIZE_MAX = 64 * 1024, ROW_CRC_AT = 17, ROW_REPLY_AT = 21 };

static void try_tail_mark(struct slice bytes)
{
	char path[TAIL_PATH_SIZE_MAX], path_again[TAIL_PATH_SIZE_MAX];
	struct tail_mark mark, again;
	struct buffer buffer;

	if (!tail_mark_decode(bytes, &mark, path)) {
		return;
	}
	fuzz_require(mark.path == path && mark.position.head_size <= TAIL_HEAD_SIZE_MAX);
	buffer_init(&buffer, MARK_SIZE_MAX);
	tail_mark_encode(&mark, &buffer);
	fuzz_require(tail_mark_decode(buffer_slice(&buffer), &again, path_again));
	fuzz_require(strcmp(path, path_again) == 0 && again.size == mark.size);
	fuzz_require(again.position.offset == mark.position.offset);
	buffer_deinit(&buffer);
}

static void try_tail_key(struct slice bytes)
{
	uint8_t again[TAIL_KEY_SIZE];
	uint64_t device, inode, device_again, inode_again;

	if (tail_key_read(bytes, &device, &inode)) {
		tail_key("/var/log/till.ndjson", device, inode, again);
		fuzz_require(
			tail_key_read(slice_of(again, sizeof again), &device_again, &inode_again));
		fuzz_require(device == device_again && inode == inode_again);
	}
}

/* What was read is reported as JSON. */
static void report(const struct drop_state *state)
{
	static struct drop_error errors[DROP_ERRORS_MAX];
	const struct drop_report report = {state, errors, "uk", "files"};
	struct document document;
	struct complaint complaint;
	struct buffer buffer;

	buffer_init(&buffer, MARK_SIZE_MAX);
	drop_report_encode(&report, &buffer);
	fuzz_require(buffer.error == 0 && document_init(&document, MARK_SIZE_MAX) == 0);
	fuzz_require(document_decode(&document, ENCODING_JSON, buffer_slice(&buffer), NESTING_MAX,
			     &complaint) == 0);
	document_deinit(&document);
	buffer_deinit(&buffer);
}

static void try_drop_state(struct slice bytes)
{
	static struct drop_state state, again;
	struct buffer first, second;

	if (!drop_state_decode(bytes, &state)) {
		return;
	}
	fuzz_require(state.range_count <= DROP_RANGES_MAX && state.error_count <= DROP_ERRORS_MAX);
	buffer_init(&first, MARK_SIZE_MAX);
	buffer_init(&second, MARK_SIZE_MAX);
	drop_state_encode(&state, &first);
	fuzz_require(first.error == 0 && drop_state_decode(buffer_slice(&first), &again));
	drop_state_encode(&again, &second);
	fuzz_require(slice_equal(buffer_slice(&first), buffer_slice(&second)));
	report(&state);
	buffer_deinit(&first);
	buffer_deinit(&second);
}

static void try_drop_error(struct slice bytes)
{
	struct drop_error error, again;
	struct buffer buffer;

	if (!drop_error_decode(bytes, &error)) {
		return;
	}
	buffer_init(&buffer, MARK_SIZE_MAX);
	drop_error_encode(&error, &buffer);
	fuzz_require(buffer.error == 0 && drop_error_decode(buffer_slice(&buffer), &again));
	fuzz_require(again.line == error.line && again.complaint.reason == error.complaint.reason);
	fuzz_require(strcmp(again.complaint.message, error.complaint.message) == 0);
	buffer_deinit(&buffer);
}

static void try_producer_row(struct slice name, struct slice bytes)
{
	struct producer_row row;
	struct buffer buffer;

	if (!producer_row_decode(name, bytes, &row)) {
		return;
	}
	buffer_init(&buffer, bytes.size);
	producer_row_encode(name, &row, &buffer);
	fuzz_require(slice_equal(buffer_slice(&buffer), bytes));
	fuzz_require(producer_judge(&row, row.n) == PRODUCER_REPEATED);
	producer_row_is_expired(&row, INT64_MAX, 0);
	buffer_deinit(&buffer);
}

/* Past the checksum, too: of name and row, but for itself. */
static void try_producer(struct slice bytes)
{
	const struct slice name = slice_of_text("till-1");
	struct producer_row row;
	struct buffer buffer;

	try_producer_row(name, bytes);
	if (bytes.size < ROW_REPLY_AT) {
		return;
	}
	row.n = spool_get_u64(bytes.bytes + 1);
	row.used_ms = (int64_t)spool_get_u64(bytes.bytes + 9);
	row.reply = slice_of(bytes.bytes + ROW_REPLY_AT, bytes.size - ROW_REPLY_AT);
	buffer_init(&buffer, bytes.size);
	producer_row_encode(name, &row, &buffer);
	fuzz_require(buffer.error == 0);
	try_producer_row(name, buffer_slice(&buffer));
	buffer_deinit(&buffer);
}

static void try_event_id(struct slice bytes)
{
	const struct slice id = slice_of_text("id");
	uint8_t again[4096];

	if (!event_id_row_is_whole(id, bytes)) {
		return;
	}
	uint64_t order = event_id_row_order(bytes);
	struct slice kept = event_id_row_kept(bytes);
	size_t size = event_id_row_size(order, kept);
	if (size <= sizeof again) {
		event_id_row_encode(id, order, kept, again);
		fuzz_require(event_id_row_is_whole(id, slice_of(again, size)));
		fuzz_require(slice_equal(event_id_row_kept(slice_of(again, size)), kept));
	}
}

static void try_mqtt(struct slice bytes)
{
	const struct mqtt_owner owner = {.address = "a:1", .client_id = "c"};
	uint8_t again[MQTT_MARK_KEY_SIZE];
	struct slice filter, rest = bytes;
	uint16_t id = 0;
	uint64_t fingerprint = 0;

	if (mqtt_mark_read(&owner, bytes, bytes, &id, &fingerprint)) {
		size_t size = mqtt_mark_key(&owner, id, again);
		fuzz_require(slice_equal(slice_of(again, size), bytes));
	}
	while (mqtt_filters_next(&rest, &filter)) {
		fuzz_require(filter.size > 0 && mqtt_filters_have(bytes, filter));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_copy(data, size);

	try_tail_mark(bytes);
	try_tail_key(bytes);
	try_drop_state(bytes);
	try_drop_error(bytes);
	try_producer(bytes);
	try_event_id(bytes);
	try_mqtt(bytes);
	fuzz_free(bytes);
	return 0;
}
