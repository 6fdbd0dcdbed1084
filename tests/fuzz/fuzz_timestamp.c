/* Any bytes as a time: what is read is within the years, and each bucket's name leads back to it. */
#include "proto/timestamp.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_copy(data, size);
	char name[TIMESTAMP_TEXT_SIZE];
	int64_t ms = 0;
	int64_t value = 0;

	if (timestamp_parse_text(text, NULL, &ms) == 0) {
		fuzz_require(ms >= 0 && ms <= TIMESTAMP_MS_MAX);
	}
	for (int bucket = BUCKET_MINUTE; bucket <= BUCKET_HOUR_OF_DAY; bucket++) {
		if (timestamp_parse_bucket(text, (enum bucket)bucket, NULL, &value) == 0) {
			int64_t again = 0;
			size_t length =
				timestamp_format_bucket(value, (enum bucket)bucket, NULL, name);
			fuzz_require(length < TIMESTAMP_TEXT_SIZE);
			fuzz_require(timestamp_parse_bucket(slice_of(name, length),
					     (enum bucket)bucket, NULL, &again) == 0);
			fuzz_require(again == value);
		}
	}
	fuzz_free(text);
	return 0;
}
