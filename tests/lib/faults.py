"""Programs whose calls of the operating system fail: tests/lib/faults_preload.c from the tests' side."""
import mmap
import os
import re
import struct

from harness import BUILD

PRELOAD = BUILD / "tests" / "lib" / "libfaults-preload.so"
CONTROL_SIZE = 4096
ARMED, MATCHED, INJECTED, SITE, CALLS = 0, 8, 16, 24, 280
NAMES = ("malloc", "calloc", "realloc", "aligned_alloc", "write", "pwrite", "writev", "fdatasync", "fsync", "mmap", "open",
         "epoll_ctl", "eventfd", "socket", "accept")
GROUPS = {"alloc": NAMES[:4], "sync": ("fdatasync", "fsync")}
# A death is a library's if the innermost frame that is neither the C library's nor the shim's is.
PASSED_OVER = ("libc.so", "libfaults-preload", "ld-linux", "libstdc++", "libgcc_s", "linux-vdso", "libpthread")


class Faults:
    """One plan, for the next start of one program: `environment` makes it so."""

    def __init__(self, folder, plan):
        path = folder / "faults.control"
        path.write_bytes(b"\0" * CONTROL_SIZE)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), CONTROL_SIZE)
        preload = ":".join(filter(None, (os.environ.get("LD_PRELOAD"), str(PRELOAD))))
        self.environment = {**os.environ, "LD_PRELOAD": preload, "TILL_FAULT_CONTROL": str(path), "TILL_FAULT": plan}

    def number(self, at):
        return struct.unpack_from("Q", self.memory, at)[0]

    def arm(self, armed=True):
        struct.pack_into("Q", self.memory, ARMED, int(armed))

    @property
    def matched(self):
        """Calls that the plan names, so far."""
        return self.number(MATCHED)

    def calls(self, name):
        """Of one kind or group, whatever the plan."""
        return sum(self.number(CALLS + 8 * NAMES.index(each)) for each in GROUPS.get(name, (name,)))

    @property
    def injected(self):
        return self.number(INJECTED)

    @property
    def site(self):
        """The module that made the last call that failed."""
        return self.memory[SITE:SITE + 256].split(b"\0")[0].decode()


def place_of_death(log_text):
    """(signal, module) of the last death that the shim reported: whose code it was that died. What other threads log may stand
    between its lines, and before one of them on the same line."""
    signals = list(re.finditer(r"faults_preload: signal (\d+)$", log_text, re.M))
    if not signals:
        return None
    modules = re.findall(r"faults_preload: frame ([^\s(]+)\(", log_text[signals[-1].end():])
    own = [module for module in modules if not module.startswith(PASSED_OVER)]
    return int(signals[-1][1]), own[0] if own else "?"
