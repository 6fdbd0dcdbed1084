/* Any bytes as an amount, in each form; what is read is within bounds and its own text reads back as the same. */
#include "proto/money.h"
#include "tests/fuzz/fuzz.h"

static void check(int64_t micros)
{
	char text[MONEY_TEXT_SIZE];
	int64_t again = 0;
	money sum = 0;

	fuzz_require(
		micros >= -INT64_C(1000000000000000000) && micros <= INT64_C(1000000000000000000));
	struct slice written = slice_of(text, money_format(micros, text));
	fuzz_require(money_parse_sum(written, &sum) == 0 && sum == micros);
	fuzz_require(money_parse_number(written, &again) == 0 && again == micros);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_copy(data, size);
	int64_t micros = 0;
	double real = 0;
	money sum = 0;
	char written[MONEY_TEXT_SIZE];

	if (money_parse_text(text, &micros) == 0) {
		check(micros);
	}
	if (money_parse_number(text, &micros) == 0) {
		check(micros);
	}
	if (money_parse_sum(text, &sum) == 0) {
		fuzz_require(slice_equal(text, slice_of(written, money_format(sum, written))));
	}
	if (size == sizeof real) {
		memcpy(&real, text.bytes, sizeof real);
		if (money_from_double(real, &micros) == 0) {
			check(micros);
		}
	}
	fuzz_free(text);
	return 0;
}
