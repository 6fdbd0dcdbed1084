/* number_text.h - numbers as people read them: thousands separated by commas. Pure. */
#pragma once
#include "proto/slice.h"

enum { NUMBER_TEXT_SIZE = 72 };

/* "1,234,567" */
const char *number_text(char text[NUMBER_TEXT_SIZE], int64_t number);
/* A decimal number's text ("-1234567.89") with separators; anything else, or what is too long, unchanged (cut). */
const char *number_text_group(char text[NUMBER_TEXT_SIZE], struct slice digits);
/* Is it an optional sign, digits, and perhaps a point with digits? */
bool number_text_is_decimal(struct slice text);
