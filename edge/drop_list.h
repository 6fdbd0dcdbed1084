/* drop_list.h - which files of a folder are next: oldest first, then by name. Bounded: of more files than fit the oldest are
 * kept, and the folder is listed again when they are through. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DROP_LIST_MAX = 20000 };

struct drop_entry {
	char *name; /* owned */
	int64_t mtime_ns;
};

/* Zero-initialise. */
struct drop_list {
	struct drop_entry *entries; /* owned; 2 * DROP_LIST_MAX of them */
	size_t count;
	size_t next; /* once it is sorted */
	bool left_out; /* some were younger than those kept */
};

/* Is it a file for us by its name: no leading dot, no .tmp, .part, no folder of ours. */
bool drop_name_is_wanted(const char *name);

/* 0 or -ENOMEM. */
int drop_list_add(struct drop_list *list, const char *name, int64_t mtime_ns);
/* All were added. */
void drop_list_sort(struct drop_list *list);
/* The oldest that was not given yet; NULL: none. Borrowed. */
const char *drop_list_next(struct drop_list *list);
void drop_list_clear(struct drop_list *list);
