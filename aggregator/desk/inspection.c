#include "aggregator/desk/inspection.h"
#include "aggregator/desk/inspection_answers.h"
#include "aggregator/log/inspector.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include "runtime/metrics.h"
#include <errno.h>
#include <stdlib.h>

enum result { RESULT_FOUND, RESULT_FAILED, RESULT_BUSY, RESULT_COUNT };

struct inspection {
	struct inspection_options options;
	struct inspector *inspector;
	struct survey *survey; /* the last one; NULL: none was made yet */
	bool is_surveying;
	int64_t surveyed_ms; /* when the last attempt ended, monotonic */
	int64_t unreachable_since_ms; /* since the epoch; 0: the last attempt succeeded, or there was none */
	char why[SURVEY_ERROR_SIZE]; /* "" likewise */
	struct query_look looking; /* LOOK_NONE: nothing is looked for */
	struct findings *findings; /* of the last look; NULL: none, or they are gone */
	int64_t found_ms;
	struct metric *surveys[RESULT_COUNT];
	struct metric *looks[RESULT_COUNT];
};

static void end_survey(struct inspection *inspection, struct survey *survey, const char *why)
{
	bool is_found = survey != NULL;

	inspection->is_surveying = false;
	inspection->surveyed_ms = clock_monotonic_ms();
	metric_add(inspection->surveys[is_found ? RESULT_FOUND : RESULT_FAILED], 1);
	if (is_found) {
		survey_free(inspection->survey);
		inspection->survey = survey;
		inspection->unreachable_since_ms = 0;
		inspection->why[0] = '\0';
		return;
	}
	snprintf(inspection->why, sizeof inspection->why, "%s", why);
	if (inspection->unreachable_since_ms == 0) {
		inspection->unreachable_since_ms = clock_wall_ms();
	}
}

static void end_look(struct inspection *inspection, struct findings *findings)
{
	bool is_found = findings->complaint.reason == REASON_NONE;

	findings_free(inspection->findings);
	inspection->findings = findings;
	inspection->looking.type = LOOK_NONE;
	inspection->found_ms = clock_monotonic_ms();
	metric_add(inspection->looks[is_found ? RESULT_FOUND : RESULT_FAILED], 1);
}

static int readable(void *owner)
{
	struct inspection *inspection = owner;
	char why[SURVEY_ERROR_SIZE];

	inspector_clear(inspection->inspector);
	bool has_failed = inspector_take_failure(inspection->inspector, why);
	struct survey *survey = inspector_take_survey(inspection->inspector);
	if (survey != NULL || has_failed) {
		end_survey(inspection, survey, why);
	}
	struct findings *findings = inspector_take_findings(inspection->inspector);
	if (findings != NULL) {
		end_look(inspection, findings);
	}
	struct mailbag *mailbag = inspector_take_mailbag(inspection->inspector);
	int r = mailbag == NULL
			? 0
			: inspection->options.fetched(inspection->options.fetched_owner, mailbag);
	return r < 0 ? r : inspection->options.found(inspection->options.owner);
}

static int add_metrics(struct inspection *inspection)
{
	static const char *const labels[RESULT_COUNT] = {
		"result=\"found\"", "result=\"failed\"", "result=\"busy\""};

	for (int i = 0; i < RESULT_COUNT; i++) {
		struct metrics *metrics = inspection->options.metrics;
		inspection->looks[i] =
			metrics_add(metrics, METRIC_COUNTER, "till_aggregator_looks_total",
				labels[i], "looks into topics for people: records, dead letters");
		if (i != RESULT_BUSY) {
			inspection->surveys[i] = metrics_add(metrics, METRIC_COUNTER,
				"till_aggregator_surveys_total", labels[i],
				"surveys of Kafka's topics, made when somebody asks");
		}
		if (inspection->looks[i] == NULL) {
			return -ENOMEM;
		}
	}
	return 0;
}

int inspection_new(const struct inspection_options *options, struct inspection **ret_inspection)
{
	const struct inspector_options inspector = {
		.brokers = options->brokers,
		.properties = options->properties,
		.topics = options->topics,
		.topic_telemetry = options->topic_telemetry,
	};
	struct inspection *inspection = calloc(1, sizeof *inspection);

	if (inspection == NULL) {
		return -ENOMEM;
	}
	inspection->options = *options;
	int r = add_metrics(inspection);
	if (r == 0) {
		r = inspector_new(&inspector, &inspection->inspector);
	}
	if (r == 0) {
		r = loop_add_fd(
			options->loop, inspector_fd(inspection->inspector), readable, inspection);
	}
	if (r < 0) {
		inspection_free(inspection);
		return r;
	}
	*ret_inspection = inspection;
	return 0;
}

