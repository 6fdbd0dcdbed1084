#include "runtime/page_walk.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* LMDB writes numbers as its machine has them; page numbers and sizes are 64 bits on those that till runs on. */
_Static_assert(sizeof(size_t) == sizeof(uint64_t), "LMDB's files of 32-bit machines are others");

enum {
	/* A page: u64 number, u16 unused, u16 kind, then u16 end of the nodes' places and u16 start of the nodes, or u32 pages of a
	 * large value. From 16 on places of nodes as u16 in the order of keys; nodes fill the page from its end. */
	PAGE_HEADER_SIZE = 16,
	AT_UNUSED = 8,
	AT_KIND = 10,
	AT_LOWER = 12,
	AT_UPPER = 14,
	AT_PAGES = 12,
	KIND_BRANCH = 1,
	KIND_LEAF = 2,
	KIND_LARGE = 4,
	KIND_META = 8,
	/* A node: u16 and u16 size of the value, or with the u16 of flags the number of the page below; u16 size of the key; key;
	 * value, or the number of the page that holds it. Nodes begin at even places. */
	NODE_HEADER_SIZE = 8,
	AT_FLAGS = 4,
	AT_KEY_SIZE = 6,
	FLAG_LARGE = 1,
	FLAG_TREE = 2,
	KEY_SIZE_MAX = 511,
	/* A tree's record: u32 unused (of the free list: the page size), u16 flags, u16 depth, u64 branches, leaves, pages of large
	 * values, rows, root. */
	TREE_SIZE = 48,
	DEPTH_MAX = 31,
	/* A meta page: u32 magic, u32 version, u64 address, u64 map size, two trees, u64 last page, u64 transaction. */
	AT_MAGIC = 16,
	AT_VERSION = 20,
	AT_ADDRESS = 24,
	AT_FREE_LIST = 40,
	AT_MAIN = 88,
	AT_LAST_PAGE = 136,
	AT_TRANSACTION = 144,
	META_SIZE = 152,
	META_PAGES = 2,
	VERSION = 1,
	INTEGER_KEYS = 8,
	MADE_AS_ONE_FILE = 0x4000, /* a flag of the opening that LMDB keeps, and never looks at */
	PAGE_SIZE_MIN = 256,
	PAGE_SIZE_MAX = PAGE_WALK_HEAD_SIZE / META_PAGES,
	PAGE_BITS = PAGE_SIZE_MAX / 2 / 64,
	/* A transaction that got pages at the end of the file and gave them back may never have written them: a million at most. */
	UNWRITTEN_PAGES_MAX = 1 << 20,
};

#define MAGIC UINT32_C(0xbeefc0de)
#define NO_PAGE UINT64_MAX

struct tree {
	uint32_t unused;
	uint16_t flags, depth;
	uint64_t branches, leaves, large_pages, rows;
	uint64_t root;
};

struct meta {
	struct tree free_list, main;
	uint64_t last_page, transaction;
};

struct walk {
	const struct page_walk_file *file;
	const struct page_visitor *visitor;
	size_t page_size;
	struct meta meta;
	uint64_t *used; /* owned: a bit for each page */
	const char *why;
};

/* One tree of it. */
struct tree_walk {
	struct walk *walk;
	const struct tree *tree;
	uint64_t branches, leaves, large_pages, rows; /* met */
	int (*compare)(struct page_bytes a, struct page_bytes b);
	int (*row)(struct walk *walk, const struct page_bytes row[2], uint16_t flags);
};

/* Where a page hangs: keys from `low` on, below `high`; no bytes: no bound. */
struct place {
	uint64_t page;
	uint16_t level; /* 1: the root */
	struct page_bytes low, high;
};

static int damaged(struct walk *walk, const char *why)
{
	walk->why = why;
	return PAGE_WALK_E_DAMAGED;
}

