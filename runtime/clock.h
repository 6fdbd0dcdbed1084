/* clock.h - the rim's clocks and randomness. Logic takes them as arguments, only wiring calls these. */
#pragma once
#include <stddef.h>
#include <stdint.h>

int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);
int64_t clock_wall_ms(void);
int64_t clock_thread_us(void); /* that this thread ran: not while others had its processor */
/* getrandom(2): 0 or a negative errno. */
int random_bytes(void *bytes, size_t size);
uint64_t random_u64(void); /* aborts when the kernel gives none: nothing is safe without it */
