/* The rim of a simulated process: time, chance and log come from the world. */
#include "runtime/clock.h"
#include "runtime/log.h"
#include "tests/sim/world.h"
#include <stdarg.h>
#include <stdio.h>

int64_t clock_monotonic_ms(void)
{
	return world.now_ms;
}

int64_t clock_monotonic_us(void)
{
	return world.now_ms * 1000;
}

int64_t clock_wall_ms(void)
{
	return world.now_ms + world.wall_offset_ms;
}

int random_bytes(void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		((uint8_t *)bytes)[i] = (uint8_t)world_random();
	}
	return 0;
}

uint64_t random_u64(void)
{
	return world_random();
}

void log_line(enum log_level level, const char *message, const char *fields, ...)
{
	char text[200];
	va_list arguments;

	(void)level;
	text[0] = '\0';
	if (world.is_traced) {
		va_start(arguments, fields);
		vsnprintf(text, sizeof text, fields, arguments);
		va_end(arguments);
	}
	world_note("log: %s %s", message, text);
}

const char *log_quote(const void *text, unsigned long size, char *out, unsigned long out_size)
{
	snprintf(out, out_size, "\"%.*s\"", (int)size, (const char *)text);
	return out;
}
