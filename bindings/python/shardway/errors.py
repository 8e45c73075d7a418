"""Exceptions: one class for each thing a caller may want to do about an error, one stable code for each error.

``docs/ERRORS.md`` of the project explains every code.
"""

from __future__ import annotations


class ShardwayError(Exception):
    """Something the library was asked for did not happen.

    ``str(error)`` is safe to log: it holds no password, key or row value. ``server_detail`` is the server's own text and may hold them.
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
        """The node's name if it is a shard, else an empty text."""
        return "" if self.node == "source" else self.node

    @property
    def retryable(self) -> bool:
        """The same call can succeed without anyone acting."""
        return _answers(self.code)[1]

    @property
    def needs_reconnect(self) -> bool:
        """The connection that the call used is not usable any more."""
        return _answers(self.code)[2]

    @property
    def needs_operator(self) -> bool:
        """A person has to act before the call can succeed."""
        return _answers(self.code)[3]

    def __str__(self) -> str:
        place = f" ({self.node})" if self.node else ""
        advice = f"; {self.hint}" if self.hint else ""
        return f"{self.code}: {self.message}{place}{advice}"


class ConfigError(ShardwayError):
    """An argument, an option or a manifest is wrong."""


class RouteError(ShardwayError):
    """The call cannot be routed, or the statement does not fit the route it was given."""


class ShardUnavailable(ShardwayError):
    """A node could not be reached, or did not answer in time."""


class FenceRefused(ShardwayError):
    """The write came to a node without authority for its slot, and did not find another in time. Nothing was written."""


class DatabaseError(ShardwayError):
    """The server refused the statement; ``sqlstate`` says why."""


class InDoubt(ShardwayError):
    """Whether the transaction committed is not known. Look before you retry."""


class NotLeader(ShardwayError):
    """Another controller runs this migration."""


class PreconditionFailed(ShardwayError):
    """A doctor check, a precondition or a gate is red; nothing was touched."""


class WaveAborted(ShardwayError):
    """The wave gave authority back to where it was."""


class StreamBroken(ShardwayError):
    """The stream cannot go on by itself: a replication slot was lost, or a change could not be applied."""


class VerificationDifferent(ShardwayError):
    """Rows differ between the source and the shards; the catalog names them."""


class CouldNotTell(ShardwayError):
    """The verification ran out of time before it could decide."""


class Cancelled(ShardwayError):
    """The caller or the operator asked to stop."""


_CODES_OF: dict[type[ShardwayError], str] = {
    ConfigError: "invalid_argument manifest_invalid",
    RouteError: "unknown_table shard_key_missing shard_key_mismatch shard_key_change statement_refused cross_shard write_id_mismatch",
    ShardUnavailable: "node_unreachable authentication_failed connection_lost deadline_exceeded",
    FenceRefused: "fence_closed epoch_stale foreign_write_refused stall_budget_spent",
    DatabaseError: "serialization_failure constraint_violation permission_denied sql_error protocol_violation",
    InDoubt: "in_doubt",
    NotLeader: "not_leader lease_held",
    PreconditionFailed: "precondition_failed gate_red schema_drift rollback_unavailable epoch_overflow",
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
    """The exception for an error code; ``ShardwayError`` itself for a code this package does not know."""
    made = _CLASS_OF.get(code, ShardwayError)
    return made(message, code=code, hint=hint, node=node, sqlstate=sqlstate, server_detail=server_detail)


def _answers(code: str) -> tuple:
    from . import _core

    table = {row[0]: row for row in _core.error_codes()}
    return table.get(code, (code, False, False, False))
