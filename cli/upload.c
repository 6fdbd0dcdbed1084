/* The way of a row: on_readable feeds the input, take_records reads it into the batch as the pace allows,
 * dispatch hands the batch to the producer in a free flight, on_settled counts what became of it. */
#include "cli/upload.h"

#include "cli/batch.h"
#include "cli/edge_watch.h"
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
};

struct row {
	uint64_t number;
	uint64_t line;
};

/* The rows of one frame, for what the edge says about them. */
struct flight {
	bool used;
	uint32_t count;
	struct row rows[UPLOAD_ROWS_MAX];
};

struct upload {
	struct upload_options options;
	struct producer *producer;
	struct batch batch;
	int64_t batch_ms; /* when its first row came */
	struct flight flights[UPLOAD_LANES];
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
	struct edge_watch watch;
	int result; /* why the loop was stopped */
	struct pairs_error *error;
	uint8_t piece[PIECE_SIZE];
};

static int stop(struct upload *upload, int result)
{
	upload->result = result;
	loop_stop(upload->options.session->loop);
	return 0;
}

static struct flight *free_flight(struct upload *upload)
{
	for (size_t i = 0; i < UPLOAD_LANES; i++) {
		if (!upload->flights[i].used) {
			return &upload->flights[i];
		}
	}
	return NULL;
}

static void complain_of_errors(
	struct upload *upload, const struct flight *flight, const struct reply *reply)
{
	for (uint32_t i = 0; i < reply->error_count; i++) {
		const struct reply_error *error = &reply->errors[i];
		if (error->index < flight->count) {
			const struct row *row = &flight->rows[error->index];
			progress_clear(&upload->progress);
			send_totals_complain(&upload->totals, row->number, row->line,
				reason_code(error->complaint.reason), error->complaint.message);
		}
	}
}

static int on_settled(void *owner, const struct producer_result *result)
{
	struct upload *upload = owner;
	struct flight *flight = &upload->flights[result->tag];
	const struct reply *reply = result->reply;

	send_totals_add(&upload->totals, result, flight->count);
	if (reply->refusal.reason != REASON_NONE) {
		progress_clear(&upload->progress);
		send_totals_complain(&upload->totals, flight->rows[0].number, flight->rows[0].line,
			reason_code(reply->refusal.reason), reply->refusal.message);
	} else {
		complain_of_errors(upload, flight, reply);
	}
	if (upload->options.by_position && reply->refusal.reason == REASON_NONE) {
		position_answered(&upload->position, result->n, reply->last_n);
	}
	flight->used = false;
	flight->count = 0;
	upload->next = upload->next != NULL ? upload->next : flight;
	return 0;
}

static int set_reading(struct upload *upload, bool reading);

static int on_readable(void *owner)
{
	struct upload *upload = owner;

	ssize_t size = read(upload->options.fd, upload->piece, sizeof upload->piece);
	if (size < 0) {
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	}
	int r = set_reading(upload, false);
	if (size == 0) {
		input_end(upload->options.input);
		return r;
	}
	upload->bytes_read += (uint64_t)size;
	return r == 0 ? input_feed(upload->options.input, slice_of(upload->piece, (size_t)size))
		      : r;
}

static int set_reading(struct upload *upload, bool reading)
{
	struct loop *loop = upload->options.session->loop;

	if (reading == upload->reading) {
		return 0;
	}
	upload->reading = reading;
	if (!reading) {
		loop_remove_fd(loop, upload->options.fd);
		return 0;
	}
	return loop_add_fd(loop, upload->options.fd, on_readable, upload);
}

static bool batch_is_ready(const struct upload *upload, int64_t now_ms)
{
	const struct batch *batch = &upload->batch;
	bool alone = upload->options.by_position && position_goes_alone(&upload->position);

	return batch->count > 0 &&
	       (alone || upload->holding || upload->input_over || batch->count == UPLOAD_ROWS_MAX ||
		       batch->events.size >= FRAME_BYTES_ENOUGH ||
		       now_ms - upload->batch_ms >= UPLOAD_AGE_MS_MAX);
}

