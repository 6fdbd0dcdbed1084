#include "cli/sighting.h"
#include "cli/session.h"
#include "cli/topic_reader_kafka.h"
#include "proto/letter.h"
#include "runtime/program.h"
#include <errno.h>
#include <string.h>

enum { WAIT_MS = 200 };

static const char *const topics[KIND_COUNT] = {
	[KIND_ORDER] = "orders",
	[KIND_CART] = "cart_events",
	[KIND_VIEW] = "page_views",
	[KIND_ORDER_DLQ] = "orders.dlq",
	[KIND_CART_DLQ] = "cart_events.dlq",
	[KIND_VIEW_DLQ] = "page_views.dlq",
};

static bool is_same(const struct certificate *a, const struct certificate *b)
{
	return slice_equal(a->edge, b->edge) && a->run == b->run && a->kind == b->kind &&
	       a->seq == b->seq;
}

/* 1: it is the event, or its marker; 0; or -ENOMEM. Only records under the edge's key are read. */
static int is_it(struct document *document, const struct topic_record *record,
	const struct certificate *wanted, bool *ret_is_marker)
{
	struct event event;
	struct dead_letter letter;
	struct complaint complaint;

	if (!slice_equal(record->key, wanted->edge)) {
		return 0;
	}
	*ret_is_marker = false;
	if (letter_of_record(record, &letter, &complaint) == 0) {
		return is_same(&letter.certificate, wanted);
	}
	int r = event_decode(
		document, encoding_of(record->value), record->value, &event, &complaint);
	if (r != 0) {
		return r < 0 ? r : 0;
	}
	*ret_is_marker = event.rejected != REASON_NONE;
	return is_same(&event.certificate, wanted);
}

/* 0: found; TOPIC_E_END: it is not there, or the bound is met; others as they come. */
static int search(struct topic_reader *reader, struct document *document,
	const struct sighting_options *options, const struct certificate *event,
	struct sighting *sighting)
{
	struct topic_record record;
	struct topic_error error;
	int r = 0;

	while (r == 0 || r == TOPIC_E_WAITING) {
		r = topic_reader_next(reader, WAIT_MS, true, &record, &error);
		if (r != 0) {
			continue;
		}
		sighting->records++;
		int found = is_it(document, &record, event, &sighting->is_marker);
		if (found != 0) {
			sighting->is_found = found > 0;
			sighting->partition = record.partition;
			sighting->offset = record.offset;
			return found < 0 ? found : 0;
		}
		if (sighting->records == options->records_max) {
			sighting->is_cut = true;
			return TOPIC_E_END;
		}
	}
	if (r == TOPIC_E_UNKNOWN) {
		say(options->command, "%s", error.text);
	}
	return r;
}

static int conclude(const struct sighting_options *options, int r)
{
	if (r == 0 || r == TOPIC_E_END) {
		return -1;
	}
	if (r < 0) {
		say(options->command, "%s", strerror(-r));
	}
	return r == TOPIC_E_UNREACHABLE ? EXIT_NOT_REACHED : EXIT_FAILED;
}

int sighting_look(const struct sighting_options *options, const struct certificate *event,
	struct sighting *ret_sighting)
{
	const struct topic_reader_options kafka = {
		.brokers = options->brokers,
		.topic = options->topic != NULL ? options->topic : topics[event->kind],
		.properties = options->properties.items,
		.partition = -1,
		.offset = options->since_ms > 0 ? TOPIC_SINCE : TOPIC_BEGINNING,
		.since_ms = options->since_ms,
		.timeout_ms = options->timeout_ms,
	};
	struct topic_reader *reader = NULL;
	struct topic_error error = {.text = ""};
	struct document document;

	*ret_sighting = (struct sighting){.topic = kafka.topic, .partition = -1, .offset = -1};
	int r = document_init(&document, EVENT_NODES_MAX);
	if (r < 0) {
		return conclude(options, r);
	}
	r = topic_reader_new(&kafka, &reader, &error);
	if (r != 0 && r != -ENOMEM) {
		say(options->command, "%s", error.text);
	}
	if (r == 0) {
		r = search(reader, &document, options, event, ret_sighting);
	}
	topic_reader_free(reader);
	document_deinit(&document);
	return conclude(options, r);
}
