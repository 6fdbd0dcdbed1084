#include "disk.h"
#include "proto/checksum.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_MAX = 64, PAGE_SIZE = 4096, SECTOR_SIZE = 512, DIRECTORY = -1 };

struct bytes {
	uint8_t *data; /* owned */
	size_t size, capacity;
};

struct list {
	size_t *items; /* owned: indexes into the journal */
	size_t count, capacity;
};

struct file {
	struct bytes safe;
	struct list unsafe;
	struct bytes image;
};

struct name {
	char text[JOURNAL_NAME_SIZE];
	int file; /* or DIRECTORY */
};

struct names {
	struct name items[NAMES_MAX];
	int count;
};

struct disk {
	size_t end;
	struct file files[JOURNAL_FILES_MAX];
	struct names safe_names, image_names;
	struct list unsafe_names;
};

const char *loss_name(enum loss loss)
{
	static const char *const names[LOSS_COUNT] = {"all is lost", "nothing is lost",
		"writes are lost", "pages are lost", "sectors are lost", "the first are lost",
		"the last is torn"};
	return names[loss];
}

static void *grown(void *memory, size_t size)
{
	void *more = realloc(memory, size);
	if (more == NULL) {
		abort();
	}
	return more;
}

static void list_add(struct list *list, size_t item)
{
	if (list->count == list->capacity) {
		list->capacity = list->capacity * 2 + 64;
		list->items = grown(list->items, list->capacity * sizeof *list->items);
	}
	list->items[list->count++] = item;
}

/* What is new is zeros. */
static void bytes_resize(struct bytes *bytes, size_t size)
{
	if (size > bytes->capacity) {
		bytes->capacity = size * 2;
		bytes->data = grown(bytes->data, bytes->capacity);
	}
	if (size > bytes->size) {
		memset(bytes->data + bytes->size, 0, size - bytes->size);
	}
	bytes->size = size;
}

static void bytes_put(struct bytes *bytes, uint64_t at, const uint8_t *from, size_t size)
{
	if (at + size > bytes->size) {
		bytes_resize(bytes, at + size);
	}
	memcpy(bytes->data + at, from, size);
}

struct disk *disk_new(void)
{
	struct disk *disk = calloc(1, sizeof *disk);
	if (disk == NULL) {
		abort();
	}
	return disk;
}

struct disk *disk_free(struct disk *disk)
{
	for (int i = 0; i < JOURNAL_FILES_MAX; i++) {
		free(disk->files[i].safe.data);
		free(disk->files[i].image.data);
		free(disk->files[i].unsafe.items);
	}
	free(disk->unsafe_names.items);
	free(disk);
	return NULL;
}

/* ---- names */

static int find_name(const struct names *names, const char *text)
{
	for (int i = 0; i < names->count; i++) {
		if (strcmp(names->items[i].text, text) == 0) {
			return i;
		}
	}
	return -1;
}

static void drop_name(struct names *names, const char *text)
{
	int at = find_name(names, text);
	if (at >= 0) {
		names->items[at] = names->items[--names->count];
	}
}

static void put_name(struct names *names, const char *text, int file)
{
	drop_name(names, text);
	if (names->count == NAMES_MAX) {
		abort();
	}
	struct name *name = &names->items[names->count++];
	memcpy(name->text, text, JOURNAL_NAME_SIZE);
	name->file = file;
}

static void apply_name(struct names *names, const struct change *change)
{
	int at = find_name(names, change->name);

	switch (change->kind) {
	case CHANGE_CREATE:
	case CHANGE_MKDIR:
		put_name(names, change->name, change->file);
		break;
	case CHANGE_RENAME:
		if (at >= 0) {
			int file = names->items[at].file;
			drop_name(names, change->name);
			put_name(names, change->to, file);
		}
		break;
	default:
		drop_name(names, change->name);
		break;
	}
}

static bool is_in_dir(const char *name, const char *dir)
{
	const char *slash = strrchr(name, '/');
	size_t size = slash == NULL ? 0 : (size_t)(slash - name);
	return size == strlen(dir) && memcmp(name, dir, size) == 0;
}

static void sync_names(struct disk *disk, const char *dir)
{
	size_t kept = 0;
	for (size_t i = 0; i < disk->unsafe_names.count; i++) {
		size_t index = disk->unsafe_names.items[i];
		if (is_in_dir(journal_at(index)->name, dir)) {
			apply_name(&disk->safe_names, journal_at(index));
		} else {
			disk->unsafe_names.items[kept++] = index;
		}
	}
	disk->unsafe_names.count = kept;
}

