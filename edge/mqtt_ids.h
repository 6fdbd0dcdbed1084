/* mqtt_ids.h - packet ids of QoS 2 that were received and not released yet, each with the fingerprint of its message: a
 * broker that came back from an older state may use an id for another message, which must not be taken for a repeat.
 * Memory grows by pages of 256 ids. Pure; one thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct mqtt_ids_page;

enum { MQTT_ID_PAGE_COUNT = 256 };

struct mqtt_ids {
	struct mqtt_ids_page *pages[MQTT_ID_PAGE_COUNT]; /* owned; NULL: no id of these */
	uint32_t count;
};

void mqtt_ids_init(struct mqtt_ids *ids);
void mqtt_ids_deinit(struct mqtt_ids *ids); /* takes a zeroed one; leaves an empty one */

/* Adds or replaces. 0 or -ENOMEM. id: not 0. */
int mqtt_ids_put(struct mqtt_ids *ids, uint16_t id, uint64_t fingerprint);
bool mqtt_ids_get(const struct mqtt_ids *ids, uint16_t id, uint64_t *ret_fingerprint);
void mqtt_ids_remove(struct mqtt_ids *ids, uint16_t id);
/* The smallest id above `after`: begin with 0; 0 at the end. */
uint16_t mqtt_ids_next(const struct mqtt_ids *ids, uint16_t after);
