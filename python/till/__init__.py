"""till: exact totals of every sale. `Client` asks an aggregator."""

from .answers import AsOf, Rows
from .client import Client
from .columns import Column, Type
from .errors import BadAnswer, Closed, KeyFileError, KeyRefused, NoStream, NotInstalled, NotReached, Refused, TillError
from .keys import Keys, load_keys

__all__ = [
    "AsOf",
    "BadAnswer",
    "Client",
    "Closed",
    "Column",
    "KeyFileError",
    "KeyRefused",
    "Keys",
    "NoStream",
    "NotInstalled",
    "NotReached",
    "Refused",
    "Rows",
    "TillError",
    "Type",
    "load_keys",
]
