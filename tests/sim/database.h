/* database.h - what others than tills write into Kafka in some runs, and what it must come to: a shop's database of which a
 * connector tells each change of a row as Debezium does, and a topic of people of whom the newest record counts. The rows as
 * they are, and the rules of PROTOCOL.md, 5.5 and 5.7, are modelled here once more; nothing of it is the product's. One thread. */
#pragma once
#include "tests/sim/kafka.h"

/* Its topics. */
enum { TOPIC_LINES = TILL_TOPICS, TOPIC_STOCK, TOPIC_PEOPLE };

/* Draws whether there is one in this run: kafka_begin comes after it. */
void database_begin(void);
bool database_is_in_play(void);
/* Rows change, the connector tells some of it. */
void database_step(void);
/* All is told. */
bool database_is_calm(void);
/* Records that the aggregator calls foreign or unreadable, at most. */
uint64_t database_odd_records(void);
/* Do the aggregator's answers say what the rows are? false with a sentence. */
bool database_audit(char *ret_words, size_t words_size);
