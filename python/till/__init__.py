"""till: exact totals of every sale. `Client` asks an aggregator, `Producer` sends sales to an edge."""

from .aio import AsyncClient, AsyncSubscription
from .answers import AsOf, Rows
from .client import Client, Subscription
from .columns import Column, Type
from .errors import BadAnswer, Closed, KeyFileError, KeyRefused, NoStream, NotInstalled, NotReached, Refused, TillError
from .keys import Keys, load_keys
from .live import Change
from .producer import Ack, FrameRefused, Invalid, NumberBehind, Producer
from .producer_state import StateFileError

__all__ = [
    "Ack",
    "AsOf",
    "AsyncClient",
    "AsyncSubscription",
    "BadAnswer",
    "Change",
    "Client",
    "Closed",
    "Column",
    "FrameRefused",
    "Invalid",
    "KeyFileError",
    "KeyRefused",
    "Keys",
    "NoStream",
    "NotInstalled",
    "NotReached",
    "NumberBehind",
    "Producer",
    "Refused",
    "Rows",
    "StateFileError",
    "Subscription",
    "TillError",
    "Type",
    "load_keys",
]
