#include "edge/tail_position.h"
#include "proto/checksum.h"
#include "proto/pull.h"
#include "proto/writer.h"
#include <endian.h>
#include <errno.h>

enum { MARK_VERSION = 1 };

static int read_wholly(
	const struct tail_disk *disk, int handle, uint64_t offset, void *bytes, size_t size)
{
	int64_t r = disk->read(disk->owner, handle, offset, bytes, size);

	if (r < 0) {
		return (int)r;
	}
	return (size_t)r == size ? 0 : -EIO;
}

static uint32_t at_most(uint64_t size, uint32_t max)
{
	return size < max ? (uint32_t)size : max;
}

static int read_anchor(
	const struct tail_disk *disk, int handle, uint64_t offset, uint32_t *ret_checksum)
{
	uint8_t bytes[TAIL_ANCHOR_SIZE_MAX];
	uint32_t size = at_most(offset, sizeof bytes);

	int r = read_wholly(disk, handle, offset - size, bytes, size);
	if (r == 0) {
		*ret_checksum = checksum_crc32c(0, bytes, size);
	}
	return r;
}

int tail_position_take(const struct tail_disk *disk, int handle, uint64_t offset,
	struct tail_position *ret_position)
{
	struct tail_position position = {
		.offset = offset, .head_size = at_most(offset, TAIL_HEAD_SIZE_MAX)};

	int r = read_wholly(disk, handle, 0, position.head, position.head_size);
	if (r == 0) {
		r = read_anchor(disk, handle, offset, &position.anchor_checksum);
	}
	if (r == 0) {
		*ret_position = position;
	}
	return r;
}

int tail_position_check(
	const struct tail_disk *disk, int handle, const struct tail_position *position)
{
	uint8_t head[TAIL_HEAD_SIZE_MAX];
	uint32_t checksum = 0;

	int r = read_wholly(disk, handle, 0, head, position->head_size);
	if (r == 0 && memcmp(head, position->head, position->head_size) != 0) {
		return TAIL_E_OTHER;
	}
	if (r == 0) {
		r = read_anchor(disk, handle, position->offset, &checksum);
	}
	if (r == -EIO) { /* it ends before the position */
		return TAIL_E_OTHER;
	}
	return r == 0 && checksum != position->anchor_checksum ? TAIL_E_OTHER : r;
}

void tail_mark_encode(const struct tail_mark *mark, struct buffer *buffer)
{
	const struct tail_position *position = &mark->position;
	struct writer writer;

	writer_init(&writer, ENCODING_MSGPACK, buffer);
	write_array(&writer, 10);
	write_unsigned(&writer, MARK_VERSION);
	write_text(&writer, slice_of_text(mark->path));
	write_unsigned(&writer, mark->size);
	write_unsigned(&writer, (uint64_t)mark->mtime_ns);
	write_unsigned(&writer, (uint64_t)mark->vanished_ms);
	write_unsigned(&writer, mark->compressed);
	write_unsigned(&writer, position->offset);
	write_unsigned(&writer, position->names_hash);
	write_unsigned(&writer, position->anchor_checksum);
	write_bin(&writer, slice_of(position->head, position->head_size));
}

bool tail_mark_decode(struct slice bytes, struct tail_mark *ret_mark, char path[TAIL_PATH_SIZE_MAX])
{
	struct pull pull = pull_of(bytes);
	struct tail_mark mark = {.path = path};

	uint32_t count = pull_array(&pull);
	pull_unsigned(&pull, MARK_VERSION, MARK_VERSION);
	struct slice name = pull_text(&pull);
	mark.size = pull_unsigned(&pull, 0, UINT64_MAX);
	mark.mtime_ns = (int64_t)pull_unsigned(&pull, 0, UINT64_MAX);
	mark.vanished_ms = (int64_t)pull_unsigned(&pull, 0, UINT64_MAX);
	mark.compressed = pull_unsigned(&pull, 0, 1) != 0;
	mark.position.offset = pull_unsigned(&pull, 0, UINT64_MAX);
	mark.position.names_hash = pull_unsigned(&pull, 0, UINT64_MAX);
	mark.position.anchor_checksum = (uint32_t)pull_unsigned(&pull, 0, UINT32_MAX);
	struct slice head = pull_bin(&pull);
	mark.position.head_size = at_most(mark.position.offset, TAIL_HEAD_SIZE_MAX);
	if (!pull_is_done(&pull) || count != 10 || name.size >= TAIL_PATH_SIZE_MAX ||
		head.size != mark.position.head_size) {
		return false;
	}
	if (head.size > 0) {
		memcpy(mark.position.head, head.bytes, head.size);
	}
	memcpy(path, name.bytes, name.size);
	path[name.size] = '\0';
	*ret_mark = mark;
	return true;
}

static void store_number(uint8_t *bytes, uint64_t number)
{
	number = htobe64(number);
	memcpy(bytes, &number, sizeof number);
}

static uint64_t load_number(const uint8_t *bytes)
{
	uint64_t number;

	memcpy(&number, bytes, sizeof number);
	return be64toh(number);
}

void tail_key(const char *path, uint64_t device, uint64_t inode, uint8_t ret_key[TAIL_KEY_SIZE])
{
	uint8_t hash[16];

	checksum_hash128(slice_of_text(path), hash);
	ret_key[0] = 'f';
	memcpy(ret_key + 1, hash, 8);
	store_number(ret_key + 9, device);
	store_number(ret_key + 17, inode);
}

bool tail_key_read(struct slice key, uint64_t *ret_device, uint64_t *ret_inode)
{
	if (key.size != TAIL_KEY_SIZE || key.bytes[0] != 'f') {
		return false;
	}
	*ret_device = load_number(key.bytes + 9);
	*ret_inode = load_number(key.bytes + 17);
	return true;
}
