#include "runtime/file_map.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int map(int fd, struct file_map *ret_map)
{
	struct stat file;

	if (fstat(fd, &file) < 0) {
		return -errno;
	}
	void *bytes = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED) {
		return -errno;
	}
	*ret_map = (struct file_map){bytes, (uint64_t)file.st_size};
	return 0;
}

int file_map_open(const char *path, struct file_map *ret_map)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	int r = map(fd, ret_map);
	close(fd);
	return r;
}

void file_map_close(struct file_map *map)
{
	if (map->bytes != NULL) {
		munmap((void *)(uintptr_t)map->bytes, (size_t)map->size);
		*map = (struct file_map){0};
	}
}
