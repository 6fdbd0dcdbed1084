"""Folders elsewhere: what pyarrow's file systems reach (s3://, gs://, abfs://), and HDFS through the package hdfs-native.

A file is written under a temporary name beside its place and then takes the place of what was there, by what the other side offers:
S3 copies the whole object to its name and removes the temporary one, HDFS renames over the old one in one step of its name node. So a
name never shows a part of a file. There are no locks: the temporary name is one per name, so that the next run writes over what a
killed one left; two programs that write one name at the same time both leave a whole file there, or say that theirs was taken away."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlsplit

from ..command import UsageError
from ..errors import NotInstalled, TillError
from .local import NotWritten, Output, guarded

_END = ".till-export.tmp"
LATEST = "latest.json"
DONE = "_SUCCESS"  # the name that Hadoop and Spark give to the mark of a folder that is complete


class FileSystem(Protocol):
    """What is wanted of one: paths are its own."""

    def open(self, path: str) -> BinaryIO: ...

    def replace(self, source: str, target: str) -> None: ...

    def list(self, folder: str) -> list[str]: ...

    def remove(self, path: str) -> None: ...

    def remove_folder(self, path: str) -> None: ...


class ArrowFileSystem:
    """One of pyarrow's."""

    def __init__(self, made: Any) -> None:
        self._made = made
        self._fs = importlib.import_module("pyarrow.fs")

    def open(self, path: str) -> BinaryIO:
        stream: BinaryIO = self._made.open_output_stream(path)
        return stream

    def replace(self, source: str, target: str) -> None:
        self._made.move(source, target)

    def list(self, folder: str) -> list[str]:
        """The names right in a folder; of none, none."""
        found = self._made.get_file_info(self._fs.FileSelector(folder, allow_not_found=True))
        return [info.base_name for info in found]

    def remove(self, path: str) -> None:
        self._made.delete_file(path)

    def remove_folder(self, path: str) -> None:
        self._made.delete_dir(path)


class Hdfs:
    """HDFS, spoken by hdfs-native: no Java, and a rename that replaces, which neither libhdfs nor WebHDFS as fsspec has it offers."""

    def __init__(self, authority: str) -> None:
        try:
            self._module = importlib.import_module("hdfs_native")
        except ImportError as error:
            raise NotInstalled("hdfs-native", "hdfs") from error
        self._client = self._module.Client(f"hdfs://{authority}")

    def open(self, path: str) -> BinaryIO:
        options = self._module.WriteOptions()
        options.overwrite = True
        file: BinaryIO = self._client.create(path, options)
        return file

    def replace(self, source: str, target: str) -> None:
        self._client.rename(source, target, True)

    def list(self, folder: str) -> list[str]:
        try:
            return [status.path.rsplit("/", 1)[-1] for status in self._client.list_status(folder, False)]
        except FileNotFoundError:
            return []

    def remove(self, path: str) -> None:
        self._client.delete(path, False)

    def remove_folder(self, path: str) -> None:
        self._client.delete(path, True)


def connect(url: str) -> tuple[FileSystem, str]:
    """The file system that a URL names, and the path in it."""
    parts = urlsplit(url)
    if "@" in parts.netloc and parts.scheme not in ("abfs", "abfss"):  # there it parts the container from the account
        raise UsageError("credentials don't belong into a URL: whoever lists processes sees them; put them into the environment")
    if parts.scheme == "hdfs":
        return Hdfs(parts.netloc), parts.path or "/"
    try:
        files = importlib.import_module("pyarrow.fs")
    except ImportError as error:
        raise NotInstalled("pyarrow", "arrow") from error
    try:
        made, path = files.FileSystem.from_uri(url)
    except (ValueError, NotImplementedError) as error:
        raise UsageError(f"{url}: {error}") from error
    return ArrowFileSystem(made), path


@contextlib.contextmanager
def _named(where: str) -> Iterator[None]:
    """What goes wrong there is said with its name: libraries leave it out."""
    try:
        yield
    except (TillError, UsageError):
        raise
    except (OSError, RuntimeError) as error:
        raise NotWritten(f"{where}: {' '.join(str(error).split())}") from error


class RemoteFolder:
    """Where files go, one by one."""

    def __init__(self, files: FileSystem, path: str, shown: str) -> None:
        self._files = files
        self._path = path.rstrip("/")
        self._shown = shown.rstrip("/")

    def __str__(self) -> str:
        return self._shown

    def prepare(self) -> list[str]:
        """Nothing: what a killed run left under a temporary name is written over by the next."""
        return []

    def where(self, name: str) -> str:
        return f"{self._shown}/{name}"

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Output]:
        """A file that gets its name when all went well."""
        temporary, target = f"{self._path}/.{name}{_END}", f"{self._path}/{name}"
        with _named(self.where(name)):
            file = self._files.open(temporary)
            try:
                with guarded(file) as output:
                    yield output
                file.close()
                self._files.replace(temporary, target)
            except BaseException:
                with contextlib.suppress(Exception):  # the first error is the one to tell
                    file.close()
                    self._files.remove(temporary)
                raise

    def _write(self, name: str, text: str) -> None:
        with self.writing(name) as file:
            file.write(text.encode())

    @contextlib.contextmanager
    def snapshot(self, name: str) -> Iterator[RemoteFolder]:
        """A folder that is complete when `_SUCCESS` is in it; `latest.json` names it then."""
        folder = RemoteFolder(self._files, f"{self._path}/{name}", self.where(name))
        try:
            yield folder
            folder._write(DONE, "")
        except BaseException:
            with contextlib.suppress(Exception):
                self.remove_snapshot(name)
            raise
        self._write(LATEST, json.dumps({"snapshot": name}) + "\n")

    def names(self) -> list[str]:
        with _named(self._shown):
            return self._files.list(self._path)

    def is_complete(self, name: str) -> bool:
        with _named(self._shown):
            return DONE in self._files.list(f"{self._path}/{name}")

    def remove_snapshot(self, name: str) -> None:
        with _named(self._shown):
            if DONE in self._files.list(f"{self._path}/{name}"):
                self._files.remove(f"{self._path}/{name}/{DONE}")  # first, so that nobody takes what is left for all
            self._files.remove_folder(f"{self._path}/{name}")
