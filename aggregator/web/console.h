/* console.h - the files of the web console, built in (console_assets.py makes the table out of console/). */
#pragma once
#include <stddef.h>

/* A file in one coding. */
struct console_content {
	const unsigned char *bytes;
	size_t size;
	const char *etag; /* with its quotes: of these very bytes */
};

struct console_asset {
	const char *path; /* "/main.js"; "/" is index.html */
	const char *type; /* Content-Type */
	struct console_content plain;
	struct console_content gzip;
};

extern const struct console_asset console_assets[];
extern const size_t console_asset_count;
