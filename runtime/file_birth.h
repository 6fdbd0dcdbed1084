/* file_birth.h - the making of an LMDB file, which LMDB itself does in the file's final place: a power loss in the midst of its first
 * write leaves something that is neither new nor a file of LMDB. Here it gets its name when it is whole and on disk. */
#pragma once

/* Makes `dir`/data.mdb, empty, unless it is there and not of size 0; on return its name is on disk, too. LMDB's numbers are errno's
 * where they are not its own: 0 or -errno (-EIO: what LMDB alone has a word for). */
int file_birth(const char *dir, unsigned mode);
