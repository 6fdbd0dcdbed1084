/* The way of a row: on_readable feeds the input, take_records reads it into the batch as the pace allows,
 * dispatch hands the batch to the producer in a free flight, on_settled counts what became of it. */
#include "cli/sender.h"

#include "cli/batch.h"
#include "cli/number_text.h"
#include "cli/pace.h"
#include "cli/position.h"
#include "cli/terminal.h"
#include "runtime/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	PIECE_SIZE = 256 * 1024,
	/* Large rows make a frame of fewer. */
	FRAME_BYTES_ENOUGH = 1024 * 1024,
	QUIET_MS_MAX = 2000, /* then somebody who waits at no terminal is told why */
};

struct row {
	uint64_t number;
	uint64_t line;
};

/* The rows of one frame, for what the edge says about them. */
struct flight {
	bool used;
	uint32_t count;
	struct row rows[SENDER_ROWS_MAX];
};

struct sender {
	struct sender_options options;
	struct producer *producer;
	struct batch batch;
	int64_t batch_ms; /* when its first row came */
	struct flight flights[SENDER_LANES];
	struct flight *next; /* where the batch's rows are noted; NULL: all are in the air */
	struct input_record held; /* read, but the batch had no room */
	bool holding;
	bool input_over;
	bool reading; /* the fd is on the loop */
	uint64_t bytes_read;
	struct position position;
	struct pace pace;
	struct send_totals totals;
	struct progress progress;
	int64_t started_ms;
	int64_t ended_ms;
	int64_t up_ms; /* when the edge was last connected */
	bool was_up;
	bool told_away;
	int result; /* why the loop was stopped */
	struct options_error *error;
	uint8_t piece[PIECE_SIZE];
};

static int stop(struct sender *sender, int result)
{
	sender->result = result;
	loop_stop(sender->options.session->loop);
	return 0;
}

static struct flight *free_flight(struct sender *sender)
{
	for (size_t i = 0; i < SENDER_LANES; i++) {
		if (!sender->flights[i].used) {
			return &sender->flights[i];
		}
	}
	return NULL;
}

static void complain_of_errors(
	struct sender *sender, const struct flight *flight, const struct reply *reply)
{
	for (uint32_t i = 0; i < reply->error_count; i++) {
		const struct reply_error *error = &reply->errors[i];
		if (error->index < flight->count) {
			const struct row *row = &flight->rows[error->index];
			progress_clear(&sender->progress);
			send_totals_complain(&sender->totals, row->number, row->line,
				reason_code(error->complaint.reason), error->complaint.message);
		}
	}
}

static int on_settled(void *owner, const struct producer_result *result)
{
	struct sender *sender = owner;
	struct flight *flight = &sender->flights[result->tag];
	const struct reply *reply = result->reply;

	send_totals_add(&sender->totals, result, flight->count);
	if (reply->refusal.reason != REASON_NONE) {
		progress_clear(&sender->progress);
		send_totals_complain(&sender->totals, flight->rows[0].number, flight->rows[0].line,
			reason_code(reply->refusal.reason), reply->refusal.message);
	} else {
		complain_of_errors(sender, flight, reply);
	}
	if (sender->options.by_position && !sender->position.known) {
		position_answered(&sender->position, result->n, reply->last_n);
	}
	flight->used = false;
	flight->count = 0;
	sender->next = sender->next != NULL ? sender->next : flight;
	return 0;
}

static int set_reading(struct sender *sender, bool reading);

static int on_readable(void *owner)
{
	struct sender *sender = owner;

	ssize_t size = read(sender->options.fd, sender->piece, sizeof sender->piece);
	if (size < 0) {
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	}
	int r = set_reading(sender, false);
	if (size == 0) {
		input_end(sender->options.input);
		return r;
	}
	sender->bytes_read += (uint64_t)size;
	return r == 0 ? input_feed(sender->options.input, slice_of(sender->piece, (size_t)size))
		      : r;
}

static int set_reading(struct sender *sender, bool reading)
{
	struct loop *loop = sender->options.session->loop;

	if (reading == sender->reading) {
		return 0;
	}
	sender->reading = reading;
	if (!reading) {
		loop_remove_fd(loop, sender->options.fd);
		return 0;
	}
	return loop_add_fd(loop, sender->options.fd, on_readable, sender);
}

