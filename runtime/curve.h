/* curve.h - CURVE's keys as text: 40 characters of Z85, which libzmq takes. Pure, but for curve_pair_new, which draws. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { CURVE_KEY_SIZE = 40, CURVE_KEY_BYTES = 32 };

struct curve_key {
	char text[CURVE_KEY_SIZE + 1];
};

struct curve_pair {
	struct curve_key public_key;
	struct curve_key secret_key;
};

/* 0, or -ENOTSUP where libzmq has no CURVE. */
int curve_pair_new(struct curve_pair *ret_pair);
/* false when the text is no key. */
bool curve_key_parse(const char *text, struct curve_key *ret_key);
/* From the bytes that a ZAP request holds. */
bool curve_key_of_bytes(const void *bytes, size_t size, struct curve_key *ret_key);
bool curve_public_of(const struct curve_key *secret_key, struct curve_key *ret_public_key);
/* The compiler leaves it out nowhere. */
void curve_pair_forget(struct curve_pair *pair);
