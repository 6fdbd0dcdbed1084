"""What lies in an LMDB environment that may be in use: rows and bytes of each table, as mdb_stat (lmdb-utils) says."""
import re
import shutil
import subprocess
from typing import NamedTuple


class Table(NamedTuple):
    rows: int
    bytes: int


def can_be_read():
    return shutil.which("mdb_stat") is not None


def tables(folder):
    """{name without its generation: Table}."""
    said = subprocess.run(["mdb_stat", "-a", "-e", folder], capture_output=True, text=True, check=True, timeout=60).stdout
    page = int(re.search(r"Page size: (\d+)", said)[1])
    found = {}
    for name, text in re.findall(r"^Status of (\S+)\n((?:  .*\n)+)", said, re.M):
        counts = {key: int(value) for key, value in re.findall(r"^  (.*): (\d+)$", text, re.M)}
        if name != "Main":
            before = found.get(name.split(".")[0], Table(0, 0))
            taken = page * sum(counts[f"{sort} pages"] for sort in ("Branch", "Leaf", "Overflow"))
            found[name.split(".")[0]] = Table(before.rows + counts["Entries"], before.bytes + taken)
    return found
