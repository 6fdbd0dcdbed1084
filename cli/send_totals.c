#include "cli/send_totals.h"

#include "cli/number_text.h"
#include "cli/position.h"
#include "cli/session.h"
#include "proto/writer.h"

enum { REPORT_SIZE_MAX = 4096 };

void send_totals_add(
	struct send_totals *totals, const struct producer_result *result, uint32_t count)
{
	const struct reply *reply = result->reply;

	totals->frames++;
	totals->resent_frames += result->attempts > 1;
	totals->ack_ms_sum += result->ack_ms;
	if (reply->refusal.reason != REASON_NONE) {
		totals->error += count;
	} else if (reply->repeated &&
		   position_is_of_earlier_run(result->n, reply->last_n, result->attempts)) {
		totals->repeated += count;
	} else {
		totals->ok += reply->accepted;
		totals->invalid += reply->invalid;
		totals->repeated += reply->repeated_events;
	}
}

void send_totals_complain(struct send_totals *totals, uint64_t record, uint64_t line,
	const char *code, const char *message)
{
	if (totals->complaints++ == COMPLAINTS_MAX) {
		say("till send", "more of these are counted, not shown");
	}
	if (totals->complaints > COMPLAINTS_MAX) {
		return;
	}
	if (line > 0) {
		say("till send", "line %llu: %s%s%s", (unsigned long long)line, code,
			code[0] != '\0' ? ": " : "", message);
	} else {
		say("till send", "record %llu: %s%s%s", (unsigned long long)record, code,
			code[0] != '\0' ? ": " : "", message);
	}
}

static double per_second(uint64_t count, int64_t elapsed_ms)
{
	return elapsed_ms > 0 ? (double)count * 1000 / (double)elapsed_ms : 0;
}

static double average_ack_ms(const struct send_totals *totals)
{
	return totals->frames > 0 ? (double)totals->ack_ms_sum / (double)totals->frames : 0;
}

/* Two digits are enough, and JSON need not show a double's all seventeen. */
static double rounded(double value)
{
	return (double)(int64_t)(value * 100 + 0.5) / 100;
}

static void print_json(const struct send_totals *totals, int64_t elapsed_ms, FILE *out)
{
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {{"sent_ok", totals->ok}, {"sent_invalid", totals->invalid},
		{"sent_repeated", totals->repeated}, {"sent_error", totals->error},
		{"unwanted", totals->unwanted}, {"resent_frames", totals->resent_frames}};
	enum { COUNTS = sizeof counts / sizeof counts[0] };
	struct buffer buffer;
	struct writer writer;

	buffer_init(&buffer, REPORT_SIZE_MAX);
	writer_init(&writer, ENCODING_JSON, &buffer);
	write_map(&writer, COUNTS + 2);
	for (size_t i = 0; i < COUNTS; i++) {
		write_key(&writer, counts[i].name);
		write_unsigned(&writer, counts[i].value);
	}
	write_key(&writer, "throughput_eps");
	write_double(&writer, rounded(per_second(totals->ok + totals->invalid, elapsed_ms)));
	write_key(&writer, "avg_ack_ms");
	write_double(&writer, rounded(average_ack_ms(totals)));
	fprintf(out, "%.*s\n", (int)buffer.size, (const char *)buffer.bytes);
	buffer_deinit(&buffer);
}

static void print_count(FILE *out, const char *name, uint64_t count)
{
	char text[NUMBER_TEXT_SIZE];

	fprintf(out, "%-14s %12s\n", name, number_text(text, (int64_t)count));
}

void send_totals_print(const struct send_totals *totals, int64_t elapsed_ms, bool json, FILE *out)
{
	if (json) {
		print_json(totals, elapsed_ms, out);
		return;
	}
	print_count(out, "sent_ok", totals->ok);
	print_count(out, "sent_invalid", totals->invalid);
	print_count(out, "sent_repeated", totals->repeated);
	print_count(out, "sent_error", totals->error);
	print_count(out, "throughput_eps",
		(uint64_t)per_second(totals->ok + totals->invalid, elapsed_ms));
	fprintf(out, "%-14s %12.2f\n", "avg_ack_ms", average_ack_ms(totals));
}
