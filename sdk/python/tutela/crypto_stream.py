"""Sealing and opening of whole files, piece by piece, at any length.

The server answers while it still reads, so a client that sends everything before it reads would wait for
a server that waits for it. `duplex` does both at once, on a connection of its own.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote, urlencode, urlsplit

import anyio
import anyio.to_thread
import h11
import httpx

from .crypto_items import context_to_wire
from .duplex import Broken, connect, exchange
from .errors import Corrupt, TutelaError, Unavailable
from .transport import error_of

if TYPE_CHECKING:
    from .client import Tutela

Source = bytes | os.PathLike[str] | BinaryIO | Iterable[bytes] | AsyncIterable[bytes]
"""Where the bytes come from: a path, an open file, any iteration over bytes, or the bytes themselves."""


async def stream(
    client: Tutela, verb: str, source: Source, context: str | None, params: Mapping[str, str]
) -> AsyncIterator[bytes]:
    """POST a source to `/v1/crypto/streams/VERB` and yield the answer as it comes. Nothing is retried."""
    if isinstance(source, str):
        raise ValueError("a source is bytes or something that yields them; for a file, pass a pathlib.Path")
    if client._given_transport is not None:
        raise ValueError("a stream opens a connection of its own, which `transport` does not cover")
    where = urlsplit(client.url)
    target = f"{where.path}/v1/crypto/streams/{verb}" + (f"?{urlencode(params)}" if params else "")
    headers = {
        **client._authorization(),
        "host": where.netloc,
        "user-agent": "tutela-python",
        "content-type": "application/octet-stream",
        "accept": "application/octet-stream, application/problem+json",
        "transfer-encoding": "chunked",
        "connection": "close",
    }
    # In a header and not in the query, since addresses are logged and a context may be about a person.
    if context is not None:
        context_to_wire(context)
        headers["tutela-context"] = quote(context, safe="")
    request = h11.Request(method="POST", target=target, headers=list(headers.items()))
    head: h11.Response | None = None
    body = b""
    try:
        with await connect(client.url, client._timeout) as wire:
            async for found in exchange(wire, request, pieces(source), client._timeout):
                if isinstance(found, h11.Response):
                    head = found
                elif head is None or head.status_code == 200:
                    yield found
                elif len(body) < LONGEST_PROBLEM:
                    body += found
    except Broken as error:
        if head is None or head.status_code == 200:
            raise _broken(client.url, verb, head is not None) from error
    if head is not None and head.status_code != 200:
        raise error_of(httpx.Response(head.status_code, headers=list(head.headers), content=body))


def _broken(url: str, verb: str, begun: bool) -> TutelaError:
    """A server that finds a wrong byte after it began to answer can only break the answer off."""
    if verb == "decrypt" and begun:
        return Corrupt("the message does not open, or the connection broke: discard what came", remote=True)
    return Unavailable(f"`{url}`: the connection broke", remote=True)


async def pieces(source: Any) -> AsyncGenerator[bytes, None]:
    """The source in pieces of bounded length."""
    if isinstance(source, os.PathLike):
        async with await anyio.open_file(source, "rb") as file:
            while piece := await file.read(PIECE):
                yield piece
        return
    if isinstance(source, (bytes, bytearray, memoryview)):
        source = [source]
    if callable(getattr(source, "read", None)):
        while piece := await anyio.to_thread.run_sync(source.read, PIECE):
            yield piece
    elif isinstance(source, AsyncIterable):
        async for whole in source:
            for piece in _cut(whole):
                yield piece
    else:
        for whole in source:
            for piece in _cut(whole):
                yield piece


def _cut(whole: Any) -> Iterable[bytes]:
    if not isinstance(whole, (bytes, bytearray, memoryview)):
        raise ValueError(f"a source yields bytes, not {type(whole).__name__}")
    view = memoryview(whole).cast("B")
    return (bytes(view[at : at + PIECE]) for at in range(0, len(view), PIECE))


async def write_file(target: str | os.PathLike[str], chunks: AsyncIterator[bytes]) -> None:
    """Write to a file beside `target`, and give it the name when all of it is there.

    Only the owner may read it: half of what passes here is plaintext.
    """
    path = Path(target)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        async with await anyio.open_file(part, "xb", opener=_private) as file:
            async for chunk in chunks:
                await file.write(chunk)
        await anyio.to_thread.run_sync(os.replace, part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


PIECE = 64 * 1024
# An error's document is short; whatever is longer is none of ours.
LONGEST_PROBLEM = 64 * 1024
