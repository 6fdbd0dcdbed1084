/* Any bytes as the lines of a file: cut in windows of any size they give the same items as at once, every byte is dealt with
 * once, and nothing is shown beyond them. The first byte chooses the format, the second the window's size. */
#include "edge/line_batch.h"
#include "proto/checksum.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_lines, .prefix_size = 2};

enum { EVENTS_MAX = 7 };

struct tale {
	uint64_t items, good, lines;
	uint32_t checksum;
};

static void tell(struct tale *tale, struct line_batch *batch)
{
	const struct submission_item *items = line_batch_items(batch);

	for (uint32_t i = 0; i < line_batch_count(batch); i++) {
		bool good = items[i].event.size > 0;
		fuzz_require(good || items[i].complaint->reason != REASON_NONE);
		tale->items++;
		tale->good += good;
		tale->lines += line_batch_line(batch, i);
		tale->checksum =
			checksum_crc32c(tale->checksum, items[i].raw.bytes, items[i].raw.size);
		tale->checksum =
			checksum_crc32c(tale->checksum, items[i].event.bytes, items[i].event.size);
	}
}

/* The window begins at the position, as a file is read; it grows where no line ends within it. */
static struct tale read_all(
	struct line_batch *batch, struct slice bytes, struct line_cut from, size_t window_size)
{
	struct tale tale = {0};
	struct line_cut cut;
	size_t size = window_size;
	size_t at = from.size;
	uint64_t line = from.lines;

	while (at < bytes.size) {
		bool last = bytes.size - at <= size;
		struct slice window = slice_of(bytes.bytes + at, last ? bytes.size - at : size);
		line_batch_begin(batch);
		fuzz_require(line_batch_cut(batch, window, last, line, &cut) == 0);
		fuzz_require(cut.size <= window.size);
		tell(&tale, batch);
		if (cut.stop == LINE_STOP_BROKEN || cut.stop == LINE_STOP_TOO_LONG) {
			break;
		}
		fuzz_require(cut.size > 0 || !last);
		size = cut.size > 0 ? window_size : size * 2;
		at += cut.size;
		line += cut.lines;
	}
	return tale;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const map[] = {"order_id=b,product_id=a", NULL};
	static const char *const set[] = {"channel=web", "shelf=", NULL};
	struct line_rules rules = {.delimiter = ',', .events_max = EVENTS_MAX};
	struct line_batch *batch = NULL;
	struct line_cut names = {.size = 0};
	struct pairs_error error;

	if (size < 3) {
		return 0;
	}
	rules.format = (enum line_format)(data[0] % 3);
	rules.map = data[0] & 0x80 ? map : NULL;
	rules.set = data[0] & 0x40 ? set : NULL;
	rules.kind = data[0] & 0x10 ? "cart" : NULL;
	struct slice bytes = fuzz_copy(data + 2, size - 2);
	fuzz_require(line_batch_new(&rules, &batch, &error) == 0);
	bool bound = rules.format != LINE_CSV ||
		     line_batch_bind(batch, bytes, true, &names, &error) == 0;
	if (bound) {
		struct tale whole = read_all(batch, bytes, names, bytes.size);
		struct tale parts = read_all(batch, bytes, names, data[1] % 64 + 1u);
		fuzz_require(whole.items == parts.items && whole.good == parts.good);
		fuzz_require(whole.lines == parts.lines && whole.checksum == parts.checksum);
	}
	line_batch_free(batch);
	fuzz_free(bytes);
	return 0;
}
