/* event.h - one event: decoded, checked, brought to normal form, encoded.
 *
 * Three ways in: event_normalise (what a producer sent; many forms, aliases, defaults: the edge), event_decode
 * (normal form with its certificate, as msgpack or JSON: bridge and aggregator, which trust nobody), and the
 * rejection marker. Text is borrowed from the bytes given. Pure; time of receipt and zone come in.
 * Rules: contracts in PROTOCOL.md, "Events". */
#pragma once
#include "proto/document.h"
#include "proto/money.h"
#include "proto/writer.h"

enum kind {
	KIND_ORDER,
	KIND_CART,
	KIND_VIEW,
	KIND_ORDER_DLQ, /* dead letters have streams and seqs of their own */
	KIND_CART_DLQ,
	KIND_VIEW_DLQ,
};
enum { KIND_COUNT = 6, KIND_EVENT_COUNT = 3 };

/* "order", "cart", "view", "order.dlq", … : the name in certificates, lanes and metrics. */
const char *kind_name(enum kind kind);
/* Canonical names only (no aliases); false when unknown. */
bool kind_from_name(struct slice name, enum kind *ret_kind);
static inline bool kind_is_dead_letter(enum kind kind)
{
	return kind >= KIND_ORDER_DLQ;
}
static inline enum kind kind_dead_letter_of(enum kind kind)
{
	return kind_is_dead_letter(kind) ? kind : (enum kind)((int)kind + KIND_EVENT_COUNT);
}

/* Who an event is: added once by the edge, never changed. run is 53 random bits, not 0; seq counts from 1. */
struct certificate {
	struct slice edge;
	uint64_t run;
	enum kind kind;
	uint64_t seq;
};
#define RUN_MAX ((UINT64_C(1) << 53) - 1)

/* The known fields, in the order of normal form. */
enum field {
	FIELD_TS, /* ts_ms */
	FIELD_EVENT_ID,
	FIELD_ORDER_ID,
	FIELD_PRODUCT_ID,
	FIELD_QUANTITY,
	FIELD_UNIT_PRICE,
	FIELD_AMOUNT,
	FIELD_DISCOUNT,
	FIELD_TAX,
	FIELD_CURRENCY,
	FIELD_USER_ID,
	FIELD_CATEGORY,
	FIELD_CHANNEL,
	FIELD_PAYMENT,
	FIELD_ACTION,
	FIELD_PAGE,
	FIELD_COUNT,
};
const char *field_name(enum field field);
/* Canonical names only: for view declarations. false when unknown. */
bool field_from_name(struct slice name, enum field *ret_field);

/* Aliases too: what a producer's event may call the field. */
bool field_from_alias(struct slice name, enum field *ret_field);

/* A field that till does not know: kept and carried through untouched. */
struct extra_field {
	const struct node *key;
	const struct node *value;
};

struct event {
	enum kind kind;
	struct certificate certificate; /* all zero before the edge stamps it */
	uint32_t present; /* bit (1 << FIELD_X) */
	int64_t ts_ms;
	int64_t quantity;
	int64_t unit_price; /* micros, as are the next three */
	int64_t amount;
	int64_t discount;
	int64_t tax;
	struct slice
		text[FIELD_COUNT]; /* the text fields, by enum field; the others stay {NULL, 0} */
	/* Only where number ids became text: the digits live here, text[] points in. */
	char id_digits[4][24];
	enum encoding encoding; /* of the extra fields */
	bool has_aliases; /* the map is as a producer sent it */
	const struct node *map; /* the event's map: extras are its pairs that till does not know */
	uint32_t extra_count;
	enum reason rejected; /* of a marker: why the event was refused; else REASON_NONE */
	/* Of a closed basket, which the aggregator counts as an event of its own: what its lines came to may be more than
	 * `amount` holds, and how many they were. */
	money basket_amount;
	int64_t basket_lines;
};

static inline bool event_has(const struct event *event, enum field field)
{
	return (event->present >> field & 1) != 0;
}

/* A field that comes from around the event: from the topic it was published to, from a setting of its source. The event
 * itself must not have it, or have it with the same value. */
struct event_addition {
	struct slice name; /* any but the certificate's: event_addition_is_allowed */
	struct slice value; /* text; empty counts as absent */
};
/* A field of till's, one of its aliases, or an extra: UTF-8 without NUL, and not for the edge alone to set. */
bool event_addition_is_allowed(struct slice name);

/* What the edge adds. */
struct event_rules {
	const char *default_currency; /* three letters; "XXX" unless configured */
	const struct zone *zone; /* for texts without offset; NULL is UTC */
	int64_t received_ms;
	bool is_order_total; /* an order is whole, not one of its lines: product_id may be absent */
	const struct event_addition *additions; /* borrowed as `bytes` are */
	size_t addition_count;
};

/* Decodes and normalises one event as a producer sent it. 0, -ENOMEM, or a reason > 0 with the complaint.
 * On a reason, *ret_kind is still the kind when it could be read, else KIND_ORDER: the dead letter's stream.
 * `event` borrows from `bytes` and `document`, and its texts may point into itself: don't copy it. After a
 * refusal its content means nothing. Refused too: a normal form over EVENT_SIZE_MAX. */
int event_normalise(struct document *document, enum encoding encoding, struct slice bytes,
	const struct event_rules *rules, struct event *ret_event, enum kind *ret_kind,
	struct complaint *complaint);

/* Decodes normal form and checks every rule again, certificate included; markers too (then only `certificate`,
 * `kind` and `rejected` are set, and kind may be a dead letter's). 0, -ENOMEM or a reason; certificates that don't
 * hold are REASON_BAD_CERTIFICATE. */
int event_decode(struct document *document, enum encoding encoding, struct slice bytes,
	struct event *ret_event, struct complaint *complaint);

/* The fields that till does not know, in the order they came: begin with *position NULL; false at the end. */
bool event_next_extra(
	const struct event *event, const struct node **position, struct extra_field *ret_field);

/* Normal form with certificate. The buffer's error tells of failure. */
void event_encode(const struct event *event, enum encoding encoding, struct buffer *buffer);
/* A marker: the event with this certificate was refused. */
void event_encode_marker(const struct certificate *certificate, enum reason reason,
	enum encoding encoding, struct buffer *buffer);
/* Only the certificate of a normal form (msgpack), read without checking the rest: 0 or a reason. */
int event_peek_certificate(struct slice bytes, struct certificate *ret_certificate);
/* Cuts the next msgpack value off events that lie back to back; false at the end or when it is broken. */
bool event_cut(struct slice *rest, struct slice *ret_event);

/* amount, else quantity x unit_price; 0 where neither is there. */
money event_revenue(const struct event *event);