static bool batch_is_ready(const struct sender *sender, int64_t now_ms)
{
	const struct batch *batch = &sender->batch;
	bool alone = sender->options.by_position && position_goes_alone(&sender->position);

	return batch->count > 0 &&
	       (alone || sender->holding || sender->input_over || batch->count == SENDER_ROWS_MAX ||
		       batch->events.size >= FRAME_BYTES_ENOUGH ||
		       now_ms - sender->batch_ms >= SENDER_AGE_MS_MAX);
}

/* Into the batch; what does not fit any more is held for the next one. */
static void add_event(struct sender *sender, const struct input_record *record, int64_t now_ms)
{
	if (!batch_add(&sender->batch, record->event)) {
		if (sender->batch.count > 0) {
			sender->holding = true;
			return;
		}
		sender->totals.invalid++;
		send_totals_complain(&sender->totals, record->number, record->line, "",
			"is larger than a frame may be");
		return;
	}
	if (sender->batch.count == 1) {
		sender->batch_ms = now_ms;
	}
	sender->next->rows[sender->batch.count - 1] = (struct row){record->number, record->line};
	sender->next->count = sender->batch.count;
}

static void take_record(struct sender *sender, int64_t now_ms)
{
	const struct input_record *record = &sender->held;

	switch (record->state) {
	case RECORD_UNWANTED:
		sender->totals.unwanted++;
		break;
	case RECORD_INVALID:
		sender->totals.invalid++;
		progress_clear(&sender->progress);
		send_totals_complain(
			&sender->totals, record->number, record->line, "", record->why);
		break;
	case RECORD_EVENT:
		if (sender->options.by_position &&
			position_is_counted(&sender->position, record->number)) {
			sender->totals.repeated++;
		} else {
			add_event(sender, record, now_ms);
		}
		break;
	}
}

/* Is the next record an event that has to wait for its time? Records that are not sent cost no pace. */
static bool may_take(const struct sender *sender, int64_t now_ms)
{
	return sender->next != NULL && !sender->input_over &&
	       !(sender->options.by_position && position_must_wait(&sender->position)) &&
	       !batch_is_ready(sender, now_ms) && pace_wait_ms(&sender->pace) == 0;
}

static int take_records(struct sender *sender, int64_t now_ms)
{
	pace_fill(&sender->pace, now_ms);
	while (may_take(sender, now_ms)) {
		uint32_t count = sender->batch.count;
		if (sender->holding) {
			sender->holding = false;
		} else {
			int r = input_next(sender->options.input, &sender->held, sender->error);
			if (r == INPUT_E_MORE) {
				return set_reading(sender, true);
			}
			if (r == INPUT_E_END) {
				sender->input_over = true;
				return 0;
			}
			if (r != 0) {
				return r == -EINVAL ? stop(sender, SENDER_E_INPUT) : r;
			}
		}
		take_record(sender, now_ms);
		if (sender->batch.count > count) {
			(void)pace_take(&sender->pace);
		}
	}
	return 0;
}

static int dispatch(struct sender *sender)
{
	struct flight *flight = sender->next;
	uint64_t n = 0;

	if (sender->options.by_position) {
		n = flight->rows[flight->count - 1].number;
		sender->position.asked = true;
	}
	struct slice frame = batch_take_frame(&sender->batch);
	if (frame.size == 0) {
		return -ENOMEM;
	}
	int r = producer_send(sender->producer, frame, n, (uint64_t)(flight - sender->flights));
	if (r != 0) {
		return r < 0 ? r : -EBUSY; /* a free flight means a free lane */
	}
	flight->used = true;
	sender->next = sender->options.by_position ? NULL : free_flight(sender);
	return 0;
}

static bool is_done(const struct sender *sender)
{
	return sender->input_over && sender->batch.count == 0 && !sender->holding &&
	       producer_in_flight(sender->producer) == 0;
}

/* Once, for whoever waits at no terminal. */
static void tell_away(struct sender *sender, bool up, int64_t now_ms)
{
	if (up) {
		sender->was_up = true;
		sender->up_ms = now_ms;
	}
	if (!sender->told_away && now_ms - sender->up_ms > QUIET_MS_MAX) {
		sender->told_away = true;
		progress_clear(&sender->progress);
		say("till send", "%s %s; trying on",
			sender->was_up ? "lost the edge at" : "no edge answers at",
			sender->options.endpoint);
	}
}

