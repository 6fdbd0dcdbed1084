/* journal.h - writes down what this process gives to the file system below one directory: writes with their bytes, syncs,
 * sizes, names. The functions take the place of libc's for all of the process, LMDB's calls included. What a mapping is
 * written through is not seen: LMDB maps only its lock file so, and that means nothing after a power loss.
 * Any thread may write. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JOURNAL_NAME_SIZE = 64, JOURNAL_FILES_MAX = 64 };

enum change_kind {
	CHANGE_WRITE, /* bytes at a place of a file */
	CHANGE_SIZE, /* a file is cut or made longer */
	CHANGE_SYNC, /* the file's bytes and size are on disk when it returns; its name need not be */
	CHANGE_CREATE, /* a name for a new file */
	CHANGE_MKDIR,
	CHANGE_RENAME,
	CHANGE_UNLINK,
	CHANGE_SYNC_DIR, /* names that came before it are on disk when it returns */
};

struct change {
	enum change_kind kind;
	bool is_synchronous; /* CHANGE_WRITE: the descriptor is O_DSYNC, so its bytes are on disk when it returns */
	int file; /* numbered from 0 as they were made */
	uint64_t at; /* CHANGE_SIZE: the new size */
	size_t size;
	uint8_t *bytes; /* owned */
	char name[JOURNAL_NAME_SIZE]; /* below the directory: "spool/data.mdb" */
	char to[JOURNAL_NAME_SIZE]; /* CHANGE_RENAME */
};

/* From now on, below `dir`, which is empty. */
void journal_begin(const char *dir);
void journal_pause(bool is_paused);
size_t journal_count(void);
const struct change *journal_at(size_t index);
void journal_forget(void);

/* LMDB's environments that may write are opened with these flags too: what it would be without its syncs. */
void journal_weaken(unsigned lmdb_flags);
