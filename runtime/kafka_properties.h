/* kafka_properties.h - what an operator tells librdkafka: the sections [kafka], [kafka.producer] and [kafka.consumer].
 *
 * Any property of librdkafka passes, but those that would switch a guarantee off or that till sets itself: they are
 * refused by name, with the reason. Names that librdkafka does not know are refused by kafka_options_check.
 * `sasl.password_file = PATH` reads the value from a file that others can't read; secrets are never printed.
 * Knows no type of librdkafka. One thread. */
#pragma once
#include "runtime/config.h"

/* Which client a property is for. [kafka] is for both. */
enum kafka_role { KAFKA_BOTH, KAFKA_PRODUCER, KAFKA_CONSUMER };

struct kafka_property {
	enum kafka_role role;
	bool is_secret;
	char *name; /* owned, as is the value */
	char *value;
};

/* Zero-initialised: empty. A configuration struct embeds it. */
struct kafka_properties {
	struct kafka_property *items; /* owned; of equal (role, name) the last one set stays */
	size_t count;
};

/* The middle of a config_section's `set` (prefixes "kafka" and "kafka."). 0, or -EINVAL / -ENOMEM with the error. */
int kafka_properties_set(struct kafka_properties *properties, const char *section, const char *key,
	const char *value, struct config_error *error);
/* The middle of its `is_secret`. */
bool kafka_key_is_secret(const void *target, const char *section, const char *key);
/* All three sections as INI, secrets as "(hidden)". */
void kafka_properties_print(const struct kafka_properties *properties, FILE *out);
void kafka_properties_deinit(struct kafka_properties *properties);

/* Does nobody but till have to know its value? */
bool kafka_property_is_secret(const char *name);
/* Why `name` may not be set: a sentence; NULL when it may. */
const char *kafka_property_refusal(const char *name);
/* The value that a client of this role gets, [kafka.ROLE] before [kafka]; NULL when not set. */
const char *kafka_properties_find(
	const struct kafka_properties *properties, enum kafka_role role, const char *name);
