"""Key files of `till keygen`, and sockets that show them (PROTOCOL.md, 10)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from .errors import KeyFileError


@dataclass(frozen=True)
class Keys:
    """What a client shows to a server that wants keys: 40 characters of Z85 each."""

    secret: bytes
    public: bytes
    server: bytes

    def __repr__(self) -> str:  # a secret is in no traceback and no log
        return f"Keys(public={self.public!r}, server={self.server!r})"


def _key_of(path: Path, name: str) -> bytes:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path}: {error}") from error
    found = re.search(rf"^{name}\s*=\s*(\S{{40}})\s*$", text, re.MULTILINE)
    if found is None:
        raise KeyFileError(f"{path}: has no line \"{name} = \" with a key of 40 characters; `till keygen` makes such files")
    return found[1].encode("ascii")


def load_keys(key: str | os.PathLike[str] | None = None, server_key: str | os.PathLike[str] | None = None) -> Keys | None:
    """The keys in these files, or in those that TILL_KEY and TILL_SERVER_KEY name; None where neither is given."""
    own, server = key or os.environ.get("TILL_KEY"), server_key or os.environ.get("TILL_SERVER_KEY")
    if not own and not server:
        return None
    if not own or not server:
        missing = "key (or TILL_KEY)" if not own else "server_key (or TILL_SERVER_KEY)"
        raise KeyFileError(f"{missing} is missing: a server that wants keys wants both, ours and its own public one")
    return Keys(_key_of(Path(own), "secret"), _key_of(Path(own), "public"), _key_of(Path(server), "public"))
