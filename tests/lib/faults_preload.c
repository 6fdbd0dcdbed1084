/* Preloaded into a program: some calls of the operating system fail or take their time, as a plan says. Not for sanitizers.
 *
 *	TILL_FAULT_CONTROL	a file of at least CONTROL_SIZE zero bytes, shared with whoever looks on (struct control)
 *	TILL_FAULT		the plan, words with a blank between:
 *	    calls=NAME,…	malloc calloc realloc aligned_alloc (together: alloc), write pwrite writev, fdatasync fsync
 *				(together: sync), mmap open epoll_ctl eventfd socket accept
 *	    nth=N		the Nth matching call, counted over the process, its threads and its children
 *	    from=N		the Nth and all after it; 1: every one
 *	    errno=NAME		ENOMEM EIO ENOSPC EMFILE ENOBUFS; without it the call goes through, maybe late
 *	    delay_ms=N		the call takes so much longer
 *	    held		the call takes until somebody writes 0 to control.armed
 *	    under=DIR		only calls on a path, or a file that lies, under it (absolute, no links in it)
 *	    dsync		only calls on a file that was opened O_DSYNC: LMDB's own for its meta pages
 *	    armed		nothing matches until somebody writes 1 to control.armed
 *
 * A death by signal says where on stderr: "faults_preload: signal N" and, innermost first, a line
 * "faults_preload: frame MODULE(+OFFSET)" for each call, in one write, since other threads go on logging. */
#undef _FILE_OFFSET_BITS /* else open is open64 here */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
	CONTROL_SIZE = 4096,
	SITE_SIZE = 256,
	FRAMES_MAX = 32,
	DEATH_SIZE = 4096 /* one write into a pipe */
};

enum call {
	CALL_MALLOC,
	CALL_CALLOC,
	CALL_REALLOC,
	CALL_ALIGNED_ALLOC,
	CALL_WRITE,
	CALL_PWRITE,
	CALL_WRITEV,
	CALL_FDATASYNC,
	CALL_FSYNC,
	CALL_MMAP,
	CALL_OPEN,
	CALL_EPOLL_CTL,
	CALL_EVENTFD,
	CALL_SOCKET,
	CALL_ACCEPT,
	CALL_COUNT,
};

static const char *const call_names[CALL_COUNT] = {"malloc", "calloc", "realloc", "aligned_alloc",
	"write", "pwrite", "writev", "fdatasync", "fsync", "mmap", "open", "epoll_ctl", "eventfd",
	"socket", "accept"};

static const struct {
	const char *name;
	uint32_t calls;
} groups[] = {
	{"alloc", 1u << CALL_MALLOC | 1u << CALL_CALLOC | 1u << CALL_REALLOC |
			  1u << CALL_ALIGNED_ALLOC},
	{"sync", 1u << CALL_FDATASYNC | 1u << CALL_FSYNC},
};

