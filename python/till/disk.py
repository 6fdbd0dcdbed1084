"""Files that are on the disk when we say so, and replaced as a whole: whoever reads finds the old one or the new one, whenever we are
killed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any


def sync_folder(folder: Path) -> None:
    """The names in it are on the disk, too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_synced(path: Path, content: Any) -> None:
    """A new file, its bytes on the disk; its name may not be."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace_whole(path: Path, content: Any, temporary: Path) -> None:
    """The bytes are on the disk before they have the name; the name is after `sync_folder`. On a failure, what was there is there still,
    and nothing of the temporary file."""
    try:
        write_synced(temporary, content)
        temporary.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
