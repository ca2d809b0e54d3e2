"""`Tutela.ledger`: searching, counting, following and exporting what was recorded, and how long it stays.

    async for stored in tutela.ledger.search("type:auth.* outcome:failure after:2026-11-01"):
        print(stored.position, stored.event["time"])

`q` is the ledger's one query language; `tutela.query` writes it without a mistake in quoting. A query that
is wrong raises `Invalid`, and `problem["errors"][0]["at"]` is where.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from . import ledger_answers as answers
from .crypto_answers import member
from .errors import Corrupt
from .events import NewEvent
from .ledger_answers import Counts, Page, Recorded, Retention, StoredEvent, parsed
from .ledger_care import EventTypes, Holds, Sinks
from .ledger_stream import follow, lines, messages
from .settings import unknown

if TYPE_CHECKING:
    from .client import Tutela


class LedgerClient:
    """The calls under `/v1/events` and beside them. A `Tutela` makes its own.

    `event_types`, `holds` and `sinks` hold the calls of each.
    """

    def __init__(self, client: Tutela) -> None:
        self._client = client
        self.event_types = EventTypes(client)
        self.holds = Holds(client)
        self.sinks = Sinks(client)

    async def record(
        self, event: NewEvent, *, wait: str = "durable", idempotency_key: str | None = None
    ) -> Recorded:
        """Record one event. It is durable when this returns; with `wait="sequenced"` it has its position
        and its leaf hash too, so that a proof can be asked for at once."""
        _one_of("wait", wait, WAITS)
        params = {} if wait == "durable" else {"wait": wait}
        key = idempotency_key or str(uuid.uuid4())
        answer = await self._client._send("POST", "/v1/events", params=params, body=event.to_wire(), key=key)
        found = answers.recorded(parsed(answer.text))
        if wait == "sequenced" and (found.position is None or found.leaf is None):
            raise Corrupt("the server's answer has no `position` or no `leaf`", remote=True)
        return found

    async def pages(
        self, q: str = "", *, limit: int = 100, cursor: str | None = None, via: str | None = None
    ) -> AsyncIterator[Page]:
        """What `q` finds, newest first, page by page of up to `limit` events (1 to 1,000).

        `cursor` goes on behind an earlier page, whose `next` it is. `via="cluster"` asks the search
        cluster in place of the ledger.
        """
        if via is not None:
            _one_of("via", via, PLACES)
        params = _given(q=q or None, via=via, limit=str(limit))
        while True:
            if cursor is not None:
                params["cursor"] = cursor
            page = answers.page(await self._client._get("/v1/events", params))
            yield page
            if page.next is None:
                return
            if page.next == cursor:
                raise Corrupt("the server repeats a page of events", remote=True)
            cursor = page.next

    async def search(
        self,
        q: str = "",
        *,
        limit: int | None = None,
        cursor: str | None = None,
        page: int = 100,
        via: str | None = None,
    ) -> AsyncIterator[StoredEvent]:
        """What `q` finds, newest first; further pages are fetched as you iterate.

        `limit` ends the iteration after so many events; `page` is how many one request asks for.
        """
        left = limit
        if left is not None:
            if left <= 0:
                return
            page = min(page, left)
        async for found in self.pages(q, limit=page, cursor=cursor, via=via):
            for item in found.items:
                yield item
                if left is not None:
                    left -= 1
                    if left == 0:
                        return

    async def counts(self, q: str = "", *, by: str = "type") -> Counts:
        """How many events there are by `hour`, `day`, `type` or `outcome`, from hourly totals.

        `q` may hold `type`, `outcome`, `after` and `before` only.
        """
        _one_of("by", by, GROUPS)
        return answers.counts(await self._client._get("/v1/events/counts", _given(q=q or None, by=by)))

    def stream(self, q: str = "", *, start: str | None = None) -> AsyncIterator[StoredEvent]:
        """Events as they are recorded, without end, from the position `start` on, else from now on.

        After an interruption it goes on behind the last event, so none is missed and none comes twice.
        Raises `Unavailable` where the server stays away, or where the connection breaks before the first
        event and there is no `start`: then nothing says what was missed, and `search` finds it.
        """
        return follow(self._client, q, start)

    async def once(self) -> AsyncIterator[StoredEvent]:
        """Like `stream`, over one connection; it ends when the server ends it."""
        async for message in messages(self._client, {}):
            if message.data is not None:
                yield answers.stored(parsed(message.data))

    def export(self, q: str = "", *, format: str = "jsonl", proofs: bool = False) -> AsyncIterator[str]:
        """What `q` finds, oldest first, as lines of text without their ends. The export is itself an event.

        `format` is `jsonl`, `csv`, `ocsf` or `ecs`. With `proofs` each line also has `sealed` and `proof`,
        and the last is `{"checkpoint", "key"}`; without that one the export is not whole.
        """
        _one_of("format", format, FORMATS)
        params = _given(q=q or None, format=format, proofs="true" if proofs else None)
        return lines(self._client, "/v1/events/export", params, accept="*/*")

    async def retention(self) -> Retention:
        """How long events stay, and what is still there. Only the admin address has this call."""
        return answers.retention(await self._client._get("/v1/retention"))

    async def settings(self) -> Mapping[str, Any]:
        """What the server keeps of an application's events: `storage`, `retention_days` and `fields`."""
        found = await self._client._get("/v1/audit/settings")
        member(found, "storage", str), member(found, "retention_days", int), member(found, "fields", list)
        settings: Mapping[str, Any] = found
        return settings


def _given(**params: str | None) -> dict[str, str]:
    return {name: value for name, value in params.items() if value is not None}


def _one_of(field: str, value: str, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise ValueError(unknown(field, value, valid))


WAITS = ("durable", "sequenced")
PLACES = ("ledger", "cluster")
GROUPS = ("hour", "day", "type", "outcome")
FORMATS = ("jsonl", "csv", "ocsf", "ecs")
