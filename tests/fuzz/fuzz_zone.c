/* Any bytes as a TZif file, and as the rule at the end of one: looked up all over the years that till knows. */
#include "proto/buffer.h"
#include "proto/timestamp.h"
#include "proto/zone.h"
#include "tests/fuzz/fuzz.h"

static void look_up(const struct zone *zone)
{
	for (int64_t utc = 0; utc * 1000 <= TIMESTAMP_MS_MAX; utc += INT64_C(25340230079)) {
		int64_t local = utc + zone_offset_at(zone, utc);
		int64_t found = 0;
		if (zone_to_utc(zone, local, &found)) {
			fuzz_require(found + zone_offset_at(zone, found) == local);
		}
		zone_to_utc_or_skip(zone, local);
		for (int bucket = BUCKET_MINUTE; bucket <= BUCKET_HOUR_OF_DAY; bucket++) {
			char name[TIMESTAMP_TEXT_SIZE];
			int64_t value = timestamp_bucket(utc * 1000, (enum bucket)bucket, zone);
			timestamp_format_bucket(value, (enum bucket)bucket, zone, name);
		}
	}
}

static void try_file(struct slice bytes)
{
	struct zone *zone = NULL;

	if (zone_new("Fuzz", bytes, &zone) == 0) {
		look_up(zone);
	}
	zone_free(zone);
}

/* The input as the rule behind a sound file of version 2 with one type and no transitions. */
static void try_rule(struct slice rule)
{
	static const uint8_t block[] = "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				       "\0\0\0\0\0\0\0\1\0\0\0\4\0\0\0\0\0\0XXX";
	struct buffer buffer;

	buffer_init(&buffer, 2 * sizeof block + rule.size + 2);
	buffer_append(&buffer, block, sizeof block);
	buffer_append(&buffer, block, sizeof block);
	buffer_append_byte(&buffer, '\n');
	buffer_append(&buffer, rule.bytes, rule.size);
	buffer_append_byte(&buffer, '\n');
	fuzz_require(buffer.error == 0);
	try_file(buffer_slice(&buffer));
	buffer_deinit(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_copy(data, size);

	try_file(bytes);
	try_rule(bytes);
	fuzz_free(bytes);
	return 0;
}
