"""What a program has on its heap, by malloc's own word: tests/lib/heap_preload.c from the tests' side."""
import os
import signal
from pathlib import Path
from typing import NamedTuple

from harness import BUILD, wait_until

PRELOAD = BUILD / "tests" / "lib" / "libheap-preload.so"
ASK = signal.SIGRTMAX - 6


class Heap(NamedTuple):
    taken: int  # from the kernel, by all arenas
    used: int
    free: int
    mapped: int  # large pieces, which are given back when they are freed

    @property
    def held(self):
        """What a leak adds to."""
        return self.used + self.mapped


def environment(folder):
    """Of programs that are to be asked. MALLOC_TCACHE: what waits in a thread's cache would count as in use."""
    preload = ":".join(filter(None, (os.environ.get("LD_PRELOAD"), str(PRELOAD))))
    return {"LD_PRELOAD": preload, "TILL_HEAP": str(folder), "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}


def heap(program):
    """Of a program that runs in such an environment."""
    path = Path(program.env["TILL_HEAP"]) / f"heap-{program.pid}"
    path.unlink(missing_ok=True)
    os.kill(program.pid, ASK)
    wait_until(path.exists, f"{program.name}'s word on its heap")
    return Heap(*map(int, path.read_text().split()))


def anonymous_bytes(pid):
    """Memory that is no file's: heaps, stacks, what libraries map for themselves."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")) * 1024
