/* spool_identity.h - whose spool this is, and for which Kafka: the one record of the database `meta`. Pure. */
#pragma once
#include "proto/buffer.h"
#include "proto/limits.h"

enum {
	SPOOL_VERSION = 2,
	SPOOL_VERSION_WITHOUT_SUMS =
		1, /* is read, and written anew as SPOOL_VERSION; spool_sums.h */
	SPOOL_CLUSTER_SIZE = 128 + 1,
};

struct spool_identity {
	uint32_t version;
	char edge[EDGE_ID_SIZE_MAX + 1];
	char cluster[SPOOL_CLUSTER_SIZE]; /* Kafka's cluster id, kept at the first ACK; "" before */
	uint64_t topics_hash;
};

/* magic "till-spool\0\0", u32 version, u64 topics_hash, u8 size and bytes of edge, the same of cluster, u32 CRC32C */
void spool_identity_encode(const struct spool_identity *identity, struct buffer *buffer);

enum {
	SPOOL_IDENTITY_E_FOREIGN = 1, /* no spool of till */
	SPOOL_IDENTITY_E_VERSION, /* of a later till; ret_identity->version is set */
	SPOOL_IDENTITY_E_DAMAGED,
};
int spool_identity_decode(struct slice bytes, struct spool_identity *ret_identity);
