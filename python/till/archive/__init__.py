"""`till archive`: raw events and dead letters out of Kafka into Parquet or NDJSON, each once. docs/ARCHIVE.md says what is guaranteed."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .. import command


def _archive(arguments: Sequence[str]) -> int:
    from .cli import archive  # needs what may not be installed: that is a sentence, no traceback

    return archive(arguments)


def main() -> None:
    sys.exit(command.run("archive", _archive))
