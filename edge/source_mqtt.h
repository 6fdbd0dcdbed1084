/* source_mqtt.h - the source type "mqtt": subscribes at a broker, and acknowledges what is on disk. */
#pragma once
#include "edge/source.h"

extern const struct source_type source_mqtt_type;
