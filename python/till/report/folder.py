"""Files of a folder that appear together or not at all: written beside it, then put into its place by one rename."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from ..disk import sync_folder, write_synced
from ..errors import TillError

MANIFEST = "report.json"  # a folder that has it was written here, and may be replaced
AT_FDCWD, RENAME_EXCHANGE = -100, 2


class NotOurs(TillError):
    """The folder holds other things, which would be lost."""


def _prefix(target: Path) -> str:
    return f".{target.name}.till-"


def _is_running(pid: str) -> bool:
    return pid.isdecimal() and Path("/proc", pid).exists()


def _clear_leftovers(target: Path) -> None:
    """What a report that was killed left behind."""
    for path in target.parent.glob(f"{_prefix(target)}*"):
        if not _is_running(path.name.removeprefix(_prefix(target))):
            shutil.rmtree(path, ignore_errors=True)


def _check(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise NotOurs(f"{target} is no folder; a report is one")
    if target.exists() and not (target / MANIFEST).is_file() and any(target.iterdir()):
        raise NotOurs(f"{target} holds files, and no {MANIFEST}: it is no report, and would be replaced as a whole; choose another folder")


def _exchange(one: Path, other: Path) -> bool:
    """Both at once, as Linux does it; false where the file system can't."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(other))


def _replace(new: Path, target: Path) -> None:
    if not target.exists():
        new.rename(target)
    elif _exchange(new, target):
        shutil.rmtree(new)
    else:  # for a moment there is none
        old = new.with_name(f"{new.name}-old")
        target.rename(old)
        new.rename(target)
        shutil.rmtree(old)


def write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Replaces a report that is there. Raises NotOurs, or OSError (a full disk, no rights): then what was there is there still."""
    target = target.absolute()
    _check(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(target)
    new = target.with_name(f"{_prefix(target)}{os.getpid()}")
    try:
        new.mkdir()
        for name, content in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            write_synced(new / name, content)
        for folder in {new, *((new / name).parent for name in files)}:
            sync_folder(folder)
        _replace(new, target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
