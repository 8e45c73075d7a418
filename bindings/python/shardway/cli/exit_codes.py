"""Exit codes. A script decides by them what to do next."""

from __future__ import annotations

from ..errors import ShardwayError

DONE = 0
ERROR = 1
USAGE = 2
RED = 3  # a precondition, a doctor check or a gate is red
DIFFERENT = 4
NOT_NOW = 5
IN_DOUBT = 6
ABORTED = 7
INTERRUPTED = 130

_BY_CODE = {
    "invalid_argument": USAGE,
    "precondition_failed": RED,
    "migration_ended": RED,
    "gate_red": RED,
    "schema_drift": RED,
    "rollback_unavailable": RED,
    "epoch_overflow": RED,
    "verification_different": DIFFERENT,
    "in_doubt": IN_DOUBT,
    "cancelled": ABORTED,
}


def of(error: ShardwayError) -> int:
    """Return the exit code of an error: by its code, otherwise 5 if a retry can succeed, otherwise 1."""
    return _BY_CODE.get(error.code, NOT_NOW if error.retryable else ERROR)
