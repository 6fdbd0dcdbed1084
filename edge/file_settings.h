/* file_settings.h - what the sources that read files have in common in their configuration: the format, and which column is
 * which field. Pure; texts are borrowed from the configuration unless said otherwise. */
#pragma once
#include "edge/line_batch.h"
#include "runtime/config.h"

enum { FILE_PAIRS_MAX = 64 };

struct file_options {
	const char *format; /* "": by the ending of `name` */
	const char *delimiter;
	const char *map; /* lists */
	const char *set;
	const char *kind; /* "": as the events say */
	const char *name; /* of a file, or a glob; NULL: each file's ending says its format */
	int64_t events_max;
};

struct file_settings {
	struct line_rules rules; /* borrows from here: don't copy it */
	char *map[FILE_PAIRS_MAX + 1]; /* owned; ends with NULL */
	char *set[FILE_PAIRS_MAX + 1];
};

/* 0, -ENOMEM, or -EINVAL with the error set. */
int file_settings_read(const struct file_options *options, struct file_settings *ret_settings,
	struct config_error *error);
void file_settings_deinit(struct file_settings *settings);
/* By its ending; false when that says nothing. */
bool file_format_of(const char *name, enum line_format *ret_format);
