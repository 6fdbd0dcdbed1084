"""till: exact totals of every sale. `Client` asks an aggregator."""

from .client import AsOf, Client, Rows
from .columns import Column, Type
from .errors import BadAnswer, KeyFileError, NotInstalled, NotReached, Refused, TillError
from .keys import Keys, load_keys

__all__ = [
    "AsOf",
    "BadAnswer",
    "Client",
    "Column",
    "KeyFileError",
    "Keys",
    "NotInstalled",
    "NotReached",
    "Refused",
    "Rows",
    "TillError",
    "Type",
    "load_keys",
]
