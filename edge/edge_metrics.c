#include "edge/edge_metrics.h"
#include "runtime/metrics.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct edge_metrics {
	struct metrics *metrics; /* borrowed */
	struct edge_counters counters;
	struct metric *received, *frames, *repeated, *push;
	struct metric *accepted[KIND_EVENT_COUNT];
	struct metric *invalid[REASON_COUNT];
	struct metric *refused[REASON_COUNT];
	struct metric *spool_bytes, *spool_quota, *corrupt_blocks, *corrupt_events, *corrupt_marks,
		*oldest;
	struct metric *spool_events[KIND_COUNT], *unacked_events[KIND_COUNT];
	struct metric *backlog_events[KIND_COUNT], *lane_oldest[KIND_COUNT], *lane_full[KIND_COUNT];
	struct metric *spool_full, *spool_file, *compactions, *compactions_failed;
	struct metric *deleted_events[KIND_COUNT], *last_seq[KIND_COUNT];
	struct metric *commits, *sent, *resent, *acked, *unacked_batches;
	struct metric *nacked[NACK_BUSY + 1];
	struct metric *event_bytes, *wire_bytes, *compressed, *compressing, *codec_refusals;
	struct metric *sessions, *connected, *failovers, *probes, *conflicts, *stale;
};

static const double commit_bounds[] = {
	0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5};

static struct metric *counter(struct edge_metrics *set, const char *name, const char *help)
{
	return metrics_add(set->metrics, METRIC_COUNTER, name, "", help);
}

static struct metric *gauge(struct edge_metrics *set, const char *name, const char *help)
{
	return metrics_add(set->metrics, METRIC_GAUGE, name, "", help);
}

/* One series of a family: label="value". */
struct series {
	enum metric_type type;
	const char *name;
	const char *label;
	const char *value;
	const char *help;
};

static struct metric *labelled(struct edge_metrics *set, const struct series *series)
{
	char labels[128];

	metrics_label(labels, sizeof labels, series->label, series->value, strlen(series->value));
	return metrics_add(set->metrics, series->type, series->name, labels, series->help);
}

static void add_lanes(struct edge_metrics *set)
{
	for (int i = 0; i < KIND_COUNT; i++) {
		const char *lane = kind_name((enum kind)i);
		set->spool_events[i] =
			labelled(set, &(struct series){METRIC_GAUGE, "till_edge_spool_events",
					      "lane", lane, "events on disk, not acknowledged"});
		set->backlog_events[i] = labelled(set,
			&(struct series){METRIC_GAUGE, "till_edge_backlog_events", "lane", lane,
				"of the events on disk, those that have waited: not live any "
				"more"});
		set->lane_oldest[i] = labelled(
			set, &(struct series){METRIC_GAUGE, "till_edge_lane_oldest_spooled_seconds",
				     "lane", lane, "age of the oldest event on disk, by lane"});
		set->lane_full[i] = labelled(set,
			&(struct series){METRIC_GAUGE, "till_edge_lane_full_seconds", "lane", lane,
				"until the lane's share is full at the present rate of growth"});
		set->unacked_events[i] = labelled(
			set, &(struct series){METRIC_GAUGE, "till_edge_unacked_events", "lane",
				     lane, "events sent and not yet acknowledged"});
		set->deleted_events[i] = labelled(set,
			&(struct series){METRIC_COUNTER, "till_edge_deleted_events_total", "lane",
				lane,
				"events that a bridge acknowledged, and that were deleted for it"});
		set->last_seq[i] =
			labelled(set, &(struct series){METRIC_GAUGE, "till_edge_last_seq", "kind",
					      lane, "seq given last in the present run"});
	}
	for (int i = 0; i < KIND_EVENT_COUNT; i++) {
		set->accepted[i] = labelled(set,
			&(struct series){METRIC_COUNTER, "till_edge_events_accepted_total", "kind",
				kind_name((enum kind)i), "events that were numbered and spooled"});
	}
}

static void add_refused(struct edge_metrics *set, enum reason reason)
{
	set->refused[reason] = labelled(
		set, &(struct series){METRIC_COUNTER, "till_edge_events_refused_total", "code",
			     reason_code(reason),
			     "events of frames that were refused whole; the sender has them"});
}

static void add_codes(struct edge_metrics *set)
{
	for (int i = REASON_BAD_FRAME; i <= REASON_BUSY; i++) {
		const char *code = reason_code((enum reason)i);
		set->invalid[i] = labelled(
			set, &(struct series){METRIC_COUNTER, "till_edge_events_invalid_total",
				     "code", code, "events that became dead letters"});
		add_refused(set, (enum reason)i);
	}
	add_refused(set, REASON_FORBIDDEN);
	add_refused(set, REASON_INTERNAL);
	for (int i = NACK_DELIVERY_FAILED; i <= NACK_BUSY; i++) {
		set->nacked[i] = labelled(
			set, &(struct series){METRIC_COUNTER, "till_edge_batches_nacked_total",
				     "code", nack_code_name((enum nack_code)i),
				     "batches that the bridge could not deliver"});
	}
}

