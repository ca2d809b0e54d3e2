"""The ledger's care: declared types of events, holds against expiry, and the copies in search clusters.

Holds and copies are the operator's: only the admin address has these calls, so make the client with it.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import ledger_answers as answers
from .crypto_answers import member
from .errors import Corrupt
from .events import _time
from .ledger_answers import EventType, Hold, Report, Retried, Sink
from .transport import segment

if TYPE_CHECKING:
    from .client import Tutela


class EventTypes:
    """Which types of events are declared, and what is known of each."""

    def __init__(self, client: Tutela) -> None:
        self._client = client

    async def list(self) -> AsyncIterator[EventType]:
        """All of them."""
        async for item in _items(self._client, "/v1/event-types"):
            yield answers.event_type(item)

    async def get(self, name: str) -> EventType:
        """One by its name. Raises `NotFound`."""
        return answers.event_type(await self._client._get(_of("event-types", name)))

    async def put(self, declared: EventType) -> None:
        """Declare a type, or change the declaration of one. Raises `Conflict` for one that tutela or its
        configuration declares."""
        await self._client._send("PUT", _of("event-types", declared.name), body=declared.to_wire())

    async def delete(self, name: str) -> None:
        """Take a declaration back. Events of the type stay. Raises `NotFound`."""
        await self._client._send("DELETE", _of("event-types", name))


class Holds:
    """What must not expire while somebody still needs it."""

    def __init__(self, client: Tutela) -> None:
        self._client = client

    async def place(
        self, case: str, reason: str, *, q: str | None = None, until: datetime | str | None = None
    ) -> Hold:
        """Keep what `q` finds, or everything, until the hold is released or `until` has come."""
        body = {"case": case, "reason": reason, "q": q, "until": _time(until)}
        given = {name: value for name, value in body.items() if value is not None}
        return answers.hold(await self._client._post("/v1/holds", given))

    async def list(self) -> AsyncIterator[Hold]:
        """All of them, those that were released too."""
        async for item in _items(self._client, "/v1/holds"):
            yield answers.hold(item)

    async def release(self, hold: Hold | str, reason: str) -> None:
        """End a hold. What it kept expires as if it had never been."""
        path = f"{_of('holds', hold.id if isinstance(hold, Hold) else hold)}/release"
        await self._client._send("POST", path, body={"reason": reason}, key=str(uuid.uuid4()))


class Sinks:
    """The copies of the ledger in search clusters. The ledger is right where they differ."""

    def __init__(self, client: Tutela) -> None:
        self._client = client

    async def list(self) -> AsyncIterator[Sink]:
        """How far each is."""
        async for item in _items(self._client, "/v1/sinks"):
            yield answers.sink(item)

    async def rebuild(self, name: str) -> None:
        """Throw the copy away and write it again from the ledger's beginning. It has only begun when this
        returns; `list` tells how far it is."""
        await self._client._send("POST", f"{_of('sinks', name)}/rebuild", key=str(uuid.uuid4()))

    async def reconcile(self, name: str) -> Report:
        """Compare the copy with the ledger."""
        return answers.report(await self._client._post(f"{_of('sinks', name)}/reconcile", None))

    async def dead_letters(self, name: str) -> AsyncIterator[dict[str, Any]]:
        """What the cluster refused for good: `position`, `reason` and `refused_at` of each."""
        async for item in _items(self._client, f"{_of('sinks', name)}/dead-letters"):
            yield item

    async def retry(self, name: str) -> Retried:
        """Send the dead letters again."""
        return answers.retried(await self._client._post(f"{_of('sinks', name)}/retry", None))


async def _items(client: Tutela, path: str) -> AsyncIterator[dict[str, Any]]:
    """The items of a list, through its pages where it has some."""
    cursor: str | None = None
    while True:
        answer = await client._get(path, {} if cursor is None else {"cursor": cursor})
        for item in member(answer, "items", list):
            yield item
        following = answers.optional(answer, "next")
        if following is None:
            return
        if following == cursor:
            raise Corrupt("the server repeats a page", remote=True)
        cursor = following


def _of(kind: str, name: str) -> str:
    return f"/v1/{kind}/{segment(name, 'a name or id')}"
