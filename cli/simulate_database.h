/* simulate_database.h - `till simulate --to postgresql://…`: a shop's tables, and changes in them at a rate. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct simulate_database_options {
	const char *address;
	int64_t seed, products, users;
	int64_t rate; /* transactions a second; 0: as fast as it goes */
	int64_t count, seconds_ms; /* 0: without end */
	bool json;
};

/* The exit code; what goes wrong is said. */
int simulate_database(const struct simulate_database_options *options);
