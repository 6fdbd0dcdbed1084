#include "aggregator/log/survey.h"
#include "proto/utf8.h"
#include <stdalign.h>
#include <stdlib.h>

struct survey_block {
	struct survey_block *next;
	alignas(max_align_t) uint8_t bytes[];
};

struct survey *survey_new(void)
{
	struct survey *survey = calloc(1, sizeof *survey);

	if (survey != NULL) {
		survey->controller = -1;
	}
	return survey;
}

struct survey *survey_free(struct survey *survey)
{
	if (survey == NULL) {
		return NULL;
	}
	while (survey->blocks != NULL) {
		struct survey_block *next = survey->blocks->next;
		free(survey->blocks);
		survey->blocks = next;
	}
	free(survey);
	return NULL;
}

void *survey_room(struct survey *survey, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) ||
		__builtin_add_overflow(bytes, sizeof(struct survey_block), &bytes)) {
		return NULL;
	}
	struct survey_block *block = calloc(1, bytes);
	if (block == NULL) {
		return NULL;
	}
	block->next = survey->blocks;
	survey->blocks = block;
	return block->bytes;
}

const char *survey_text(struct survey *survey, const char *text)
{
	size_t size = strlen(text);
	char *copy = survey_room(survey, size + 1, 1);

	if (copy != NULL) {
		utf8_repair(slice_of(text, size), copy, size);
	}
	return copy;
}

const struct survey_topic *survey_find(const struct survey *survey, const char *name)
{
	for (uint32_t i = 0; i < survey->topic_count; i++) {
		if (strcmp(survey->topics[i].name, name) == 0) {
			return &survey->topics[i];
		}
	}
	return NULL;
}
