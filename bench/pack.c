/* till-pack: what compression makes of batches, and what that costs the processors of edge and bridge. Reads a file of events
 * in normal form, back to back, as they lie in a spool; prints one JSON object. Times are of processor. */
#include "bench/options.h"
#include "proto/compression.h"
#include "proto/event.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct bench {
	const char *path;
	int64_t level, batch, rounds;
	struct slice events; /* all of the file */
	struct compressor *compressor;
	struct decompressor *decompressor;
	uint64_t event_count, batch_count, packed_count, wire_bytes;
	double pack_ns, unpack_ns, longest_ns;
};

static void require(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "till-pack: %s failed\n", what);
		exit(1);
	}
}

static double processor_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void read_events(struct bench *bench)
{
	FILE *file = fopen(bench->path, "rb");

	require(file != NULL && fseek(file, 0, SEEK_END) == 0, "opening the file");
	long size = ftell(file);
	rewind(file);
	require(size > 0, "reading the file");
	uint8_t *bytes = malloc((size_t)size);
	require(bytes != NULL && fread(bytes, 1, (size_t)size, file) == (size_t)size,
		"reading the file");
	fclose(file);
	bench->events = slice_of(bytes, (size_t)size);
}

/* The next events: as many as are asked for and fit. */
static struct slice take_batch(struct bench *bench, struct slice *rest)
{
	const uint8_t *first = rest->bytes;
	size_t size = 0;
	struct slice event;

	for (int64_t i = 0; (bench->batch == 0 || i < bench->batch) && rest->size > 0; i++) {
		struct slice before = *rest;
		require(event_cut(rest, &event), "cutting an event");
		if (size + event.size > BATCH_SIZE_MAX) {
			*rest = before;
			break;
		}
		size += event.size;
		bench->event_count++;
	}
	return slice_of(first, size);
}

static void pack_batch(struct bench *bench, struct slice plain)
{
	struct slice frame, again;
	struct complaint complaint;

	double begin = processor_ns();
	bool is_packed = compressor_pack(bench->compressor, plain, &frame);
	double packed = processor_ns();
	if (is_packed) {
		require(decompressor_unpack(
				bench->decompressor, frame, plain.size, &again, &complaint) == 0,
			"unpacking");
		bench->packed_count++;
	}
	bench->unpack_ns += processor_ns() - packed;
	bench->pack_ns += packed - begin;
	bench->longest_ns = packed - begin > bench->longest_ns ? packed - begin : bench->longest_ns;
	bench->wire_bytes += is_packed ? frame.size : plain.size;
	bench->batch_count++;
}

static void run(struct bench *bench)
{
	read_events(bench);
	require(compressor_new((int)bench->level, &bench->compressor) == 0, "making a compressor");
	require(decompressor_new(&bench->decompressor) == 0, "making a decompressor");
	for (int64_t round = 0; round < bench->rounds; round++) {
		struct slice rest = bench->events;
		while (rest.size > 0) {
			pack_batch(bench, take_batch(bench, &rest));
		}
	}
	double events = (double)bench->event_count;
	printf("{\"level\":%lld,\"batch\":%lld,\"events\":%.0f,\"batches\":%llu,\"packed\":%llu,"
	       "\"plain_bytes\":%.3f,\"wire_bytes\":%.3f,\"pack_ns\":%.1f,\"unpack_ns\":%.1f,"
	       "\"longest_ms\":%.3f}\n",
		(long long)bench->level, (long long)bench->batch, events,
		(unsigned long long)bench->batch_count, (unsigned long long)bench->packed_count,
		(double)bench->events.size * (double)bench->rounds / events,
		(double)bench->wire_bytes / events, bench->pack_ns / events,
		bench->unpack_ns / events, bench->longest_ns / 1e6);
	compressor_free(bench->compressor);
	decompressor_free(bench->decompressor);
	free((void *)(uintptr_t)bench->events.bytes);
}

int main(int argc, char **argv)
{
	struct bench bench = {.level = COMPRESSION_LEVEL_DEFAULT, .rounds = 3};
	const struct bench_option options[] = {
		{"--events", &bench.path, NULL, "file of events in normal form (required)"},
		{"--level", NULL, &bench.level, "of zstd (3)"},
		{"--batch", NULL, &bench.batch, "events in a batch; 0: as many as fit (0)"},
		{"--rounds", NULL, &bench.rounds, "how often the file is gone through (3)"},
		{NULL, NULL, NULL, NULL},
	};

	bench_options_parse(options, argc, argv);
	require(bench.path != NULL && bench.batch >= 0 && bench.rounds > 0 &&
			bench.level >= COMPRESSION_LEVEL_MIN &&
			bench.level <= COMPRESSION_LEVEL_MAX,
		"reading the options");
	run(&bench);
	return 0;
}
