"""Folders of this machine: what is written is there whole or not at all, whenever we are killed.

A file is written under a name of its own beside its place (`.NAME.till-export-….tmp`), synced, and renamed over what was there; then
the folder is synced. Whoever writes holds a lock on the temporary file: what bears such a name and is not locked was left by one that
was killed, and the next one removes it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..disk import sync_folder
from ..errors import TillError

MARK = ".till-export-"
_END = ".tmp"


class NotWritten(TillError):
    """A place did not take what was to be there. What was there before still is."""


class Output:
    """An open file that counts and sums up what it takes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.bytes = 0
        self.closed = False
        self._is_given_up = False

    def write(self, data: bytes, /) -> int:
        if self._is_given_up:
            return len(data)
        view = memoryview(data)
        self._digest.update(view)
        done = 0
        while done < view.nbytes:  # an unbuffered file may take a part only
            done += self._file.write(view[done:]) or 0
        self.bytes += done
        return done

    def give_up(self) -> None:
        """Takes no more: a writer of Parquet that failed writes its footer still, when it is collected."""
        self._is_given_up = True

    def sha256(self) -> str:
        return self._digest.hexdigest()

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        """At the end, together with the sync."""

    def close(self) -> None:
        """Whoever opened the file closes it: writers of Parquet close what they are given, even after an error."""

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True


@contextlib.contextmanager
def guarded(file: BinaryIO) -> Iterator[Output]:
    """An Output that takes nothing more after an error."""
    output = Output(file)
    try:
        yield output
    except BaseException:
        output.give_up()
        raise


def _temporary_name(name: str) -> str:
    return f".{name}{MARK}{secrets.token_hex(6)}{_END}"


def is_temporary(name: str) -> bool:
    return name.startswith(".") and MARK in name and name.endswith(_END)


def _is_left_over(path: Path) -> bool:
    """False while its writer lives, and where we can't know: on a file system without locks."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # gone meanwhile, or a link: those are made and renamed at once
        return path.is_symlink()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def remove_left_over(folder: Path) -> list[str]:
    """Removes what killed runs left there; their names."""
    removed = []
    for path in sorted(folder.iterdir()):
        if is_temporary(path.name) and _is_left_over(path):
            _remove(path)
            removed.append(path.name)
    return removed


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _hold(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # where there are no locks, nothing is taken for left over either
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class LocalFolder:
    """Where files go, one by one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def prepare(self) -> list[str]:
        """Makes the folder; removes what killed runs left, and says what that was."""
        with self._named(""):
            self.path.mkdir(parents=True, exist_ok=True)
            return remove_left_over(self.path)

    def where(self, name: str) -> str:
        return str(self.path / name)

    @contextlib.contextmanager
    def _named(self, name: str) -> Iterator[None]:
        """A disk that is full says so without a name."""
        try:
            yield
        except OSError as error:
            raise NotWritten(f"{self.path / name}: {error.strerror or error}; nothing was changed") from error

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Output]:
        """A file that gets its name when all went well, and leaves nothing behind otherwise."""
        temporary = self.path / _temporary_name(name)
        try:
            with self._named(name), temporary.open("xb") as file:
                _hold(file.fileno())
                with guarded(file) as output:
                    yield output
                file.flush()
                os.fsync(file.fileno())
                temporary.rename(self.path / name)  # under the lock: nobody takes it for left over
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(self.path)

    @contextlib.contextmanager
    def snapshot(self, name: str) -> Iterator[LocalFolder]:
        """A folder that gets its name when all went well; `latest` points to it then."""
        temporary = self.path / _temporary_name("snapshot")
        with self._named(name):
            temporary.mkdir()
        descriptor = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _hold(descriptor)
            yield LocalFolder(temporary)
            with self._named(name):
                temporary.rename(self.path / name)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        finally:
            os.close(descriptor)
        sync_folder(self.path)
        self._point_to(name)

    def _point_to(self, name: str) -> None:
        temporary = self.path / _temporary_name("latest")
        temporary.symlink_to(name)
        temporary.rename(self.path / "latest")
        sync_folder(self.path)

    def names(self) -> list[str]:
        """Of the folders in it."""
        return [path.name for path in self.path.iterdir() if path.is_dir() and not path.is_symlink()]

    def is_complete(self, name: str) -> bool:  # noqa: ARG002
        """A folder gets its name when all is in it."""
        return True

    def remove_snapshot(self, name: str) -> None:
        """It is gone at once, and then its files are removed: nobody finds half of it under its name."""
        temporary = self.path / _temporary_name("removed")
        (self.path / name).rename(temporary)
        shutil.rmtree(temporary)
