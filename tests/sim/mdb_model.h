/* mdb_model.h - the disk under a modelled LMDB: environments by their path. They outlive the process, a commit is in them
 * whole or not at all, and all of them together are copied for a backup, and put back. Keys and values are shared between a
 * file and its copies, so a copy is cheap. One thread; the code of *_lmdb.c above it is the product's. */
#pragma once
#include "tests/sim/world.h"

struct mdb_files;

/* Those that processes open from now on; NULL: none. Borrowed. */
void mdb_model_mount(struct mdb_files *files);
struct mdb_files *mdb_files_new(void);
struct mdb_files *mdb_files_copy(const struct mdb_files *files);
struct mdb_files *mdb_files_free(struct mdb_files *files);

/* Was anything ever committed to it? */
bool mdb_model_has(const char *path);

/* How a commit to this environment ends: the part's to say. */
enum mdb_fate {
	MDB_FATE_WRITTEN,
	MDB_FATE_FULL, /* nothing was written, and that is known */
	MDB_FATE_LOST, /* nothing was written, and nobody knows */
	MDB_FATE_UNSURE, /* it was written, and nobody knows */
	MDB_FATE_TORN, /* for a planted bug: of all tables only `offsets` was written, and nobody knows */
};
enum mdb_fate mdb_model_fate(const char *path);
