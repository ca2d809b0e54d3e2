"""The audit log of an application against the real program. `TUTELA_BIN` names it.

The instance copies its ledger to a search cluster that is never there: what is recorded is durable, found
and proven all the same. With one that is there, see `test_audit_cluster.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import aclosing

import anyio
import pytest
from audit_stage import SCOPES, SIX, environment_of, found, security_events, sensitive_operation, settings
from documents import DOCUMENTS
from stage import Stage, free_ports
from tlog_verify import verify

from tutela import (
    AuditLogger,
    AuditMismatch,
    EventType,
    ExternalId,
    Invalid,
    NewEvent,
    NotFound,
    PermissionDenied,
    Tutela,
    User,
)
from tutela.query import query, term


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    if not os.environ.get("TUTELA_BIN"):
        pytest.skip("no program: set TUTELA_BIN to the file of `tutela`")
    [nobody] = free_ports(1)
    audit = settings(f"http://127.0.0.1:{nobody}")
    made = Stage(os.path.abspath(os.environ["TUTELA_BIN"]), tmp_path_factory.mktemp("audit"), audit)
    try:
        made.start_tutela()
        made.api_key, made.person = made.key(*SCOPES), made.account("ada@example.com")
        yield made
    finally:
        made.stop()


@pytest.fixture
async def client(stage, monkeypatch):
    environment_of(stage, monkeypatch)
    async with Tutela(stage.own, stage.api_key, timeout=20, deadline=60) as made:
        yield made


# === What an application writes ===


async def test_what_is_in_metadata_is_found_as_the_source(client, stage, kind):
    audit = AuditLogger(storage="elasticsearch", retention_days=365, fields=SIX, client=client)
    event_id = await audit.record(
        event_type=kind,
        user=User(id=stage.person),
        action="read",
        resource="sensitive_data",
        metadata={"ip": "203.0.113.9", "user_agent": None},
    )
    [event] = await found(client, query(term("type", kind), term("ip", "203.0.113.0/24")))
    assert (event["id"], event["action"], event["resource"]) == (event_id, "read", {"id": "sensitive_data"})
    assert (event["actor"]["type"], event["actor"]["id"]) == ("account", stage.person)
    assert event["source"] == {"ip": "203.0.113.9"}


async def test_each_end_of_a_function_is_on_record(client, kind):
    audit = AuditLogger(client)
    ends = {"success": None, "denied": PermissionDenied("no"), "failure": ValueError("Ada")}

    @audit.log(event_type=kind)
    async def work(error):
        if error is not None:
            raise error

    @audit.log(event_type=kind)
    def plain():
        return 1

    @audit.log(event_type=kind)
    async def wait():
        await asyncio.sleep(60)

    for error in ends.values():
        if error is None:
            await work(None)
        else:
            with pytest.raises(type(error)):
                await work(error)
    assert plain() == 1
    with anyio.move_on_after(0.05):
        await wait()
    outcomes = [event["outcome"] for event in await found(client, term("type", kind))]
    assert outcomes == ["unknown", "success", "failure", "denied", "success"]
    assert "Ada" not in str(await found(client, term("type", kind)))


async def test_numbers_of_the_application_are_people_in_its_namespace(client, kind, visit):
    await AuditLogger(client).log_security_event(kind, 42, {"attempts": 3})
    [event] = await found(client, query(term("actor", str(ExternalId("photos", 42))), term("type", kind)))
    assert event["source"] == {"ip": "198.51.100.7", "user_agent": "kiosk/2"}
    assert (await found(client, query(term("type", kind), "-actor:photos:42"))) == []


async def test_whoever_counts_on_more_is_told(client, kind):
    for more in ({"retention_days": 366}, {"storage": "opensearch"}):
        with pytest.raises(AuditMismatch, match=next(iter(more))):
            await AuditLogger(client=client, **more).record(kind)
    assert await found(client, term("type", kind)) == []


if DOCUMENTS:

    async def test_the_logger_in_the_documents_runs_as_it_stands(client, stage):
        await sensitive_operation(client, stage.person, "203.0.113.77")

    async def test_the_logger_with_a_database_in_the_documents_runs_as_it_stands(client, kind, visit):
        await security_events(client, kind)


# === What the package offers ===


async def test_a_record_that_has_its_place_is_proven_at_once(client, kind):
    made = await client.ledger.record(NewEvent(kind), wait="sequenced")
    stored = await client.event(made.id)
    assert (stored.position, stored.leaf) == (made.position, made.leaf)
    assert "c2sp.org/tlog-proof" in await client.proof(made.id)


async def test_values_with_quotes_are_found_and_mean_nothing_else(client, kind):
    names = ["plain", "two words", 'a "b" c', "back\\slash", "a,b", "type:x", "-minus", "Grüße"]
    for name in names:
        await client.record(kind, resource=name)
    for name in names:
        [event] = await found(client, query(term("type", kind), term("resource", name)))
        assert event["resource"] == {"id": name}
    with pytest.raises(Invalid) as caught:
        await found(client, f"type:{kind} nosuchfield:b")
    problem = caught.value.problem["errors"][0]
    assert (problem["field"], problem["at"]) == ("q", len(f"type:{kind} "))


async def test_counts_and_pages(client, kind):
    for outcome in ("success", "denied", "denied"):
        await client.record(kind, outcome=outcome)
    counts = await client.ledger.counts(term("type", kind), by="outcome")
    assert (counts.counts, counts.total) == ({"denied": 2, "success": 1}, 3)
    pages = [page async for page in client.ledger.pages(term("type", kind), limit=2)]
    assert [len(page.items) for page in pages] == [2, 1]


async def test_a_stream_misses_nothing_while_the_server_is_away(client, stage, kind):
    heard, first = [], await client.ledger.record(NewEvent(kind), wait="sequenced")

    async def listen():
        async with aclosing(client.ledger.stream(term("type", kind), start=first.position)) as events:
            async for stored in events:
                heard.append(stored.event["id"])

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            expected = [await client.record(kind) for _ in range(3)]
            await until(lambda: set(expected) <= set(heard))
            assert await asyncio.to_thread(stage.stop_tutela) == 0
            await asyncio.to_thread(stage.start_tutela)
            expected += [await client.record(kind) for _ in range(3)]
            await until(lambda: set(expected) <= set(heard))
            tasks.cancel_scope.cancel()
    assert [event for event in heard if event != first.id] == expected, "each once, and in order"


async def test_an_export_proves_each_line(client, kind):
    for number in range(3):
        await client.ledger.record(NewEvent(kind, metadata={"n": number}), wait="sequenced")
    *lines, last = [json.loads(line) async for line in client.ledger.export(term("type", kind), proofs=True)]
    assert len(lines) == 3 and set(last) == {"checkpoint", "key"}
    for line in lines:
        verify(line["proof"].encode(), line["sealed"].encode(), last["key"])
    assert await found(client, "type:ledger.exported")


async def test_types_holds_and_sinks(client, stage, kind):
    key = stage.key(*SCOPES, "event_types:write", "ledger:hold", "sinks:write")
    async with Tutela(stage.admin, key, timeout=20) as keeper:
        ledger = keeper.ledger
        fields = ({"name": "album", "personal": False, "example": "holidays"},)
        await ledger.event_types.put(EventType(kind, "an album was shared", 2, fields=fields))
        assert (await ledger.event_types.get(kind)).origin == "api"
        await keeper.record(kind, metadata={"album": "seaside"})
        await ledger.event_types.delete(kind)
        with pytest.raises(NotFound):
            await ledger.event_types.get(kind)
        hold = await ledger.holds.place("case 7", "the court asked", q=term("type", kind))
        await ledger.holds.release(hold, "the case is closed")
        assert [one.released_at is not None async for one in ledger.holds.list() if one.id == hold.id] == [
            True
        ]
        assert {one.name for one in (await ledger.retention()).classes} >= {"audit"}
        [sink] = [one async for one in ledger.sinks.list()]
        assert (sink.name, sink.state) == ("elasticsearch", "waiting")
        assert sink.behind > 0 and sink.error


async def until(ready):
    while not ready():
        await anyio.sleep(0.05)