static const struct {
	const char *name;
	int number;
} errors[] = {{"ENOMEM", ENOMEM}, {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EMFILE", EMFILE},
	{"ENOBUFS", ENOBUFS}};

/* What the file holds, from its first byte. faults.py reads and writes it too. */
struct control {
	uint64_t armed;
	uint64_t matched; /* calls that the plan names, so far */
	uint64_t injected; /* of them failed or delayed */
	char site[SITE_SIZE]; /* the module that made the last such call */
	uint64_t calls[CALL_COUNT]; /* of each kind, whatever the plan */
};

static struct {
	bool is_ready;
	uint32_t calls;
	uint64_t nth; /* 0: none */
	uint64_t from; /* 0: none */
	int error; /* 0: none */
	long delay_ms;
	bool is_held;
	char under[PATH_MAX];
	bool only_dsync;
	bool waits_for_arming;
	struct control *control;
} plan;

/* glibc's own, so that no look-up is needed before the first allocation */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

#define REAL(name)                                                                                 \
	static __typeof__(&name) real;                                                             \
	if (real == NULL) {                                                                        \
		*(void **)&real = dlsym(RTLD_NEXT, #name);                                         \
	}

/* ---- the plan */

static uint32_t calls_named(const char *name, size_t size)
{
	for (uint32_t i = 0; i < CALL_COUNT; i++) {
		if (strlen(call_names[i]) == size && strncmp(call_names[i], name, size) == 0) {
			return 1u << i;
		}
	}
	for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
		if (strlen(groups[i].name) == size && strncmp(groups[i].name, name, size) == 0) {
			return groups[i].calls;
		}
	}
	dprintf(STDERR_FILENO, "faults_preload: no call is named %.*s\n", (int)size, name);
	_exit(127);
}

static uint32_t read_calls(const char *text)
{
	uint32_t calls = 0;

	while (*text != '\0') {
		size_t size = strcspn(text, ",");
		calls |= calls_named(text, size);
		text += size + (text[size] == ',');
	}
	return calls;
}

static int read_error(const char *text)
{
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		if (strcmp(errors[i].name, text) == 0) {
			return errors[i].number;
		}
	}
	dprintf(STDERR_FILENO, "faults_preload: no error is named %s\n", text);
	_exit(127);
}

static const char *value_of(const char *word, const char *key)
{
	size_t size = strlen(key);
	return strncmp(word, key, size) == 0 && word[size] == '=' ? word + size + 1 : NULL;
}

static void read_word(const char *word)
{
	const char *value;

	if ((value = value_of(word, "calls")) != NULL) {
		plan.calls = read_calls(value);
	} else if ((value = value_of(word, "nth")) != NULL) {
		plan.nth = strtoull(value, NULL, 10);
	} else if ((value = value_of(word, "from")) != NULL) {
		plan.from = strtoull(value, NULL, 10);
	} else if ((value = value_of(word, "errno")) != NULL) {
		plan.error = read_error(value);
	} else if ((value = value_of(word, "delay_ms")) != NULL) {
		plan.delay_ms = strtol(value, NULL, 10);
	} else if ((value = value_of(word, "under")) != NULL) {
		snprintf(plan.under, sizeof plan.under, "%s", value);
	} else if (strcmp(word, "held") == 0) {
		plan.is_held = true;
	} else if (strcmp(word, "dsync") == 0) {
		plan.only_dsync = true;
	} else if (strcmp(word, "armed") == 0) {
		plan.waits_for_arming = true;
	} else {
		dprintf(STDERR_FILENO, "faults_preload: what is %s?\n", word);
		_exit(127);
	}
}

static void read_plan(const char *text)
{
	char words[2 * PATH_MAX];
	char *rest = NULL;

	snprintf(words, sizeof words, "%s", text);
	plan.calls = (1u << CALL_COUNT) - 1;
	for (char *word = strtok_r(words, " ", &rest); word != NULL;
		word = strtok_r(NULL, " ", &rest)) {
		read_word(word);
	}
}

/* ---- deaths */

/* The module's own name and the place in it; "?" for what no module holds. */
static int say_frame(char *text, size_t size, const void *frame)
{
	Dl_info info;

	if (dladdr(frame, &info) == 0 || info.dli_fname == NULL) {
		return snprintf(text, size, "faults_preload: frame ?(%p)\n", frame);
	}
	const char *slash = strrchr(info.dli_fname, '/');
	return snprintf(text, size, "faults_preload: frame %s(+%#tx)\n",
		slash == NULL ? info.dli_fname : slash + 1,
		(const char *)frame - (const char *)info.dli_fbase);
}

