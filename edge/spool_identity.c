#include "edge/spool_identity.h"
#include "edge/spool_block.h"
#include "proto/checksum.h"
#include <stdio.h>

static const uint8_t magic[12] = "till-spool\0";

enum { AT_VERSION = 12, AT_TOPICS = 16, AT_TEXTS = 24, CRC_SIZE = 4 };

static void append_text(struct buffer *buffer, const char *text)
{
	size_t size = strlen(text);
	buffer_append_byte(buffer, (uint8_t)size);
	buffer_append(buffer, text, size);
}

void spool_identity_encode(const struct spool_identity *identity, struct buffer *buffer)
{
	uint8_t head[AT_TEXTS];
	uint8_t tail[CRC_SIZE];
	size_t start = buffer->size;

	memcpy(head, magic, sizeof magic);
	spool_put_u32(head + AT_VERSION, identity->version);
	spool_put_u64(head + AT_TOPICS, identity->topics_hash);
	buffer_append(buffer, head, sizeof head);
	append_text(buffer, identity->edge);
	append_text(buffer, identity->cluster);
	if (buffer->error == 0) {
		spool_put_u32(
			tail, checksum_crc32c(0, buffer->bytes + start, buffer->size - start));
		buffer_append(buffer, tail, sizeof tail);
	}
}

static bool cut_text(struct slice *rest, char *out, size_t out_size)
{
	if (rest->size < 1 || rest->size - 1 < rest->bytes[0] || rest->bytes[0] >= out_size) {
		return false;
	}
	size_t size = rest->bytes[0];
	memcpy(out, rest->bytes + 1, size);
	out[size] = '\0';
	*rest = slice_of(rest->bytes + 1 + size, rest->size - 1 - size);
	return true;
}

int spool_identity_decode(struct slice bytes, struct spool_identity *ret_identity)
{
	struct spool_identity identity = {0};

	if (bytes.size < AT_TEXTS + CRC_SIZE || memcmp(bytes.bytes, magic, sizeof magic) != 0) {
		return SPOOL_IDENTITY_E_FOREIGN;
	}
	identity.version = spool_get_u32(bytes.bytes + AT_VERSION);
	identity.topics_hash = spool_get_u64(bytes.bytes + AT_TOPICS);
	if (spool_get_u32(bytes.bytes + bytes.size - CRC_SIZE) !=
		checksum_crc32c(0, bytes.bytes, bytes.size - CRC_SIZE)) {
		return SPOOL_IDENTITY_E_DAMAGED;
	}
	if (identity.version != SPOOL_VERSION && identity.version != SPOOL_VERSION_WITHOUT_SUMS) {
		*ret_identity = identity;
		return SPOOL_IDENTITY_E_VERSION;
	}
	struct slice rest = slice_of(bytes.bytes + AT_TEXTS, bytes.size - AT_TEXTS - CRC_SIZE);
	if (!cut_text(&rest, identity.edge, sizeof identity.edge) ||
		!cut_text(&rest, identity.cluster, sizeof identity.cluster) || rest.size != 0) {
		return SPOOL_IDENTITY_E_DAMAGED;
	}
	*ret_identity = identity;
	return 0;
}
