/* Power losses and damaged files, one after the other, each in a child process of its own when it must be.
 *
 * usage: PROGRAM [--seed S] [--images N] [--weak nosync|nometasync] [--at CHANGE --loss L]
 *        PROGRAM [--seed S] --flips N [--first I] [--only KIND]
 * One line of JSON on stdout; what went wrong, and how to see it again, on stderr. Exit code 1: something did. With --weak it must. */
#include "damage.h"
#include "disk.h"
#include "scratch.h"
#include "subject.h"
#include <limits.h>
#include <lmdb.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IMAGE_SECONDS_MAX = 60, SHOWN_MAX = 3, MAPPED_FROM = 64 * 1024 };

struct options {
	uint64_t seed;
	uint64_t images;
	uint64_t flips, first_flip;
	const char *weak;
	const char *only;
	long at; /* -1: all */
	int loss;
};

/* Shared with the child that opens the images. */
struct progress {
	size_t end;
	int loss;
	uint64_t images, wrong, positions;
};

struct run {
	const struct options *options;
	const struct subject *subject;
	struct progress *progress;
	char image_dir[SCRATCH_PATH_SIZE];
};

static void tell(const struct run *run, const char *why)
{
	const struct options *options = run->options;
	struct progress *progress = run->progress;
	if (progress->wrong++ < SHOWN_MAX) {
		fprintf(stderr,
			"%s: power lost before change %zu, %s: %s\n  again: --seed %llu%s%s --at "
			"%zu --loss %d\n",
			run->subject->name, progress->end, loss_name((enum loss)progress->loss),
			why, (unsigned long long)options->seed,
			options->weak == NULL ? "" : " --weak ",
			options->weak == NULL ? "" : options->weak, progress->end, progress->loss);
	}
}

/* Images are drawn among all moments and losses. */
static bool is_drawn(const struct run *run, size_t end, int loss)
{
	const struct options *options = run->options;
	uint64_t all = (journal_count() + 1) * LOSS_COUNT;
	struct chance chance = chance_of(options->seed ^ 0x5eed, end * LOSS_COUNT + (size_t)loss);
	if (options->at >= 0) {
		return (size_t)options->at == end && loss == options->loss;
	}
	return options->images >= all || chance_below(&chance, all) < options->images;
}

static void open_image(struct run *run, const struct disk *disk)
{
	char why[WHY_SIZE] = "";
	scratch_empty(run->image_dir);
	disk_image_write(disk, run->image_dir);
	run->progress->images++;
	alarm(IMAGE_SECONDS_MAX);
	if (!run->subject->recovers(run->image_dir, run->progress->end, why)) {
		tell(run, why);
	}
	alarm(0);
}

/* Every way to lose what is unsafe at this moment; those that leave the same bytes are one. */
static void open_images_at(struct run *run, struct disk *disk, size_t end, int first_loss)
{
	uint64_t seen[LOSS_COUNT];
	int seen_count = 0;

	disk_advance(disk, end);
	for (int loss = first_loss; loss < LOSS_COUNT; loss++) {
		if (!is_drawn(run, end, loss)) {
			continue;
		}
		struct chance chance =
			chance_of(run->options->seed, end * LOSS_COUNT + (size_t)loss);
		disk_crash(disk, (enum loss)loss, &chance);
		uint64_t hash = disk_image_hash(disk);
		bool is_new = true;
		for (int i = 0; i < seen_count; i++) {
			is_new = is_new && seen[i] != hash;
		}
		seen[seen_count++] = hash;
		if (is_new) {
			run->progress->end = end;
			run->progress->loss = loss;
			open_image(run, disk);
		}
	}
	run->progress->positions += seen_count > 0;
}

static void open_images(struct run *run, size_t first_end, int first_loss)
{
	struct disk *disk = disk_new();
	for (size_t end = first_end; end <= journal_count(); end++) {
		open_images_at(run, disk, end, end == first_end ? first_loss : 0);
	}
	disk_free(disk);
}

