/* look_note.h - the note beside an LMDB file (`dir`/data.mdb) that it was looked at whole, so that the next start need not read it
 * again.
 *
 * A program that is killed harms no file: what it wrote is in the kernel's hands. So the note holds for the same file (by its
 * device and inode, and as long as neither its size nor its transactions go back) until the machine starts again; after a stop
 * in order, only while nobody else has written to the file. A crash of the machine, a copy put in its place, a file that was cut
 * short or found damaged: it is read whole again. So it is after LOOK_NOTE_STARTS_MAX starts without a stop in order, for who
 * dies again and again may die of what is in it. A note that can't be written or read is no error: it does not hold.
 * One thread. */
#pragma once
#include <stdbool.h>

enum { BOOT_ID_SIZE = 64, LOOK_NOTE_STARTS_MAX = 3 };

struct look_note {
	char *dir; /* owned */
	/* This run of the machine, as the kernel names it; "": it does not, and no note holds. */
	char boot_id[BOOT_ID_SIZE];
	unsigned starts; /* in a row that relied on the note, this one among them */
};

/* 0 or -ENOMEM. */
int look_note_init(struct look_note *note, const char *dir);
void look_note_deinit(struct look_note *note);

/* At a start: may the file be opened without a look? */
bool look_note_rely(struct look_note *note);
/* When the file has been opened, and again, with is_closed, when it is closed. */
void look_note_write(const struct look_note *note, bool is_closed);
/* Of a file that is open, or was just now: has nobody taken the note back? */
bool look_note_holds(const struct look_note *note);
void look_note_remove(const struct look_note *note);
