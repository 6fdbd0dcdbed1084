#include "runtime/kafka_trouble.h"
#include <stdio.h>
#include <string.h>

void kafka_trouble_init(struct kafka_trouble *trouble, int library_version)
{
	*trouble = (struct kafka_trouble){.library_version = library_version};
	pthread_mutex_init(&trouble->lock, NULL);
}

void kafka_trouble_deinit(struct kafka_trouble *trouble)
{
	pthread_mutex_destroy(&trouble->lock);
}

/* Certificates are judged by a function of ours, whose words come under this facility. */
static bool is_verdict(const char *facility)
{
	return strcmp(facility, "SSLCERTVRFY") == 0;
}

static bool is_about_connections(const char *facility)
{
	return is_verdict(facility) || strcmp(facility, "FAIL") == 0 ||
	       strcmp(facility, "ERROR") == 0;
}

/* Does it name what a person must mend? The handshake that a bad certificate ended is only its consequence, and a TLS
 * connection that stood and broke is a broken connection. */
static bool is_telling(const char *facility, const char *text)
{
	static const char *const signs[] = {
		"authentication", "SSL", "TLS", "certificate", "security.protocol", "resolve"};

	if (is_verdict(facility)) {
		return true;
	}
	if (strstr(text, "certificate verify failed") != NULL ||
		strstr(text, "unexpected eof") != NULL) {
		return false;
	}
	for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
		if (strstr(text, signs[i]) != NULL) {
			return true;
		}
	}
	return false;
}

/* "[thrd:x]: y (after 5ms in state Z)" is y: the same trouble has the same words each time. */
static void keep_words(struct kafka_trouble *trouble, const char *text)
{
	static const char scram_hint[] =
		"; this librdkafka is older than 2.6.1, whose SCRAM no Kafka 4 accepts, whatever "
		"the password: install a newer one or use sasl.mechanism = PLAIN with SASL_SSL";
	const char *start = strncmp(text, "[thrd:", 6) == 0 ? strstr(text, "]: ") : NULL;

	start = start == NULL ? text : start + 3;
	const char *end = strstr(start, " (after ");
	size_t size = end == NULL ? strlen(start) : (size_t)(end - start);
	bool is_old_scram = trouble->library_version < KAFKA_SCRAM_VERSION &&
			    strstr(start, "authentication") != NULL &&
			    strstr(start, "SCRAM") != NULL;
	snprintf(trouble->text, sizeof trouble->text, "%.*s%s", (int)size, start,
		is_old_scram ? scram_hint : "");
}

bool kafka_trouble_hear(
	struct kafka_trouble *trouble, const char *facility, const char *text, int64_t now_ms)
{
	bool telling = is_telling(facility, text);

	if (!is_about_connections(facility)) {
		return false;
	}
	pthread_mutex_lock(&trouble->lock);
	bool is_held = trouble->is_telling && now_ms - trouble->heard_ms < KAFKA_TROUBLE_HOLD_MS;
	if (telling || !is_held) {
		keep_words(trouble, text);
		trouble->is_telling = telling;
		trouble->heard_ms = now_ms;
	}
	pthread_mutex_unlock(&trouble->lock);
	return true;
}

bool kafka_trouble_why(
	struct kafka_trouble *trouble, const char *otherwise, char *ret_why, size_t size)
{
	pthread_mutex_lock(&trouble->lock);
	bool telling = trouble->is_telling;
	snprintf(ret_why, size, "%s", trouble->text[0] != '\0' ? trouble->text : otherwise);
	pthread_mutex_unlock(&trouble->lock);
	return telling;
}

void kafka_trouble_over(struct kafka_trouble *trouble)
{
	pthread_mutex_lock(&trouble->lock);
	trouble->text[0] = '\0';
	trouble->is_telling = false;
	pthread_mutex_unlock(&trouble->lock);
}
