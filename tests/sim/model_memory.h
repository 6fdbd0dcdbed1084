/* model_memory.h - stands before every model and its glue (meson.build): they have memory where the product, in the same
 * library, is told that there is none (rim_memory.c). What a model can't do is no fault of the product's. */
#pragma once
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);

#define malloc __real_malloc
#define calloc __real_calloc
#define realloc __real_realloc
