#include "tests/sim/tills.h"
#include "tests/sim/forget_requests.h"
#include "tests/sim/kafka.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TILLS_AN_EDGE = 3,
	TILLS_MAX = EDGES_MAX * TILLS_AN_EDGE,
	FRAMES_MAX = 8192,
	FILE_FRAMES_MAX = 1024, /* kept free for a file */
	SALES_A_FRAME = 4,
	SALES_MAX = FRAMES_MAX * SALES_A_FRAME,
	NOTE_SIZE_MAX = 2000,
	POISON_NOTE_SIZE = 151,
	PATIENCE_MS = 2000,
	PRODUCTS = 7,
};

/* How a till makes its edge know a frame again. */
enum manner {
	MANNER_NUMBER, /* its frames are numbered */
	MANNER_EVENT_ID, /* each event has an event_id */
	MANNER_KEY, /* an Idempotency-Key, as by HTTP */
	MANNER_COUNT,
};

struct frame {
	enum outcome outcome;
	enum manner manner;
	uint64_t n;
	size_t first_sale;
	uint32_t sale_count, invalid_count;
	uint32_t unanswered; /* sendings */
	uint64_t text_seed; /* what its events' text follows from */
	bool is_cut; /* a file's only: its text does not end */
};

struct till {
	int edge;
	enum manner manner;
	uint64_t n;
	struct frame *frame; /* under way; NULL: idle */
	struct frame *again; /* was answered, and is sent once more all the same; NULL: none */
	int64_t next_ms; /* when it sends, or sends again */
};

static struct till tills[TILLS_MAX];
static size_t till_count;
static struct frame frames[FRAMES_MAX];
static size_t frame_count;
static struct sale sales[SALES_MAX];
static size_t sale_count;
static bool held[EDGES_MAX];
/* Of each edge: frames that were taken and are not on disk. */
static struct {
	struct frame *frames[FRAMES_MAX];
	size_t count;
} unsure[EDGES_MAX];
static uint64_t pause_ms; /* between two frames, at most */
static char complaint[200];

void tills_begin(void)
{
	static const uint64_t pauses_ms[] = {60, 200, 800};

	till_count = frame_count = sale_count = 0;
	memset(held, 0, sizeof held);
	for (int i = 0; i < EDGES_MAX; i++) {
		unsure[i].count = 0;
	}
	pause_ms = pauses_ms[world_draw(sizeof pauses_ms / sizeof pauses_ms[0])];
	complaint[0] = '\0';
}

void tills_end(void)
{
	tills_begin();
}

void tills_open(int edge)
{
	for (int i = 0; i < TILLS_AN_EDGE; i++) {
		tills[till_count++] = (struct till){.edge = edge,
			.manner = (enum manner)world_draw(MANNER_COUNT),
			.next_ms = world.now_ms + (int64_t)world_draw(200)};
	}
}

/* ---- frames */

static void draw_sale(struct frame *frame)
{
	struct sale *sale = &sales[sale_count++];

	*sale = (struct sale){.product = (int)world_draw(PRODUCTS)};
	/* Of an invalid event nobody remembers the event_id: its letter would come twice. */
	sale->is_invalid = frame->manner != MANNER_EVENT_ID && world_draw(25) == 0;
	sale->is_poison = !sale->is_invalid && world_draw(60) == 0;
	sale->millionths = 10000 * (int64_t)(1 + world_draw(100000));
	frame->sale_count++;
	frame->invalid_count += sale->is_invalid;
}

static struct frame *new_frame(uint64_t n, enum manner manner)
{
	struct frame *frame = &frames[frame_count++];

	*frame = (struct frame){
		.n = n, .manner = manner, .first_sale = sale_count, .text_seed = world_random()};
	for (uint64_t i = 1 + world_draw(SALES_A_FRAME); i > 0; i--) {
		draw_sale(frame);
	}
	return frame;
}

