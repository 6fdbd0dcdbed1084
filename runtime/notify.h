/* notify.h - says to systemd how it goes: sd_notify(3) in a few lines. Without NOTIFY_SOCKET nothing happens. */
#pragma once
#include <stdint.h>

/* "READY=1", "STATUS=…"; 0 (also without systemd) or -errno. */
int notify_send(const char *state);
/* How often systemd wants WATCHDOG=1, in ms; 0: not at all. */
int64_t notify_watchdog_ms(void);