static void on_death(int number)
{
	static char text[DEATH_SIZE];
	void *frames[FRAMES_MAX];

	signal(number, SIG_DFL);
	int count = backtrace(frames, FRAMES_MAX);
	/* begins a line of its own, whatever another thread has half written */
	int size = snprintf(text, sizeof text, "\nfaults_preload: signal %d\n", number);
	for (int i = 0; i < count; i++) {
		int more = say_frame(text + size, sizeof text - (size_t)size, frames[i]);
		if (more < 0 || (size_t)more >= sizeof text - (size_t)size) {
			break;
		}
		size += more;
	}
	syscall(SYS_write, STDERR_FILENO, text, (size_t)size); /* write is ours */
	raise(number);
}

static void watch_deaths(void)
{
	static const int numbers[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	void *frames[1];

	backtrace(frames, 1); /* loads what it needs now, not in the handler */
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		const struct sigaction action = {
			.sa_handler = on_death, .sa_flags = SA_RESETHAND | SA_NODEFER};
		sigaction(numbers[i], &action, NULL);
	}
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("TILL_FAULT_CONTROL");
	const char *text = getenv("TILL_FAULT");

	if (path == NULL) {
		return;
	}
	REAL(mmap);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *memory = fd < 0 ? MAP_FAILED
			      : real(NULL, CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		dprintf(STDERR_FILENO, "faults_preload: can't map %s: %s\n", path, strerror(errno));
		_exit(127);
	}
	close(fd);
	plan.control = memory;
	read_plan(text == NULL ? "" : text);
	watch_deaths();
	plan.is_ready = true;
}

/* ---- whether a call fails */

static bool is_under(const char *path)
{
	size_t size = strlen(plan.under);
	return size == 0 ||
	       (strncmp(path, plan.under, size) == 0 && (path[size] == '/' || path[size] == '\0'));
}

static bool file_is_meant(int fd)
{
	char link[64];
	char path[PATH_MAX];

	if (plan.only_dsync && (fd < 0 || (fcntl(fd, F_GETFL) & O_DSYNC) == 0)) {
		return false;
	}
	if (plan.under[0] == '\0') {
		return true;
	}
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t size = readlink(link, path, sizeof path - 1);
	path[size < 0 ? 0 : size] = '\0';
	return is_under(path);
}

static void note_site(const void *caller)
{
	Dl_info info;
	const char *name =
		dladdr(caller, &info) != 0 && info.dli_fname != NULL ? info.dli_fname : "?";
	const char *slash = strrchr(name, '/');

	snprintf(plan.control->site, SITE_SIZE, "%s", slash == NULL ? name : slash + 1);
}

static bool is_chosen(enum call call)
{
	struct control *control = plan.control;

	if (!plan.is_ready) {
		return false;
	}
	__atomic_add_fetch(&control->calls[call], 1, __ATOMIC_RELAXED);
	return (plan.calls & 1u << call) != 0 &&
	       (!plan.waits_for_arming || __atomic_load_n(&control->armed, __ATOMIC_RELAXED) != 0);
}

