#include "edge/intake_internal.h"
#include "edge/rights.h"

int intake_judge_sending(struct taking *taking)
{
	if (rights_allow_sending(taking->submission->sender)) {
		return 0;
	}
	complaint_set(&taking->forbidden, REASON_FORBIDDEN, "", "%s",
		"this key may not send events to this edge");
	taking->missing_right = "send";
	return TAKING_E_FORBIDDEN;
}

int intake_judge_producer(struct taking *taking)
{
	struct slice producer = taking->header.producer;

	if (rights_allow_producer(taking->submission->sender, producer)) {
		return 0;
	}
	complaint_set(&taking->forbidden, REASON_FORBIDDEN, "",
		producer.size > 0 ? "this key may not send as producer \"%.*s\""
				  : "this key sends as producers of its own only: number the frame",
		(int)producer.size, (const char *)producer.bytes);
	taking->missing_right = "producers";
	return TAKING_E_FORBIDDEN;
}

int intake_judge_event_id(struct taking *taking, struct slice event_id)
{
	if (!rights_are_of_producers(taking->submission->sender) ||
		!event_id_is_permanent(event_id)) {
		return 0;
	}
	complaint_set(&taking->forbidden, REASON_FORBIDDEN, "event_id",
		"this key sends as producers of its own only: it may not replay dead letters");
	taking->missing_right = "producers";
	return TAKING_E_FORBIDDEN;
}

int intake_judge_kind(struct taking *taking, enum kind kind, const struct complaint *why)
{
	if (rights_allow_kind(taking->submission->sender, kind)) {
		return 0;
	}
	complaint_set(&taking->forbidden, REASON_FORBIDDEN, "",
		why != NULL ? "this key may not send events of kind %s, and an invalid one would "
			      "be kept as such: %s"
			    : "this key may not send events of kind %s",
		kind_name(kind), why != NULL ? why->message : "");
	taking->missing_right = "kinds";
	return TAKING_E_FORBIDDEN;
}