static void add_intake(struct edge_metrics *set)
{
	set->received = counter(set, "till_edge_events_received_total",
		"events that came in: accepted, invalid, refused and repeated ones");
	set->repeated = counter(set, "till_edge_events_repeated_total",
		"events that were counted before: frames sent again, and known event_ids");
	set->frames = counter(set, "till_edge_frames_total", "frames that producers sent");
}

static void add_spool(struct edge_metrics *set)
{
	set->spool_bytes = gauge(set, "till_edge_spool_bytes", "what the events on disk take up");
	set->spool_quota =
		gauge(set, "till_edge_spool_quota_bytes", "what they may take up: spool_max");
	set->corrupt_blocks = counter(
		set, "till_edge_spool_corrupt_blocks_total", "damaged blocks that lie set aside");
	set->corrupt_events = counter(set, "till_edge_spool_corrupt_events_total",
		"events in them, where that can be read");
	set->corrupt_marks = gauge(set, "till_edge_spool_corrupt_marks",
		"positions of sources that were damaged when the spool was opened");
	set->oldest =
		gauge(set, "till_edge_oldest_spooled_seconds", "age of the oldest event on disk");
	set->spool_full = gauge(set, "till_edge_spool_full_seconds",
		"until the spool is full at the present rate of growth; +Inf: never");
	set->spool_file = gauge(set, "till_edge_spool_file_bytes",
		"size of the spool's file, free pages in it included");
	set->compactions = counter(set, "till_edge_spool_compactions_total",
		"times that the file of a drained spool was made small again");
	set->compactions_failed = counter(set, "till_edge_spool_compactions_failed_total",
		"times that it could not be, and stayed as it was");
	set->commits = counter(set, "till_edge_commits_total", "transactions written to the spool");
	set->counters.commit_seconds = metrics_add_histogram(set->metrics,
		"till_edge_commit_seconds", "", "how long a commit took, fsync included",
		commit_bounds, sizeof commit_bounds / sizeof commit_bounds[0]);
}

static void add_sender(struct edge_metrics *set)
{
	set->sent = counter(set, "till_edge_batches_sent_total", "batches sent, again or not");
	set->resent =
		counter(set, "till_edge_batches_resent_total", "batches that were sent again");
	set->compressed = counter(set, "till_edge_batches_compressed_total",
		"of the batches sent, the compressed ones");
	set->event_bytes = counter(set, "till_edge_sent_event_bytes_total",
		"bytes of events in the batches sent, uncompressed");
	set->wire_bytes = counter(set, "till_edge_sent_wire_bytes_total",
		"what these bytes were on the link: less, where they were compressed");
	set->compressing = gauge(set, "till_edge_bridge_compression",
		"1 while there is a session whose batches are compressed");
	set->codec_refusals = counter(set, "till_edge_codec_refusals_total",
		"times that a bridge refused a frame of a session with compression: it gets "
		"uncompressed batches for an hour");
	set->acked =
		counter(set, "till_edge_batches_acked_total", "batches that a bridge acknowledged");
	set->unacked_batches = gauge(set, "till_edge_unacked_batches", "batches in flight");
	set->sessions = counter(set, "till_edge_sessions_total", "sessions with bridges");
	set->connected = gauge(set, "till_edge_bridge_connected", "1 while there is a session");
	set->failovers = counter(set, "till_edge_bridge_failovers_total",
		"sessions with another bridge than the one before");
	set->probes = counter(set, "till_edge_bridge_probes_total",
		"times that another bridge was asked because the present one waits for Kafka");
	set->conflicts = counter(set, "till_edge_id_conflicts_total",
		"times that another process took over this edge's id and run");
	set->stale = counter(set, "till_edge_stale_frames_total",
		"frames from a bridge that belonged to no present session");
}

int edge_metrics_new(struct metrics *metrics, struct edge_metrics **ret_set)
{
	struct edge_metrics *set = calloc(1, sizeof *set);
	if (set == NULL) {
		return -ENOMEM;
	}
	set->metrics = metrics;
	add_intake(set);
	add_lanes(set);
	add_codes(set);
	add_spool(set);
	add_sender(set);
	if (set->stale == NULL) { /* the last one: when memory runs out, it stays out */
		edge_metrics_free(set);
		return -ENOMEM;
	}
	*ret_set = set;
	return 0;
}

struct edge_metrics *edge_metrics_free(struct edge_metrics *set)
{
	free(set);
	return NULL;
}

const struct edge_counters *edge_metrics_counters(const struct edge_metrics *set)
{
	return &set->counters;
}

