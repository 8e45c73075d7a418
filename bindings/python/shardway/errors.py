"""Exceptions: one class for each way to react to an error, one stable code for each error.

``docs/ERRORS.md`` of the project explains every code.
"""

from __future__ import annotations

from typing import NamedTuple

from . import _core


class ShardwayError(Exception):
    """The library could not do what it was asked.

    ``str(error)`` is safe to log: it holds no password, key value or row value. ``server_detail`` is the
    server's own text and may hold them.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "internal",
        hint: str = "",
        node: str = "",
        sqlstate: str = "",
        server_detail: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.node = node
        self.sqlstate = sqlstate
        self.server_detail = server_detail

    @property
    def shard(self) -> str:
        """The name of the node if it is a shard, otherwise an empty string."""
        return "" if self.node == "source" else self.node

    @property
    def retryable(self) -> bool:
        """Whether the same call can succeed later without anyone acting."""
        return _traits_of(self.code).retryable

    @property
    def needs_reconnect(self) -> bool:
        """Whether the connection of the call is unusable from now on."""
        return _traits_of(self.code).needs_reconnect

    @property
    def needs_operator(self) -> bool:
        """Whether a person must act before the call can succeed."""
        return _traits_of(self.code).needs_operator

    def __str__(self) -> str:
        place = f" ({self.node})" if self.node else ""
        advice = f"; {self.hint}" if self.hint else ""
        return f"{self.code}: {self.message}{place}{advice}"


class ConfigError(ShardwayError):
    """An argument, an option or a manifest is wrong."""


class RouteError(ShardwayError):
    """The call cannot be routed, or the statement does not fit its route."""


class ShardUnavailable(ShardwayError):
    """A node could not be reached, or it did not answer in time."""


class FenceRefused(ShardwayError):
    """The node has no authority for the slot, and no node took over in time. Nothing was written."""


class DatabaseError(ShardwayError):
    """The server refused the statement; ``sqlstate`` says why."""


class InDoubt(ShardwayError):
    """It is unknown whether the transaction committed. Check before you retry."""


class NotLeader(ShardwayError):
    """Another controller runs this migration."""


class PreconditionFailed(ShardwayError):
    """A doctor check, a precondition or a gate is red. Nothing was changed."""


class WaveAborted(ShardwayError):
    """The wave was undone: authority is where it was before."""


class StreamBroken(ShardwayError):
    """The stream cannot continue by itself: a replication slot was lost, or a change could not be applied."""


class VerificationDifferent(ShardwayError):
    """Rows differ between the source and the shards; the catalog names them."""


class CouldNotTell(ShardwayError):
    """The verification ran out of time before it could decide."""


class Cancelled(ShardwayError):
    """The caller or the operator stopped the call."""


_CODES_OF: dict[type[ShardwayError], str] = {
    ConfigError: "invalid_argument manifest_invalid",
    RouteError: "unknown_table shard_key_missing shard_key_mismatch shard_key_change statement_refused "
    "cross_shard write_id_mismatch",
    ShardUnavailable: "node_unreachable authentication_failed connection_lost deadline_exceeded",
    FenceRefused: "fence_closed epoch_stale foreign_write_refused stall_budget_spent",
    DatabaseError: "serialization_failure constraint_violation permission_denied sql_error "
    "protocol_violation",
    InDoubt: "in_doubt",
    NotLeader: "not_leader lease_held",
    PreconditionFailed: "migration_ended precondition_failed gate_red schema_drift rollback_unavailable "
    "epoch_overflow",
    WaveAborted: "wave_aborted",
    StreamBroken: "stream_broken",
    VerificationDifferent: "verification_different",
    CouldNotTell: "could_not_tell",
    Cancelled: "cancelled",
    ShardwayError: "corrupt_data internal",
}
_CLASS_OF: dict[str, type[ShardwayError]] = {
    code: made for made, codes in _CODES_OF.items() for code in codes.split()
}


def from_code(
    code: str, message: str, hint: str = "", node: str = "", sqlstate: str = "", server_detail: str = ""
) -> ShardwayError:
    """Return the exception of an error code, or a ``ShardwayError`` if the code is unknown."""
    made = _CLASS_OF.get(code, ShardwayError)
    return made(message, code=code, hint=hint, node=node, sqlstate=sqlstate, server_detail=server_detail)


class _Traits(NamedTuple):
    retryable: bool
    needs_reconnect: bool
    needs_operator: bool


_TRAITS: dict[str, _Traits] = {code: _Traits(*traits) for code, *traits in _core.error_codes()}


def _traits_of(code: str) -> _Traits:
    return _TRAITS.get(code, _Traits(retryable=False, needs_reconnect=False, needs_operator=False))
