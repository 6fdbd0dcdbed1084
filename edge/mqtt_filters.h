/* mqtt_filters.h - lists of topic filters as bytes, a NUL behind each: what the spool remembers of a subscription. Pure. */
#pragma once
#include "proto/buffer.h"

/* The next filter; empty ones are passed over. false at the end. */
bool mqtt_filters_next(struct slice *rest, struct slice *ret_filter);
bool mqtt_filters_have(struct slice list, struct slice filter);
/* Unless it is there already, or there is no room for it (the buffer's limit, MQTT_LIST_FILTERS_MAX). -ENOMEM sticks. */
void mqtt_filters_add(struct buffer *list, struct slice filter);
