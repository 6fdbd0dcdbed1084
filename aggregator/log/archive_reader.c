#include "aggregator/log/archive_reader.h"
#include "proto/buffer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	READ_SIZE = 64 * 1024, /* some 20 µs from a pipe */
	BUFFER_SIZE_MAX = ARCHIVE_ITEM_SIZE_MAX + READ_SIZE,
};

struct archive_reader {
	int fd;
	struct buffer buffer;
	size_t at; /* what lies before it was passed */
	struct archive_stream stream;
	struct archive_item item;
	size_t item_size; /* 0: there is none */
	bool has_ended; /* nothing more comes */
	char why[ARCHIVE_WHY_SIZE];
};

/* A FIFO that nobody writes to yet must not hold us up. */
static int open_path(const char *path, int *ret_fd)
{
	struct stat status;
	int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
					: open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		return -errno;
	}
	if (fstat(fd, &status) != 0 || S_ISDIR(status.st_mode)) {
		close(fd);
		return -EISDIR;
	}
	*ret_fd = fd;
	return 0;
}

int archive_reader_new(const char *path, struct archive_reader **ret_reader)
{
	struct archive_reader *reader = calloc(1, sizeof *reader);
	if (reader == NULL) {
		return -ENOMEM;
	}
	buffer_init(&reader->buffer, BUFFER_SIZE_MAX);
	int r = open_path(path, &reader->fd);
	if (r < 0) {
		free(reader);
		return r;
	}
	*ret_reader = reader;
	return 0;
}

struct archive_reader *archive_reader_free(struct archive_reader *reader)
{
	if (reader != NULL) {
		close(reader->fd);
		buffer_deinit(&reader->buffer);
		free(reader);
	}
	return NULL;
}

int archive_reader_fd(const struct archive_reader *reader)
{
	return reader->fd;
}

/* Standard input may block, and stays as it is for whoever else has it: so it is asked first. */
static bool is_readable(int fd)
{
	struct pollfd item = {.fd = fd, .events = POLLIN};
	return poll(&item, 1, 0) > 0;
}

/* Room for one piece behind what is there, which moves to the front. */
static uint8_t *make_room(struct archive_reader *reader)
{
	struct buffer *buffer = &reader->buffer;

	if (reader->at > 0) {
		memmove(buffer->bytes, buffer->bytes + reader->at, buffer->size - reader->at);
		buffer_truncate(buffer, buffer->size - reader->at);
		reader->at = 0;
	}
	return buffer_extend(buffer, READ_SIZE);
}

/* 0, ARCHIVE_E_MORE when nothing is there now, or -errno. */
static int fill(struct archive_reader *reader)
{
	if (!is_readable(reader->fd)) {
		return ARCHIVE_E_MORE;
	}
	uint8_t *room = make_room(reader);
	if (room == NULL) {
		return reader->buffer.error;
	}
	ssize_t got = read(reader->fd, room, READ_SIZE);
	int r = got < 0 ? -errno : 0;
	buffer_truncate(
		&reader->buffer, reader->buffer.size - READ_SIZE + (got > 0 ? (size_t)got : 0));
	reader->has_ended = got == 0;
	return r == -EAGAIN || r == -EINTR ? ARCHIVE_E_MORE : r;
}

static int decode(struct archive_reader *reader)
{
	struct slice bytes = buffer_slice(&reader->buffer);
	bytes.bytes += bytes.size == 0 ? 0 : reader->at;
	bytes.size -= reader->at;
	return archive_stream_next(&reader->stream, bytes, &reader->item, &reader->item_size);
}

static int cut_off(struct archive_reader *reader)
{
	snprintf(reader->why, sizeof reader->why,
		"it ended after %" PRIu64 " records without saying that this is its end",
		reader->stream.records);
	return ARCHIVE_E_CUT_OFF;
}

int archive_reader_next(struct archive_reader *reader, const struct archive_item **ret_item)
{
	int r = reader->item_size > 0 ? 0 : decode(reader);

	if (r == ARCHIVE_E_MORE) {
		r = reader->has_ended ? cut_off(reader) : fill(reader);
		r = r == 0 ? decode(reader) : r;
	}
	if (r == ARCHIVE_E_BAD) {
		snprintf(reader->why, sizeof reader->why, "%s", reader->stream.why);
	}
	if (r == 0) {
		*ret_item = &reader->item;
	}
	return r;
}

void archive_reader_pass(struct archive_reader *reader)
{
	reader->at += reader->item_size;
	reader->item_size = 0;
}

const char *archive_reader_why(const struct archive_reader *reader)
{
	return reader->why;
}
