"""`Tutela.ledger` against the wire: declared types, holds, retention, and copies in search clusters."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from tutela import EventType, NotFound
from tutela.ledger_answers import RetentionClass, Retried


async def test_types_are_declared_and_taken_back(client):
    types = client.ledger.event_types
    declared = EventType(
        "photo.shared",
        "a photo was shared",
        2,
        fields=({"name": "with", "personal": True, "example": "a@b"},),
    )
    await types.put(declared)
    assert await types.get("photo.shared") == declared
    assert [found.name async for found in types.list()] == ["photo.shared"]
    await types.delete("photo.shared")
    with pytest.raises(NotFound):
        await types.get("photo.shared")
    with pytest.raises(ValueError):
        await types.get("../events")


async def test_holds_are_placed_and_released(client):
    holds = client.ledger.holds
    made = await holds.place(
        "case 7", "the court asked", q="type:a", until=datetime(2027, 1, 1, tzinfo=timezone.utc)
    )
    assert (made.q, made.until, made.released_at) == ("type:a", "2027-01-01T00:00:00Z", None)
    await holds.place("case 8", "the court asked")
    await holds.release(made, "the case is closed")
    assert [(hold.id, hold.released_at is not None) async for hold in holds.list()] == [
        ("hold-0", True),
        ("hold-1", False),
    ]


async def test_retention_and_settings(client):
    kept = await client.ledger.retention()
    assert kept.classes == (RetentionClass("audit", 365, "default", expired_up_to=5),)
    assert (kept.first_position, kept.holds) == (3, 2)
    assert (await client.ledger.settings())["storage"] == "elasticsearch"


async def test_sinks(client, fake):
    sinks = client.ledger.sinks
    [sink] = [found async for found in sinks.list()]
    assert (sink.name, sink.behind, sink.state, sink.error) == ("opensearch", 2, "waiting", "no answer")
    await sinks.rebuild("opensearch")
    assert await sinks.retry("opensearch") == Retried(taken=2, refused=1)
    report = await sinks.reconcile("opensearch")
    assert (report.equal, report.ledger, report.cluster) == (False, 7, 6)
    assert (report.missing, report.extra, report.changed) == (("event-1",), (), ("event-3",))
    assert fake.ledger.asked == [("opensearch", verb, b"") for verb in ("rebuild", "retry", "reconcile")]
    assert [found["position"] async for found in sinks.dead_letters("opensearch")] == ["1", "2"]
