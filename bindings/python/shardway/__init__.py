"""shardway moves tables of one PostgreSQL to shards while services keep reading and writing.

Importing it connects to no server, reads no environment variable and sets up no logging.
"""

from ._core import SLOT_COUNT, Client, ClientSession, ShardKey, WriteTransaction, slot_of, slots_of
from .aio import AsyncClient, AsyncSession
from .catalog import Catalog
from .errors import (
    Cancelled,
    ConfigError,
    CouldNotTell,
    DatabaseError,
    FenceRefused,
    InDoubt,
    NotLeader,
    PreconditionFailed,
    RouteError,
    ShardUnavailable,
    ShardwayError,
    StreamBroken,
    VerificationDifferent,
    WaveAborted,
)
from .migration import Migration
from .results import Rows

__version__ = "0.1.0"
__all__ = [
    "SLOT_COUNT",
    "AsyncClient",
    "AsyncSession",
    "Cancelled",
    "Catalog",
    "Client",
    "ClientSession",
    "ConfigError",
    "CouldNotTell",
    "DatabaseError",
    "FenceRefused",
    "InDoubt",
    "Migration",
    "NotLeader",
    "PreconditionFailed",
    "RouteError",
    "Rows",
    "ShardKey",
    "ShardUnavailable",
    "ShardwayError",
    "StreamBroken",
    "VerificationDifferent",
    "WaveAborted",
    "WriteTransaction",
    "slot_of",
    "slots_of",
]
