/* limits.h - every limit on what comes from outside, in one place, each with its reason.
 * The numbers that other programs rely on are restated in PROTOCOL.md. Sizes are bytes. */
#pragma once

enum {
	/* Identities. An edge id is Kafka's key and part of every store key: it must stay short. */
	EDGE_ID_SIZE_MAX = 64,
	PRODUCER_ID_SIZE_MAX = 64,
	EVENT_ID_SIZE_MAX = 64,
	/* An Idempotency-Key: a key of the spool's, beside its source's name, within LMDB's 511 bytes. */
	REQUEST_KEY_SIZE_MAX = 255,
	CURRENCY_SIZE = 3, /* ISO 4217 */

	/* Known text. Ids are group values of views, and LMDB's keys end at 511 bytes. */
	ID_SIZE_MAX = 128,
	TEXT_SIZE_MAX = 1024,

	/* An event in normal form: four of them must fit into the largest batch. */
	EVENT_SIZE_MAX = 64 * 1024,
	/* The same event as JSON: no byte of msgpack becomes more than six ("\u0001", "false,"). */
	EVENT_JSON_SIZE_MAX = 6 * EVENT_SIZE_MAX,
	/* An event as received, before numbers and names are brought to normal form; JSON escapes
	 * (\u0041) are at most six times as long as what they stand for. */
	EVENT_RAW_SIZE_MAX = 256 * 1024,
	/* Containers within containers, the event's own map included. Nothing here recurses, the
	 * limit keeps other people's readers safe. */
	NESTING_MAX = 8,
	/* Decoded nodes of one event: each costs at least one byte of a normal form. */
	EVENT_NODES_MAX = 64 * 1024,

	/* Characters of one JSON number: the longest exact double, with its point and exponent, has 770. */
	JSON_NUMBER_SIZE_MAX = 800,

	/* A producer's frame. 4 MiB take about 10 ms to check, which is the longest that one peer
	 * may hold up the others. */
	FRAME_EVENTS_MAX = 10000,
	FRAME_SIZE_MAX = 4 * 1024 * 1024,
	/* The header frame holds two fields. */
	HEADER_SIZE_MAX = 1024,
	/* Frames above this are not even received: libzmq ends the connection (ZMQ_MAXMSGSIZE). Between
	 * FRAME_SIZE_MAX and here the sender is told too_large. */
	TRANSPORT_FRAME_SIZE_MAX = 8 * 1024 * 1024,
	/* ZeroMQ frames of one message: routing id, correlation frames, empty, header, events. */
	MESSAGE_FRAMES_MAX = 16,

	/* Edge to bridge: the largest run of events in one BATCH, and so in one spool block. */
	BATCH_SIZE_MAX = 256 * 1024,
	/* A compressed batch: what comes of it is at most so many times as long. Sales become 5 to 15 times shorter; a
	 * few bytes must not cost the receiver a quarter of a MiB of work. */
	BATCH_RATIO_MAX = 1024,
	/* A BATCH frame: the events and at most 64 bytes of message around them. */
	WIRE_FRAME_SIZE_MAX = BATCH_SIZE_MAX + 1024,
	/* Ranges in one ACK or NACK; more go into the next one. */
	WIRE_RANGES_MAX = 1024,

	/* What an edge reports of itself: fields of some 30 bytes each, and ranges of seqs of at most 40. A disk with more
	 * pieces says so, and nobody misses what may be on it. */
	TELEMETRY_SIZE_MAX = 8 * 1024,
	TELEMETRY_RANGES_MAX = 64,
	TELEMETRY_NODES_MAX = 1024,

	/* Queries. */
	QUERY_SIZE_MAX = 64 * 1024,
	QUERY_KEYS_MAX = 1000,
	QUERY_NODES_MAX = 16 * 1024,
	TOP_LIMIT_DEFAULT = 10,
	TOP_LIMIT_MAX = 10000,
	SCAN_LIMIT_DEFAULT = 100,
	SCAN_LIMIT_MAX = 100000,
	ANSWER_SIZE_MAX = 8 * 1024 * 1024,
	QUERY_TIMEOUT_MS_DEFAULT = 1000,
	QUERY_TIMEOUT_MS_MAX = 60000,
	/* What is looked up in Kafka: a broker that is gone is known for gone within it. */
	QUERY_LOOK_TIMEOUT_MS_DEFAULT = 5000,
	/* Records and dead letters of one answer: a page for a person. */
	LOOK_LIMIT_DEFAULT = 20,
	LOOK_LIMIT_MAX = 100,
	QUERY_AFTER_MAX = 1000, /* certificates in `after` */
	/* Conditions of `where`, and columns of `order_by`: each is looked at for every row of a walk. */
	QUERY_CONDITIONS_MAX = 16,
	QUERY_ORDERS_MAX = 4,
	QUERY_EDGES_MAX = 100, /* between bands: more than a person looks at */
	QUERY_BANDS_MAX = QUERY_EDGES_MAX + 1,
	QUERY_IN_MAX = 1000, /* values of one `in`: as many as keys */
	/* Minutes to months of one span: shifted by so many, every time stays far inside what a calendar can say. */
	QUERY_SPAN_MAX = 10000,
	/* Rows that a roll-up or a comparison holds in memory at once: as many as one answer may have. */
	ANSWER_GROUPS_MAX = SCAN_LIMIT_MAX,
	/* What administrators list: a page of the quarantine stays below ANSWER_SIZE_MAX. */
	LIST_LIMIT_DEFAULT = 100,
	LIST_LIMIT_MAX = 10000,
	/* Samples of vitals: a day of minutes, an hour of 5 seconds. */
	VITALS_LIMIT_MAX = 1440,
	VITALS_LIMIT_DEFAULT = 720,

