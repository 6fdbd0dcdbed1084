/* opening.h - how the aggregator finds its store at start: which generation is live, with which views, and whether a
 * shadow is to be filled because an operator asked for it, because the declarations changed, or to be looked at (staged). */
#pragma once
#include "aggregator/aggregator_config.h"
#include "aggregator/shard/stores.h"
#include "aggregator/view/zones.h"

struct opening_options {
	const struct aggregator_config *config; /* borrowed */
	bool wants_rebuild;
	bool may_create;
	bool may_rebuild; /* false: offline, look only */
};

/* For stage_note: what was accepted stays live until the configuration says so itself. */
#define OPENING_ACCEPTED "the staged views are live; move them into the configuration"

struct opening {
	struct zones *zones;
	struct stores *stores;
	struct view_set *live_views;
	struct view_set *shadow_views; /* NULL: no rebuild */
	bool is_staged; /* the shadow takes no place before it is accepted */
	const char *rebuild_why; /* a literal; NULL: no rebuild */
	const char *stage_note; /* likewise: why nothing is staged although it was wanted */
};

/* 0, STORES_E_DECISION or -errno with a sentence; -EINVAL when a declaration is wrong. */
int opening_init(const struct opening_options *options, struct opening *ret_opening, char *error,
	size_t error_size);
void opening_deinit(struct opening *opening);
