/* killed_reader.h - another process that dies while it reads an LMDB environment, as a tool does that copies a running store. */
#pragma once

/* It has begun a transaction, and is killed in it: its place among the readers stays taken. 0 or -errno. */
int killed_reader_leave(const char *dir);
