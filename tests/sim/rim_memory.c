/* The product's memory: now and then there is none. The linker puts these in front of the real ones (--wrap). */
#include "tests/sim/world.h"
#include <string.h>

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
	return world_memory_is_short() ? NULL : malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return world_memory_is_short() ? NULL : calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return world_memory_is_short() ? NULL : realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = __wrap_malloc(size);

	return copy == NULL ? NULL : memcpy(copy, text, size);
}
