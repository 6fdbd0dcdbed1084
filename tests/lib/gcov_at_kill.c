/* Part of the programs in builds with coverage only (meson.build): what a program has counted is written when it is killed
 * by a test that does not care for the moment (harness.py, Program.kill), else kill -9 takes it along. */
#include <signal.h>
#include <unistd.h>

void __gcov_dump(void);

enum { SIGNAL_FROM_LAST = 7 }; /* SIGRTMAX - 7: harness.py */

/* Nothing that may be called in a handler; a program that stands still in it is killed a moment later all the same. */
static void write_and_die(int number)
{
	(void)number;
	__gcov_dump();
	kill(getpid(), SIGKILL);
}

__attribute__((constructor)) static void listen_for_it(void)
{
	sigaction(SIGRTMAX - SIGNAL_FROM_LAST, &(struct sigaction){.sa_handler = write_and_die},
		NULL);
}
