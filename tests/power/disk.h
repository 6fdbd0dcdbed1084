/* disk.h - what a disk may hold after the power went at one moment of a journal. A write is safe once a sync of its file has
 * returned after it, or at once through a synchronous descriptor. Of all else each sector of 512 bytes is there or not,
 * whatever the order; a file may be as long as it was made though its bytes are not there (then they are zeros); a name may be
 * missing, old or new until its directory is synced. A sector is never half one thing and half another. */
#pragma once
#include "chance.h"
#include "journal.h"

struct disk;

/* Which of the unsafe writes are lost. */
enum loss {
	LOSS_OF_ALL,
	LOSS_OF_NOTHING, /* as a kill leaves it */
	LOSS_OF_WRITES, /* some whole writes */
	LOSS_OF_PAGES, /* some of 4096 bytes */
	LOSS_OF_SECTORS,
	LOSS_OF_THE_FIRST, /* the later ones are there */
	LOSS_OF_A_TAIL, /* the last one is torn, at a sector */
	LOSS_COUNT,
};
const char *loss_name(enum loss loss);

struct disk *disk_new(void);
struct disk *disk_free(struct disk *disk);
/* Up to and without change `end` of the journal, which never falls. */
void disk_advance(struct disk *disk, size_t end);
/* Puts together what is left. A synchronous write that comes next may be under way: then it is one of the unsafe ones. */
void disk_crash(struct disk *disk, enum loss loss, struct chance *chance);
/* A number that tells images apart. */
uint64_t disk_image_hash(const struct disk *disk);
/* Into the empty directory `dir`. */
void disk_image_write(const struct disk *disk, const char *dir);
