/* admin_answers.h - what administrators alone are told: who was forgotten, and what lies in the quarantine. Logic only. */
#pragma once
#include "aggregator/answer/answer.h"
#include "aggregator/desk/forgetting.h"

/* {"ok":true,"forget":{…},"as_of":…}. 0 or -errno. */
int forget_answer_write(const struct forget_plan *plan, const struct freshness *freshness,
	enum encoding encoding, struct buffer *reply);
/* A page of the tombstones, by hash. 0 or -errno. */
int forgotten_answer_write(const struct forgotten *forgotten, const struct query *query,
	const struct freshness *freshness, struct buffer *reply);
/* A page of what the live generation's quarantines hold as of the last commit: place and reason, never the bytes. 0 or -errno. */
int quarantine_answer_write(const struct pipeline *pipeline, const struct query *query,
	const struct freshness *freshness, struct buffer *reply);
