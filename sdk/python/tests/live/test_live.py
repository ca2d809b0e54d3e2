"""Against a running server: `TUTELA_LIVE_URL` and `TUTELA_LIVE_KEY` (scopes events:write, ledger:read).

The server may be in use: every event looked for has a type that this run made up.
"""

from __future__ import annotations

import os
import uuid

import anyio
import httpx
import pytest
from tlog_verify import Refused, verify

from tutela import Invalid, NewEvent, NotFound, Resource, Tutela, Unauthenticated
from tutela.transport import LoopbackNames

pytestmark = pytest.mark.skipif(
    not (os.environ.get("TUTELA_LIVE_URL") and os.environ.get("TUTELA_LIVE_KEY")),
    reason="no live server: set TUTELA_LIVE_URL and TUTELA_LIVE_KEY",
)


@pytest.fixture
async def live():
    async with Tutela(os.environ["TUTELA_LIVE_URL"], os.environ["TUTELA_LIVE_KEY"]) as client:
        yield client


@pytest.fixture
def kind():
    return f"sdk.live.{uuid.uuid4().hex}"


async def test_what_is_recorded_is_found_as_it_was_sent(live, kind):
    sent = {"ip": "203.0.113.7", "user_agent": "kiosk/2 „Süd“"}
    event_id = await live.record(
        kind, action="read", resource=Resource("photo", "7"), source=sent, metadata={"n": 1}
    )
    [stored] = [found async for found in live.events(type=kind)]
    assert stored.event["id"] == event_id
    assert stored.event["type"] == kind
    assert stored.event["action"] == "read"
    assert stored.event["resource"] == {"type": "photo", "id": "7"}
    assert stored.event["source"] == sent
    assert stored.event["metadata"] == {"n": 1}
    assert await live.event(event_id) == stored


async def test_a_record_is_proven_by_its_sealed_bytes_and_the_public_key_alone(live, kind):
    event_id = await live.record(kind, resource="sensitive_data", metadata={"name": "Grüße"})
    await proven(live, event_id)
    lines = (await live.checkpoint()).split("\n")
    assert int(lines[1]) > 0 and len(lines) >= 5


async def test_each_record_of_a_batch_is_proven_alone(live, kind):
    answers = await live.record_many([NewEvent(kind, metadata={"n": n}) for n in range(5)])
    places = [await proven(live, answer.id) for answer in answers]
    assert len({(place.index, place.item) for place in places}) == 5


async def test_a_batch_is_answered_item_by_item(live, kind):
    answers = await live.record_many([NewEvent(kind), NewEvent("Not A Type!"), NewEvent(kind)])
    assert [answer.status == 201 for answer in answers] == [True, False, True]
    assert isinstance(answers[1].error, Invalid)
    found = [stored.event["id"] async for stored in live.events(type=kind, page=1)]
    assert found == [answers[2].id, answers[0].id], "newest first, page by page"


async def test_the_same_key_stores_once(live, kind):
    key = str(uuid.uuid4())
    first = await live.record(kind, idempotency_key=key)
    assert await live.record(kind, idempotency_key=key) == first
    assert len([stored async for stored in live.events(type=kind)]) == 1


async def test_wrong_fields_and_wrong_keys_are_refused(live):
    with pytest.raises(Invalid):
        await live.record("")
    with pytest.raises(NotFound):
        await live.event(str(uuid.uuid4()))
    async with Tutela(live.url, "tck_wrong") as stranger:
        with pytest.raises(Unauthenticated):
            await stranger.record("ping")


async def test_an_open_stream_hears_what_is_recorded(live, kind):
    heard = anyio.Event()

    async def listen():
        async for stored in live.tail():
            if stored.event["type"] == kind:
                heard.set()
                return

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            # The stream tells what comes after it opened, and does not say when that was.
            while not heard.is_set():
                await live.record(kind)
                with anyio.move_on_after(0.1):
                    await heard.wait()


async def test_the_public_keys_can_be_read_without_a_key(live):
    keys = (await live.jwks())["keys"]
    # The gateway signs with EdDSA; clients may have tokens signed with other algorithms.
    assert any(key["kty"] == "OKP" for key in keys)
    assert not any({"d", "p", "q"} & key.keys() for key in keys)


async def proven(live, event_id):
    """Prove one record as an outsider would, and that one changed byte is not proven. Returns its place."""
    proof = (await live.proof(event_id)).encode()
    headers = {"authorization": f"Bearer {os.environ['TUTELA_LIVE_KEY']}"}
    transport = LoopbackNames(httpx.AsyncHTTPTransport())
    async with httpx.AsyncClient(base_url=live.url, transport=transport, timeout=PATIENCE_S) as http:
        event = (await http.get(f"/v1/events/{event_id}", headers=headers)).raise_for_status().json()
        key = (await http.get("/v1/ledger/key")).raise_for_status().text
    sealed = event["sealed"].encode()
    assert event_id.encode() in sealed
    place = verify(proof, sealed, key)
    position = str(place.index) if place.item is None else f"{place.index}.{place.item}"
    assert position == event["position"]
    with pytest.raises(Refused):
        verify(proof, sealed.replace(b"success", b"failure"), key)
    return place


PATIENCE_S = 20.0
