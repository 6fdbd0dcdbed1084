/* Any bytes as CSV: the same records whether they come whole or in pieces, and never more bytes than came. The first
 * byte is the delimiter, the second the pieces' size. */
#include "proto/checksum.h"
#include "proto/csv.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

const struct structure fuzz_structure = {.mutate = mutate_csv, .prefix_size = 2};

/* What was read, so that two readings can be held against each other. */
struct tale {
	uint64_t records, broken, cells, bytes, lines;
	uint32_t checksum;
};

static void tell(struct tale *tale, enum csv_result result, const struct csv_record *record)
{
	tale->lines += record->line;
	if (result == CSV_BROKEN) {
		fuzz_require(record->why != NULL);
		tale->broken++;
		return;
	}
	fuzz_require(record->count >= 1 && record->count <= CSV_CELLS_MAX);
	tale->records++;
	tale->cells += record->count;
	for (uint32_t i = 0; i < record->count; i++) {
		struct slice cell = record->cells[i];
		tale->bytes += cell.size;
		tale->checksum = checksum_crc32c(tale->checksum, cell.bytes, cell.size);
	}
}

/* One piece to its end. */
static void read_piece(struct csv *csv, struct slice piece, bool last, struct tale *tale)
{
	struct csv_record record;
	enum csv_result result;

	while ((result = csv_read(csv, &piece, last, &record)) != CSV_MORE) {
		tell(tale, result, &record);
	}
	fuzz_require(piece.size == 0);
}

static struct tale read_in_pieces(char delimiter, struct slice bytes, size_t piece_size)
{
	struct tale tale = {0};
	struct csv *csv = NULL;

	fuzz_require(csv_new(delimiter, &csv) == 0);
	while (bytes.size > piece_size) {
		read_piece(csv, slice_of(bytes.bytes, piece_size), false, &tale);
		bytes = slice_of(bytes.bytes + piece_size, bytes.size - piece_size);
	}
	read_piece(csv, bytes, true, &tale);
	csv_free(csv);
	return tale;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char delimiters[4] = {',', ';', '\t', '|'};

	if (size < 2) {
		return 0;
	}
	char delimiter = delimiters[data[0] % 4];
	struct slice bytes = fuzz_copy(data + 2, size - 2);
	struct tale whole = read_in_pieces(delimiter, bytes, bytes.size);
	struct tale pieces = read_in_pieces(delimiter, bytes, data[1] % 16 + 1u);
	fuzz_require(whole.records == pieces.records && whole.broken == pieces.broken);
	fuzz_require(whole.cells == pieces.cells && whole.bytes == pieces.bytes);
	fuzz_require(whole.lines == pieces.lines && whole.checksum == pieces.checksum);
	fuzz_require(whole.bytes <= bytes.size);
	fuzz_free(bytes);
	return 0;
}
