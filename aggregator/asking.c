#include "aggregator/asking.h"
#include "aggregator/gauges.h"
#include "aggregator/live/live.h"
#include "aggregator/opening.h"
#include "runtime/clock.h"
#include "runtime/loop.h"
#include "runtime/security.h"

void asking_answered(void *owner, const char *type, const char *code, int64_t took_us)
{
	const struct asking *asking = owner;
	gauges_answered(asking->gauges, type, code, took_us);
}

static const struct view_set *views_asked(const struct asking *asking, const struct query *query)
{
	return query->is_staged && asking->opening->shadow_views != NULL
		       ? asking->opening->shadow_views
		       : asking->opening->live_views;
}

/* NULL: its key is not known. */
static const struct key_holder *holder_of(const struct asking *asking, const struct asker *asker)
{
	return asker->holder != NULL
		       ? asker->holder
		       : keyring_holder(security_keyring(asking->security), asker->user_id);
}

enum verdict asking_judge(void *owner, struct wish *wish)
{
	const struct asking *asking = owner;
	const struct key_holder *holder = NULL;
	if (wish->replay == NULL && wish->ticket == 0) {
		return desk_judge(asking->desk, wish);
	}
	holder = holder_of(asking, wish->asker);
	return redelivery_judge(
		asking->redelivery, wish, holder != NULL ? holder->name : "unknown");
}

/* Who has no key, but something else that says who it is, has not come by the socket. */
static int check_administration(const struct asking *asking, const struct asker *asker,
	const struct query *query, struct complaint *complaint)
{
	return asker->holder != NULL
		       ? 0
		       : administration_check(&asking->administration, query, complaint);
}

int asking_permit(void *owner, const struct asker *asker, const struct query *query,
	struct complaint *complaint)
{
	struct asking *asking = owner;
	const struct key_holder *holder = holder_of(asking, asker);
	int r = REASON_FORBIDDEN;
	if (holder != NULL) {
		r = gate_check(holder, query, views_asked(asking, query), complaint);
	} else {
		complaint_set(complaint, REASON_FORBIDDEN, "", "this key is not known any more");
	}
	if (r == 0) {
		r = check_administration(asking, asker, query, complaint);
	}
	if (r != 0) {
		if (asker->holder == NULL) {
			security_forbidden(asking->security, "queries", asker->user_id,
				query_type_name(query->type));
		}
		administration_refused(&asking->administration, query,
			holder != NULL ? holder->name : "unknown", complaint,
			loop_now_ms(asking->loop));
	}
	return r;
}

static int forget(struct asking *asking, struct question *question, struct buffer *reply)
{
	const struct generations *generations = asking->generations;
	struct complaint complaint;
	struct forget_plan plan;
	struct forgetting forgetting = {
		.stores = asking->opening->stores,
		.live = generations->live->pipeline,
		.shadow = generations->shadow == NULL ? NULL : generations->shadow->pipeline,
		.views = asking->opening->live_views,
		.shadow_views = asking->opening->shadow_views,
		.now_ms = clock_wall_ms(),
		.by = question->asker->name,
	};
	int r = random_bytes(forgetting.fresh_key, sizeof forgetting.fresh_key);
	if (r < 0) {
		return r;
	}
	r = administration_forget(
		&asking->administration, &forgetting, question->query, &plan, &complaint);
	live_reset(asking->publisher);
	if (r == 0) {
		question->forget = &plan;
		r = desk_answer(asking->desk, question, reply);
	} else if (r > 0) {
		query_encode_error(&complaint, question->query->encoding, reply);
		r = reply->error;
	} else {
		asking->error = r; /* nobody knows what is on the disk */
	}
	forget_plan_deinit(&plan);
	return r;
}

int asking_answer(
	void *owner, const struct asker *asker, const struct query *query, struct buffer *reply)
{
	struct asking *asking = owner;
	static const struct key_holder nobody = {.edges = NULL};
	const struct key_holder *holder = holder_of(asking, asker);
	struct question question = {.query = query, .asker = holder != NULL ? holder : &nobody};
	asking->refresh(asking->owner);
	if (query->type == QUERY_FORGET) {
		return forget(asking, &question, reply);
	}
	if (query->type == QUERY_ACCEPT_STAGED || query->type == QUERY_DROP_STAGED) {
		return administration_stage(
			&asking->administration, asking->generations, &question, reply);
	}
	if (query->type == QUERY_REPLAY) {
		return redelivery_answer(asking->redelivery, query, reply);
	}
	return desk_answer(asking->desk, &question, reply);
}
