"""`till mart`: views, tables and raw events as tables of PostgreSQL, MySQL or MariaDB, written in transactions (docs/MART.md)."""

from .command import main

__all__ = ["main"]
