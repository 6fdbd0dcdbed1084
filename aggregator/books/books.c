#include "aggregator/books/books.h"

const char *fate_name(enum fate fate)
{
	static const char *const names[FATE_COUNT] = {
		[FATE_COUNTED] = "counted",
		[FATE_REJECTED] = "rejected",
		[FATE_DUPLICATE] = "duplicates",
		[FATE_FOREIGN] = "foreign",
		[FATE_UNREADABLE] = "unreadable",
	};
	return names[fate];
}

void books_enter(struct books *books, enum fate fate)
{
	books->read++;
	books->fates[fate]++;
}

bool books_add_up(const struct books *books)
{
	uint64_t sum = 0;
	for (int fate = 0; fate < FATE_COUNT; fate++) {
		sum += books->fates[fate];
	}
	return sum == books->read;
}

void books_encode(const struct books *books, struct buffer *buffer)
{
	pack_varint(buffer, books->read);
	for (int fate = 0; fate < FATE_COUNT; fate++) {
		pack_varint(buffer, books->fates[fate]);
	}
}

void books_decode(struct unpack *unpack, struct books *ret_books)
{
	ret_books->read = unpack_varint(unpack);
	for (int fate = 0; fate < FATE_COUNT; fate++) {
		ret_books->fates[fate] = unpack_varint(unpack);
	}
}

void basket_books_add(struct basket_books *sum, const struct basket_books *books)
{
	sum->lines += books->lines;
	sum->late += books->late;
	sum->opened += books->opened;
	sum->closed += books->closed;
	sum->given += books->given;
}

void basket_books_encode(const struct basket_books *books, struct buffer *buffer)
{
	pack_varint(buffer, books->lines);
	pack_varint(buffer, books->late);
	pack_varint(buffer, books->opened);
	pack_varint(buffer, books->closed);
	pack_varint(buffer, books->given);
}

void basket_books_decode(struct unpack *unpack, struct basket_books *ret_books)
{
	ret_books->lines = unpack_varint(unpack);
	ret_books->late = unpack_varint(unpack);
	ret_books->opened = unpack_varint(unpack);
	ret_books->closed = unpack_varint(unpack);
	ret_books->given = unpack_varint(unpack);
}