/* A child opens them, for real code meets broken files; if it dies, that was one, and the next goes on behind it. */
static void open_all_images(struct run *run)
{
	size_t end = 0;
	int loss = 0, status = 0;
	for (;;) {
		fflush(NULL);
		pid_t child = fork();
		if (child == 0) {
			open_images(run, end, loss);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child) {
			abort();
		}
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
			return;
		}
		tell(run, WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
					      : "the opening process ended");
		end = run->progress->end;
		loss = run->progress->loss + 1;
	}
}

static int lose_power(struct run *run)
{
	const struct options *options = run->options;
	if (options->weak != NULL) {
		journal_weaken(strcmp(options->weak, "nosync") == 0 ? MDB_NOSYNC : MDB_NOMETASYNC);
	}
	char live_dir[SCRATCH_PATH_SIZE];
	scratch_make(live_dir);
	journal_begin(live_dir);
	run->subject->live(options->seed, live_dir);
	journal_pause(true);
	journal_weaken(0);
	open_all_images(run);
	const struct progress *progress = run->progress;
	printf("{\"images\": %llu, \"wrong\": %llu, \"changes\": %zu, \"moments\": %llu}\n",
		(unsigned long long)progress->images, (unsigned long long)progress->wrong,
		journal_count(), (unsigned long long)progress->positions);
	scratch_remove(live_dir);
	return (progress->wrong > 0) == (options->weak != NULL) ? 0 : 1;
}

static int flip_bits(struct run *run)
{
	char live_dir[SCRATCH_PATH_SIZE];
	scratch_make(live_dir);
	const struct damage_options options = {
		.seed = run->options->seed,
		.first = run->options->first_flip,
		.count = run->options->flips,
		.only = run->options->only,
		.live_dir = live_dir,
		.image_dir = run->image_dir,
	};
	uint64_t wrong = damage_run(run->subject, &options);
	scratch_remove(live_dir);
	return wrong == 0 ? 0 : 1;
}

static bool parse(int argc, char **argv, struct options *options)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *value = argv[i + 1];
		if (strcmp(argv[i], "--seed") == 0) {
			options->seed = strtoull(value, NULL, 10);
		} else if (strcmp(argv[i], "--images") == 0) {
			options->images = strtoull(value, NULL, 10);
		} else if (strcmp(argv[i], "--weak") == 0) {
			options->weak = value;
		} else if (strcmp(argv[i], "--only") == 0) {
			options->only = value;
		} else if (strcmp(argv[i], "--at") == 0) {
			options->at = strtol(value, NULL, 10);
		} else if (strcmp(argv[i], "--loss") == 0) {
			options->loss = (int)strtol(value, NULL, 10);
		} else if (strcmp(argv[i], "--flips") == 0) {
			options->flips = strtoull(value, NULL, 10);
		} else if (strcmp(argv[i], "--first") == 0) {
			options->first_flip = strtoull(value, NULL, 10);
		} else {
			return false;
		}
	}
	return argc % 2 == 1;
}

/* Each environment of LMDB's asks for megabytes of zeros. Those that are mapped are zeros already, and gone when they are freed; on the
 * heap they would be written, and copied for every fork, thousands of times. */
static void map_what_is_large(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
}

int subject_main(int argc, char **argv, const struct subject *subject)
{
	struct options options = {.seed = 1, .images = 1000, .at = -1};
	struct run run = {.options = &options, .subject = subject};

	if (!parse(argc, argv, &options)) {
		fprintf(stderr, "usage: see tests/power/runner.c\n");
		return 2;
	}
	run.progress = mmap(NULL, sizeof *run.progress, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run.progress == MAP_FAILED) {
		abort();
	}
	map_what_is_large();
	scratch_make(run.image_dir);
	int code = options.flips > 0 ? flip_bits(&run) : lose_power(&run);
	scratch_remove(run.image_dir);
	return code;
}
