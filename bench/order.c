#include "bench/order.h"
#include <inttypes.h>
#include <stdio.h>

enum { TS_STEP_MS = 100 };
#define FIRST_TS_MS INT64_C(1291190400000) /* 2010-12-01T08:00Z */

struct texts {
	char order[24], product[24], user[24], price[24];
};

static void texts_of(const struct bench_shape *shape, uint64_t number, struct texts *texts)
{
	uint64_t order = number / (uint64_t)shape->lines;
	uint64_t product = number * 7919 % (uint64_t)shape->products;
	snprintf(texts->order, sizeof texts->order, "o%" PRIu64, order);
	snprintf(texts->product, sizeof texts->product, "p%" PRIu64, product);
	snprintf(texts->user, sizeof texts->user, "u%" PRIu64, order % (uint64_t)shape->users);
	snprintf(texts->price, sizeof texts->price, "%" PRIu64 ".%02" PRIu64, product % 90 + 1,
		product % 100);
}

static int64_t ts_of(uint64_t number)
{
	return FIRST_TS_MS + (int64_t)number * TS_STEP_MS;
}

void bench_order_encode(const struct bench_shape *shape, uint64_t number, struct buffer *buffer)
{
	struct texts texts;
	struct writer writer;
	texts_of(shape, number, &texts);
	writer_init(&writer, ENCODING_MSGPACK, buffer);
	write_map(&writer, 6);
	write_key(&writer, "order_id");
	write_text(&writer, slice_of_text(texts.order));
	write_key(&writer, "product_id");
	write_text(&writer, slice_of_text(texts.product));
	write_key(&writer, "quantity");
	write_integer(&writer, (int64_t)(number % 5) + 1);
	write_key(&writer, "unit_price");
	write_text(&writer, slice_of_text(texts.price));
	write_key(&writer, "user_id");
	write_text(&writer, slice_of_text(texts.user));
	write_key(&writer, "ts");
	write_integer(&writer, ts_of(number));
}

static void add_details(uint64_t number, struct event *event)
{
	static const char *const categories[] = {"tea", "salt", "books", "toys", "garden"};
	static const char *const channels[] = {"web", "shop", "phone"};
	static const char *const payments[] = {"card", "cash"};

	event->text[FIELD_CATEGORY] = slice_of_text(categories[number * 7919 % 5]);
	event->text[FIELD_CHANNEL] = slice_of_text(channels[number % 3]);
	event->text[FIELD_PAYMENT] = slice_of_text(payments[number % 2]);
	event->present |= 1U << FIELD_CATEGORY | 1U << FIELD_CHANNEL | 1U << FIELD_PAYMENT;
	if (number % 20 == 0) {
		event->quantity = -event->quantity;
	}
}

void bench_order_encode_certified(const struct bench_shape *shape, uint64_t number,
	const struct certificate *certificate, struct buffer *buffer)
{
	struct texts texts;
	struct event event = {
		.kind = KIND_ORDER, .certificate = *certificate, .ts_ms = ts_of(number)};
	texts_of(shape, number, &texts);
	event.quantity = (int64_t)(number % 5) + 1;
	money_parse_text(slice_of_text(texts.price), &event.unit_price);
	event.text[FIELD_ORDER_ID] = slice_of_text(texts.order);
	event.text[FIELD_PRODUCT_ID] = slice_of_text(texts.product);
	event.text[FIELD_USER_ID] = slice_of_text(texts.user);
	event.text[FIELD_CURRENCY] = slice_of_text("XXX");
	event.present = 1U << FIELD_TS | 1U << FIELD_ORDER_ID | 1U << FIELD_PRODUCT_ID |
			1U << FIELD_QUANTITY | 1U << FIELD_UNIT_PRICE | 1U << FIELD_USER_ID |
			1U << FIELD_CURRENCY;
	if (shape->has_details) {
		add_details(number, &event);
	}
	event_encode(&event, ENCODING_MSGPACK, buffer);
}
