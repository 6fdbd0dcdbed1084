/* text.h - foreign bytes made safe to print. Pure. */
#pragma once
#include <stddef.h>
#include <stdio.h>

/* The size (1-4) of the UTF-8 sequence at the start of `bytes`, 0 when it is not one. */
size_t text_sequence_size(const void *bytes, size_t size);

enum { TEXT_PIECE_SIZE = 4 };
/* Writes what one character becomes to `out`; returns its size, 1 … TEXT_PIECE_SIZE. `size` bytes are UTF-8; 0: the one
 * byte at `text` is none. */
typedef size_t (*text_escape_fn)(const char *text, size_t size, char *out);
/* "…": as many whole characters as fit, the quotes and the final NUL included. out_size is at least 3. Returns the size
 * without the NUL. */
size_t text_quote(char *out, size_t out_size, const void *text, size_t size, text_escape_fn escape);

/* A JSON string with its quotes. What is not UTF-8 becomes U+FFFD. */
void text_write_json(FILE *out, const char *text);
