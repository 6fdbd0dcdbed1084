#include "aggregator/books/account.h"
#include "aggregator/desk/stream_answers.h"
#include <errno.h>

/* Where one event is, as far as this store and its edge's reports say. */
struct finding {
	enum place place;
	bool is_rejected; /* the bridge refused it: its letter lies under the same certificate */
	bool is_stored; /* what was counted is on disk */
	uint64_t
		commit; /* of the store's snapshot: the event is in this one, or in an earlier one */
};

static const char *place_name(const struct finding *finding)
{
	static const char *const names[] = {
		[PLACE_COUNTED] = "counted",
		[PLACE_ON_DISK] = "on_disk",
		[PLACE_SET_ASIDE] = "damaged",
		[PLACE_UNREAD] = "unread",
		[PLACE_MISSING] = "missing",
		[PLACE_UNKNOWN] = "unknown",
	};
	return finding->is_rejected ? "rejected" : names[finding->place];
}

/* Is it in the set as the store has it? */
static int look_into_store(
	struct shard *shard, const struct stream_id *id, uint64_t seq, struct finding *finding)
{
	uint8_t bytes[STREAM_KEY_SIZE_MAX];
	struct slice key = slice_of(bytes, stream_key(id, bytes)), value;
	struct snapshot *snapshot = NULL;
	struct stream_sums sums;
	struct counted counted = {0};

	int r = snapshot_begin(shard->options.store, shard->options.generation, &snapshot);
	if (r == 0) {
		finding->commit = snapshot_commit(snapshot);
		r = snapshot_get(snapshot, TABLE_STREAMS, key, &value);
	}
	if (r == 0) {
		r = stream_decode(value, &sums, &counted);
		finding->is_stored = r == 0 && counted_has(&counted, seq);
	}
	counted_deinit(&counted);
	snapshot_end(snapshot);
	return r == STORE_E_ABSENT ? 0 : r > 0 ? -EBADMSG : r;
}

/* A letter of the bridge with this certificate was counted. */
static int look_for_letter(
	struct shard *shard, const struct certificate *about, bool *ret_is_rejected)
{
	const struct stream_id id = {about->edge, about->run, stream_kind_of(about->kind, true)};
	struct stream *stream = NULL;

	int r = streams_get(shard->streams, &id, &stream);
	if (r == 0) {
		*ret_is_rejected = counted_has(&stream->counted, about->seq);
	}
	return r;
}

static int look_into_shard(struct shard *shard, const struct account_sight *known,
	struct finding *finding, const struct certificate *about)
{
	const struct stream_id id = {about->edge, about->run, stream_kind_of(about->kind, false)};
	struct account_sight sight = *known;
	struct stream *stream = NULL;

	int r = streams_get(shard->streams, &id, &stream);
	if (r < 0) {
		return r;
	}
	sight.counted = &stream->counted;
	enum place place = account_place(&sight, about->seq);
	/* An edge is read by one shard; the others know nothing of it. */
	if (finding->place == PLACE_UNKNOWN || place == PLACE_COUNTED) {
		finding->place = place;
	}
	if (place != PLACE_COUNTED) {
		return 0;
	}
	r = look_into_store(shard, &id, about->seq, finding);
	return r == 0 ? look_for_letter(shard, about, &finding->is_rejected) : r;
}

static void write_certificate(struct writer *writer, const struct certificate *about)
{
	write_key(writer, "edge");
	write_text(writer, about->edge);
	write_key(writer, "run");
	write_unsigned(writer, about->run);
	write_key(writer, "kind");
	write_key(writer, kind_name(about->kind));
	write_key(writer, "seq");
	write_unsigned(writer, about->seq);
}

static void write_finding(
	struct writer *writer, const struct finding *finding, const struct report *report)
{
	bool is_counted = finding->place == PLACE_COUNTED;

	write_key(writer, "place");
	write_key(writer, place_name(finding));
	write_key(writer, "stored");
	write_bool(writer, finding->is_stored);
	write_key(writer, "commit");
	if (is_counted && finding->is_stored) {
		write_unsigned(writer, finding->commit);
	} else {
		write_nil(writer);
	}
	write_key(writer, "reported_ms");
	if (report != NULL) {
		write_integer(writer, report->appended_ms);
	} else {
		write_nil(writer);
	}
	write_key(writer, "started_ms");
	if (report != NULL && report->telemetry.started_ms > 0) {
		write_integer(writer, report->telemetry.started_ms);
	} else {
		write_nil(writer);
	}
}

int trace_answer_write(struct pipeline *pipeline, const struct reports *reports,
	const struct question *question, const struct freshness *freshness, struct buffer *reply)
{
	const struct query *query = question->query;
	const struct certificate *about = &query->about;
	const struct report *of_run = reports_of_run(reports, about->edge, about->run);
	const struct report *of_edge = reports_of_edge(reports, about->edge);
	const struct report *judged = reports_judged(reports, about->edge);
	const struct account_sight sight = {
		.run = about->run,
		.kind = about->kind,
		.of_run = of_run == NULL ? NULL : &of_run->telemetry,
		.of_edge = of_edge == NULL ? NULL : &of_edge->telemetry,
		.judged = judged == NULL ? NULL : &judged->telemetry,
		.judged_up_to = reports_judged_up_to(reports, about->edge, about->run, about->kind),
	};
	struct finding finding = {.place = PLACE_UNKNOWN};
	struct writer writer;
	int r = 0;

	for (size_t i = 0; i < pipeline->shard_count && r == 0; i++) {
		r = look_into_shard(pipeline->shards[i], &sight, &finding, about);
	}
	if (r < 0) {
		return r;
	}
	writer_init(&writer, query->encoding, reply);
	write_map(&writer, 3);
	write_key(&writer, "ok");
	write_bool(&writer, true);
	write_key(&writer, "trace");
	write_map(&writer, 9);
	write_certificate(&writer, about);
	write_finding(&writer, &finding, of_run);
	write_key(&writer, "as_of");
	answer_write_as_of(&writer, freshness);
	return reply->error;
}
