"""Against a running server: `TUTELA_LIVE_URL` and `TUTELA_LIVE_KEY` (scopes events:write, ledger:read)."""

from __future__ import annotations

import os
import uuid

import pytest

from tutela import Invalid, NewEvent, Resource, Tutela, Unauthenticated

pytestmark = pytest.mark.skipif(
    not (os.environ.get("TUTELA_LIVE_URL") and os.environ.get("TUTELA_LIVE_KEY")),
    reason="no live server: set TUTELA_LIVE_URL and TUTELA_LIVE_KEY",
)


@pytest.fixture
async def live():
    async with Tutela(os.environ["TUTELA_LIVE_URL"], os.environ["TUTELA_LIVE_KEY"]) as client:
        yield client


async def test_what_is_recorded_is_found_and_proven(live):
    kind = f"sdk.live.{uuid.uuid4().hex}"
    event_id = await live.record(
        kind, action="read", resource=Resource("photo", "7"), source={"ip": "203.0.113.7"}, metadata={"n": 1}
    )
    found = [stored async for stored in live.events(type=kind)]
    assert [stored.event["id"] for stored in found] == [event_id]
    assert found[0].event["type"] == kind
    assert (await live.event(event_id)).leaf == found[0].leaf
    assert (await live.proof(event_id)).startswith("c2sp.org/tlog-proof@v1\n")
    assert len((await live.checkpoint()).split("\n")) >= 5


async def test_a_batch_is_answered_item_by_item(live):
    kind = f"sdk.live.{uuid.uuid4().hex}"
    answers = await live.record_many([NewEvent(kind), NewEvent("Not A Type!"), NewEvent(kind)])
    assert [answer.status == 201 for answer in answers] == [True, False, True]
    assert len([stored async for stored in live.events(type=kind, page=1)]) == 2


async def test_the_same_key_stores_once(live):
    kind, key = f"sdk.live.{uuid.uuid4().hex}", str(uuid.uuid4())
    first = await live.record(kind, idempotency_key=key)
    assert await live.record(kind, idempotency_key=key) == first
    assert len([stored async for stored in live.events(type=kind)]) == 1


async def test_wrong_fields_and_wrong_keys_are_refused(live):
    with pytest.raises(Invalid):
        await live.record("")
    async with Tutela(live.url, "tck_wrong") as stranger:
        with pytest.raises(Unauthenticated):
            await stranger.record("ping")


async def test_the_public_keys_can_be_read(live):
    assert all("d" not in key for key in (await live.jwks())["keys"])
