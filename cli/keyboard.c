#include "cli/keyboard.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int keyboard_open(struct keyboard *keyboard)
{
	sigset_t signals;
	struct termios raw;

	*keyboard = (struct keyboard){.signals = -1};
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGWINCH);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0) {
		return -errno;
	}
	keyboard->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (keyboard->signals < 0) {
		return -errno;
	}
	if (isatty(STDIN_FILENO) != 1 || tcgetattr(STDIN_FILENO, &keyboard->before) < 0) {
		return 0;
	}
	raw = keyboard->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	keyboard->has_keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
	return 0;
}

void keyboard_close(struct keyboard *keyboard)
{
	if (keyboard->has_keys) {
		tcsetattr(STDIN_FILENO, TCSANOW, &keyboard->before);
		keyboard->has_keys = false;
	}
	if (keyboard->signals >= 0) {
		close(keyboard->signals);
		keyboard->signals = -1;
	}
}

static enum keyboard_event read_signal(const struct keyboard *keyboard)
{
	struct signalfd_siginfo info;

	if (read(keyboard->signals, &info, sizeof info) != (ssize_t)sizeof info) {
		return KEYBOARD_TIMEOUT;
	}
	return info.ssi_signo == SIGWINCH ? KEYBOARD_RESIZED : KEYBOARD_STOPPED;
}

/* A terminal that is gone gives no key: nobody looks any more. */
static enum keyboard_event read_key(char *ret_key)
{
	return read(STDIN_FILENO, ret_key, 1) == 1 ? KEYBOARD_KEY : KEYBOARD_STOPPED;
}

enum keyboard_event keyboard_wait(struct keyboard *keyboard, int64_t wait_ms, char *ret_key)
{
	struct pollfd fds[] = {{.fd = keyboard->signals, .events = POLLIN},
		{.fd = keyboard->has_keys ? STDIN_FILENO : -1, .events = POLLIN}};

	if (poll(fds, 2, (int)wait_ms) <= 0) {
		return KEYBOARD_TIMEOUT;
	}
	return fds[0].revents != 0 ? read_signal(keyboard) : read_key(ret_key);
}
