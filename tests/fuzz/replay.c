/* Runs a target without libFuzzer, in any build: every file of the folders that are named, then changes of them, the same each
 * time.
 *
 * usage: replay-NOUN CHANGES FOLDER… */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"
#include <dirent.h>

enum { FILES_MAX = 100000, INPUT_SIZE_MAX = 1 << 20, GROWTH_MAX = 4096, FLIPS_MAX = 4 };

/* Where a target has a structure. */
#pragma weak LLVMFuzzerCustomMutator

static struct slice inputs[FILES_MAX]; /* owned */
static uint32_t input_count;

/* ---- libFuzzer's own mutation, but simpler */

static size_t insert(struct chance *chance, uint8_t *data, size_t size, size_t at)
{
	memmove(data + at + 1, data + at, size - at);
	data[at] = (uint8_t)chance_draw(chance, 256);
	return size + 1;
}

static size_t cut_out(struct chance *chance, uint8_t *data, size_t size, size_t at)
{
	size_t left = size - at;
	size_t gone = 1 + chance_draw(chance, left < 8 ? (uint32_t)left : 8);

	memmove(data + at, data + at + gone, left - gone);
	return size - gone;
}

static size_t change(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	size_t at = chance_draw(chance, (uint32_t)size);

	switch (chance_draw(chance, 4)) {
	case 0:
		return size < size_max ? insert(chance, data, size, at) : size;
	case 1:
		return size > 8 ? cut_out(chance, data, size, at) : size;
	case 2:
		data[at] = (uint8_t)chance_draw(chance, 256);
		return size;
	default:
		data[at] = (uint8_t)(data[at] ^ 1u << chance_draw(chance, 8));
		return size;
	}
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
	static struct chance chance = {1};

	if (size == 0 && max_size > 0) {
		data[0] = (uint8_t)chance_draw(&chance, 256);
		return 1;
	}
	for (uint32_t flips = 1 + chance_draw(&chance, FLIPS_MAX); flips > 0 && size > 0; flips--) {
		size = change(&chance, data, size, max_size);
	}
	return size < max_size ? size : max_size;
}

/* ---- inputs */

static void keep(const char *path)
{
	static uint8_t bytes[INPUT_SIZE_MAX];
	FILE *file = fopen(path, "rb");

	if (file == NULL || input_count == FILES_MAX) {
		fprintf(stderr, "%s: can't be read\n", path);
		exit(1);
	}
	size_t size = fread(bytes, 1, sizeof bytes, file);
	inputs[input_count++] = fuzz_copy(bytes, size);
	fclose(file);
}

/* By name, so that each time is like the other. */
static void keep_folder(const char *folder)
{
	struct dirent **names = NULL;
	char path[4096];
	int count = scandir(folder, &names, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.') {
			snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
			keep(path);
		}
		free(names[i]);
	}
	free(names);
}

static void run_changed(struct slice input, uint32_t seed)
{
	uint8_t *data = malloc(input.size + GROWTH_MAX);

	if (data == NULL) {
		abort();
	}
	if (input.size > 0) {
		memcpy(data, input.bytes, input.size);
	}
	size_t size_max = input.size + GROWTH_MAX;
	size_t size = LLVMFuzzerCustomMutator != NULL
			      ? LLVMFuzzerCustomMutator(data, input.size, size_max, seed)
			      : LLVMFuzzerMutate(data, input.size, size_max);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

int main(int argc, char **argv)
{
	uint32_t changes = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;

	for (int i = 2; i < argc; i++) {
		keep_folder(argv[i]);
	}
	for (uint32_t i = 0; i < input_count; i++) {
		LLVMFuzzerTestOneInput(inputs[i].bytes, inputs[i].size);
	}
	for (uint32_t i = 0; i < changes && input_count > 0; i++) {
		run_changed(inputs[i % input_count], i * UINT32_C(2654435761));
	}
	printf("%u inputs, %u changes of them\n", input_count, input_count > 0 ? changes : 0);
	for (uint32_t i = 0; i < input_count; i++) {
		fuzz_free(inputs[i]);
	}
	return 0;
}
