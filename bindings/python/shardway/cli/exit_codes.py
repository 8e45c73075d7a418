"""Exit codes: a script decides by them what to do next."""

from ..errors import ShardwayError

DONE = 0
ERROR = 1
USAGE = 2
RED = 3  # a precondition, doctor check or gate
DIFFERENT = 4
NOT_NOW = 5
IN_DOUBT = 6
ABORTED = 7
INTERRUPTED = 130

_BY_CODE = {
    "invalid_argument": USAGE,
    "precondition_failed": RED,
    "gate_red": RED,
    "schema_drift": RED,
    "rollback_unavailable": RED,
    "epoch_overflow": RED,
    "verification_different": DIFFERENT,
    "in_doubt": IN_DOUBT,
    "cancelled": ABORTED,
}


def of(error: ShardwayError) -> int:
    """By code; of the others, what is worth another try is 5 and the rest is 1."""
    return _BY_CODE.get(error.code, NOT_NOW if error.retryable else ERROR)
