/* opening.h - how the aggregator finds its store at start: which generation is live, with which views, and whether a
 * shadow is to be filled because an operator asked for it or because the declarations changed. */
#pragma once
#include "aggregator/aggregator_config.h"
#include "aggregator/stores.h"
#include "aggregator/zones.h"

struct opening_options {
	const struct aggregator_config *config; /* borrowed */
	bool wants_rebuild;
	bool may_create;
	bool may_rebuild; /* false: offline, look only */
};

struct opening {
	struct zones *zones;
	struct stores *stores;
	struct view_set *live_views;
	struct view_set *shadow_views; /* NULL: no rebuild */
	const char *rebuild_why; /* a literal; NULL: no rebuild */
};

/* 0, STORES_E_DECISION or -errno with a sentence; -EINVAL when a declaration is wrong. */
int opening_init(const struct opening_options *options, struct opening *ret_opening, char *error,
	size_t error_size);
void opening_deinit(struct opening *opening);