static void collect_intake(struct edge_metrics *set, const struct desk *desk)
{
	struct intake_counts counts;
	struct desk_view view = desk_view(desk);

	desk_count(desk, &counts);
	metric_set(set->received, (double)counts.received);
	metric_set(set->frames, (double)counts.frames);
	metric_set(set->repeated, (double)counts.repeated);
	metric_set(set->commits, (double)view.commits);
	for (int i = 0; i < KIND_EVENT_COUNT; i++) {
		metric_set(set->accepted[i], (double)counts.accepted[i]);
	}
	for (int i = 0; i < REASON_COUNT; i++) {
		metric_set(set->invalid[i], (double)counts.invalid[i]);
		metric_set(set->refused[i], (double)counts.refused[i]);
	}
	for (int i = 0; i < KIND_COUNT; i++) {
		metric_set(set->last_seq[i], (double)(view.next_seq[i] - 1));
	}
}

static void collect_spool(struct edge_metrics *set, struct spool *spool, int64_t wall_ms)
{
	const struct spool_index *index = spool_index(spool);
	struct spool_corrupt corrupt = spool_corrupt(spool);
	int64_t age_ms_max = 0;

	metric_set(set->spool_bytes, (double)index->bytes);
	metric_set(set->spool_quota, (double)index->quota_bytes);
	metric_set(set->corrupt_blocks, (double)corrupt.blocks);
	metric_set(set->corrupt_events, (double)corrupt.events);
	metric_set(set->corrupt_marks, (double)corrupt.marks);
	for (int i = 0; i < KIND_COUNT; i++) {
		int64_t oldest_ms = spool_oldest_ms(spool, (enum kind)i);
		int64_t age_ms = oldest_ms == 0 || oldest_ms > wall_ms ? 0 : wall_ms - oldest_ms;
		age_ms_max = age_ms > age_ms_max ? age_ms : age_ms_max;
		metric_set(set->lane_oldest[i], (double)age_ms / 1000);
		metric_set(set->spool_events[i], (double)index->lanes[i].events);
	}
	metric_set(set->oldest, (double)age_ms_max / 1000);
}

static void collect_sender(struct edge_metrics *set, const struct courier *courier)
{
	const struct sender *sender = courier_sender(courier);
	const struct probe *probe = courier_probe(courier);
	const struct courier_traffic traffic = courier_traffic(courier);
	bool in_session = sender->state == SENDER_IN_SESSION;

	metric_set(set->event_bytes, (double)traffic.event_bytes);
	metric_set(set->wire_bytes, (double)traffic.wire_bytes);
	metric_set(set->compressed, (double)traffic.compressed);
	metric_set(set->compressing, in_session && sender->codec != CODEC_NONE ? 1 : 0);
	metric_set(set->codec_refusals, (double)sender->offer.refusals);
	metric_set(set->sent, (double)sender->counts.batches_sent);
	metric_set(set->resent, (double)sender->counts.batches_resent);
	metric_set(set->acked, (double)sender->counts.batches_acked);
	metric_set(set->unacked_batches, sender_unacked_batches(sender));
	metric_set(set->sessions, (double)sender->counts.sessions);
	metric_set(set->connected, in_session ? 1 : 0);
	metric_set(set->failovers, (double)sender->counts.failovers);
	metric_set(set->probes, (double)probe->asked);
	metric_set(set->conflicts, (double)sender->counts.id_conflicts);
	metric_set(set->stale, (double)(sender->counts.stale_frames + probe->stale_frames));
	for (int i = NACK_DELIVERY_FAILED; i <= NACK_BUSY; i++) {
		metric_set(set->nacked[i], (double)sender->counts.batches_nacked[i]);
	}
	for (int i = 0; i < LANE_COUNT; i++) {
		metric_set(set->unacked_events[i], (double)sender->lanes[i].unacked_events);
		metric_set(set->deleted_events[i], (double)sender->counts.events_acked[i]);
		metric_set(set->backlog_events[i], (double)sender_old_events(sender, (enum kind)i));
	}
}

void edge_metrics_collect(struct edge_metrics *set, const struct desk *desk, struct spool *spool,
	const struct courier *courier, int64_t wall_ms)
{
	collect_intake(set, desk);
	collect_spool(set, spool, wall_ms);
	collect_sender(set, courier);
}

void edge_metrics_collect_upkeep(struct edge_metrics *set, const struct upkeep *upkeep)
{
	metric_set(set->spool_full, upkeep_full_seconds(upkeep));
	metric_set(set->spool_file, (double)spool_space(upkeep->spool).file_bytes);
	metric_set(set->compactions, (double)upkeep->compactions);
	metric_set(set->compactions_failed, (double)upkeep->compactions_failed);
	for (int i = 0; i < KIND_COUNT; i++) {
		metric_set(set->lane_full[i], upkeep_lane_full_seconds(upkeep, (enum kind)i));
	}
}
