#include "cli/delimiter.h"

#include <stddef.h>
#include <string.h>

bool text_ends_with(const char *text, const char *end)
{
	size_t size = strlen(text);
	size_t end_size = strlen(end);

	return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

bool delimiter_choose(const char *option, const char *file, char *ret_delimiter)
{
	if (option == NULL) {
		*ret_delimiter = file != NULL && text_ends_with(file, ".tsv") ? '\t' : ',';
		return true;
	}
	if (strcmp(option, "tab") == 0 || strcmp(option, "\\t") == 0) {
		*ret_delimiter = '\t';
		return true;
	}
	*ret_delimiter = option[0];
	return strlen(option) == 1 && option[0] != '"' && option[0] != '\n' && option[0] != '\r';
}