/* Into the batch; what does not fit any more is held for the next one. */
static void add_event(struct upload *upload, const struct input_record *record, int64_t now_ms)
{
	if (!batch_add(&upload->batch, record->event)) {
		if (upload->batch.count > 0) {
			upload->holding = true;
			return;
		}
		upload->totals.invalid++;
		send_totals_complain(&upload->totals, record->number, record->line, "",
			"is larger than a frame may be");
		return;
	}
	if (upload->batch.count == 1) {
		upload->batch_ms = now_ms;
	}
	upload->next->rows[upload->batch.count - 1] = (struct row){record->number, record->line};
	upload->next->count = upload->batch.count;
}

static void take_record(struct upload *upload, int64_t now_ms)
{
	const struct input_record *record = &upload->held;

	switch (record->state) {
	case RECORD_UNWANTED:
		upload->totals.unwanted++;
		break;
	case RECORD_INVALID:
		upload->totals.invalid++;
		progress_clear(&upload->progress);
		send_totals_complain(
			&upload->totals, record->number, record->line, "", record->why);
		break;
	case RECORD_EVENT:
		if (upload->options.by_position &&
			position_is_counted(&upload->position, record->number)) {
			upload->totals.repeated++;
		} else {
			add_event(upload, record, now_ms);
		}
		break;
	}
}

/* Is the next record an event that has to wait for its time? Records that are not sent cost no pace. */
static bool may_take(const struct upload *upload, int64_t now_ms)
{
	return upload->next != NULL && !upload->input_over &&
	       !(upload->options.by_position && position_must_wait(&upload->position)) &&
	       !batch_is_ready(upload, now_ms) && pace_wait_ms(&upload->pace) == 0;
}

static int take_records(struct upload *upload, int64_t now_ms)
{
	pace_fill(&upload->pace, now_ms);
	while (may_take(upload, now_ms)) {
		uint32_t count = upload->batch.count;
		if (upload->holding) {
			upload->holding = false;
		} else {
			int r = input_next(upload->options.input, &upload->held, upload->error);
			if (r == INPUT_E_MORE) {
				return set_reading(upload, true);
			}
			if (r == INPUT_E_END) {
				upload->input_over = true;
				return 0;
			}
			if (r != 0) {
				return r == -EINVAL ? stop(upload, UPLOAD_E_INPUT) : r;
			}
		}
		take_record(upload, now_ms);
		if (upload->batch.count > count) {
			(void)pace_take(&upload->pace);
		}
	}
	return 0;
}

static int dispatch(struct upload *upload)
{
	struct flight *flight = upload->next;
	uint64_t n = 0;

	if (upload->options.by_position) {
		n = flight->rows[flight->count - 1].number;
		upload->position.asked = true;
	}
	struct slice frame = batch_take_frame(&upload->batch);
	if (frame.size == 0) {
		return -ENOMEM;
	}
	int r = producer_send(upload->producer, frame, n, (uint64_t)(flight - upload->flights));
	if (r != 0) {
		return r < 0 ? r : -EBUSY; /* a free flight means a free lane */
	}
	flight->used = true;
	upload->next = upload->options.by_position ? NULL : free_flight(upload);
	return 0;
}

static bool is_done(const struct upload *upload)
{
	return upload->input_over && upload->batch.count == 0 && !upload->holding &&
	       producer_in_flight(upload->producer) == 0;
}

