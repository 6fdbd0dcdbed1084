/* file_reader.h - a file that grows by frames of sales, and its reader at one edge: it hands each in with the position behind
 * it, and after a start goes on where the spool says. All that is in the file is counted in the end, once. One thread. */
#pragma once
#include "tests/sim/edge_part.h"

void file_reader_begin(int edge); /* -1: there is none */
int file_reader_edge(void);
/* The edge has started. */
void file_reader_resume(struct edge_part *part);
/* 0 or the edge's negative errno. */
int file_reader_read(struct edge_part *part);
void file_reader_answered(const struct edge_answer *answer);
bool file_reader_is_done(void); /* all of the file is on the edge's disk */
