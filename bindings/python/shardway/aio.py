"""The client for asyncio: the same calls, awaited. The event loop is never blocked; calls run in threads of the client's own.

async with await AsyncClient.open("host=db1 dbname=shop") as client:
    session = client.session()
    receipt = await session.execute("shop.orders", 42, "UPDATE shop.orders SET paid = true WHERE customer_id = $1", [42])
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, TypeVar

from ._core import Client, ClientSession

Answer = TypeVar("Answer")


def _named(options: dict) -> dict:
    """The options, with the place that calls as the call's name in reports: the thread that runs the call knows nothing of it."""
    frame = sys._getframe(2)
    file = frame.f_code.co_filename.rpartition("/")[2]
    return {"call_site": f"{file}:{frame.f_lineno}:{frame.f_code.co_name}", **options}


class AsyncSession:
    """A ``ClientSession`` whose calls are awaited. Calls of one session run one after another, in the order in which they were awaited."""

    def __init__(self, session: ClientSession, threads: ThreadPoolExecutor) -> None:
        self._session = session
        self._threads = threads
        self._turn = asyncio.Lock()

    async def _run(self, call: Callable[..., Answer], *given: Any, **options: Any) -> Answer:
        async with self._turn:
            job = self._threads.submit(functools.partial(call, *given, **options))
            running = asyncio.wrap_future(job)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                # A call that has not begun never does; one that has ends in its thread, and the session stays taken until then.
                while not job.cancel() and not job.done():
                    try:
                        await asyncio.wait([running])
                    except asyncio.CancelledError:
                        continue
                raise

    def execute(self, *given: Any, **options: Any) -> Coroutine[Any, Any, dict]:
        """``ClientSession.execute``."""
        return self._run(self._session.execute, *given, **_named(options))

    def write(self, *given: Any, **options: Any) -> Coroutine[Any, Any, dict]:
        """``ClientSession.write``. Its function is a plain one: it runs in a thread, and may be run again."""
        return self._run(self._session.write, *given, **_named(options))

    async def execute_batch(self, *given: Any, **options: Any) -> dict:
        """``ClientSession.execute_batch``."""
        return await self._run(self._session.execute_batch, *given, **options)

    def read(self, *given: Any, **options: Any) -> Coroutine[Any, Any, dict]:
        """``ClientSession.read``."""
        return self._run(self._session.read, *given, **_named(options))

    async def read_many(self, *given: Any, **options: Any) -> dict:
        """``ClientSession.read_many``."""
        return await self._run(self._session.read_many, *given, **options)

    async def read_all(self, *given: Any, **options: Any) -> dict:
        """``ClientSession.read_all``."""
        return await self._run(self._session.read_all, *given, **options)

    async def read_by(self, *given: Any, **options: Any) -> dict:
        """``ClientSession.read_by``."""
        return await self._run(self._session.read_by, *given, **options)

    async def execute_by(self, *given: Any, **options: Any) -> dict | None:
        """``ClientSession.execute_by``."""
        return await self._run(self._session.execute_by, *given, **options)

    async def token(self) -> str:
        """``ClientSession.token``, after the calls that were awaited before."""
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
        """``Client.open``; as many calls run at a time as there are connections."""
        threads = ThreadPoolExecutor(max_workers=connections_max, thread_name_prefix="shardway")
        opening = functools.partial(Client.open, conninfo, connections_max=connections_max, **options)
        try:
            client = await asyncio.get_running_loop().run_in_executor(threads, opening)
        except BaseException:
            threads.shutdown(wait=False)
            raise
        return cls(client, threads)

    def session(self) -> AsyncSession:
        """A session a user or request."""
        return AsyncSession(self._client.session(), self._threads)

    @property
    def client(self) -> Client:
        """The client behind: for what does not wait (``route_of``, ``totals``, ``generation``, ``report``)."""
        return self._client

    async def refresh(self) -> int:
        """``Client.refresh``."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._client.refresh)

    async def close(self) -> None:
        """Ends the background work and the threads."""
        await asyncio.get_running_loop().run_in_executor(None, self._client.close)
        self._threads.shutdown(wait=False)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()
