/* mqtt_metrics.h - the series of one MQTT source, and how they are read off its session. */
#pragma once
#include "edge/mqtt_delivery.h"

struct metrics;
struct mqtt_metrics;

/* 0 or -ENOMEM. `name`: the source's. */
int mqtt_metrics_new(struct metrics *metrics, const char *name, struct mqtt_metrics **ret_set);
struct mqtt_metrics *mqtt_metrics_free(struct mqtt_metrics *set);
void mqtt_metrics_set(struct mqtt_metrics *set, const struct mqtt_session_view *view,
	const struct mqtt_delivery *delivery);
