"""Answers that stream: the call that made one ends when its stream does."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from .audit_call import Call
from .audit_wait import loop_here
from .handlers import attribute


def watch(answer: Any, call: Call) -> bool:
    """Whether an answer streams; then its stream ends the call."""
    # What a handler of Nexios returns holds the response that is sent.
    for holder in (answer, attribute(answer, "_response")):
        for name in STREAMS:
            inner = attribute(holder, name)
            if hasattr(inner, "__anext__"):
                setattr(holder, name, Stream(inner, call, holder))
                return True
    return False


class Stream:
    """The stream of an answer. One that nobody reads to its end is recorded when it is thrown away."""

    def __init__(self, inner: Any, call: Call, answer: Any) -> None:
        self._inner, self._call, self._ended = inner, call, False
        # Not the answer itself, which holds this.
        self._status, self._seen, self._loop = _Status(answer), call.seen(), loop_here()

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._inner.__anext__()
        except StopAsyncIteration:
            await self._end(None)
            raise
        except BaseException as error:
            await self._end(error)
            raise

    async def aclose(self) -> None:
        """End it before its end."""
        close = attribute(self._inner, "aclose")
        if close is not None:
            await close()
        await self._end(GeneratorExit())

    async def _end(self, error: BaseException | None) -> None:
        if not self._ended:
            self._ended = True
            await self._call.ended(error, self._status, self._seen)

    def __del__(self) -> None:
        if self._ended or self._loop is None or self._loop.is_closed():
            return
        self._ended = True
        gone = functools.partial(self._call.ended, GeneratorExit(), None, self._seen)
        self._loop.call_soon_threadsafe(_begin, gone)


class _Status:
    def __init__(self, answer: Any) -> None:
        self.status_code = attribute(answer, "status_code")


def _begin(gone: Callable[[], Any]) -> None:
    task = asyncio.ensure_future(gone())
    _RUNNING.add(task)
    task.add_done_callback(_RUNNING.discard)


# The loop itself keeps only weak references to its tasks.
_RUNNING: set[asyncio.Future[Any]] = set()
# Where Starlette and Nexios keep the stream of an answer.
STREAMS = ("body_iterator", "content_iterator")
