"""Requests to the controller: send one, then wait for its result with progress on standard error."""

from __future__ import annotations

import time
from typing import Any

from ..documents import JsonObject, Request
from ..errors import PreconditionFailed, ShardUnavailable, ShardwayError, from_code
from .context import Context
from .progress import Progress

_POLL_S = 0.1
_SHOW_S = 0.5
_DEAD_AFTER_S = 30.0


class NoController(PreconditionFailed):
    """No controller runs, so nothing would execute a request."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            "no controller runs, so nothing would execute the request",
            code="precondition_failed",
            hint="run `shardway migrate start` in another terminal or as a service",
        )
        self.next_step = f"shardway migrate start --migration {folder}"


def ask(context: Context, kind: str, arguments: JsonObject, timeout: float | None = None) -> Any:
    """Send a request and wait for its result, in the form that belongs to its kind.

    Errors: NoController; the error of the controller; deadline_exceeded after `timeout` seconds.
    """
    return ask_each(context, kind, [arguments], timeout)[0]


def ask_each(
    context: Context, kind: str, arguments: list[JsonObject], timeout: float | None = None
) -> list[Any]:
    """Send a request for each of these arguments, then wait for all results.

    What the controller can do at the same time it does at the same time. Errors: as `ask`. If some fail, the
    others end first; the error is that of the first, and names how many more failed.
    """
    if not context.catalog.is_controller_alive():
        raise NoController(context.folder)
    numbers = []
    for one in arguments:
        numbers.append(context.catalog.request(kind, one))
        context.io.note(f"request {numbers[-1]}: {kind} {_words(one)}".rstrip())
    try:
        return _wait_for_all(context, kind, list(zip(numbers, arguments)), timeout)
    except KeyboardInterrupt:
        continuing = ", ".join(map(str, numbers))
        raise KeyboardInterrupt(f"request {continuing} continues: see `shardway migrate status`") from None


def _wait_for_all(
    context: Context, kind: str, asked: list[tuple[int, JsonObject]], timeout: float | None
) -> list[Any]:
    if len(asked) == 1:
        ((number, arguments),) = asked
        return [_wait(context, number, kind, arguments.get("group"), timeout)]
    ended = [
        (arguments.get("group", str(number)), _outcome(context, number, kind, arguments, timeout))
        for number, arguments in asked
    ]
    failures = [(group, one) for group, one in ended if isinstance(one, ShardwayError)]
    if failures:
        raise _first_of(failures)
    return [one for _, one in ended]


def _outcome(context: Context, number: int, kind: str, arguments: JsonObject, timeout: float | None) -> Any:
    """Return the result of a request, or its error."""
    try:
        return _wait(context, number, kind, arguments.get("group"), timeout)
    except ShardwayError as error:
        return error


def _first_of(failures: list[tuple[str, ShardwayError]]) -> ShardwayError:
    group, first = failures[0]
    others = ", ".join(name for name, _ in failures[1:])
    more = f" (also failed: {others})" if others else ""
    return from_code(
        first.code,
        f"{group}: {first.message}{more}",
        first.hint,
        first.node,
        first.sqlstate,
        first.server_detail,
    )


def _wait(context: Context, number: int, kind: str, group: str | None, timeout: float | None) -> Any:
    began = seen_alive = time.monotonic()
    shown = 0.0
    with Progress(context.io, kind, group) as progress:
        while True:
            found = _look(context, number)
            if found and found["state"] == "done":
                return found["result"]
            if found and found["state"] == "failed":
                raise _error_of(found)
            now = time.monotonic()
            if timeout is not None and now - began > timeout:
                raise _not_yet(number, f"request {number} is not done after {timeout:g} s; it continues")
            if found and now - shown > _SHOW_S:
                shown = now
                seen_alive = now if _is_alive(context, progress) else seen_alive
            if now - seen_alive > _DEAD_AFTER_S:
                raise _not_yet(
                    number,
                    f"neither the controller nor the source answered for {_DEAD_AFTER_S:g} s; "
                    f"request {number} waits for the next controller",
                )
            time.sleep(_POLL_S)


def _look(context: Context, number: int) -> Request | None:
    """Return the request as it stands, or None while the source cannot be reached."""
    try:
        return context.catalog.result_of(number)
    except ShardUnavailable as error:
        if error.retryable:
            return None
        raise


def _is_alive(context: Context, progress: Progress) -> bool:
    """Show the progress, and return whether the controller is alive."""
    try:
        progress.show(context.catalog.status())
        return context.catalog.is_controller_alive()
    except ShardUnavailable:
        return False


def _not_yet(number: int, text: str) -> ShardwayError:
    return from_code(
        "deadline_exceeded",
        text,
        f"see `shardway migrate status`; do not ask again before request {number} has ended",
    )


def _error_of(found: Request) -> ShardwayError:
    """Return the controller's error; one of an older controller has only a text "code: message; hint"."""
    code, text, facts = found["error_code"], found["error_message"], found["result"] or {}
    if "message" in facts:
        return from_code(
            code, facts["message"], facts["hint"], facts["node"], facts["sqlstate"], facts["server_detail"]
        )
    message, _, hint = (
        text[len(code) + 2 :].partition("; ") if text.startswith(code + ": ") else (text, "", "")
    )
    return from_code(code, message, hint)


def _words(arguments: JsonObject) -> str:
    return " ".join(f"{name}={value}" for name, value in arguments.items() if name != "documents")
