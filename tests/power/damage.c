#include "damage.h"
#include "disk.h"
#include "scratch.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SUBJECT_FILES_MAX = 8, PAGE_SIZE = 4096, META_PAGES = 2, SECONDS_MAX = 60, SHOWN_MAX = 5 };

struct content {
	uint8_t *bytes; /* owned; NULL: there is no such file */
	size_t size;
};

enum damage_kind {
	DAMAGE_BIT,
	DAMAGE_ZEROS,
	DAMAGE_SWAP,
	DAMAGE_OLD_PAGE,
	DAMAGE_OLD_FILE,
	DAMAGE_CUT,
	DAMAGE_KIND_COUNT,
};

static const char *const kind_names[DAMAGE_KIND_COUNT] = {
	"flips", "zeros", "swaps", "old_pages", "old_files", "cuts"};

struct damage {
	const struct subject *subject;
	const struct damage_options *options;
	size_t file_count;
	struct content now[SUBJECT_FILES_MAX], early[SUBJECT_FILES_MAX];
	char *why; /* shared with the child */
	uint64_t verdicts[VERDICT_COUNT], kinds[DAMAGE_KIND_COUNT];
};

static struct content load(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct content content = {0};
	struct stat status;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0) {
		return content;
	}
	content.size = (size_t)status.st_size;
	content.bytes = malloc(content.size + 1);
	if (content.bytes == NULL || read(fd, content.bytes, content.size) != status.st_size) {
		abort();
	}
	close(fd);
	return content;
}

static void store(const char *dir, const char *name, const struct content *content)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, content->bytes, content->size) != (ssize_t)content->size) {
		perror(path);
		abort();
	}
	close(fd);
}

static struct content copy_of(const struct content *content)
{
	struct content copy = {malloc(content->size + PAGE_SIZE), content->size};
	if (copy.bytes == NULL) {
		abort();
	}
	memcpy(copy.bytes, content->bytes, content->size);
	return copy;
}

/* Half of the bits anywhere, half of them where trees are held together: in the first bytes of pages. */
static void flip(struct content *content, struct chance *chance)
{
	size_t at = chance_below(chance, content->size);
	if (chance_hits(chance, 50)) {
		at = at / PAGE_SIZE * PAGE_SIZE + chance_below(chance, 160);
		at = at < content->size ? at : content->size - 1;
	}
	content->bytes[at] ^= (uint8_t)(1u << chance_below(chance, 8));
}

static size_t draw_page(const struct content *content, struct chance *chance)
{
	size_t pages = content->size / PAGE_SIZE;
	return pages == 0 ? 0 : chance_below(chance, pages) * PAGE_SIZE;
}

static void swap_pages(struct content *content, struct chance *chance)
{
	uint8_t kept[PAGE_SIZE];
	uint8_t *a = content->bytes + draw_page(content, chance);
	uint8_t *b = content->bytes + draw_page(content, chance);
	memcpy(kept, a, PAGE_SIZE);
	memmove(a, b, PAGE_SIZE);
	memcpy(b, kept, PAGE_SIZE);
}

/* What was done in the end. One of LMDB's two first pages as it was before the last commit makes the file what it was then: nothing in
 * it can tell. */
static enum damage_kind do_damage(enum damage_kind kind, struct content *content,
	const struct content *early, struct chance *chance)
{
	size_t page = draw_page(content, chance);
	bool is_small = content->size < PAGE_SIZE;

	if (is_small || kind == DAMAGE_BIT) {
		flip(content, chance);
		return DAMAGE_BIT;
	}
	if (kind == DAMAGE_ZEROS) {
		memset(content->bytes + page, 0, PAGE_SIZE);
	} else if (kind == DAMAGE_SWAP) {
		swap_pages(content, chance);
	} else if (kind == DAMAGE_CUT) {
		content->size = chance_below(chance, content->size);
	} else if (kind == DAMAGE_OLD_PAGE && page + PAGE_SIZE <= early->size) {
		memcpy(content->bytes + page, early->bytes + page, PAGE_SIZE);
		return page < META_PAGES * PAGE_SIZE ? DAMAGE_OLD_FILE : kind;
	} else if (early->bytes != NULL && early->size > 0) {
		free(content->bytes);
		*content = copy_of(early);
		return DAMAGE_OLD_FILE;
	}
	return kind;
}

static enum damage_kind draw_kind(struct chance *chance, const char *only)
{
	for (int i = 0; only != NULL && i < DAMAGE_KIND_COUNT; i++) {
		if (strcmp(kind_names[i], only) == 0) {
			return (enum damage_kind)i;
		}
	}
	return chance_hits(chance, 96)
		       ? DAMAGE_BIT
		       : (enum damage_kind)(1 + chance_below(chance, DAMAGE_KIND_COUNT - 1));
}

