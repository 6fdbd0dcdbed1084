/* log.h - structured lines on stderr: `<6>ts=… level=info program=till-edge msg="…" key=value …`. The <N> prefix only
 * when stderr is journald's (JOURNAL_STREAM). Repeats of one message are limited: after LOG_BURST in a minute
 * one line a minute says how many were held back. Only main.c and wiring files log. Threads: any. */
#pragma once
#include <stdbool.h>

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

void log_init(const char *program, enum log_level level);
/* `fields` is printf-formatted "key=value key=\"text\"" or "" ; `message` is a literal: it is the repeat key. */
void log_line(enum log_level level, const char *message, const char *fields, ...)
	__attribute__((format(printf, 3, 4)));
/* Writes the lines about what was held back: whose minute is over, or all. program_alive and exit do it. */
void log_flush(bool all);
/* Quotes and cleans foreign text for a field value. Returns out. */
const char *log_quote(const void *text, unsigned long size, char *out, unsigned long out_size);
