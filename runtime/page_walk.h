/* page_walk.h - reads a file of LMDB 0.9 page by page, without LMDB, which trusts its files: a flipped bit in a page that holds a
 * tree together is a wild pointer to it, a row that nobody finds, or a page that is given away while it is in use.
 *
 * What a snapshot must be, and what is looked at to the last bit of each header: two meta pages of consecutive transactions;
 * trees whose pages bear their own number, are of the kind and at the depth that they should be, whose nodes fill them exactly
 * and whose keys rise and lie between those of the branches above; as many pages and rows as the tree's record says; a list of
 * free pages that names none that is in use. No page is met twice, so the walk ends whatever is in the file.
 * The bytes of values are the visitor's to judge. Pure but for the memory that it gets. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page_bytes {
	const uint8_t *bytes;
	size_t size;
};

/* Each returns 0, or what page_walk shall return. */
struct page_visitor {
	void *owner;
	int (*table)(void *owner, struct page_bytes name); /* its rows follow */
	int (*row)(void *owner, struct page_bytes key, struct page_bytes value);
	/* A row that stands among the names of tables; NULL: there must be none. */
	int (*note)(void *owner, struct page_bytes key, struct page_bytes value);
};

enum {
	PAGE_WALK_E_FOREIGN = 1, /* no file of LMDB that this machine can read */
	PAGE_WALK_E_DAMAGED,
};

#define PAGE_WALK_NEWEST UINT64_MAX

struct page_walk_file {
	const uint8_t *bytes;
	uint64_t size;
	/* A reader's transaction, whose pages LMDB leaves alone while others write; then one of the meta pages may be changing.
	 * PAGE_WALK_NEWEST: nobody writes. */
	uint64_t transaction;
};

/* Two pages of the largest size that LMDB makes. */
enum { PAGE_WALK_HEAD_SIZE = 2 * 32768 };
struct page_walk_newest {
	uint64_t transaction;
	uint64_t size; /* that it takes up, from the file's beginning */
};
/* What a file that nobody writes to says of itself in its first PAGE_WALK_HEAD_SIZE bytes, or all where it is smaller. false: nothing
 * that could be true. */
bool page_walk_newest(const uint8_t *head, size_t size, struct page_walk_newest *ret_newest);

/* Tables and notes in the order of their names, rows in the order of their keys. 0, PAGE_WALK_E_*, -ENOMEM, or what the visitor said.
 * *ret_why: on PAGE_WALK_E_*, a literal. */
int page_walk(const struct page_walk_file *file, const struct page_visitor *visitor,
	const char **ret_why);