static void make_dirs(const char *base, const char *name)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", base, name);
	for (char *at = path + strlen(base) + 1; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		(void)mkdir(path, 0700);
		*at = '/';
	}
}

/* One damaged file among the others. */
static enum damage_kind write_damaged(struct damage *damage, uint64_t number)
{
	struct chance chance = chance_of(damage->options->seed ^ 0xf11b, number);
	enum damage_kind kind = draw_kind(&chance, damage->options->only);
	size_t which = chance_below(&chance, damage->file_count);

	scratch_empty(damage->options->image_dir);
	for (size_t i = 0; i < damage->file_count; i++) {
		struct content content = copy_of(&damage->now[i]);
		if (i == which) {
			kind = do_damage(kind, &content, &damage->early[i], &chance);
		}
		make_dirs(damage->options->image_dir, damage->subject->files[i]);
		store(damage->options->image_dir, damage->subject->files[i], &content);
		free(content.bytes);
	}
	return kind;
}

static enum verdict try_it(struct damage *damage, enum damage_kind kind)
{
	const struct subject *subject = damage->subject;
	int status = 0;
	damage->why[0] = '\0';
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		alarm(SECONDS_MAX);
		_exit((int)subject->endures(
			damage->options->image_dir, kind == DAMAGE_OLD_FILE, damage->why));
	}
	if (child < 0 || waitpid(child, &status, 0) != child) {
		abort();
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) >= VERDICT_COUNT) {
		snprintf(damage->why, WHY_SIZE, "the program itself ended: %s",
			WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit");
		return VERDICT_WRONG;
	}
	return (enum verdict)WEXITSTATUS(status);
}

static void load_all(struct damage *damage)
{
	struct disk *disk = disk_new();
	struct chance chance = chance_of(damage->options->seed, 0);

	disk_advance(disk, journal_count() * (40 + chance_below(&chance, 60)) / 100);
	disk_crash(disk, LOSS_OF_NOTHING, &chance);
	scratch_empty(damage->options->image_dir);
	disk_image_write(disk, damage->options->image_dir);
	for (size_t i = 0; damage->subject->files[i] != NULL; i++) {
		damage->now[i] = load(damage->options->live_dir, damage->subject->files[i]);
		damage->early[i] = load(damage->options->image_dir, damage->subject->files[i]);
		if (damage->now[i].size == 0) {
			abort();
		}
		damage->file_count++;
	}
	disk_free(disk);
}

static void print_sums(const struct damage *damage)
{
	printf("{\"damages\": %llu", (unsigned long long)damage->options->count);
	for (int i = 0; i < DAMAGE_KIND_COUNT; i++) {
		printf(", \"%s\": %llu", kind_names[i], (unsigned long long)damage->kinds[i]);
	}
	printf(", \"whole\": %llu, \"refused\": %llu, \"known\": %llu, \"wrong\": %llu}\n",
		(unsigned long long)damage->verdicts[VERDICT_WHOLE],
		(unsigned long long)damage->verdicts[VERDICT_REFUSED],
		(unsigned long long)damage->verdicts[VERDICT_KNOWN],
		(unsigned long long)damage->verdicts[VERDICT_WRONG]);
}

uint64_t damage_run(const struct subject *subject, const struct damage_options *options)
{
	struct damage damage = {.subject = subject, .options = options};

	damage.why =
		mmap(NULL, WHY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	journal_begin(options->live_dir);
	subject->live(options->seed, options->live_dir);
	journal_pause(true);
	load_all(&damage);
	for (uint64_t i = options->first; i < options->first + options->count; i++) {
		enum damage_kind kind = write_damaged(&damage, i);
		enum verdict verdict = try_it(&damage, kind);
		damage.kinds[kind]++;
		if (verdict == VERDICT_WRONG && damage.verdicts[VERDICT_WRONG] < SHOWN_MAX) {
			fprintf(stderr,
				"%s, damage %llu (%s): %s\n  again: --seed %llu --first %llu "
				"--flips 1%s%s\n",
				subject->name, (unsigned long long)i, kind_names[kind], damage.why,
				(unsigned long long)options->seed, (unsigned long long)i,
				options->only == NULL ? "" : " --only ",
				options->only == NULL ? "" : options->only);
		}
		damage.verdicts[verdict]++;
	}
	print_sums(&damage);
	for (size_t i = 0; i < damage.file_count; i++) {
		free(damage.now[i].bytes);
		free(damage.early[i].bytes);
	}
	return damage.verdicts[VERDICT_WRONG];
}
