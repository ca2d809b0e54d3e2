"""One HTTP/1.1 request and its answer over one connection, with both under way at once.

httpx sends a whole request before it reads the first byte of the answer. Where the answer is as long as
the request and the server does not store it meanwhile, both sides end up waiting with full buffers. Here
whatever can be read is read before more is sent:

    piece -> [ read what is there, send what fits, else wait for either ] -> yield what came -> next piece

The sockets are used directly: an asyncio transport whose sending fails throws away what it has not read
yet, and that is the answer that says why. Nothing is under way while a piece is awaited or a chunk
yielded, so the caller's pace holds both directions back.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import h11
import httpx

from .errors import Unavailable
from .transport import is_loopback_name


class Broken(Exception):
    """The connection ended before the answer did."""


async def connect(url: str, timeout: float) -> socket.socket:
    """Connect to an http or https origin; the socket does not block. Raises `Unavailable`."""
    where = urlsplit(url)
    name = (where.hostname or "").rstrip(".")
    host = "127.0.0.1" if is_loopback_name(name) else name
    secure = where.scheme == "https"

    def opened() -> socket.socket:
        made = socket.create_connection((host, where.port or (443 if secure else 80)), timeout)
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if secure:
                made = httpx.create_ssl_context().wrap_socket(made, server_hostname=name)
            made.setblocking(False)
        except BaseException:
            made.close()
            raise
        return made

    try:
        return await anyio.to_thread.run_sync(opened)
    except (OSError, ValueError) as error:
        raise Unavailable(f"`{url}`: {type(error).__name__}", remote=True) from error


async def exchange(
    wire: socket.socket, request: h11.Request, source: AsyncGenerator[bytes, None], timeout: float
) -> AsyncIterator[h11.Response | bytes]:
    """Send `request` with `source` as its body; yield the head of the answer, then its bytes.

    Each wait lasts `timeout` seconds at most. Raises `Broken`, after all that came, where the answer does
    not come to its end, or comes to it before the request has: a refusal, or an answer to half a question.
    """
    answer = _Answer(wire, timeout)
    await answer.send(request)
    async with aclosing(source):
        async for piece in source:
            while answer.arrived:
                yield answer.arrived.popleft()
            if answer.stopped:
                break
            await answer.send(h11.Data(data=piece))
        else:
            if not answer.stopped:
                answer.asked = await answer.send(h11.EndOfMessage())
    while answer.arrived or not answer.ended:
        while answer.arrived:
            yield answer.arrived.popleft()
        if not answer.ended:
            await answer.receive()
    if answer.broken is not None:
        raise Broken(answer.broken)
    if not answer.asked:
        raise Broken("the server answered before it had read everything")


class _Answer:
    """The state of one exchange."""

    def __init__(self, wire: socket.socket, timeout: float) -> None:
        self.arrived: deque[h11.Response | bytes] = deque()
        self.asked = self.ended = False
        # Why it ended, where it is not its own end. Told last: what came before says what it was about.
        self.broken: str | None = None
        self._wire, self._timeout = wire, timeout
        self._http = h11.Connection(h11.CLIENT)
        self._deaf = False

    @property
    def stopped(self) -> bool:
        """Whether sending more makes no sense."""
        return self.ended or self._deaf

    async def send(self, event: h11.Request | h11.Data | h11.EndOfMessage) -> bool:
        """Send, and take in what comes meanwhile; whether all of it was sent.

        A server that takes nothing more may still have answered, so that alone is no failure.
        """
        left = memoryview(self._http.send(event) or b"")
        while left and not self.stopped:
            if self._take_what_is_there():
                continue
            try:
                left = left[self._wire.send(left) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                await self._wait(anyio.wait_readable, anyio.wait_writable)
            except ssl.SSLWantReadError:
                await self._wait(anyio.wait_readable)
            except OSError:
                self._deaf = True
        return not left

    async def receive(self) -> None:
        """Wait for more of the answer."""
        while not self._take_what_is_there() and not self.ended:
            await self._wait(anyio.wait_readable)

    async def _wait(self, *events: Callable[[Any], Awaitable[None]]) -> None:
        """Wait for the first of the events."""
        try:
            with anyio.fail_after(self._timeout):
                async with anyio.create_task_group() as tasks:

                    async def first(event: Callable[[Any], Awaitable[None]]) -> None:
                        await event(self._wire)
                        tasks.cancel_scope.cancel()

                    for event in events:
                        tasks.start_soon(first, event)
        except TimeoutError:
            self._break("the server neither takes nor says anything more")

    def _take_what_is_there(self) -> bool:
        """Read once without waiting; whether anything was there, be it the end."""
        try:
            data = self._wire.recv(AT_ONCE)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            data = b""
        try:
            self._http.receive_data(data)
            while True:
                event = self._http.next_event()
                if isinstance(event, h11.Response):
                    self.arrived.append(event)
                elif isinstance(event, h11.Data):
                    self.arrived.append(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    self.ended = True
                    return True
                elif not isinstance(event, h11.InformationalResponse):
                    break
        except h11.RemoteProtocolError:
            data = b""
        if not data:
            self._break("the answer broke off")
        return True

    def _break(self, why: str) -> None:
        self.broken, self.ended = why, True


AT_ONCE = 64 * 1024
