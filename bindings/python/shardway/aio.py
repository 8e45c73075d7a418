"""The client for asyncio: the same calls, awaited. They run in threads and never block the event loop.

Example::

    async with await AsyncClient.open("host=db1 dbname=shop") as client:
        session = client.session()
        sql = "UPDATE shop.orders SET paid = true WHERE customer_id = $1"
        receipt = await session.execute("shop.orders", 42, sql, [42])
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from ._core import Client, ClientSession

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec, Self

    Given = ParamSpec("Given")

Answer = TypeVar("Answer")


def _awaited(
    call: Callable[Concatenate[ClientSession, Given], Answer], *, takes_call_site: bool
) -> Callable[Concatenate[AsyncSession, Given], Coroutine[Any, Any, Answer]]:
    """Make a method of `AsyncSession` from a method of `ClientSession`, with the same arguments."""

    def method(
        self: AsyncSession, /, *given: Given.args, **options: Given.kwargs
    ) -> Coroutine[Any, Any, Answer]:
        if takes_call_site:
            # The caller is known only here: the call itself runs in another thread.
            options.setdefault("call_site", _caller_of(inspect.currentframe()))
        return self._run(functools.partial(call, self._session, *given, **options))

    method.__name__ = call.__name__
    method.__doc__ = call.__doc__
    return method


def _caller_of(frame: FrameType | None) -> str | None:
    if frame is None or frame.f_back is None:
        return None
    caller = frame.f_back
    file = caller.f_code.co_filename.rpartition("/")[2]
    return f"{file}:{caller.f_lineno}:{caller.f_code.co_name}"


class AsyncSession:
    """A ``ClientSession`` whose calls are awaited.

    Calls of one session run one after another, in the order in which they were awaited. The function given to
    ``write`` is an ordinary function: it runs in a thread, and it may run again.
    """

    def __init__(self, session: ClientSession, threads: ThreadPoolExecutor) -> None:
        self._session = session
        self._threads = threads
        self._turn = asyncio.Lock()

    async def _run(self, call: Callable[[], Answer]) -> Answer:
        async with self._turn:
            job = self._threads.submit(call)
            running = asyncio.wrap_future(job)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                # A call that has not started never starts. A call that runs ends in its thread: the session
                # stays taken until then.
                while not job.cancel() and not job.done():
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.wait([running])
                raise

    execute = _awaited(ClientSession.execute, takes_call_site=True)
    write = _awaited(ClientSession.write, takes_call_site=True)
    execute_batch = _awaited(ClientSession.execute_batch, takes_call_site=False)
    read = _awaited(ClientSession.read, takes_call_site=True)
    read_many = _awaited(ClientSession.read_many, takes_call_site=False)
    read_all = _awaited(ClientSession.read_all, takes_call_site=False)
    read_by = _awaited(ClientSession.read_by, takes_call_site=False)
    execute_by = _awaited(ClientSession.execute_by, takes_call_site=False)

    async def token(self) -> str:
        """Return ``ClientSession.token`` after all calls that were awaited before."""
        async with self._turn:
            return self._session.token()

    async def adopt(self, token: str) -> None:
        """``ClientSession.adopt``."""
        async with self._turn:
            self._session.adopt(token)


class AsyncClient:
    """A ``Client`` for asyncio. Lifetime: use it as an async context manager, or await ``close``."""

    def __init__(self, client: Client, threads: ThreadPoolExecutor) -> None:
        self._client = client
        self._threads = threads

    @classmethod
    async def open(cls, conninfo: str, *, connections_max: int = 8, **options: Any) -> AsyncClient:
        """``Client.open`` with its options. As many calls run at a time as there are connections."""
        threads = ThreadPoolExecutor(max_workers=connections_max, thread_name_prefix="shardway")
        opening = functools.partial(Client.open, conninfo, connections_max=connections_max, **options)
        try:
            client = await asyncio.get_running_loop().run_in_executor(threads, opening)
        except BaseException:
            threads.shutdown(wait=False)
            raise
        return cls(client, threads)

    def session(self) -> AsyncSession:
        """Return a session for one user or request."""
        return AsyncSession(self._client.session(), self._threads)

    @property
    def client(self) -> Client:
        """The plain client, for calls that do not wait, such as ``route_of``, ``totals`` and ``report``."""
        return self._client

    async def refresh(self) -> int:
        """``Client.refresh``."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._client.refresh)

    async def close(self) -> None:
        """End the background work and the threads."""
        await asyncio.get_running_loop().run_in_executor(None, self._client.close)
        self._threads.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()
