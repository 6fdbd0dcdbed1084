/* order.h - the benchmark's orders: number i is always the same event. As a producer sends it, and in normal form. */
#pragma once
#include "proto/event.h"

struct bench_shape {
	int64_t users; /* user ids u0 … */
	int64_t products;
	int64_t lines; /* orders' lines: consecutive numbers share order and user */
	bool has_details; /* of certified ones: category, channel, payment; each twentieth order is a return */
};

/* As a producer sends it: one msgpack map. */
void bench_order_encode(const struct bench_shape *shape, uint64_t number, struct buffer *buffer);
/* Normal form with this certificate. */
void bench_order_encode_certified(const struct bench_shape *shape, uint64_t number,
	const struct certificate *certificate, struct buffer *buffer);