static void show_progress(struct upload *upload, int64_t now_ms)
{
	const struct upload_options *options = &upload->options;
	const char *waiting = producer_counts(upload->producer)->waiting_for;
	char rows[NUMBER_TEXT_SIZE];
	char rate[NUMBER_TEXT_SIZE];
	bool up = producer_is_connected(upload->producer);

	if (edge_watch_look(&upload->watch, upload->producer, now_ms)) {
		progress_clear(&upload->progress);
		edge_watch_tell(&upload->watch, upload->producer);
	}
	if (!progress_is_due(&upload->progress, now_ms)) {
		return;
	}
	uint64_t sent = upload->totals.ok + upload->totals.invalid + upload->totals.repeated;
	int64_t elapsed_ms = now_ms - upload->started_ms;
	double share = options->size > 0 ? (double)upload->bytes_read / (double)options->size : -1;
	number_text(rows, (int64_t)sent);
	number_text(rate, elapsed_ms > 0 ? (int64_t)sent * 1000 / elapsed_ms : 0);
	progress_draw(&upload->progress, now_ms, share, "%s rows  %s/s%s%s", rows, rate,
		up ? (waiting[0] != '\0' ? "  waiting: " : "") : "  waiting for the edge",
		up ? waiting : "");
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_wait_ms(const struct upload *upload, int64_t now_ms, int64_t wait_ms)
{
	if (upload->batch.count > 0 && upload->next != NULL) {
		wait_ms = earlier(wait_ms, upload->batch_ms + UPLOAD_AGE_MS_MAX - now_ms);
	}
	if (upload->next != NULL && !upload->input_over && !upload->reading) {
		wait_ms = earlier(wait_ms, pace_wait_ms(&upload->pace));
	}
	return wait_ms < 0 ? 0 : wait_ms;
}

static int on_tick(void *owner, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct upload *upload = owner;
	int64_t wait_ms = 0;
	int r = 0;

	do {
		r = take_records(upload, now_ms);
		if (r != 0 || upload->result != 0) {
			return r;
		}
		if (!batch_is_ready(upload, now_ms)) {
			break;
		}
		r = dispatch(upload);
	} while (r == 0 && upload->next != NULL);
	if (r == 0) {
		r = producer_step(upload->producer, now_ms, &wait_ms);
	}
	if (r == PRODUCER_E_TIMEOUT) {
		return stop(upload, UPLOAD_E_SILENT);
	}
	if (r != 0) {
		return r;
	}
	show_progress(upload, now_ms);
	if (is_done(upload)) {
		return stop(upload, 0);
	}
	*ret_wait_ms = next_wait_ms(upload, now_ms, wait_ms);
	return 0;
}

static int on_terminate(void *owner)
{
	return stop(owner, UPLOAD_E_INTERRUPTED);
}

int upload_new_take(const struct upload_options *options, struct upload **ret_sender)
{
	struct upload *upload = calloc(1, sizeof *upload);
	if (upload == NULL) {
		input_free(options->input);
		return -ENOMEM;
	}
	upload->options = *options;
	upload->next = &upload->flights[0];
	batch_init(&upload->batch, input_encoding(options->input));
	struct producer_options producer = {.context = options->session->context,
		.loop = options->session->loop,
		.endpoint = options->endpoint,
		.keys = session_keys(options->session),
		.id = options->producer_id,
		.lanes = options->by_position ? 1 : UPLOAD_LANES,
		.timeout_ms = options->timeout_ms,
		.settled = on_settled,
		.owner = upload};
	int r = producer_new(&producer, &upload->producer);
	if (r != 0) {
		upload_free(upload);
		return r;
	}
	*ret_sender = upload;
	return 0;
}

struct upload *upload_free(struct upload *upload)
{
	if (upload != NULL) {
		producer_free(upload->producer);
		input_free(upload->options.input);
		batch_deinit(&upload->batch);
		free(upload);
	}
	return NULL;
}

/* What has no answer counts as an error: nobody knows what became of it until the command is run again. */
static void count_unanswered(struct upload *upload)
{
	upload->totals.error += upload->batch.count + upload->holding;
	for (size_t i = 0; i < UPLOAD_LANES; i++) {
		upload->totals.error += upload->flights[i].used ? upload->flights[i].count : 0;
	}
}

int upload_run(struct upload *upload, struct pairs_error *error)
{
	struct loop *loop = upload->options.session->loop;

	upload->error = error;
	upload->started_ms = clock_monotonic_ms();
	upload->watch = (struct edge_watch){.command = "till send",
		.endpoint = upload->options.endpoint,
		.up_ms = upload->started_ms};
	pace_init(&upload->pace, upload->options.rate, upload->started_ms);
	int r = loop_add_tick(loop, on_tick, upload);
	if (r == 0) {
		loop_on_terminate(loop, on_terminate, upload);
		loop_on_hangup(loop, on_terminate, upload);
		r = loop_run(loop);
	}
	upload->ended_ms = clock_monotonic_ms();
	progress_clear(&upload->progress);
	count_unanswered(upload);
	return r != 0 ? r : upload->result;
}

const struct send_totals *upload_totals(const struct upload *upload)
{
	return &upload->totals;
}

int64_t upload_elapsed_ms(const struct upload *upload)
{
	return upload->ended_ms - upload->started_ms;
}
