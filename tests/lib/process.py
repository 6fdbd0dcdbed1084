"""What a process has done so far, as the kernel counts it: work, which a busy machine does not make more of, as it does with time."""
import os
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def start_work(pid):
    """Of a process and the children that it has waited for: pages of memory and of files that it met, and processor time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    minor, minor_of_children, major, major_of_children = map(int, fields[7:11])
    return {"pages": minor + minor_of_children + major + major_of_children, "cpu_s": sum(map(int, fields[11:15])) * TICK_S}
