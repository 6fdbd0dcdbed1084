/* sender_internal.h - what the sender's files share. */
#pragma once
#include "edge/sender.h"

/* In a session: makes `order` a SENDER_READ if something may be sent, else shortens its wait to when that may change. */
void sender_order_read(struct sender *sender, int64_t now_ms, struct sender_order *order);