struct inspection *inspection_free(struct inspection *inspection)
{
	if (inspection == NULL) {
		return NULL;
	}
	if (inspection->inspector != NULL) {
		loop_remove_fd(inspection->options.loop, inspector_fd(inspection->inspector));
		inspector_free(inspection->inspector);
	}
	survey_free(inspection->survey);
	findings_free(inspection->findings);
	free(inspection);
	return NULL;
}

/* ---- may it be answered? */

static enum verdict judge_survey(struct inspection *inspection, int64_t now_ms)
{
	bool is_tried = inspection->survey != NULL || inspection->unreachable_since_ms != 0;
	int64_t age_ms = now_ms - inspection->surveyed_ms;

	if (is_tried && age_ms < INSPECTION_FRESH_MS) {
		return VERDICT_ANSWER;
	}
	if (!inspection->is_surveying) {
		inspection->is_surveying = true;
		inspector_survey(inspection->inspector);
	}
	/* While Kafka is away nobody waits to hear so again. */
	bool is_away = inspection->unreachable_since_ms != 0;
	return is_tried && (is_away || age_ms < INSPECTION_STALE_MS) ? VERDICT_ANSWER
								     : VERDICT_WAIT;
}

static bool is_readable(const struct inspection *inspection, const struct query_look *look)
{
	const struct inspection_options *options = &inspection->options;

	return look->type != LOOK_RECORDS ||
	       inspection_role_of(&options->topics, options->topic_telemetry, look->topic) !=
		       ROLE_OTHER;
}

static bool has_findings(
	const struct inspection *inspection, const struct query_look *look, int64_t now_ms)
{
	return inspection->findings != NULL && now_ms - inspection->found_ms < INSPECTION_KEEP_MS &&
	       query_look_equal(&inspection->findings->look, look);
}

/* Whoever waited for a look takes what it found; who comes anew wants to see what is there now. */
static enum verdict judge_look(struct inspection *inspection, struct wish *wish, int64_t now_ms)
{
	if (!is_readable(inspection, &wish->look) ||
		(wish->is_looking && has_findings(inspection, &wish->look, now_ms))) {
		return VERDICT_ANSWER;
	}
	if (inspection->looking.type != LOOK_NONE) {
		bool is_it = query_look_equal(&inspection->looking, &wish->look);
		wish->is_looking |= is_it;
		if (!is_it && !wish->is_looking) {
			metric_add(inspection->looks[RESULT_BUSY], 1);
		}
		return wish->is_looking ? VERDICT_WAIT : VERDICT_BUSY;
	}
	struct findings *findings = findings_new(&wish->look);
	if (findings == NULL || !inspector_look(inspection->inspector, findings)) {
		findings_free(findings);
		metric_add(inspection->looks[RESULT_BUSY], 1);
		return VERDICT_BUSY;
	}
	inspection->looking = wish->look;
	wish->is_looking = true;
	return VERDICT_WAIT;
}

enum verdict inspection_judge(struct inspection *inspection, struct wish *wish)
{
	int64_t now_ms = clock_monotonic_ms();

	return wish->look.type == LOOK_TOPICS ? judge_survey(inspection, now_ms)
					      : judge_look(inspection, wish, now_ms);
}

bool inspection_fetch(struct inspection *inspection, struct mailbag *mailbag)
{
	return inspector_fetch(inspection->inspector, mailbag);
}

/* ---- the answers */

static int refuse(const struct query *query, enum reason reason, const char *field,
	const char *words, struct buffer *reply)
{
	struct complaint complaint;

	complaint_set(&complaint, reason, field, "%s", words);
	query_encode_error(&complaint, query->encoding, reply);
	return reply->error;
}

static int answer_look(struct inspection *inspection, const struct query *query,
	const struct freshness *freshness, struct buffer *reply)
{
	const struct findings *findings = inspection->findings;

	if (!is_readable(inspection, &query->look)) {
		return refuse(query, REASON_FORBIDDEN, "topic",
			"only topics of till's own are shown: ask \"topics\" which they are",
			reply);
	}
	if (findings == NULL || !query_look_equal(&findings->look, &query->look)) {
		return refuse(
			query, REASON_BUSY, "", "it gave way to another look; ask again", reply);
	}
	if (findings->complaint.reason != REASON_NONE) {
		query_encode_error(&findings->complaint, query->encoding, reply);
		return reply->error;
	}
	return findings_write(findings, inspection->options.replay_to, freshness, reply);
}

int inspection_answer(struct inspection *inspection, const struct pipeline *pipeline,
	const struct query *query, const struct freshness *freshness, struct buffer *reply)
{
	const struct survey_sight sight = {
		.survey = inspection->survey,
		.unreachable_since_ms = inspection->unreachable_since_ms,
		.why = inspection->why,
		.brokers = inspection->options.brokers,
		.topic_telemetry = inspection->options.topic_telemetry,
		.pipeline = pipeline,
	};

	return query->look.type == LOOK_TOPICS
		       ? survey_write(&sight, query->encoding, freshness, reply)
		       : answer_look(inspection, query, freshness, reply);
}
