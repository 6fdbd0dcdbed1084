/* delimiter.h - what stands between the cells of a CSV file, as --delimiter and the file's name say. Pure. */
#pragma once
#include <stdbool.h>

/* `option`: one character, or "tab"; NULL: a tab for FILE.tsv, else a comma. `file` may be NULL. false: it can be none. */
bool delimiter_choose(const char *option, const char *file, char *ret_delimiter);
bool text_ends_with(const char *text, const char *end);
