/* tail_names.h - what files are called when they are rotated away: logrotate's numbers and dates, compressed or not. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* sales.csv: sales.csv.1, sales.csv.anything, sales.csv-20240131, sales-20240131.csv. Both with or without folder, alike. */
bool tail_name_is_rotated(const char *base, const char *name);
/* By its ending: it can't be read line by line. */
bool tail_name_is_compressed(const char *name);
/* < 0: by their names `a` was rotated away before `b`. A higher number is older, a higher date younger. */
int tail_name_compare_age(const char *a, const char *b);
/* Whether `name` is what one of these was called, `names` sorted by strcmp. */
bool tail_name_has_base(const char *name, const char *const *names, size_t count);
