"""Asking the controller and waiting for its answer, with progress on stderr."""

from __future__ import annotations

import time
from typing import Any

from ..errors import PreconditionFailed, ShardUnavailable, ShardwayError, from_code
from .io import Io
from .place import Place
from .progress import Progress

_POLL = 0.1
_SHOW = 0.5
_DEAD_AFTER = 30.0


def need_controller(place: Place) -> None:
    """Raises PreconditionFailed when there is nobody to ask."""
    if not place.catalog.is_controller_alive():
        error = PreconditionFailed(
            "no controller is running, so nobody would do it",
            code="precondition_failed",
            hint="run `shardway migrate start` in another terminal or as a service",
        )
        error.next_steps = [f"shardway migrate start --migration {place.folder}"]  # type: ignore[attr-defined]
        raise error


def ask(io: Io, place: Place, kind: str, arguments: dict[str, Any], timeout: float | None = None) -> Any:
    """Inserts the request and waits for its result; raises the controller's error."""
    need_controller(place)
    number = place.catalog.request(kind, arguments)
    io.note(f"request {number}: {kind} {_words(arguments)}".rstrip())
    try:
        return _wait(io, place, number, kind, arguments.get("group"), timeout)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"request {number} goes on; look with `shardway migrate status`") from None


def _wait(io: Io, place: Place, number: int, kind: str, group: str | None, timeout: float | None) -> Any:
    began = seen_alive = time.monotonic()
    shown = 0.0
    with Progress(io, kind, group) as progress:
        while True:
            found = _look(place, number)
            if found and found["state"] == "done":
                return found["result"]
            if found and found["state"] == "failed":
                raise _error_of(found)
            now = time.monotonic()
            if timeout is not None and now - began > timeout:
                raise _not_yet(number, f"request {number} is not done after {timeout:g} s; it goes on")
            if found and now - shown > _SHOW:
                shown = now
                seen_alive = now if _is_alive(place, progress) else seen_alive
            if now - seen_alive > _DEAD_AFTER:
                raise _not_yet(
                    number,
                    f"the controller or the source has been gone for {_DEAD_AFTER:g} s; request {number} waits for the next one",
                )
            time.sleep(_POLL)


def _look(place: Place, number: int) -> dict[str, Any] | None:
    """The request as it stands; nothing while the source is away."""
    try:
        return place.catalog.result_of(number)
    except ShardUnavailable as error:
        if error.retryable:
            return None
        raise


def _is_alive(place: Place, progress: Progress) -> bool:
    """Shows progress on the way."""
    try:
        progress.show(place.catalog.status())
        return place.catalog.is_controller_alive()
    except ShardUnavailable:
        return False


def _not_yet(number: int, text: str) -> ShardwayError:
    return from_code(
        "deadline_exceeded",
        text,
        f"look with `shardway migrate status`; do not ask again before request {number} has ended",
    )


def _error_of(found: dict[str, Any]) -> ShardwayError:
    """The controller writes "code: message (node); hint"."""
    code, text = found["error_code"], found["error_message"]
    message, _, hint = (
        text[len(code) + 2 :].partition("; ") if text.startswith(code + ": ") else (text, "", "")
    )
    return from_code(code, message, hint)


def _words(arguments: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in arguments.items() if name != "documents")
