/* Any bytes as what the aggregator keeps beside its rows: streams and their counted sets, positions, the ledger, the
 * quarantine, the views' sums, the tables', and their keys. Refused, or written again to what means the same. */
#include "aggregator/books/ledger.h"
#include "aggregator/books/position.h"
#include "aggregator/books/quarantine.h"
#include "aggregator/store/store_sums.h"
#include "aggregator/view/view_summary.h"
#include "tests/fuzz/fuzz.h"
#include <errno.h>

enum { STORED_SIZE_MAX = 1 << 20 };

static void check_intervals(const struct counted *counted)
{
	uint64_t size = 0, end = 0;

	fuzz_require(counted->count <= COUNTED_INTERVALS_MAX);
	for (uint32_t i = 0; i < counted->count; i++) {
		const struct counted_interval *interval = &counted->intervals[i];
		fuzz_require(interval->first > end && interval->last >= interval->first);
		fuzz_require(i == 0 || interval->first > end + 1);
		fuzz_require(counted_has(counted, interval->first));
		fuzz_require(!counted_has(counted, interval->first - 1));
		end = interval->last;
		size += interval->last - interval->first + 1;
	}
	fuzz_require(counted->size == size && counted_max(counted) == end);
}

/* A set that was read goes on counting: the seqs around its ends. */
static void grow(struct counted *counted)
{
	uint64_t first = counted->count > 0 ? counted->intervals[0].first : 2;
	uint64_t seqs[] = {1, first - 1, first, counted_max(counted), counted_max(counted) + 1};

	for (size_t i = 0; i < sizeof seqs / sizeof *seqs; i++) {
		if (seqs[i] == 0) {
			continue;
		}
		bool had = counted_has(counted, seqs[i]);
		int r = counted_add(counted, seqs[i]);
		fuzz_require(had ? r == COUNTED_E_REPEATED : r == 0 || r == COUNTED_E_FULL);
		fuzz_require(counted_has(counted, seqs[i]) == (r != COUNTED_E_FULL));
	}
	check_intervals(counted);
}

static void try_stream(struct slice bytes)
{
	struct counted counted = {0}, second = {0};
	struct stream_sums sums, again;
	struct buffer buffer;

	if (stream_decode(bytes, &sums, &counted) == 0) {
		check_intervals(&counted);
		buffer_init(&buffer, STORED_SIZE_MAX);
		stream_encode(&sums, &counted, &buffer);
		fuzz_require(buffer.error == 0);
		fuzz_require(stream_decode(buffer_slice(&buffer), &again, &second) == 0);
		fuzz_require(again.accepted == sums.accepted && second.size == counted.size);
		buffer_deinit(&buffer);
		grow(&counted);
	}
	counted_deinit(&counted);
	counted_deinit(&second);
}

static void try_position(struct slice bytes)
{
	struct position position, again;
	struct buffer buffer;
	int64_t offset = 0;

	if (!position_decode(bytes, &position)) {
		return;
	}
	fuzz_require(position.next >= 0 && position.anchor.offset < position.next);
	fuzz_require(position.anchor.offset >= -1);
	books_add_up(&position.books);
	if (position_judge(&position, 0, INT64_MAX, &offset) == POSITION_CHECK) {
		fuzz_require(offset == position.anchor.offset && offset >= 0);
	}
	buffer_init(&buffer, STORED_SIZE_MAX);
	position_encode(&position, &buffer);
	fuzz_require(buffer.error == 0 && position_decode(buffer_slice(&buffer), &again));
	fuzz_require(again.next == position.next);
	fuzz_require(anchor_equal(&again.anchor, &position.anchor));
	buffer_deinit(&buffer);
}

static void try_keys(struct slice bytes)
{
	struct stream_id id;
	struct slice topic;
	int32_t partition;
	uint8_t key[STREAM_KEY_SIZE_MAX];

	if (stream_key_parse(bytes, &id)) {
		fuzz_require(stream_kind_name(id.kind) != NULL);
		size_t size = stream_key(&id, key);
		fuzz_require(slice_equal(bytes, slice_of(key, size)));
	}
	if (position_key_parse(bytes, &topic, &partition)) {
		fuzz_require(topic.size >= 1 && topic.size + 5 == bytes.size);
		fuzz_require(bytes.size <= POSITION_KEY_SIZE_MAX);
	}
}

static void try_ledger(struct slice bytes)
{
	struct ledger ledger = {0}, again = {0};
	struct buffer first, second;

	int r = ledger_decode(bytes, &ledger);
	fuzz_require(r == 0 || r == -EBADMSG);
	if (r == 0) {
		buffer_init(&first, STORED_SIZE_MAX);
		buffer_init(&second, STORED_SIZE_MAX);
		ledger_encode(&ledger, &first);
		fuzz_require(ledger_decode(buffer_slice(&first), &again) == 0);
		ledger_encode(&again, &second);
		fuzz_require(slice_equal(buffer_slice(&first), buffer_slice(&second)));
		buffer_deinit(&first);
		buffer_deinit(&second);
	}
	ledger_deinit(&ledger);
	ledger_deinit(&again);
}

static void try_entries(struct slice bytes)
{
	struct quarantine_entry entry, entry_again;
	struct view_summary summary, summary_again;
	struct buffer buffer;

	buffer_init(&buffer, STORED_SIZE_MAX);
	if (quarantine_decode(bytes, &entry)) {
		quarantine_encode(&entry, &buffer);
		fuzz_require(quarantine_decode(buffer_slice(&buffer), &entry_again));
		fuzz_require(slice_equal(entry.reason, entry_again.reason));
	}
	buffer_clear(&buffer);
	if (view_summary_decode(bytes, &summary)) {
		view_summary_encode(&summary, &buffer);
		fuzz_require(view_summary_decode(buffer_slice(&buffer), &summary_again));
		fuzz_require(slice_equal(summary.text, summary_again.text));
	}
	fuzz_require(buffer.error == 0);
	buffer_deinit(&buffer);
}

static void try_sums(struct slice bytes)
{
	struct store_sums sums;
	struct buffer buffer;

	buffer_init(&buffer, STORED_SIZE_MAX);
	if (store_sums_decode(bytes, &sums)) {
		store_sums_encode(&sums, &buffer);
		fuzz_require(slice_equal(buffer_slice(&buffer), bytes));
	}
	buffer_deinit(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_copy(data, size);

	try_stream(bytes);
	try_position(bytes);
	try_keys(bytes);
	try_ledger(bytes);
	try_entries(bytes);
	try_sums(bytes);
	fuzz_free(bytes);
	return 0;
}
