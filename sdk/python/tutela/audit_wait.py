"""Getting a record out whatever happens to whoever asked for it.

A task that is cancelled leaves its recording to a task of its own. A thread that cannot await hands it to
the event loop it works for, or to a loop that lives as long as this one record.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.from_thread

if TYPE_CHECKING:
    from .client import Tutela

T = TypeVar("T")


async def survive(
    sending: Coroutine[Any, Any, Exception | None], tell: Callable[[Exception], None]
) -> Exception | None:
    """Run to the end, even where the caller is cancelled; then `tell` hears what went wrong.

    `sending` returns its failure and never raises.
    """
    task = asyncio.ensure_future(sending)
    _RUNNING.add(task)
    task.add_done_callback(_RUNNING.discard)

    def late(done: asyncio.Future[Exception | None]) -> None:
        failed = None if done.cancelled() else done.result()
        if failed is not None:
            tell(failed)

    try:
        # The scope holds back anyio, which would cancel again and again; the shield holds back asyncio.
        with anyio.CancelScope(shield=True):
            await asyncio.shield(task)
        return task.result()
    except asyncio.CancelledError:
        task.add_done_callback(late)
        raise


def wait_here(make: Callable[[Tutela], Coroutine[Any, Any, T]], client: Tutela) -> T:
    """Run a coroutine from code that cannot await, and wait for it.

    In a worker thread of anyio (plain handlers of Starlette and FastAPI run in one) it runs on the loop
    that the client belongs to. Elsewhere it runs in a thread with connections of its own, so it costs a
    connection each time; on the thread of an event loop it holds that loop up, as plain functions do.
    """
    loop = _loop_of_worker()
    if loop is not None:
        # Not anyio's way, which would cancel it together with the request.
        return asyncio.run_coroutine_threadsafe(make(client), loop).result()

    async def alone() -> T:
        own = client.twin()
        try:
            return await make(own)
        finally:
            await own.aclose()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(contextvars.copy_context().run, asyncio.run, alone()).result()


def loop_here() -> asyncio.AbstractEventLoop | None:
    """The event loop of this thread, or the one that it works for."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return _loop_of_worker()


def _loop_of_worker() -> asyncio.AbstractEventLoop | None:
    try:
        return anyio.from_thread.run_sync(asyncio.get_running_loop)
    except RuntimeError:
        return None


# The loop itself keeps only weak references to its tasks.
_RUNNING: set[asyncio.Future[Any]] = set()
