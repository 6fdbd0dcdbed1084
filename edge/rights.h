/* rights.h - what the key of a sender may bring to this edge: anything at all (`send`), frames that are numbered as these producers,
 * events of these kinds. A sender of NULL may do everything. Pure. */
#pragma once
#include "proto/event.h"
#include "runtime/key_holder.h"

struct keyring;

/* Who sent a message, by what the directory says now. Never NULL, but where nobody is asked for a key; whose key is gone has no
 * right. Borrowed until the directory is looked at again. */
const struct key_holder *rights_of(const struct keyring *keyring, const char *user_id);

bool rights_allow_sending(const struct key_holder *sender);
/* The name in a frame's header; empty where it is not numbered. */
bool rights_allow_producer(const struct key_holder *sender, struct slice producer);
/* Does it send as some producers only? Who doesn't is trusted with everybody's numbers and event ids. */
bool rights_are_of_producers(const struct key_holder *sender);
bool rights_allow_kind(const struct key_holder *sender, enum kind kind);
