/* reason.h - why something was refused: the codes that producers, operators and query clients see. */
#pragma once
#include "proto/limits.h"

enum reason {
	REASON_NONE,
	/* events and producers' frames */
	REASON_BAD_FRAME,
	REASON_TOO_LARGE,
	REASON_TOO_DEEP,
	REASON_BAD_TYPE,
	REASON_BAD_VALUE,
	REASON_MISSING_FIELD,
	REASON_UNKNOWN_KIND,
	REASON_RESERVED_FIELD,
	REASON_FLOAT32_MONEY,
	REASON_SPOOL_FULL,
	REASON_SHUTTING_DOWN,
	REASON_BUSY, /* this peer asks for more than it may: try again later */
	/* found by the bridge or the aggregator */
	REASON_BAD_CERTIFICATE, /* missing, malformed, or of another edge */
	REASON_REFUSED_BY_KAFKA, /* the broker refuses this very record */
	/* queries */
	REASON_BAD_REQUEST,
	REASON_UNKNOWN_QUERY,
	REASON_UNKNOWN_VIEW,
	REASON_UNKNOWN_FIELD,
	REASON_BAD_KEY,
	REASON_TIMEOUT,
	REASON_REBUILDING,
	REASON_NOT_READY,
	REASON_FORBIDDEN,
	REASON_INTERNAL,
	REASON_COUNT,
};

/* "bad_value"; "" for REASON_NONE. */
const char *reason_code(enum reason reason);
/* REASON_NONE when there is no such code. */
enum reason reason_from_code(const char *code, unsigned long size);

/* A refusal with its sentence, for the peer and the dead letter. */
struct complaint {
	enum reason reason;
	char field[64]; /* "" when it is about no single field */
	char message[COMPLAINT_SIZE_MAX]; /* always valid UTF-8, always terminated */
};

/* Fills the complaint; foreign bytes in the arguments are cleaned to printable UTF-8 and cut. */
void complaint_set(struct complaint *complaint, enum reason reason, const char *field,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
