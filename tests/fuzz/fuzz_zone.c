/* Any bytes as a TZif file, and as the rule at the end of one: looked up all over the years that till knows. */
#include "proto/timestamp.h"
#include "proto/zone.h"
#include "proto/zone_rule.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = fuzz_copy(data, size);
	struct zone *zone = NULL;
	struct zone_rule rule;

	if (zone_new("Fuzz", bytes, &zone) == 0) {
		look_up(zone);
	}
	if (zone_rule_parse(bytes, &rule) && rule.has_summer) {
		int64_t to_summer = 0;
		int64_t to_standard = 0;
		for (int64_t year = 1969; year < 2400; year += 7) {
			zone_rule_changes(&rule, year, &to_summer, &to_standard);
		}
	}
	zone_free(zone);
	fuzz_free(bytes);
	return 0;
}
