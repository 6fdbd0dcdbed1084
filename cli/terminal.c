#include "cli/terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { REDRAW_MS = 100, BAR_CELLS = 24, WIDTH_DEFAULT = 80, HEIGHT_DEFAULT = 24 };

bool terminal_is_out(void)
{
	return isatty(STDOUT_FILENO) == 1;
}

bool terminal_is_error(void)
{
	return isatty(STDERR_FILENO) == 1;
}

int terminal_width(void)
{
	struct winsize size;

	if ((ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ||
		    ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0) &&
		size.ws_col > 0) {
		return size.ws_col;
	}
	return WIDTH_DEFAULT;
}

int terminal_height(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row
									       : HEIGHT_DEFAULT;
}

void terminal_clear(void)
{
	fputs("\033[H\033[2J\033[3J", stdout);
}

bool progress_is_due(const struct progress *progress, int64_t now_ms)
{
	return terminal_is_error() &&
	       (!progress->drawn || now_ms - progress->drawn_ms >= REDRAW_MS);
}

void progress_draw(struct progress *progress, int64_t now_ms, double share, const char *format, ...)
{
	char text[256];
	char bar[BAR_CELLS + 16] = "";
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (share >= 0) {
		int full = (int)(BAR_CELLS * (share > 1 ? 1 : share));
		int at = snprintf(bar, sizeof bar, "[");
		for (int i = 0; i < BAR_CELLS; i++) {
			bar[at++] = i < full ? '#' : '.';
		}
		snprintf(bar + at, sizeof bar - (size_t)at, "] %3d %% ", (int)(share * 100));
	}
	fprintf(stderr, "\r\033[K%s%.*s", bar, terminal_width() - BAR_CELLS - 12, text);
	fflush(stderr);
	progress->drawn = true;
	progress->drawn_ms = now_ms;
}

void progress_clear(struct progress *progress)
{
	if (progress->drawn) {
		fputs("\r\033[K", stderr);
		fflush(stderr);
		progress->drawn = false;
	}
}