/* Its directories have names, too. */
static bool is_reachable(const struct names *names, const char *text)
{
	char dir[JOURNAL_NAME_SIZE];
	const char *slash = strrchr(text, '/');
	if (slash == NULL) {
		return true;
	}
	snprintf(dir, sizeof dir, "%.*s", (int)(slash - text), text);
	return find_name(names, dir) >= 0 && is_reachable(names, dir);
}

/* ---- bytes */

static void apply_bytes(struct bytes *bytes, const struct change *change)
{
	if (change->kind == CHANGE_SIZE) {
		bytes_resize(bytes, change->at);
	} else {
		bytes_put(bytes, change->at, change->bytes, change->size);
	}
}

static void sync_file(struct file *file)
{
	for (size_t i = 0; i < file->unsafe.count; i++) {
		apply_bytes(&file->safe, journal_at(file->unsafe.items[i]));
	}
	file->unsafe.count = 0;
}

/* A synchronous write is safe alone: those before it may still be lost. */
static void take_bytes(struct disk *disk, size_t index)
{
	const struct change *change = journal_at(index);
	struct file *file = &disk->files[change->file];
	if (change->is_synchronous) {
		apply_bytes(&file->safe, change);
	} else {
		list_add(&file->unsafe, index);
	}
}

void disk_advance(struct disk *disk, size_t end)
{
	for (; disk->end < end; disk->end++) {
		const struct change *change = journal_at(disk->end);
		switch (change->kind) {
		case CHANGE_WRITE:
		case CHANGE_SIZE:
			take_bytes(disk, disk->end);
			break;
		case CHANGE_SYNC:
			sync_file(&disk->files[change->file]);
			break;
		case CHANGE_SYNC_DIR:
			sync_names(disk, change->name);
			break;
		default:
			list_add(&disk->unsafe_names, disk->end);
			break;
		}
	}
}

/* ---- the crash */

/* Pieces of the write that are there, each with this chance. */
static void put_pieces(struct bytes *bytes, const struct change *change, size_t piece_size,
	unsigned percent, struct chance *chance)
{
	size_t done = 0;
	while (done < change->size) {
		size_t size = piece_size - (change->at + done) % piece_size;
		size = size < change->size - done ? size : change->size - done;
		if (chance_hits(chance, percent)) {
			bytes_put(bytes, change->at + done, change->bytes + done, size);
		}
		done += size;
	}
}

static void put_head(struct bytes *bytes, const struct change *change, struct chance *chance)
{
	uint64_t sectors = (change->at % SECTOR_SIZE + change->size) / SECTOR_SIZE;
	uint64_t end = change->at / SECTOR_SIZE * SECTOR_SIZE +
		       chance_below(chance, sectors + 1) * SECTOR_SIZE;
	if (end > change->at) {
		bytes_put(bytes, change->at, change->bytes, end - change->at);
	}
}

struct crash {
	enum loss loss;
	unsigned percent; /* of what is there */
	size_t first_kept; /* LOSS_OF_THE_FIRST */
	size_t last;
};

static void crash_write(struct bytes *image, const struct change *change, const struct crash *crash,
	size_t number, struct chance *chance)
{
	switch (crash->loss) {
	case LOSS_OF_ALL:
		break;
	case LOSS_OF_NOTHING:
		apply_bytes(image, change);
		break;
	case LOSS_OF_WRITES:
		put_pieces(image, change, SIZE_MAX, crash->percent, chance);
		break;
	case LOSS_OF_PAGES:
		put_pieces(image, change, PAGE_SIZE, crash->percent, chance);
		break;
	case LOSS_OF_SECTORS:
		put_pieces(image, change, SECTOR_SIZE, crash->percent, chance);
		break;
	case LOSS_OF_THE_FIRST:
		if (number >= crash->first_kept) {
			apply_bytes(image, change);
		}
		break;
	default:
		if (number < crash->last) {
			apply_bytes(image, change);
		} else {
			put_head(image, change, chance);
		}
		break;
	}
}

/* The file is as long as some unsafe write has made it, without its bytes. */
static void crash_size(struct file *file, const struct crash *crash, struct chance *chance)
{
	if (crash->loss == LOSS_OF_ALL || file->unsafe.count == 0 || chance_hits(chance, 50)) {
		return;
	}
	size_t which = file->unsafe.items[chance_below(chance, file->unsafe.count)];
	const struct change *change = journal_at(which);
	uint64_t end = change->at + change->size;
	if (end > file->image.size) {
		bytes_resize(&file->image, end);
	}
}

