#include "tests/fuzz/pieces.h"

enum {
	PIECES_MAX = 512, /* what is behind them is one piece more */
	ROOM = 1 << 20, /* more than libFuzzer makes inputs */
	GROWTH_MAX = 4096, /* of one piece at a time */
};

struct row {
	struct slice pieces[PIECES_MAX + 1];
	uint32_t count;
};

/* Half of all changes are within a piece. */
enum action { LEAVE_OUT, DOUBLE, SWAP, MOVE, PUT_IN, CUT_OFF, CHANGE, ACTION_COUNT = 2 * CHANGE };

static void cut(const struct piece_kind *kind, struct slice rest, struct row *row)
{
	row->count = 0;
	while (rest.size > 0) {
		size_t size = row->count < PIECES_MAX ? kind->cut(rest) : rest.size;
		row->pieces[row->count++] = slice_of(rest.bytes, size);
		rest = slice_of(rest.bytes + size, rest.size - size);
	}
}

static void remove_piece(struct row *row, uint32_t at)
{
	row->count--;
	memmove(&row->pieces[at], &row->pieces[at + 1], (row->count - at) * sizeof row->pieces[0]);
}

static bool insert_piece(struct row *row, uint32_t at, struct slice piece)
{
	if (row->count > PIECES_MAX) {
		return false;
	}
	memmove(&row->pieces[at + 1], &row->pieces[at], (row->count - at) * sizeof row->pieces[0]);
	row->pieces[at] = piece;
	row->count++;
	return true;
}

/* The piece, changed, on a page of its own. */
static bool change_piece(
	const struct piece_kind *kind, struct chance *chance, struct slice *piece, size_t growth)
{
	static uint8_t page[ROOM + GROWTH_MAX];

	if (piece->size > ROOM) {
		return false;
	}
	memcpy(page, piece->bytes, piece->size);
	size_t size = kind->change(chance, page, piece->size, piece->size + growth);
	*piece = slice_of(page, size);
	return size > 0;
}

static bool put_in(const struct piece_kind *kind, struct chance *chance, struct row *row)
{
	static uint8_t page[GROWTH_MAX];

	size_t size = kind->make(chance, page, sizeof page);
	return size > 0 &&
	       insert_piece(row, chance_draw(chance, row->count + 1), slice_of(page, size));
}

static bool act(
	const struct piece_kind *kind, struct chance *chance, struct row *row, size_t growth)
{
	uint32_t at = chance_draw(chance, row->count), other = chance_draw(chance, row->count);
	uint32_t action = chance_draw(chance, ACTION_COUNT);
	struct slice piece = row->pieces[at];

	switch (action) {
	case LEAVE_OUT:
		remove_piece(row, at);
		return row->count > 0;
	case DOUBLE:
		return insert_piece(row, other, piece);
	case SWAP:
		row->pieces[at] = row->pieces[other];
		row->pieces[other] = piece;
		return at != other;
	case MOVE:
		remove_piece(row, at);
		return insert_piece(row, chance_draw(chance, row->count + 1), piece);
	case PUT_IN:
		return put_in(kind, chance, row);
	case CUT_OFF:
		row->count = at;
		return at > 0;
	default:
		return change_piece(kind, chance, &row->pieces[at], growth);
	}
}

static size_t join(const struct row *row, uint8_t *data, size_t size_max)
{
	static uint8_t page[ROOM];
	size_t size = 0;

	for (uint32_t i = 0; i < row->count; i++) {
		struct slice piece = row->pieces[i];
		if (piece.size > sizeof page - size || size + piece.size > size_max) {
			return 0;
		}
		memcpy(page + size, piece.bytes, piece.size);
		size += piece.size;
	}
	memcpy(data, page, size);
	return size;
}

size_t pieces_mutate(const struct piece_kind *kind, struct chance *chance, uint8_t *data,
	size_t size, size_t size_max)
{
	static struct row row;
	size_t growth = size_max - size < GROWTH_MAX ? size_max - size : GROWTH_MAX;

	cut(kind, slice_of(data, size), &row);
	return row.count > 0 && act(kind, chance, &row, growth) ? join(&row, data, size_max) : 0;
}
