/* file_map.h - a file's bytes, to be read. Who reads what the disk can't give, or what somebody cuts off meanwhile, dies of it: in a
 * child process, then (look_child.h). */
#pragma once
#include <stdint.h>

struct file_map {
	const uint8_t *bytes;
	uint64_t size;
};

/* 0 or -errno: -EINVAL for a file of no size. */
int file_map_open(const char *path, struct file_map *ret_map);
void file_map_close(struct file_map *map);