static uint16_t get_u16(const uint8_t *at)
{
	uint16_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

static uint32_t get_u32(const uint8_t *at)
{
	uint32_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

static uint64_t get_u64(const uint8_t *at)
{
	uint64_t value;
	memcpy(&value, at, sizeof value);
	return value;
}

static size_t even(size_t size)
{
	return (size + 1) & ~(size_t)1;
}

/* ---- pages */

/* The first of `count` pages that nothing else uses, in the file as a whole; NULL: not so. */
static const uint8_t *take_pages(struct walk *walk, uint64_t number, uint64_t count)
{
	if (number < META_PAGES || number > walk->meta.last_page ||
		count > walk->meta.last_page - number + 1 ||
		(number + count) * walk->page_size > walk->file->size) {
		walk->why = "a page lies outside of the file";
		return NULL;
	}
	for (uint64_t page = number; page < number + count; page++) {
		uint64_t bit = UINT64_C(1) << page % 64;
		if ((walk->used[page / 64] & bit) != 0) {
			walk->why = "a page is used twice";
			return NULL;
		}
		walk->used[page / 64] |= bit;
	}
	return walk->file->bytes + number * walk->page_size;
}

static bool bears(const uint8_t *page, uint64_t number, uint16_t kind)
{
	return get_u64(page) == number && get_u16(page + AT_UNUSED) == 0 &&
	       get_u16(page + AT_KIND) == kind;
}

/* ---- nodes */

struct node {
	struct page_bytes key;
	const uint8_t *rest; /* behind the key */
	uint32_t value_size;
	uint16_t flags;
	size_t size; /* on the page */
};

/* The page's node `index`, which ends on the page. */
static bool read_node(const struct walk *walk, const uint8_t *page, bool is_leaf, size_t index,
	struct node *ret_node)
{
	size_t at = get_u16(page + PAGE_HEADER_SIZE + 2 * index);
	if (at % 2 != 0 || at < get_u16(page + AT_UPPER) ||
		at + NODE_HEADER_SIZE > walk->page_size) {
		return false;
	}
	const uint8_t *bytes = page + at;
	struct node node = {.flags = get_u16(bytes + AT_FLAGS)};
	node.key = (struct page_bytes){bytes + NODE_HEADER_SIZE, get_u16(bytes + AT_KEY_SIZE)};
	node.rest = node.key.bytes + node.key.size;
	node.size = NODE_HEADER_SIZE + node.key.size;
	if (is_leaf) {
		node.value_size = get_u16(bytes) | (uint32_t)get_u16(bytes + 2) << 16;
		node.size += (node.flags & FLAG_LARGE) != 0 ? sizeof(uint64_t) : node.value_size;
	}
	node.size = even(node.size);
	*ret_node = node;
	return node.key.size <= KEY_SIZE_MAX && node.size <= walk->page_size - at;
}

static uint64_t child_of(const struct node *node)
{
	const uint8_t *bytes = node->key.bytes - NODE_HEADER_SIZE;
	return get_u16(bytes) | (uint64_t)get_u16(bytes + 2) << 16 | (uint64_t)node->flags << 32;
}

static size_t node_count(const uint8_t *page)
{
	return (size_t)(get_u16(page + AT_LOWER) - PAGE_HEADER_SIZE) / 2;
}

/* Nodes fill what lies behind the free part, and none lies upon another. */
static bool nodes_fill(const struct walk *walk, const uint8_t *page, bool is_leaf)
{
	size_t lower = get_u16(page + AT_LOWER), upper = get_u16(page + AT_UPPER), sum = 0;
	uint64_t taken[PAGE_BITS] = {0};

	if (lower <= PAGE_HEADER_SIZE || lower % 2 != 0 || lower > upper ||
		upper > walk->page_size) {
		return false;
	}
	for (size_t i = 0; i < node_count(page); i++) {
		struct node node;
		if (!read_node(walk, page, is_leaf, i, &node)) {
			return false;
		}
		size_t at = get_u16(page + PAGE_HEADER_SIZE + 2 * i) / 2;
		for (size_t slot = at; slot < at + node.size / 2; slot++) {
			uint64_t bit = UINT64_C(1) << slot % 64;
			if ((taken[slot / 64] & bit) != 0) {
				return false;
			}
			taken[slot / 64] |= bit;
		}
		sum += node.size;
	}
	return sum == walk->page_size - upper;
}

/* ---- trees */

static int compare_bytes(struct page_bytes a, struct page_bytes b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = common == 0 ? 0 : memcmp(a.bytes, b.bytes, common);
	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* LMDB's list of free pages is sorted by numbers; other sizes are refused before. */
static int compare_numbers(struct page_bytes a, struct page_bytes b)
{
	uint64_t left = get_u64(a.bytes), right = get_u64(b.bytes);
	return (left > right) - (left < right);
}

static bool key_is_sane(const struct tree_walk *tree, struct page_bytes key)
{
	return tree->compare == compare_numbers ? key.size == sizeof(uint64_t) : key.size > 0;
}

static bool is_in_order(
	const struct tree_walk *tree, struct page_bytes low, struct page_bytes key, bool may_be_low)
{
	if (low.bytes == NULL || key.bytes == NULL) {
		return true;
	}
	int order = tree->compare(low, key);
	return order < 0 || (order == 0 && may_be_low);
}

/* A value of pages of its own: as many as it needs, or more if it was larger before. */
static int read_large(struct tree_walk *tree, const struct node *node, struct page_bytes *ret_value)
{
	struct walk *walk = tree->walk;
	uint64_t number = get_u64(node->rest);
	uint64_t needed = (PAGE_HEADER_SIZE - 1 + (uint64_t)node->value_size) / walk->page_size + 1;
	if (number > walk->meta.last_page || (number + 1) * walk->page_size > walk->file->size) {
		return damaged(walk, "a large value lies outside of the file");
	}
	const uint8_t *page = walk->file->bytes + number * walk->page_size;
	uint32_t count = get_u32(page + AT_PAGES);
	if (!bears(page, number, KIND_LARGE) || count < needed) {
		return damaged(walk, "a large value is not where it should be");
	}
	page = take_pages(walk, number, count);
	if (page == NULL) {
		return PAGE_WALK_E_DAMAGED;
	}
	tree->large_pages += count;
	*ret_value = (struct page_bytes){page + PAGE_HEADER_SIZE, node->value_size};
	return 0;
}

static int take_row(struct tree_walk *tree, const struct node *node)
{
	struct page_bytes row[2] = {node->key, {node->rest, node->value_size}};
	int r = 0;

	if ((node->flags & ~(FLAG_LARGE | FLAG_TREE)) != 0) {
		return damaged(tree->walk, "a row is of an unknown kind");
	}
	if ((node->flags & FLAG_LARGE) != 0) {
		r = read_large(tree, node, &row[1]);
	}
	tree->rows++;
	return r == 0 ? tree->row(tree->walk, row, node->flags & FLAG_TREE) : r;
}

static int take_leaf(struct tree_walk *tree, const uint8_t *page, const struct place *place)
{
	struct page_bytes before = place->low;
	int r = 0;

	tree->leaves++;
	for (size_t i = 0; i < node_count(page) && r == 0; i++) {
		struct node node;
		(void)read_node(tree->walk, page, true, i, &node);
		if (!key_is_sane(tree, node.key) || !is_in_order(tree, before, node.key, i == 0) ||
			!is_in_order(tree, node.key, place->high, false)) {
			return damaged(tree->walk, "a key is out of order");
		}
		before = node.key;
		r = take_row(tree, &node);
	}
	return r;
}

static int take_page(struct tree_walk *tree, const struct place *place);

/* The first key of a branch says nothing: what is below the second is in its page. */
static int take_branch(struct tree_walk *tree, const uint8_t *page, const struct place *place)
{
	size_t count = node_count(page);
	int r = 0;

	tree->branches++;
	for (size_t i = 0; i < count && r == 0; i++) {
		struct place below = {.level = (uint16_t)(place->level + 1),
			.low = place->low,
			.high = place->high};
		struct node node, next;
		(void)read_node(tree->walk, page, false, i, &node);
		below.page = child_of(&node);
		if (i > 0) {
			below.low = node.key;
		}
		if (i + 1 < count) {
			(void)read_node(tree->walk, page, false, i + 1, &next);
			below.high = next.key;
			if (!key_is_sane(tree, next.key)) {
				return damaged(tree->walk, "a branch is without a key");
			}
		}
		if (!is_in_order(tree, below.low, below.high, false)) {
			return damaged(tree->walk, "branches are out of order");
		}
		r = take_page(tree, &below);
	}
	return r;
}

/* Recurses as deep as the tree says it is, which is not deep. */
static int take_page(struct tree_walk *tree, const struct place *place)
{
	struct walk *walk = tree->walk;
	bool is_leaf = place->level == tree->tree->depth;
	const uint8_t *page = take_pages(walk, place->page, 1);

	if (page == NULL) {
		return PAGE_WALK_E_DAMAGED;
	}
	if (!bears(page, place->page, is_leaf ? KIND_LEAF : KIND_BRANCH)) {
		return damaged(walk, "a page is not the one that should be there");
	}
	if (!nodes_fill(walk, page, is_leaf)) {
		return damaged(walk, "a page's nodes don't fill it");
	}
	return is_leaf ? take_leaf(tree, page, place) : take_branch(tree, page, place);
}

static int take_tree(struct tree_walk *tree)
{
	const struct tree *record = tree->tree;
	struct place root = {.page = record->root, .level = 1};
	bool is_empty = record->root == NO_PAGE;

	if (is_empty != (record->depth == 0) || record->depth > DEPTH_MAX) {
		return damaged(tree->walk, "a tree's record is nonsense");
	}
	int r = is_empty ? 0 : take_page(tree, &root);
	if (r != 0) {
		return r;
	}
	if (tree->branches != record->branches || tree->leaves != record->leaves ||
		tree->large_pages != record->large_pages || tree->rows != record->rows) {
		return damaged(tree->walk, "a tree does not hold what its record says");
	}
	return 0;
}

static struct tree read_tree(const uint8_t *at)
{
	return (struct tree){
		.unused = get_u32(at),
		.flags = get_u16(at + 4),
		.depth = get_u16(at + 6),
		.branches = get_u64(at + 8),
		.leaves = get_u64(at + 16),
		.large_pages = get_u64(at + 24),
		.rows = get_u64(at + 32),
		.root = get_u64(at + 40),
	};
}

/* ---- what the trees hold */

/* How many, then page numbers, falling; it may have room for more. */
static int take_free_pages(struct walk *walk, const struct page_bytes row[2], uint16_t flags)
{
	uint64_t room = row[1].size / sizeof(uint64_t);
	uint64_t count = room == 0 ? 0 : get_u64(row[1].bytes);
	uint64_t last = NO_PAGE;

	if (flags != 0 || room == 0 || count > room - 1 ||
		get_u64(row[0].bytes) > walk->meta.transaction) {
		return damaged(walk, "the list of free pages is nonsense");
	}
	for (uint64_t i = 1; i <= count; i++) {
		uint64_t page = get_u64(row[1].bytes + i * sizeof page);
		if (page < META_PAGES || page > walk->meta.last_page || page >= last) {
			return damaged(walk, "the list of free pages is nonsense");
		}
		uint64_t bit = UINT64_C(1) << page % 64;
		if ((walk->used[page / 64] & bit) != 0) {
			return damaged(walk, "a page is free and in use");
		}
		walk->used[page / 64] |= bit;
		last = page;
	}
	return 0;
}

static int visit_row(struct walk *walk, const struct page_bytes row[2], uint16_t flags)
{
	return flags != 0 ? damaged(walk, "a row is of an unknown kind")
			  : walk->visitor->row(walk->visitor->owner, row[0], row[1]);
}

/* A row of the tree of trees. */
static int visit_table(struct walk *walk, const struct page_bytes row[2], uint16_t flags)
{
	if (flags == 0 && walk->visitor->note != NULL) {
		return walk->visitor->note(walk->visitor->owner, row[0], row[1]);
	}
	if (flags != FLAG_TREE || row[1].size != TREE_SIZE) {
		return damaged(walk, "a row is where tables are named");
	}
	const struct tree record = read_tree(row[1].bytes);
	struct tree_walk tree = {
		.walk = walk, .tree = &record, .compare = compare_bytes, .row = visit_row};
	if (record.unused != 0 || record.flags != 0) {
		return damaged(walk, "a table is of an unknown kind");
	}
	int r = walk->visitor->table(walk->visitor->owner, row[0]);
	return r == 0 ? take_tree(&tree) : r;
}

/* ---- the meta pages */

static bool is_meta(const struct walk *walk, uint64_t number)
{
	const uint8_t *page = walk->file->bytes + number * walk->page_size;
	return bears(page, number, KIND_META) && get_u32(page + AT_MAGIC) == MAGIC &&
	       get_u32(page + AT_VERSION) == VERSION && get_u64(page + AT_ADDRESS) == 0 &&
	       get_u32(page + AT_FREE_LIST) == walk->page_size;
}

static struct meta read_meta(const struct walk *walk, uint64_t number)
{
	const uint8_t *page = walk->file->bytes + number * walk->page_size;
	return (struct meta){
		.free_list = read_tree(page + AT_FREE_LIST),
		.main = read_tree(page + AT_MAIN),
		.last_page = get_u64(page + AT_LAST_PAGE),
		.transaction = get_u64(page + AT_TRANSACTION),
	};
}

static int find_page_size(struct walk *walk)
{
	if (walk->file->size < META_SIZE || get_u32(walk->file->bytes + AT_MAGIC) != MAGIC) {
		walk->why = "it is no file of LMDB";
		return PAGE_WALK_E_FOREIGN;
	}
	walk->page_size = get_u32(walk->file->bytes + AT_FREE_LIST);
	bool is_one = walk->page_size >= PAGE_SIZE_MIN && walk->page_size <= PAGE_SIZE_MAX &&
		      (walk->page_size & (walk->page_size - 1)) == 0;
	if (!is_one || walk->file->size / walk->page_size < META_PAGES || !is_meta(walk, 0) ||
		!is_meta(walk, 1)) {
		walk->why = "its first pages are not those of an LMDB file of this machine";
		return PAGE_WALK_E_FOREIGN;
	}
	return 0;
}

/* Page 0 is written by even transactions, page 1 by odd ones: the older page is of the one before, or of none. So a flipped bit
 * can't pass an older state for the newest. */
static int choose_meta(struct walk *walk)
{
	const struct meta metas[META_PAGES] = {read_meta(walk, 0), read_meta(walk, 1)};
	uint64_t even_one = metas[0].transaction, odd_one = metas[1].transaction;
	uint64_t wanted = walk->file->transaction;

	if (wanted != PAGE_WALK_NEWEST) {
		walk->meta = metas[wanted % META_PAGES];
		return walk->meta.transaction == wanted
			       ? 0
			       : damaged(walk, "its first pages don't fit each other");
	}
	bool is_new = even_one == 0 && odd_one == 0;
	bool are_neighbours = even_one % 2 == 0 && odd_one % 2 == 1 &&
			      (even_one + 1 == odd_one || odd_one + 1 == even_one);
	walk->meta = metas[even_one < odd_one];
	return is_new || are_neighbours ? 0 : damaged(walk, "its first pages don't fit each other");
}

bool page_walk_newest(const uint8_t *head, size_t size, struct page_walk_newest *ret_newest)
{
	const struct page_walk_file file = {
		.bytes = head, .size = size, .transaction = PAGE_WALK_NEWEST};
	struct walk walk = {.file = &file};

	if (find_page_size(&walk) != 0 || choose_meta(&walk) != 0) {
		return false;
	}
	if (walk.meta.last_page >= UINT64_MAX / walk.page_size) {
		return false;
	}
	*ret_newest = (struct page_walk_newest){
		walk.meta.transaction, (walk.meta.last_page + 1) * walk.page_size};
	return true;
}

static int check_meta(struct walk *walk)
{
	const struct meta *meta = &walk->meta;
	uint64_t file_pages = walk->file->size / walk->page_size;
	bool is_sane = (meta->free_list.flags & ~MADE_AS_ONE_FILE) == INTEGER_KEYS &&
		       meta->main.flags == 0 && meta->main.unused == 0 &&
		       meta->last_page >= META_PAGES - 1 &&
		       meta->last_page <= file_pages + UNWRITTEN_PAGES_MAX;
	return is_sane ? 0 : damaged(walk, "its first pages are nonsense");
}

static int walk_all(struct walk *walk)
{
	struct tree_walk main = {.walk = walk,
		.tree = &walk->meta.main,
		.compare = compare_bytes,
		.row = visit_table};
	struct tree_walk free_list = {.walk = walk,
		.tree = &walk->meta.free_list,
		.compare = compare_numbers,
		.row = take_free_pages};
	int r = take_tree(&main);
	return r == 0 ? take_tree(&free_list) : r;
}

int page_walk(
	const struct page_walk_file *file, const struct page_visitor *visitor, const char **ret_why)
{
	struct walk walk = {.file = file, .visitor = visitor, .why = ""};

	int r = find_page_size(&walk);
	if (r == 0) {
		r = choose_meta(&walk);
	}
	if (r == 0) {
		r = check_meta(&walk);
	}
	if (r == 0) {
		walk.used = calloc(walk.meta.last_page / 64 + 1, sizeof *walk.used);
		r = walk.used == NULL ? -ENOMEM : walk_all(&walk);
	}
	free(walk.used);
	if (r > 0) {
		*ret_why = walk.why;
	}
	return r;
}