static void crash_file(struct disk *disk, struct file *file, enum loss loss, size_t under_way,
	struct chance *chance)
{
	size_t count = file->unsafe.count;

	if (under_way != SIZE_MAX) {
		list_add(&file->unsafe, under_way);
	}
	struct crash crash = {.loss = loss,
		.percent = (unsigned)(10 + chance_below(chance, 81)),
		.first_kept = chance_below(chance, file->unsafe.count + 1),
		.last = file->unsafe.count - 1};
	file->image.size = 0;
	if (file->safe.size > 0) {
		bytes_put(&file->image, 0, file->safe.data, file->safe.size);
	}
	for (size_t i = 0; i < file->unsafe.count; i++) {
		const struct change *change = journal_at(file->unsafe.items[i]);
		if (change->kind == CHANGE_WRITE) {
			crash_write(&file->image, change, &crash, i, chance);
		} else if (loss != LOSS_OF_ALL &&
			   (loss == LOSS_OF_NOTHING || chance_hits(chance, 50))) {
			apply_bytes(&file->image, change);
		}
	}
	crash_size(file, &crash, chance);
	file->unsafe.count = count;
	(void)disk;
}

static void crash_names(struct disk *disk, enum loss loss, struct chance *chance)
{
	size_t count = disk->unsafe_names.count;
	size_t kept = loss == LOSS_OF_ALL       ? 0
		      : loss == LOSS_OF_NOTHING ? count
						: chance_below(chance, count + 1);

	disk->image_names = disk->safe_names;
	for (size_t i = 0; i < kept; i++) {
		apply_name(&disk->image_names, journal_at(disk->unsafe_names.items[i]));
	}
}

void disk_crash(struct disk *disk, enum loss loss, struct chance *chance)
{
	const struct change *next = disk->end < journal_count() ? journal_at(disk->end) : NULL;
	bool is_under_way = next != NULL && next->kind == CHANGE_WRITE && next->is_synchronous;

	for (int i = 0; i < JOURNAL_FILES_MAX; i++) {
		size_t under_way = is_under_way && next->file == i ? disk->end : SIZE_MAX;
		crash_file(disk, &disk->files[i], loss, under_way, chance);
	}
	crash_names(disk, loss, chance);
}

/* ---- the image */

uint64_t disk_image_hash(const struct disk *disk)
{
	uint64_t hash = 1;
	for (int i = 0; i < disk->image_names.count; i++) {
		const struct name *name = &disk->image_names.items[i];
		if (!is_reachable(&disk->image_names, name->text)) {
			continue;
		}
		uint32_t crc = checksum_crc32c(0, name->text, strlen(name->text));
		uint64_t size = 0;
		if (name->file != DIRECTORY) {
			const struct bytes *image = &disk->files[name->file].image;
			size = image->size;
			crc = checksum_crc32c(crc, image->data, image->size);
		}
		hash += (crc ^ size << 32) * UINT64_C(0x9e3779b97f4a7c15);
	}
	return hash;
}

static void write_file(const char *path, const struct bytes *bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 ||
		(bytes->size > 0 && write(fd, bytes->data, bytes->size) != (ssize_t)bytes->size)) {
		perror(path);
		abort();
	}
	close(fd);
}

static bool is_before(const struct name *a, const struct name *b)
{
	return strcmp(a->text, b->text) < 0;
}

/* Directories come before what is in them. */
static void sort_names(struct names *names)
{
	for (int i = 1; i < names->count; i++) {
		for (int j = i; j > 0 && is_before(&names->items[j], &names->items[j - 1]); j--) {
			struct name swapped = names->items[j];
			names->items[j] = names->items[j - 1];
			names->items[j - 1] = swapped;
		}
	}
}

void disk_image_write(const struct disk *disk, const char *dir)
{
	struct names names = disk->image_names;

	sort_names(&names);
	for (int i = 0; i < names.count; i++) {
		const struct name *name = &names.items[i];
		char path[PATH_MAX];
		if (!is_reachable(&names, name->text)) {
			continue;
		}
		snprintf(path, sizeof path, "%s/%s", dir, name->text);
		if (name->file == DIRECTORY) {
			(void)mkdir(path, 0700);
		} else {
			write_file(path, &disk->files[name->file].image);
		}
	}
}