/* true: the call is to return its failure, errno is set. */
static bool strike(const void *caller)
{
	struct control *control = plan.control;
	uint64_t number = __atomic_add_fetch(&control->matched, 1, __ATOMIC_RELAXED);

	if (number != plan.nth && (plan.from == 0 || number < plan.from)) {
		return false;
	}
	note_site(caller);
	__atomic_add_fetch(&control->injected, 1, __ATOMIC_RELAXED);
	if (plan.delay_ms > 0) {
		const struct timespec pause = {
			plan.delay_ms / 1000, plan.delay_ms % 1000 * 1000000};
		nanosleep(&pause, NULL);
	}
	while (plan.is_held && __atomic_load_n(&control->armed, __ATOMIC_RELAXED) != 0) {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	if (plan.error != 0) {
		errno = plan.error;
	}
	return plan.error != 0;
}

static bool fails(enum call call, const void *caller)
{
	return is_chosen(call) && plan.under[0] == '\0' && !plan.only_dsync && strike(caller);
}

static bool fails_on_file(enum call call, int fd, const void *caller)
{
	int saved = errno;
	bool is_meant = is_chosen(call) && file_is_meant(fd);

	errno = saved;
	return is_meant && strike(caller);
}

static bool fails_on_path(enum call call, const char *path, const void *caller)
{
	return is_chosen(call) && !plan.only_dsync && is_under(path) && strike(caller);
}

#define CALLER __builtin_return_address(0)

/* ---- memory */

void *malloc(size_t size)
{
	return fails(CALL_MALLOC, CALLER) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails(CALL_CALLOC, CALLER) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails(CALL_REALLOC, CALLER) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return fails(CALL_ALIGNED_ALLOC, CALLER) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
	void *memory = fails(CALL_ALIGNED_ALLOC, CALLER) ? NULL : __libc_memalign(alignment, size);

	if (memory == NULL) {
		return ENOMEM;
	}
	*ret_memory = memory;
	return 0;
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	REAL(mmap);
	return fails_on_file(CALL_MMAP, fd, CALLER)
		       ? MAP_FAILED
		       : real(address, size, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
{
	REAL(mmap64);
	return fails_on_file(CALL_MMAP, fd, CALLER)
		       ? MAP_FAILED
		       : real(address, size, protection, flags, fd, offset);
}

/* ---- files */

ssize_t write(int fd, const void *bytes, size_t size)
{
	REAL(write);
	return fails_on_file(CALL_WRITE, fd, CALLER) ? -1 : real(fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	REAL(pwrite);
	return fails_on_file(CALL_PWRITE, fd, CALLER) ? -1 : real(fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
	REAL(pwrite64);
	return fails_on_file(CALL_PWRITE, fd, CALLER) ? -1 : real(fd, bytes, size, offset);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	REAL(writev);
	return fails_on_file(CALL_WRITEV, fd, CALLER) ? -1 : real(fd, pieces, count);
}

int fdatasync(int fd)
{
	REAL(fdatasync);
	return fails_on_file(CALL_FDATASYNC, fd, CALLER) ? -1 : real(fd);
}

int fsync(int fd)
{
	REAL(fsync);
	return fails_on_file(CALL_FSYNC, fd, CALLER) ? -1 : real(fd);
}

static mode_t mode_of(int flags, va_list arguments)
{
	return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

#define OPEN(name)                                                                                 \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		REAL(name);                                                                        \
		va_list arguments;                                                                 \
		va_start(arguments, flags);                                                        \
		mode_t mode = mode_of(flags, arguments);                                           \
		va_end(arguments);                                                                 \
		return fails_on_path(CALL_OPEN, path, CALLER) ? -1 : real(path, flags, mode);      \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                               \
	int name(int folder, const char *path, int flags, ...)                                     \
	{                                                                                          \
		REAL(name);                                                                        \
		va_list arguments;                                                                 \
		va_start(arguments, flags);                                                        \
		mode_t mode = mode_of(flags, arguments);                                           \
		va_end(arguments);                                                                 \
		return fails_on_path(CALL_OPEN, path, CALLER) ? -1                                 \
							      : real(folder, path, flags, mode);   \
	}
OPENAT(openat)
OPENAT(openat64)

/* ---- descriptors */

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	REAL(epoll_ctl);
	return fails(CALL_EPOLL_CTL, CALLER) ? -1 : real(epoll, operation, fd, event);
}

int eventfd(unsigned count, int flags)
{
	REAL(eventfd);
	return fails(CALL_EVENTFD, CALLER) ? -1 : real(count, flags);
}

int socket(int domain, int type, int protocol)
{
	REAL(socket);
	return fails(CALL_SOCKET, CALLER) ? -1 : real(domain, type, protocol);
}

int accept(int fd, __SOCKADDR_ARG address, socklen_t *restrict size)
{
	REAL(accept);
	return fails(CALL_ACCEPT, CALLER) ? -1 : real(fd, address, size);
}

int accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict size, int flags)
{
	REAL(accept4);
	return fails(CALL_ACCEPT, CALLER) ? -1 : real(fd, address, size, flags);
}
