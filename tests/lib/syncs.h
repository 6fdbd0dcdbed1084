/* syncs.h - counts what reaches the disk for sure: LMDB's calls of fdatasync, and its writes through a descriptor that is
 * synchronous by itself (the meta page). The functions take the place of libc's for all of the test's process. Include
 * it in one file of a test. */
#pragma once
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_ulong data_syncs, meta_syncs;

int fdatasync(int fd);
int fdatasync(int fd)
{
	data_syncs++;
	return (int)syscall(SYS_fdatasync, fd);
}

static ssize_t write_at(int fd, const void *bytes, size_t size, off_t at)
{
	int flags = fcntl(fd, F_GETFL);
	meta_syncs += flags >= 0 && (flags & O_DSYNC) != 0;
	return syscall(SYS_pwrite64, fd, bytes, size, at);
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
