/* asking.h - what becomes of a query here: may its asker ask it, and what does the desk, or an administrator's action, answer.
 * For queries_options; `asking` is a struct asking. The loop's thread. */
#pragma once
#include "aggregator/administration.h"
#include "aggregator/desk/desk.h"
#include "aggregator/redelivery.h"

struct gauges;
struct live;
struct loop;
struct security;

/* All of it is borrowed. */
struct asking {
	struct loop *loop;
	struct security *security; /* NULL: nobody is asked for a key */
	struct opening *opening;
	struct generations *generations;
	struct desk *desk;
	struct gauges *gauges;
	struct live *publisher; /* NULL: nothing is published */
	struct redelivery *redelivery;
	struct administration administration;
	void (*refresh)(void *owner); /* brings the desk up to date */
	void *owner;
	int error; /* nobody knows what is on the disk: end the program */
};

enum verdict asking_judge(void *asking, struct wish *wish);
int asking_permit(void *asking, const struct asker *asker, const struct query *query,
	struct complaint *complaint);
int asking_answer(
	void *asking, const struct asker *asker, const struct query *query, struct buffer *reply);
void asking_answered(void *asking, const char *type, const char *code, int64_t took_us);
