/* text.h - foreign bytes made safe to print. Pure. */
#pragma once
#include <stddef.h>
#include <stdio.h>

/* The size (1-4) of the UTF-8 sequence at the start of `bytes`, 0 when it is not one. */
size_t text_sequence_size(const void *bytes, size_t size);
/* A JSON string with its quotes. What is not UTF-8 becomes U+FFFD. */
void text_write_json(FILE *out, const char *text);
