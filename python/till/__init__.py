"""till: exact totals of every sale. `Client` asks an aggregator."""

from .client import AsOf, Client, Rows
from .columns import Column, Type
from .errors import BadAnswer, KeyFileError, NotReached, Refused, TillError
from .keys import Keys, load_keys

__all__ = ["AsOf", "BadAnswer", "Client", "Column", "KeyFileError", "Keys", "NotReached", "Refused", "Rows", "TillError", "Type",
           "load_keys"]
