/* vectors.h - what the checks of the vectors share: where we are, and how a line is read. */
#pragma once
#include "proto/buffer.h"
#include "proto/document.h"

struct check {
	const char *file;
	uint32_t line;
	uint32_t failures;
	struct document document; /* for what a vector holds; the line itself has its own */
	struct buffer bytes; /* the input of a vector */
	struct buffer output;
};

typedef void (*check_fn)(struct check *check, const struct node *vector);

void check_fail(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_equal_text(struct check *check, const char *what, struct slice wanted, struct slice got);
void check_equal_number(struct check *check, const char *what, int64_t wanted, int64_t got);
/* The code and, where the vector has one, the field. */
void check_refused(struct check *check, const struct node *vector, int result,
	const struct complaint *complaint);

/* {NULL, 0} when absent or null. */
struct slice vector_text(const struct node *vector, const char *key);
bool vector_has(const struct node *vector, const char *key);
int64_t vector_integer(struct check *check, const struct node *vector, const char *key);
/* "0x…" and decimal text of 64 bits. */
uint64_t vector_unsigned(struct check *check, const struct node *vector, const char *key);
/* The bytes under `key`, written as hex, into check->bytes; false when absent or null. */
bool vector_hex(struct check *check, const struct node *vector, const char *key);
/* The vector's input under in_hex, in_json or in_repeat. */
struct slice vector_input(struct check *check, const struct node *vector);

void check_money(struct check *check, const struct node *vector);
void check_time(struct check *check, const struct node *vector);
void check_hashes(struct check *check, const struct node *vector);
void check_events(struct check *check, const struct node *vector);
void check_normal_form(struct check *check, const struct node *vector);
void check_replies(struct check *check, const struct node *vector);
void check_headers(struct check *check, const struct node *vector);
void check_wire(struct check *check, const struct node *vector);
void check_queries(struct check *check, const struct node *vector);
void check_dead_letters(struct check *check, const struct node *vector);
void check_debezium(struct check *check, const struct node *vector);
void check_mqtt(struct check *check, const struct node *vector);
void check_mqtt_topic(struct check *check, const struct node *vector);