static char *put_number(char *at, uint64_t number)
{
	char digits[24];
	size_t size = 0;

	do {
		digits[size++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (size > 0) {
		*at++ = digits[--size];
	}
	return at;
}

static char *put_cents(char *at, uint64_t cents)
{
	at = put_number(at, cents / 100);
	*at++ = '.';
	*at++ = (char)('0' + cents / 10 % 10);
	*at++ = (char)('0' + cents % 10);
	return at;
}

/* Makes some sales long. */
static char *put_note(char *at, const struct sale *sale, uint64_t seed)
{
	size_t size = 1 + (seed % 5 == 0 ? (size_t)(seed >> 8) % NOTE_SIZE_MAX : seed % 20);

	at = stpcpy(at, ",\"note\":\"");
	if (sale->is_poison) {
		at = stpcpy(at, "poison");
		size = POISON_NOTE_SIZE;
	}
	memset(at, '0', size);
	return stpcpy(at + size, "\"}");
}

/* One product's name is longer than a row's key holds. */
static const char long_name[] =
	" of a name that goes on for so long that nobody who reads it will ever buy it, and "
	"then a little longer\",";

/* The same text each time: quantity * price is the sale's amount. By hand, for it is most of what a till does. */
static char *put_sale(char *at, const struct frame *frame, size_t i)
{
	const struct sale *sale = &sales[i];
	unsigned quantity = sale->millionths % 20000 == 0 ? 2 : 1;

	at = stpcpy(at, "{\"kind\":\"order\",\"order_id\":\"e");
	at = stpcpy(put_number(at, i), "\",");
	if (!sale->is_invalid) {
		at = stpcpy(at, "\"product_id\":\"p");
		at = put_number(at, (uint64_t)sale->product);
		at = stpcpy(at, sale->product == 0 ? long_name : "\",");
	}
	if (frame->manner == MANNER_EVENT_ID && world.bug != BUG_NO_NUMBERS) {
		at = stpcpy(put_number(stpcpy(at, "\"event_id\":\"id"), i), "\",");
	}
	if (forget_requests_are_in_play()) {
		at = put_number(stpcpy(at, "\"user_id\":\"u"), (uint64_t)user_of_sale(i));
		at = stpcpy(at, "\",");
	}
	at = put_number(stpcpy(at, "\"quantity\":"), quantity);
	at = stpcpy(at, ",\"unit_price\":\"");
	at = put_cents(at, (uint64_t)sale->millionths / 10000 / quantity);
	at = stpcpy(at, "\",\"ts\":1291191960000");
	return put_note(at, sale, frame->text_seed + i);
}

static void write_frame(const struct frame *frame, char text[TILLS_TEXT_SIZE])
{
	char *at = stpcpy(text, "[");

	for (uint32_t i = 0; i < frame->sale_count; i++) {
		if (i > 0) {
			*at++ = ',';
		}
		at = put_sale(at, frame, frame->first_sale + i);
	}
	stpcpy(at, frame->is_cut ? "" : "]");
}

size_t tills_write_frame(void)
{
	struct frame *frame = new_frame(0, MANNER_NUMBER);

	if (frame->sale_count == 1 && world_draw(3) == 0) { /* it becomes a letter, whole */
		struct sale *sale = &sales[frame->first_sale];
		frame->is_cut = sale->is_invalid = true;
		sale->is_poison = false;
	}
	for (uint32_t i = 0; i < frame->sale_count; i++) {
		sales[frame->first_sale + i].outcome = OUTCOME_OK;
	}
	return (size_t)(frame - frames);
}

void tills_frame_text(size_t frame, char text[TILLS_TEXT_SIZE])
{
	write_frame(&frames[frame], text);
}

/* ---- sending */

static void set_outcome(struct frame *frame, enum outcome outcome)
{
	frame->outcome = outcome;
	for (uint32_t i = 0; i < frame->sale_count; i++) {
		sales[frame->first_sale + i].outcome = outcome;
	}
}

static void settle(struct till *till, enum outcome outcome)
{
	set_outcome(till->frame, outcome);
	till->frame = NULL;
	till->next_ms = world.now_ms + (int64_t)world_draw(pause_ms);
}

static bool is_due(struct till *till)
{
	if (world.now_ms < till->next_ms) {
		return false;
	}
	if (till->frame != NULL) { /* not answered for so long */
		if (world.has_faults && till->frame->unanswered > 0 && world_draw(20) == 0) {
			settle(till, OUTCOME_UNKNOWN);
			return false;
		}
		return true;
	}
	if (!world.has_faults || held[till->edge] || frame_count >= FRAMES_MAX - FILE_FRAMES_MAX) {
		return false;
	}
	till->frame = new_frame(++till->n, till->manner);
	return true;
}

static int send(struct till *till, struct frame *frame, struct edge_part *part)
{
	char events[TILLS_TEXT_SIZE];
	char header[64], key[64];
	int result = 0;
	bool is_known = world.bug != BUG_NO_NUMBERS;

	snprintf(header, sizeof header, "{\"producer\":\"till-%td\",\"n\":%llu}", till - tills,
		(unsigned long long)frame->n);
	snprintf(key, sizeof key, "till-%td/%llu", till - tills, (unsigned long long)frame->n);
	write_frame(frame, events);
	const struct edge_frame sent = {
		.header = is_known && frame->manner == MANNER_NUMBER ? header : NULL,
		.key = is_known && frame->manner == MANNER_KEY ? key : NULL,
		.events = events,
		.ticket = (uint64_t)(till - tills) << 32 | (uint64_t)(frame - frames),
	};
	frame->unanswered++; /* the answer may come at once */
	if (!edge_part_submit(part, &sent, &result)) {
		frame->unanswered--;
		return result;
	}
	world_note("till %td: frame %llu with sales e%zu-e%zu to edge %d", till - tills,
		(unsigned long long)frame->n, frame->first_sale,
		frame->first_sale + frame->sale_count - 1, till->edge);
	return 0;
}

/* What is due; now and then twice, so that both come into one group. */
static int send_due(struct till *till, struct edge_part *part)
{
	struct frame *frame = till->frame;
	int r = send(till, frame, part);

	if (till->frame == frame) {
		till->next_ms = world.now_ms + PATIENCE_MS;
	}
	if (r == 0 && world_fails(FAULT_SENT_TWICE, 8000)) {
		r = send(till, frame, part);
	}
	return r;
}

/* Somebody gives the same command again. */
static int send_again(struct till *till, struct edge_part *part)
{
	struct frame *frame = till->again;

	till->again = NULL;
	if (held[till->edge] || !world_fails(FAULT_SENT_AGAIN, 100000)) {
		return 0;
	}
	return send(till, frame, part);
}

int tills_send(int edge, struct edge_part *part)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < till_count; i++) {
		struct till *till = &tills[i];
		if (till->edge == edge && till->again != NULL && world_draw(4) == 0) {
			r = send_again(till, part);
		} else if (till->edge == edge && is_due(till)) {
			r = send_due(till, part);
		}
	}
	return r;
}

