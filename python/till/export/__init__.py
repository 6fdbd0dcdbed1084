"""Rows of views, tables and queries as files: CSV, NDJSON, Parquet, Arrow; here and elsewhere. docs/EXPORT.md says what is promised."""

from .job import Written, export
from .main import main

__all__ = ["Written", "export", "main"]