static void show_progress(struct sender *sender, int64_t now_ms)
{
	const struct sender_options *options = &sender->options;
	const char *waiting = producer_counts(sender->producer)->waiting_for;
	char rows[NUMBER_TEXT_SIZE];
	char rate[NUMBER_TEXT_SIZE];
	bool up = producer_is_connected(sender->producer);

	tell_away(sender, up, now_ms);
	if (!progress_is_due(&sender->progress, now_ms)) {
		return;
	}
	uint64_t sent = sender->totals.ok + sender->totals.invalid + sender->totals.repeated;
	int64_t elapsed_ms = now_ms - sender->started_ms;
	double share = options->size > 0 ? (double)sender->bytes_read / (double)options->size : -1;
	number_text(rows, (int64_t)sent);
	number_text(rate, elapsed_ms > 0 ? (int64_t)sent * 1000 / elapsed_ms : 0);
	progress_draw(&sender->progress, now_ms, share, "%s rows  %s/s%s%s", rows, rate,
		up ? (waiting[0] != '\0' ? "  waiting: " : "") : "  waiting for the edge",
		up ? waiting : "");
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_wait_ms(const struct sender *sender, int64_t now_ms, int64_t wait_ms)
{
	if (sender->batch.count > 0 && sender->next != NULL) {
		wait_ms = earlier(wait_ms, sender->batch_ms + SENDER_AGE_MS_MAX - now_ms);
	}
	if (sender->next != NULL && !sender->input_over && !sender->reading) {
		wait_ms = earlier(wait_ms, pace_wait_ms(&sender->pace));
	}
	return wait_ms < 0 ? 0 : wait_ms;
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct sender *sender = owner;
	int64_t wait_ms = 0;
	int r = 0;

	do {
		r = take_records(sender, now_ms);
		if (r != 0 || sender->result != 0) {
			return r;
		}
		if (!batch_is_ready(sender, now_ms)) {
			break;
		}
		r = dispatch(sender);
	} while (r == 0 && sender->next != NULL);
	if (r == 0) {
		r = producer_step(sender->producer, now_ms, &wait_ms);
	}
	if (r == PRODUCER_E_TIMEOUT) {
		return stop(sender, SENDER_E_SILENT);
	}
	if (r != 0) {
		return r;
	}
	show_progress(sender, now_ms);
	if (is_done(sender)) {
		return stop(sender, 0);
	}
	*ret_wait_ms = next_wait_ms(sender, now_ms, wait_ms);
	return 0;
}

static int on_terminate(void *owner)
{
	return stop(owner, SENDER_E_INTERRUPTED);
}

int sender_new_take(const struct sender_options *options, struct sender **ret_sender)
{
	struct sender *sender = calloc(1, sizeof *sender);
	if (sender == NULL) {
		input_free(options->input);
		return -ENOMEM;
	}
	sender->options = *options;
	sender->next = &sender->flights[0];
	batch_init(&sender->batch, input_encoding(options->input));
	struct producer_options producer = {.context = options->session->context,
		.loop = options->session->loop,
		.endpoint = options->endpoint,
		.id = options->producer_id,
		.lanes = options->by_position ? 1 : SENDER_LANES,
		.timeout_ms = options->timeout_ms,
		.settled = on_settled,
		.owner = sender};
	int r = producer_new(&producer, &sender->producer);
	if (r != 0) {
		sender_free(sender);
		return r;
	}
	*ret_sender = sender;
	return 0;
}

struct sender *sender_free(struct sender *sender)
{
	if (sender != NULL) {
		producer_free(sender->producer);
		input_free(sender->options.input);
		batch_deinit(&sender->batch);
		free(sender);
	}
	return NULL;
}

/* What has no answer counts as an error: nobody knows what became of it until the command is run again. */
static void count_unanswered(struct sender *sender)
{
	sender->totals.error += sender->batch.count + sender->holding;
	for (size_t i = 0; i < SENDER_LANES; i++) {
		sender->totals.error += sender->flights[i].used ? sender->flights[i].count : 0;
	}
}

int sender_run(struct sender *sender, struct options_error *error)
{
	struct loop *loop = sender->options.session->loop;

	sender->error = error;
	sender->started_ms = clock_monotonic_ms();
	sender->up_ms = sender->started_ms;
	pace_init(&sender->pace, sender->options.rate, sender->started_ms);
	int r = loop_add_tick(loop, on_tick, sender);
	if (r == 0) {
		loop_on_terminate(loop, on_terminate, sender);
		r = loop_run(loop);
	}
	sender->ended_ms = clock_monotonic_ms();
	progress_clear(&sender->progress);
	count_unanswered(sender);
	return r != 0 ? r : sender->result;
}

const struct send_totals *sender_totals(const struct sender *sender)
{
	return &sender->totals;
}

int64_t sender_elapsed_ms(const struct sender *sender)
{
	return sender->ended_ms - sender->started_ms;
}
