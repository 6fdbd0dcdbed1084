/* edge_health.h - what edges report of themselves, for people: which of them need a look, those first. Pure. */
#pragma once
#include "proto/document.h"
#include <stdio.h>

/* `root`: an answer to `edges` or `ledger`. */
struct edge_health {
	size_t edge_count; /* that have reported */
	size_t troubled_count;
};
struct edge_health edge_health_of(const struct node *root);
/* A table of those that need a look; nothing where none does. 0 or -ENOMEM. */
int edge_health_print(const struct node *root, FILE *out);
