"""Answers of the ledger that come line by line: exports, and events as they are recorded.

    connect -> lines -> yield -> ... broken or ended -> wait -> connect again behind the last position

A stream goes on by itself as long as it knows from where. Where it does not, it says so instead of
leaving a gap that nobody sees.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import httpx

from .errors import Corrupt, RateLimited, TutelaError, Unavailable
from .ledger_answers import StoredEvent, parsed, stored
from .transport import TransportErrors, error_of

if TYPE_CHECKING:
    from .client import Tutela


@dataclass(frozen=True)
class Message:
    """A message of an event stream. Without `data` it only says where the stream stands."""

    id: str | None
    data: str | None


async def lines(
    client: Tutela,
    path: str,
    params: Mapping[str, str],
    *,
    accept: str,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[str]:
    """The lines of an answer as they come, without their ends. Nothing is retried.

    Only a line feed ends a line: JSON may hold the other characters that Unicode counts as ends.
    """
    sent = {**client._authorization(), "accept": f"{accept}, application/problem+json", **(headers or {})}
    patience = httpx.Timeout(client._timeout, read=SILENCE_S)
    rest: list[bytes] = []
    length = 0
    with TransportErrors(client.url):
        async with client._http.stream("GET", path, params=params, headers=sent, timeout=patience) as answer:
            if not answer.is_success:
                await answer.aread()
                raise error_of(answer)
            async for chunk in answer.aiter_bytes():
                *whole, left = chunk.split(b"\n")
                for piece in whole:
                    yield _text([*rest, piece])
                    rest, length = [], 0
                rest.append(left)
                length += len(left)
                if length > LONGEST_LINE:
                    raise Corrupt("a line of the server's answer does not end", remote=True)
    if length:
        yield _text(rest)


async def messages(
    client: Tutela, params: Mapping[str, str], last: str | None = None
) -> AsyncIterator[Message]:
    """The messages of one connection; an empty one for each comment, which says that somebody is there."""
    headers = {} if last is None else {"last-event-id": last}
    data: list[str] = []
    position: str | None = None
    found = lines(client, "/v1/events/stream", params, accept="text/event-stream", headers=headers)
    async with aclosing(found) as heard:  # type: ignore[type-var]
        async for line in heard:
            name, _, value = line.partition(":")
            if name == "data":
                data.append(value.removeprefix(" "))
            elif name == "id":
                position = value.removeprefix(" ")
            elif not line:
                yield Message(position, "\n".join(data) if data else None)
                data = []
            elif not name:
                yield Message(position, None)


async def follow(client: Tutela, q: str, start: str | None) -> AsyncIterator[StoredEvent]:
    """Events as they are recorded, across connections. See `LedgerClient.stream`."""
    params = {"q": q} if q else {}
    last: str | None = None
    failures = 0
    while True:
        known = {**params, "from": start} if last is None and start is not None else params
        failure: TutelaError = Unavailable(f"`{client.url}` ended the stream", remote=True)
        try:
            async with aclosing(messages(client, known, last)) as heard:  # type: ignore[type-var]
                async for message in heard:
                    failures = 0
                    last = message.id or last
                    if message.data is not None:
                        yield stored(parsed(message.data))
        except (RateLimited, Unavailable) as error:
            failure = error
        if (last is None and start is None) or failures == RECONNECTIONS:
            raise failure
        wait = min(FIRST_WAIT_S * 2**failures, LONGEST_WAIT_S) * random.uniform(0.5, 1.0)
        await anyio.sleep(failure.retry_after or wait)
        failures += 1


def _text(pieces: list[bytes]) -> str:
    try:
        return b"".join(pieces).removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        raise Corrupt("a line of the server's answer is no text", remote=True) from error


# The server says something at least every 15 s, be it only that it is there.
SILENCE_S = 60.0
# An event has 60 KiB at most; with its proof and in another form it may be several times that.
LONGEST_LINE = 16 << 20
RECONNECTIONS = 8
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
