/* Configuration and declarations of views by lines: sections, names and values. */
#include "tests/fuzz/pieces.h"
#include "tests/fuzz/words.h"

enum { LINE_ROOM = 256 };

static const char *const sections[] = {"[edge]", "[bridge]", "[aggregator]", "[kafka]",
	"[kafka.producer]", "[security]", "[view.v]", "[view.w]", "[source.s]", "[source.file]",
	"[key]", "[rights]", "[http]", "[limits]", "[privacy]", "[view]", "[view.]", "[.v]",
	"[unknown]", "[edge", "[]"};
static const char *const names[] = {"text", "list", "number", "wait", "size", "flag", "share.order",
	"data", "listen", "brokers", "kind", "group_by", "measures", "where", "retain", "zone",
	"topic", "format", "type", "path", "insecure", "public", "edges", "views", "stores", "send",
	"admin", "own", "id", "bridges", "sync", "compress", "topics", "qos", "map", "set", "acks",
	"group.id", "spool_max"};
static const char *const values[] = {"", "yes", "no", "0", "-1", "1GiB", "64 KiB", "10s", "100ms",
	"7d", "101", "100", "a, b", "*", "order", "cart", "product_id, minute(ts)",
	"edge, currency, day(ts)", "n = count()",
	"n = count(), s = sum(revenue), a = average(amount)", "d = distinct(basket_id)",
	"q = quantile(amount, 0.95), f = first(channel), l = last(user_id)", "m = min(quantity)",
	"quantity > 0", "channel = \"web\"", "unit_price >= 2.50", "Europe/London",
	"9223372036854775807", "9223372036854775808", "tcp://127.0.0.1:7171", "tcp://*:0, ipc:///x",
	"order, cart", "view, order",
	"a = count() where kind = order, b = sum(quantity), r = ratio(a, b)", "always",
	"interval:100ms", "zstd:3", "mqtt", "/x/*.csv", "csv", "a/{edge}/+", "order_id=b", "\xff",
	" x ", "= =", "#", "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"};

/* A line with its end, at most LINE_ROOM bytes. */
static size_t make_line(struct chance *chance, uint8_t *out, size_t size_max)
{
	size_t size = 0;

	if (size_max < LINE_ROOM) {
		return 0;
	}
	if (chance_one_in(chance, 4)) {
		size = put_word(chance, sections, WORD_COUNT(sections), out, size_max);
	} else {
		size = put_word(chance, names, WORD_COUNT(names), out, size_max);
		memcpy(out + size, " = ", 3);
		size += 3;
		size += put_word(chance, values, WORD_COUNT(values), out + size, size_max - size);
	}
	out[size++] = '\n';
	return size;
}

static size_t cut_line(struct slice rest)
{
	const uint8_t *end = memchr(rest.bytes, '\n', rest.size);

	return end == NULL ? rest.size : (size_t)(end - rest.bytes) + 1;
}

/* What stands behind '=', by another value or changed. */
static size_t change_value(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	uint8_t *equals = memchr(data, '=', size);

	size_t at = equals == NULL ? size : (size_t)(equals - data) + 1;
	size_t room = size_max - at;
	if (equals == NULL || room < 2) {
		return 0;
	}
	size_t made = chance_one_in(chance, 2)
			      ? LLVMFuzzerMutate(data + at, size - at, room - 1)
			      : put_word(chance, values, WORD_COUNT(values), data + at, room);
	if (at + made < size_max && (made == 0 || data[at + made - 1] != '\n')) {
		data[at + made++] = '\n';
	}
	return at + made;
}

static size_t change_line(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	switch (chance_draw(chance, 4)) {
	case 0:
		return LLVMFuzzerMutate(data, size, size_max);
	case 1:
		return make_line(chance, data, size_max);
	default:
		return change_value(chance, data, size, size_max);
	}
}

size_t mutate_settings(struct chance *chance, uint8_t *data, size_t size, size_t size_max)
{
	static const struct piece_kind lines = {cut_line, change_line, make_line};

	return pieces_mutate(&lines, chance, data, size, size_max);
}
