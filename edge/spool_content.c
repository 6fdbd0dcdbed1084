#include "edge/spool_content.h"
#include "edge/event_id_row.h"
#include "edge/producers.h"
#include "edge/spool_block.h"
#include "edge/spool_identity.h"
#include "proto/checksum.h"

static const char *const names[SPOOL_TABLE_COUNT] = {
	[SPOOL_TABLE_META] = "meta",
	[SPOOL_TABLE_BLOCKS] = "blocks",
	[SPOOL_TABLE_CORRUPT] = "corrupt",
	[SPOOL_TABLE_PRODUCERS] = "producers",
	[SPOOL_TABLE_EVENT_IDS] = "event_ids",
	[SPOOL_TABLE_EVENT_ID_ORDER] = "event_id_order",
	[SPOOL_TABLE_MARKS] = "marks",
};

int spool_content_table(struct spool_content *content, struct slice name)
{
	content->table = -1;
	for (int i = 0; i < SPOOL_TABLE_COUNT; i++) {
		if (slice_equals_text(name, names[i])) {
			content->table = i;
			content->has[i] = true;
		}
	}
	return 0;
}

static int see_identity(struct spool_content *content, struct slice key, struct slice value)
{
	struct spool_identity identity;

	if (!slice_equals_text(key, "identity")) {
		return 0;
	}
	content->has_identity = true;
	switch (spool_identity_decode(value, &identity)) {
	case 0:
		content->version = identity.version;
		return 0;
	case SPOOL_IDENTITY_E_VERSION:
		return SPOOL_CONTENT_E_VERSION;
	case SPOOL_IDENTITY_E_FOREIGN:
		return SPOOL_CONTENT_E_FOREIGN;
	default:
		return SPOOL_CONTENT_E_DAMAGED;
	}
}

static uint64_t pair_hash(struct slice order, struct slice id)
{
	uint64_t crc = checksum_crc32c(0, order.bytes, order.size);
	crc = crc << 32 | checksum_crc32c((uint32_t)crc, id.bytes, id.size);
	return crc *
	       UINT64_C(0x9e3779b97f4a7c15); /* or sums of checksums would be checksums of sums */
}

static bool see_event_id(struct spool_content *content, struct slice id, struct slice value)
{
	if (!event_id_row_is_whole(id, value)) {
		return false;
	}
	if (event_id_row_order(value) != 0) {
		content->ids++;
		content->id_sum += pair_hash(slice_of(value.bytes, EVENT_ID_ORDER_SIZE), id);
	}
	return true;
}

static bool see_order(struct spool_content *content, struct slice order, struct slice id)
{
	content->orders++;
	content->order_sum += pair_hash(order, id);
	return order.size == EVENT_ID_ORDER_SIZE;
}

static bool is_block_key(struct slice key)
{
	enum kind lane;
	uint64_t index;
	return spool_key_decode(key, &lane, &index);
}

static bool is_sane(struct spool_content *content, struct slice key, struct slice value)
{
	struct producer_row row;

	switch (content->table) {
	case SPOOL_TABLE_BLOCKS:
	case SPOOL_TABLE_CORRUPT:
		return is_block_key(key);
	case SPOOL_TABLE_PRODUCERS:
		return content->is_read_only || producer_row_decode(key, value, &row);
	case SPOOL_TABLE_EVENT_IDS:
		return content->is_read_only || see_event_id(content, key, value);
	case SPOOL_TABLE_EVENT_ID_ORDER:
		return content->is_read_only || see_order(content, key, value);
	default:
		return true; /* marks say themselves when they are damaged */
	}
}

/* There are no others; one that was a table's name is none any more. */
int spool_content_note(struct spool_content *content, struct slice key, struct slice value)
{
	content->has_sums =
		slice_equals_text(key, "sums") && spool_sums_decode(value, &content->told);
	return content->has_sums || content->is_read_only ? 0 : SPOOL_CONTENT_E_DAMAGED;
}

int spool_content_row(struct spool_content *content, struct slice key, struct slice value)
{
	if (content->table == SPOOL_TABLE_META) {
		return see_identity(content, key, value);
	}
	if (content->table >= 0 && content->table < SPOOL_TABLES_SUMMED) {
		spool_sum_add(&content->found[content->table], (enum spool_table)content->table,
			key, value);
	}
	return is_sane(content, key, value) ? 0 : SPOOL_CONTENT_E_DAMAGED;
}

uint32_t spool_content_lost(const struct spool_content *content)
{
	uint32_t lost = 0;

	for (int i = 0; i < SPOOL_TABLES_SUMMED; i++) {
		bool fits = spool_sum_fits(&content->told.tables[i], &content->found[i]);
		lost |= (uint32_t)!fits << i;
	}
	return lost;
}

/* A copy that was made small begins anew with transaction 1, whatever number the sums bear. */
static bool is_of_its_time(const struct spool_content *content)
{
	return content->told.transaction == content->transaction || content->transaction == 1;
}

static int judge_sums(const struct spool_content *content, int tables)
{
	if (content->version == SPOOL_VERSION_WITHOUT_SUMS) {
		bool is_older = tables == SPOOL_TABLE_COUNT - 1 && !content->has[SPOOL_TABLE_MARKS];
		return is_older || tables == SPOOL_TABLE_COUNT ? 0 : SPOOL_CONTENT_E_DAMAGED;
	}
	bool is_whole = content->has_sums && is_of_its_time(content);
	if (tables != SPOOL_TABLE_COUNT || (!is_whole && !content->is_read_only)) {
		return SPOOL_CONTENT_E_DAMAGED;
	}
	return spool_content_lost(content) == 0 ? 0 : SPOOL_CONTENT_E_LOST;
}

int spool_content_end(const struct spool_content *content)
{
	int tables = 0;

	for (int i = 0; i < SPOOL_TABLE_COUNT; i++) {
		tables += content->has[i];
	}
	if (tables == 0) {
		return 0; /* its first transaction never was */
	}
	if (!content->has[SPOOL_TABLE_META] || !content->has_identity) {
		return SPOOL_CONTENT_E_FOREIGN;
	}
	bool ids_fit = content->ids == content->orders && content->id_sum == content->order_sum;
	return ids_fit ? judge_sums(content, tables) : SPOOL_CONTENT_E_DAMAGED;
}