/* ---- answers */

static void take_ok(struct till *till, const struct edge_answer *answer)
{
	const struct frame *frame = till->frame;

	if (!answer->is_repeated &&
		(answer->invalid != frame->invalid_count ||
			answer->accepted + answer->invalid + answer->repeated_events !=
				frame->sale_count)) {
		snprintf(complaint, sizeof complaint,
			"a frame of %u sales was answered with %u accepted and %u invalid",
			frame->sale_count, answer->accepted, answer->invalid);
	}
	till->again = world_draw(15) == 0 ? till->frame : NULL;
	settle(till, OUTCOME_OK);
}

void tills_kept(int edge)
{
	unsure[edge].count = 0;
}

void tills_lost(int edge)
{
	for (size_t i = 0; i < unsure[edge].count; i++) {
		set_outcome(unsure[edge].frames[i], OUTCOME_UNKNOWN);
		world_note_fault(FAULT_INTERVAL_LOST, "");
	}
	unsure[edge].count = 0;
}

void tills_answered(const struct edge_answer *answer)
{
	struct till *till = &tills[answer->ticket >> 32];
	struct frame *frame = &frames[answer->ticket & UINT32_MAX];

	if (answer->is_taken && !answer->is_durable && !answer->is_repeated &&
		answer->accepted + answer->invalid > 0) {
		unsure[till->edge].frames[unsure[till->edge].count++] = frame;
	}
	if (world_fails(FAULT_ANSWER_LOST, 8000)) {
		return;
	}
	frame->unanswered--;
	world_note("till %td: frame %llu is %s%s", till - tills, (unsigned long long)frame->n,
		answer->is_taken ? "taken" : "refused", answer->is_repeated ? " (before)" : "");
	if (till->frame != frame) {
		return; /* it gave up on this one */
	}
	if (answer->is_taken) {
		take_ok(till, answer);
	} else if (world.has_faults && world_draw(5) == 0) {
		settle(till, frame->unanswered == 0 ? OUTCOME_REFUSED : OUTCOME_UNKNOWN);
	} else {
		till->next_ms = world.now_ms + 200 + (int64_t)world_draw(800);
	}
}

void tills_hold(int edge, bool holds)
{
	held[edge] = holds;
}

bool tills_are_calm(int edge)
{
	for (size_t i = 0; i < till_count; i++) {
		const struct till *till = &tills[i];
		if (till->edge == edge && (till->frame != NULL || till->again != NULL)) {
			return false;
		}
	}
	return unsure[edge].count == 0;
}

void tills_endanger(size_t sale)
{
	if (sale < sale_count) {
		sales[sale].is_endangered = true;
	}
}

size_t tills_sale_count(void)
{
	return sale_count;
}

/* A record has its sale's order_id, "e12", in plain text; a marker has none. */
size_t tills_sale_of(const struct kafka_record *record)
{
	static const char name[] = "order_id";
	const char *at = memmem(record->value, record->value_size, name, sizeof name - 1);
	const char *end = (const char *)record->value + record->value_size;

	if (at == NULL) {
		return SIZE_MAX;
	}
	for (at += sizeof name - 1; at < end && *at != 'e'; at++) {
	}
	return (size_t)strtoull(at + 1, NULL, 10);
}

const struct sale *tills_sale(size_t i)
{
	return &sales[i];
}

const char *tills_complaint(void)
{
	return complaint;
}

void tills_complain(const char *words)
{
	snprintf(complaint, sizeof complaint, "%s", words);
}
