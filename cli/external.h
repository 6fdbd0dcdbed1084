/* external.h - finding the programs of till: beside this one (a build tree, or bin), in libexec/till, on PATH. */
#pragma once
#include <stddef.h>

enum { PROGRAM_PATH_SIZE = 4096 };

/* The path of "till-edge" and the like. From a build tree the folder of its own (edge/till-edge) counts as beside.
 * 0 or -ENOENT. */
int external_find(const char *program, char ret_path[PROGRAM_PATH_SIZE]);
/* Replaces this process by till-NAME, argv[0] being NAME; returns when there is none. */
void external_run(const char *name, char **argv);
