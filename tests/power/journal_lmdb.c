#include "journal.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
	pthread_mutex_t lock; /* of all below */
	char dir[PATH_MAX]; /* "": nothing is written down */
	size_t dir_size;
	bool is_paused;
	struct change *changes; /* owned */
	size_t count, capacity;
	ino_t files[JOURNAL_FILES_MAX];
	int file_count;
	unsigned lmdb_flags;
} journal = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the list */

static struct change *append(enum change_kind kind)
{
	if (journal.count == journal.capacity) {
		journal.capacity = journal.capacity * 2 + 1024;
		journal.changes =
			realloc(journal.changes, journal.capacity * sizeof *journal.changes);
		if (journal.changes == NULL) {
			abort();
		}
	}
	struct change *change = &journal.changes[journal.count++];
	*change = (struct change){.kind = kind, .file = -1};
	return change;
}

/* The part below the directory, or NULL. */
static const char *below(const char *path)
{
	if (journal.dir_size == 0 || journal.is_paused ||
		strncmp(path, journal.dir, journal.dir_size) != 0) {
		return NULL;
	}
	const char *rest = path + journal.dir_size;
	return *rest == '/' ? rest + 1 : *rest == '\0' ? rest : NULL;
}

static void set_name(char name[JOURNAL_NAME_SIZE], const char *text)
{
	if (strlen(text) >= JOURNAL_NAME_SIZE) {
		abort();
	}
	strcpy(name, text);
}

static int file_of(ino_t inode)
{
	for (int i = journal.file_count - 1; i >= 0; i--) {
		if (journal.files[i] == inode) {
			return i;
		}
	}
	return -1;
}

static int file_of_fd(int fd)
{
	struct stat status;
	return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? file_of(status.st_ino) : -1;
}

void journal_begin(const char *dir)
{
	pthread_mutex_lock(&journal.lock);
	if (realpath(dir, journal.dir) == NULL) {
		abort();
	}
	journal.dir_size = strlen(journal.dir);
	pthread_mutex_unlock(&journal.lock);
}

void journal_pause(bool is_paused)
{
	pthread_mutex_lock(&journal.lock);
	journal.is_paused = is_paused;
	pthread_mutex_unlock(&journal.lock);
}

size_t journal_count(void)
{
	pthread_mutex_lock(&journal.lock);
	size_t count = journal.count;
	pthread_mutex_unlock(&journal.lock);
	return count;
}

const struct change *journal_at(size_t index)
{
	return &journal.changes[index];
}

void journal_forget(void)
{
	for (size_t i = 0; i < journal.count; i++) {
		free(journal.changes[i].bytes);
	}
	free(journal.changes);
	journal.changes = NULL;
	journal.count = journal.capacity = 0;
	journal.dir_size = 0;
	journal.file_count = 0;
}

void journal_weaken(unsigned lmdb_flags)
{
	journal.lmdb_flags = lmdb_flags;
}

/* ---- bytes: noted once the kernel has taken them */

static void note_write(int fd, const void *bytes, ssize_t size, off_t at)
{
	pthread_mutex_lock(&journal.lock);
	int file = journal.dir_size > 0 && size > 0 ? file_of_fd(fd) : -1;
	if (file >= 0) {
		struct change *change = append(CHANGE_WRITE);
		change->file = file;
		change->at = (uint64_t)at;
		change->size = (size_t)size;
		change->is_synchronous = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
		change->bytes = malloc((size_t)size);
		if (change->bytes == NULL) {
			abort();
		}
		memcpy(change->bytes, bytes, (size_t)size);
	}
	pthread_mutex_unlock(&journal.lock);
}

static void note_file(int fd, enum change_kind kind, uint64_t size)
{
	pthread_mutex_lock(&journal.lock);
	int file = journal.dir_size > 0 ? file_of_fd(fd) : -1;
	if (file >= 0) {
		struct change *change = append(kind);
		change->file = file;
		change->at = size;
	}
	pthread_mutex_unlock(&journal.lock);
}

static ssize_t write_at(int fd, const void *bytes, size_t size, off_t at)
{
	ssize_t written = syscall(SYS_pwrite64, fd, bytes, size, at);
	note_write(fd, bytes, written, at);
	return written;
}

/* Under both names that libc has for it: which one LMDB was built with is Debian's business. */
ssize_t take_pwrite(int fd, const void *bytes, size_t size, off_t at) __asm__("pwrite");
ssize_t take_pwrite(int fd, const void *bytes, size_t size, off_t at)
{
	return write_at(fd, bytes, size, at);
}

ssize_t take_pwrite64(int fd, const void *bytes, size_t size, off_t at) __asm__("pwrite64");
ssize_t take_pwrite64(int fd, const void *bytes, size_t size, off_t at)
{
	return write_at(fd, bytes, size, at);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	ssize_t written = syscall(SYS_write, fd, bytes, size);
	if (at >= 0) {
		note_write(fd, bytes, written, at);
	}
	return written;
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	ssize_t written = syscall(SYS_writev, fd, pieces, count);
	ssize_t left = written;
	for (int i = 0; i < count && left > 0 && at >= 0; i++) {
		ssize_t size =
			(ssize_t)pieces[i].iov_len < left ? (ssize_t)pieces[i].iov_len : left;
		note_write(fd, pieces[i].iov_base, size, at);
		at += size;
		left -= size;
	}
	return written;
}

