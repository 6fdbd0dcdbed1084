/* look_child.h - a look at a file in a child process: whatever a broken file does to the one who looks, the parent goes on.
 * Waits for the child. One thread. */
#pragma once

enum { LOOK_CRASHED = 256 }; /* no exit code: the child died of what it saw */

/* What `look` returned, 0 to 255; LOOK_CRASHED; -EINTR when somebody killed the child (the kernel, for want of memory), who found
 * nothing either way; -errno when there was no child. `look` runs in a copy of the process, without signal handlers, a core
 * or a stderr; what it is to tell beside its result it writes to shared memory. */
int look_child_run(int (*look)(void *owner), void *owner);
