#include "tests/sim/ledger_check.h"
#include "tests/sim/telemetry.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char question[] = "{\"query\":\"ledger\"}";
static bool is_asked;
static char complaint[200];

void ledger_check_begin(void)
{
	is_asked = false;
	complaint[0] = '\0';
}

/* Did anything happen by which events may be missing, or after which two processes speak for one run? */
static bool may_lack(void)
{
	return world.set_aside > 0 || world.faults[FAULT_BLOCK_DAMAGED] > 0 ||
	       world.faults[FAULT_IMAGE_RESUMED] > 0 || world.faults[FAULT_LOG_OVERTAKEN] > 0 ||
	       world.faults[FAULT_LOG_CUT] > 0 || world.faults[FAULT_TOPIC_EMPTIED] > 0 ||
	       world.faults[FAULT_TOPIC_MADE_AGAIN] > 0 || world.faults[FAULT_REOWNED] > 0;
}

/* The number under this name in the text up to `end`; 0: none. */
static unsigned long long number_in(const char *text, const char *end, const char *name)
{
	const char *at = strstr(text, name);

	return at == NULL || (end != NULL && at >= end) ? 0 : strtoull(at + strlen(name), NULL, 10);
}

/* Of an edge that never reported the ledger can only guess that what is passed over is missing, and says so. */
static bool is_guess(const char *row, const char *end)
{
	const char *at = strstr(row, "\"numbered\":null");

	return at != NULL && (end == NULL || at < end);
}

/* A run that has not reported of itself for long is judged by a later one of its edge, which speaks of another disk when the machine
 * was cloned: `judged_by` says so. What is there all the same, the end shows. */
static bool is_of_another_disk(const char *row, const char *end)
{
	return world.faults[FAULT_EDGE_CLONED] > 0 &&
	       number_in(row, end, "\"judged_by\":") != number_in(row, end, "\"run\":");
}

static bool is_none(
	const char *ledger, const char *name, bool is_end, char *ret_words, size_t words_size)
{
	static const char begin[] = "{\"edge\"";
	const char *next = NULL;

	for (const char *row = strstr(ledger, begin); row != NULL; row = next) {
		next = strstr(row + 1, begin);
		if (!is_guess(row, next) && number_in(row, next, name) > 0 &&
			(is_end || !is_of_another_disk(row, next))) {
			snprintf(ret_words, words_size, "the ledger has %s %.180s", name, row);
			world_trace("%.400s", row);
			return false;
		}
	}
	return true;
}

void ledger_check_step(void)
{
	const char *reply = is_asked ? aggregator_part_reply(complaint) : NULL;

	if (reply != NULL) {
		is_asked = false;
		if (complaint[0] == '\0' && !may_lack() && aggregator_part_has_read_reports()) {
			is_none(reply, "\"missing_count\":", false, complaint, sizeof complaint);
		}
	}
	if (!is_asked && telemetry_is_in_play() && world_happens(40)) {
		is_asked = aggregator_part_request(complaint, question);
	}
}

bool ledger_check_end(struct aggregator_part *part, char *ret_words, size_t words_size)
{
	if (!telemetry_is_in_play() || may_lack()) {
		return true;
	}
	snprintf(ret_words, words_size, "%s", complaint);
	const char *ledger = aggregator_part_ask(part, question);
	return complaint[0] == '\0' &&
	       is_none(ledger, "\"missing_count\":", true, ret_words, words_size) &&
	       is_none(ledger, "\"on_disk\":", true, ret_words, words_size) &&
	       is_none(ledger, "\"unread\":", true, ret_words, words_size);
}
