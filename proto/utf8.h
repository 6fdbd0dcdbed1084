/* utf8.h - what text may be: well-formed UTF-8 (RFC 3629) without NUL. Pure. */
#pragma once
#include "proto/slice.h"

bool utf8_is_valid(struct slice text);
/* 1 … EDGE_ID_SIZE_MAX bytes, no control characters, no space at either end. */
bool edge_id_is_valid(struct slice id);
