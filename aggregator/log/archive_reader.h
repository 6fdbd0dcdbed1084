/* archive_reader.h - an archive's stream out of a file, a FIFO or standard input: item by item, waiting for nothing. The loop's
 * thread. */
#pragma once
#include "aggregator/log/archive_stream.h"

enum { ARCHIVE_E_CUT_OFF = 10 }; /* it ended before its end; beside ARCHIVE_E_* */

struct archive_reader;

/* `path` is borrowed; "-" is standard input. 0 or -errno. */
int archive_reader_new(const char *path, struct archive_reader **ret_reader);
struct archive_reader *archive_reader_free(struct archive_reader *reader);
/* Readable when there is more, or nothing will be any more; a regular file always is. */
int archive_reader_fd(const struct archive_reader *reader);
/* The next item, which stays until archive_reader_pass. Reads some tens of KiB at most, and only what is there. 0; ARCHIVE_E_MORE:
 * call again when the descriptor is readable; ARCHIVE_E_BAD, ARCHIVE_E_CUT_OFF: archive_reader_why; -errno. */
int archive_reader_next(struct archive_reader *reader, const struct archive_item **ret_item);
void archive_reader_pass(struct archive_reader *reader);
const char *archive_reader_why(const struct archive_reader *reader);