static int cut(int fd, off_t size)
{
	int r = (int)syscall(SYS_ftruncate, fd, size);
	if (r == 0) {
		note_file(fd, CHANGE_SIZE, (uint64_t)size);
	}
	return r;
}

int take_ftruncate(int fd, off_t size) __asm__("ftruncate");
int take_ftruncate(int fd, off_t size)
{
	return cut(fd, size);
}

int take_ftruncate64(int fd, off_t size) __asm__("ftruncate64");
int take_ftruncate64(int fd, off_t size)
{
	return cut(fd, size);
}

static int reserve(int fd, off_t at, off_t size)
{
	if (syscall(SYS_fallocate, fd, 0, at, size) < 0) {
		return errno;
	}
	struct stat status;
	if (fstat(fd, &status) == 0) {
		note_file(fd, CHANGE_SIZE, (uint64_t)status.st_size);
	}
	return 0;
}

int take_fallocate(int fd, off_t at, off_t size) __asm__("posix_fallocate");
int take_fallocate(int fd, off_t at, off_t size)
{
	return reserve(fd, at, size);
}

int take_fallocate64(int fd, off_t at, off_t size) __asm__("posix_fallocate64");
int take_fallocate64(int fd, off_t at, off_t size)
{
	return reserve(fd, at, size);
}

/* ---- syncs */

static void note_sync(int fd)
{
	char path[PATH_MAX], link[64];
	struct stat status;

	if (fstat(fd, &status) < 0 || !S_ISDIR(status.st_mode)) {
		note_file(fd, CHANGE_SYNC, 0);
		return;
	}
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, path, sizeof path - 1);
	path[size < 0 ? 0 : size] = '\0';
	pthread_mutex_lock(&journal.lock);
	const char *name = below(path);
	if (name != NULL) {
		set_name(append(CHANGE_SYNC_DIR)->name, name);
	}
	pthread_mutex_unlock(&journal.lock);
}

int fdatasync(int fd)
{
	int r = (int)syscall(SYS_fdatasync, fd);
	if (r == 0) {
		note_sync(fd);
	}
	return r;
}

int fsync(int fd)
{
	int r = (int)syscall(SYS_fsync, fd);
	if (r == 0) {
		note_sync(fd);
	}
	return r;
}

/* ---- names */

static void note_opened(const char *path, int fd, int flags, bool was_there)
{
	struct stat status;

	pthread_mutex_lock(&journal.lock);
	const char *name = below(path);
	if (name != NULL && !was_there && fstat(fd, &status) == 0) {
		if (journal.file_count == JOURNAL_FILES_MAX) {
			abort();
		}
		journal.files[journal.file_count] = status.st_ino;
		struct change *change = append(CHANGE_CREATE);
		change->file = journal.file_count++;
		set_name(change->name, name);
	} else if (name != NULL && (flags & O_TRUNC) != 0 && file_of_fd(fd) >= 0) {
		append(CHANGE_SIZE)->file = file_of_fd(fd);
	}
	pthread_mutex_unlock(&journal.lock);
}

static int open_path(const char *path, int flags, mode_t mode)
{
	struct stat status;
	bool was_there = (flags & (O_CREAT | O_TRUNC)) == 0 || stat(path, &status) == 0;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (fd >= 0 && (flags & (O_CREAT | O_TRUNC)) != 0) {
		note_opened(path, fd, flags, was_there);
	}
	return fd;
}

static mode_t mode_of(int flags, va_list *arguments)
{
	return (flags & O_CREAT) != 0 ? va_arg(*arguments, mode_t) : 0;
}

int take_open(const char *path, int flags, ...) __asm__("open");
int take_open(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = mode_of(flags, &arguments);
	va_end(arguments);
	return open_path(path, flags, mode);
}

int take_open64(const char *path, int flags, ...) __asm__("open64");
int take_open64(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = mode_of(flags, &arguments);
	va_end(arguments);
	return open_path(path, flags, mode);
}

static void note_name(enum change_kind kind, const char *path, const char *to)
{
	pthread_mutex_lock(&journal.lock);
	const char *name = below(path);
	if (name != NULL) {
		struct change *change = append(kind);
		set_name(change->name, name);
		set_name(change->to, to == NULL ? "" : below(to));
	}
	pthread_mutex_unlock(&journal.lock);
}

int rename(const char *from, const char *to)
{
	int r = (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
	if (r == 0) {
		note_name(CHANGE_RENAME, from, to);
	}
	return r;
}

int unlink(const char *path)
{
	int r = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
	if (r == 0) {
		note_name(CHANGE_UNLINK, path, NULL);
	}
	return r;
}

int mkdir(const char *path, mode_t mode)
{
	int r = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
	if (r == 0) {
		note_name(CHANGE_MKDIR, path, NULL);
	}
	return r;
}

/* ---- LMDB */

int mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
	static int (*real)(MDB_env *, const char *, unsigned, mdb_mode_t);
	if (real == NULL) {
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_env_open");
	}
	unsigned more = (flags & MDB_RDONLY) != 0 ? 0 : journal.lmdb_flags;
	return real(env, path, flags | more, mode);
}
