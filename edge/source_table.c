#include "edge/source_table.h"
#include "edge/source_drop.h"
#include "edge/source_http.h"
#include "edge/source_mqtt.h"
#include "edge/source_tail.h"

const struct source_type *const source_types[] = {
	&source_mqtt_type,
	&source_http_type,
	&source_tail_type,
	&source_drop_type,
	NULL,
};
