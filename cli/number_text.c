#include "cli/number_text.h"

#include <stdio.h>

bool number_text_is_decimal(struct slice text)
{
	size_t i = text.size > 0 && text.bytes[0] == '-' ? 1 : 0;
	size_t digits = 0;
	bool point = false;

	for (; i < text.size; i++) {
		if (text.bytes[i] == '.' && !point && digits > 0) {
			point = true;
			digits = 0;
		} else if (text.bytes[i] >= '0' && text.bytes[i] <= '9') {
			digits++;
		} else {
			return false;
		}
	}
	return digits > 0;
}

const char *number_text_group(char text[NUMBER_TEXT_SIZE], struct slice digits)
{
	const uint8_t *point = digits.size > 0 ? memchr(digits.bytes, '.', digits.size) : NULL;
	size_t whole = point != NULL ? (size_t)(point - digits.bytes) : digits.size;
	size_t at = 0;

	if (!number_text_is_decimal(digits) || digits.size > 48) {
		snprintf(text, NUMBER_TEXT_SIZE, "%.*s", (int)digits.size,
			(const char *)digits.bytes);
		return text;
	}
	for (size_t i = 0; i < digits.size; i++) {
		bool separates = i > 0 && i < whole && (whole - i) % 3 == 0;
		if (separates && digits.bytes[i - 1] != '-') {
			text[at++] = ',';
		}
		text[at++] = (char)digits.bytes[i];
	}
	text[at] = '\0';
	return text;
}

const char *number_text(char text[NUMBER_TEXT_SIZE], int64_t number)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%lld", (long long)number);
	return number_text_group(text, slice_of_text(digits));
}
