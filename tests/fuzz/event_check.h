/* event_check.h - what must hold for every event that was accepted, whatever the bytes that it came from. */
#pragma once
#include "proto/event.h"
#include "tests/fuzz/fuzz.h"

/* Normalises and, when accepted, checks encoding, decoding, size, certificate and JSON. */
void event_check_producer(enum encoding encoding, struct slice bytes);
/* The bytes as normal form: refused, or encoded and decoded again to the same. */
void event_check_normal_form(enum encoding encoding, struct slice bytes);
