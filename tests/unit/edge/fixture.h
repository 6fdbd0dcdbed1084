/* fixture.h - what the edge's tests share: cmocka, a directory that goes away, and orders in JSON. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proto/slice.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIXTURE_PATH_SIZE = 256 };

static inline void make_temp_dir(char path[FIXTURE_PATH_SIZE])
{
	/* In memory where that is possible: a thousand fsyncs of a laptop's disk take ten seconds. */
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(path, FIXTURE_PATH_SIZE, "%s/till-test-XXXXXX", base);
	assert_non_null(mkdtemp(path));
}

/* Flat directories only: that is all a spool makes. */
static inline void remove_temp_dir(const char *path)
{
	char file[FIXTURE_PATH_SIZE * 3];
	DIR *dir = opendir(path);
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		unlink(file);
	}
	closedir(dir);
	assert_int_equal(rmdir(path), 0);
}

#define ORDER_JSON                                                                                 \
	"{\"order_id\":\"1\",\"product_id\":\"tea\",\"quantity\":2,\"unit_price\":\"2.55\"}"
#define CART_JSON "{\"kind\":\"cart\",\"product_id\":\"tea\",\"action\":\"add\"}"
#define VIEW_JSON "{\"kind\":\"view\",\"page\":\"/tea\"}"
#define BAD_ORDER_JSON "{\"order_id\":\"1\",\"product_id\":\"tea\",\"unit_price\":\"2,55\"}"