	/* Views. */
	VIEW_GROUP_FIELDS_MAX = 4,
	VIEW_MEASURES_MAX = 16,
	VIEW_NAME_SIZE_MAX = 40,

	/* Live messages. A thousand rows take some milliseconds to read; a slow subscriber's queue holds 64 messages. */
	LIVE_ROWS_MAX = 1000,
	LIVE_SIZE_FULL = 256 * 1024, /* the first row past this is the last */
	/* Changed keys that wait to be told, a view: 6 s worth of full messages. With more, a new snapshot is less work. */
	LIVE_KEYS_MAX = 64 * 1024,
	LIVE_KEYS_SIZE_MAX = 16 * 1024 * 1024,
	LIVE_TOPIC_SIZE_MAX = 2 + VIEW_NAME_SIZE_MAX + 1, /* "j/products" and a NUL */
	/* A subscription, and CURVE's handshake, which are the only frames that a subscriber sends. */
	LIVE_FRAME_SIZE_MAX = 1024,
	/* Topics without a view that one connection may subscribe to: libzmq keeps them all. */
	LIVE_STRANGE_TOPICS_MAX = 256,

	/* MQTT. A PUBLISH holds what a producer's frame does, its topic (65,535 bytes) and its properties. The least still
	 * holds one event as received. */
	MQTT_PACKET_SIZE_MAX = FRAME_SIZE_MAX + 256 * 1024,
	MQTT_PACKET_SIZE_LEAST = EVENT_RAW_SIZE_MAX + 256 * 1024,
	/* Properties of one packet. User properties are fields of one event; with more, they are cut off and the PUBLISH
	 * becomes a dead letter. */
	MQTT_PROPERTIES_SIZE_MAX = 64 * 1024,
	/* What is kept of a PUBLISH that is too large: its topic and properties, and as much payload as a dead letter holds. */
	MQTT_KEPT_SIZE = 256 * 1024,
	/* A configured pattern: levels and names. Topics of stores have a handful. */
	MQTT_FILTER_SIZE_MAX = 1024,
	MQTT_LEVELS_MAX = 32,
	MQTT_NAMES_MAX = 8,
	MQTT_GROUP_SIZE_MAX = 64,
	/* Filters of one source: all are in one SUBSCRIBE. */
	MQTT_FILTERS_MAX = 32,
	/* Client ids: brokers need take no more than 23 characters, and all take 64 bytes. */
	MQTT_CLIENT_ID_SIZE_MAX = 128,

	/* A change of a row as Debezium writes it, key or value. Kafka's default for a record is 1 MiB; the schema that comes
	 * along has tens of KiB for a table of hundreds of columns. */
	CHANGE_SIZE_MAX = 2 * 1024 * 1024,
	CHANGE_NODES_MAX = 256 * 1024,
	/* root, schema, fields, after, fields, column, parameters are seven; nested structs of columns the rest. */
	CHANGE_DEPTH_MAX = 16,
	/* A row's primary key. What is kept of each row that was counted is found by it. */
	CHANGE_KEY_COLUMNS_MAX = 16,
	CHANGE_KEY_SIZE_MAX = 1024,
	/* Digits behind the point of a decimal: more than any money or quantity has, less than 128 bits hold. */
	COLUMN_SCALE_MAX = 38,

	/* A complaint's sentence, with the offending value cut to fit. */
	COMPLAINT_SIZE_MAX = 240,
};

/* The counted set of one stream: past this many intervals it goes to quarantine, it never slides. */
enum { COUNTED_INTERVALS_MAX = 4096 };

/* quantity: |q| <= 10^9; unit price: 0 … 10^12 whole units. Their product stays far inside 128 bits. */
#define QUANTITY_MAX INT64_C(1000000000)
#define MONEY_UNITS_MAX INT64_C(1000000000000)
