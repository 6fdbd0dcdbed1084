/* look_note.h - the note beside a store's file that it was looked at whole, so that the next start need not read it again.
 *
 * A program that is killed harms no file: what it wrote is in the kernel's hands. So the note holds for the same file (by its
 * inode) until the machine starts again; after a stop in order, only while nobody else has written to the file. A crash of the
 * machine, a copy put in its place, and a store that was found damaged: the file is read whole again. A note that can't be
 * written or read is no error: it does not hold. One thread. */
#pragma once
#include <stdbool.h>

enum { BOOT_ID_SIZE = 64 };

/* Names this run of the machine: what the kernel says. "" when it does not; then no note holds. */
void boot_id_read(char ret_boot_id[BOOT_ID_SIZE]);
bool look_note_holds(const char *dir, const char *boot_id);
/* When the store has been opened, and again, with is_closed, when it is closed. */
void look_note_write(const char *dir, const char *boot_id, bool is_closed);
void look_note_remove(const char *dir);
