"""The audit log of an application with a real search cluster behind it.

`TUTELA_BIN` names the program, and `TUTELA_ELASTICSEARCH` the folder of an unpacked Elasticsearch. The
instance runs before its cluster does: what was recorded until then is copied as well.
"""

from __future__ import annotations

import os
from types import SimpleNamespace

import anyio
import pytest
from audit_stage import (
    INDEX,
    SCOPES,
    SIX,
    environment_of,
    found,
    security_events,
    sensitive_operation,
    settings,
)
from cluster import Elasticsearch
from documents import DOCUMENTS
from stage import Stage

from tutela import AuditLogger, ExternalId, Invalid, PermissionDenied, Resource, Tutela, User
from tutela.ledger_answers import Retried
from tutela.query import query, term

EARLY = "sdk.early"


@pytest.fixture(scope="module")
def cluster():
    server = Elasticsearch.named()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def stage(cluster, tmp_path_factory):
    if not os.environ.get("TUTELA_BIN"):
        pytest.skip("no program: set TUTELA_BIN to the file of `tutela`")
    folder = tmp_path_factory.mktemp("copied")
    made = Stage(os.path.abspath(os.environ["TUTELA_BIN"]), folder, settings(cluster.url))
    try:
        made.start_tutela()
        made.api_key, made.person = made.key(*SCOPES), made.account("ada@example.com")
        made.keeper = made.key("ledger:read", "sinks:write", "subjects:erase")
        assert made.operator("POST", "/v1/events", {"type": EARLY}).status_code == 201
        cluster.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
async def client(stage, monkeypatch):
    environment_of(stage, monkeypatch)
    async with Tutela(stage.own, stage.api_key, timeout=20, deadline=60) as made:
        yield made


@pytest.fixture
async def sinks(stage):
    """The copies, which only the admin address knows."""
    async with Tutela(stage.admin, stage.keeper, timeout=60, deadline=90) as made:
        yield made.ledger.sinks


async def caught_up(sinks):
    """Wait until the copy has everything; how it stands then."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            [sink] = [one async for one in sinks.list()]
            if (sink.behind, sink.state) == (0, "following"):
                return sink
            await anyio.sleep(0.1)


async def copied(events, cluster, sinks):
    """Wait for the documents of events; each as it stands in the cluster."""
    await caught_up(sinks)
    ids = [event["id"] for event in events]
    documents = cluster.documents(INDEX, {"ids": {"values": ids}})
    assert set(documents) == set(ids), "each is there, under its event's id"
    for event in events:
        document = documents[event["id"]]
        assert document["event"]["id"] == event["id"]
        assert document["tutela"]["type"] == event["type"]
        assert document["source"]["ip"] == event["source"]["ip"]
        assert document["user_agent"]["original"] == event["source"]["user_agent"]
    return [documents[event["id"]] for event in events]


async def is_equal(sinks):
    await caught_up(sinks)
    report = await sinks.reconcile("elasticsearch")
    assert (report.missing, report.extra, report.changed) == ((), (), ())
    assert report.equal and report.ledger == report.cluster >= report.up_to > 0
    return report


# === What an application writes is copied ===


async def test_what_was_recorded_before_the_cluster_was_there_is_copied(client, cluster, sinks):
    sink = await caught_up(sinks)
    assert (sink.name, sink.error, sink.dead_letters) == ("elasticsearch", None, 0)
    assert sink.cursor == sink.size > 0
    [event] = await found(client, f"type:{EARLY}")
    assert event["id"] in cluster.documents(INDEX, {"term": {"tutela.type": EARLY}})
    await is_equal(sinks)


async def test_every_end_of_a_function_is_copied(client, stage, cluster, sinks, kind):
    audit = AuditLogger(storage="elasticsearch", retention_days=365, fields=SIX, client=client)

    @audit.log(event_type=kind, resource=Resource("report", "7"))
    async def download(request):
        if request.user.id != stage.person:
            raise PermissionDenied()

    def request_of(person):
        peer = SimpleNamespace(host="203.0.113.5")
        return SimpleNamespace(user=User(id=person), client=peer, headers={"user-agent": "kiosk/4"})

    await download(request_of(stage.person))
    with pytest.raises(PermissionDenied):
        await download(request_of("01980000-0000-7000-8000-000000000001"))
    events = await found(client, term("type", kind))
    denied, done = await copied(events, cluster, sinks)
    assert [one["tutela"]["outcome"] for one in (denied, done)] == ["denied", "success"]
    assert done["user"]["id"] == stage.person
    assert done["tutela"]["resource"] == {"type": "report", "id": "7"}
    for q in (
        term("type", kind),
        query(term("type", kind), "outcome:denied"),
        query(term("type", kind), "ip:203.0.113.0/24", "resource:report/7"),
        query(term("type", kind), term("actor", stage.person)),
        query(term("type", kind), "-outcome:denied,success"),
    ):
        there = await found(client, q, via="cluster", page=1)
        assert there == await found(client, q, page=1), q
    with pytest.raises(Invalid):
        await found(client, "nosuchfield:x", via="cluster")


if DOCUMENTS:

    async def test_the_logger_in_the_documents_is_copied(client, stage, cluster, sinks):
        events = await sensitive_operation(client, stage.person, "203.0.113.77")
        own, around = await copied(events, cluster, sinks)
        assert (own["event"]["action"], own["tutela"]["resource"]) == ("read", {"id": "sensitive_data"})
        assert around["event"]["action"] == "sensitive_operation"
        assert own["user"]["id"] == around["user"]["id"] == stage.person
        there = await found(client, "ip:203.0.113.77", via="cluster")
        assert there == await found(client, "ip:203.0.113.77") and len(there) == 2
        await is_equal(sinks)

    async def test_the_logger_with_a_database_in_the_documents_is_copied(client, cluster, sinks, kind, visit):
        events = await security_events(client, kind)
        seven, nobody = await copied(events, cluster, sinks)
        assert seven["tutela"]["metadata"] == {"n": 1}
        assert nobody["tutela"]["actor"]["type"] == "client"
        there = await found(client, query(term("type", kind), "actor:photos:7"), via="cluster")
        assert there == events[:1]
        await is_equal(sinks)


# === Looking after the copy ===


async def test_a_copy_that_somebody_changed_is_found_out_and_built_again(client, cluster, sinks, kind):
    gone, changed, kept = [await client.record(kind, metadata={"n": n}) for n in range(3)]
    await caught_up(sinks)
    cluster.documents(INDEX, {"match_all": {}})
    [index] = {hit["_index"] for hit in cluster.ask("GET", f"/{INDEX}/_search").json()["hits"]["hits"]}
    assert cluster.ask("DELETE", f"/{index}/_doc/{gone}").is_success
    forged = {"doc": {"tutela": {"outcome": "denied"}}}
    assert cluster.ask("POST", f"/{index}/_update/{changed}", forged).is_success
    report = await sinks.reconcile("elasticsearch")
    assert (report.equal, report.missing, report.extra, report.changed) == (False, (gone,), (), (changed,))
    assert report.cluster == report.ledger - 1
    await sinks.rebuild("elasticsearch")
    await is_equal(sinks)
    assert set(cluster.documents(INDEX, {"term": {"tutela.type": kind}})) == {gone, changed, kept}
    assert await sinks.retry("elasticsearch") == Retried(taken=0, refused=0)
    assert [letter async for letter in sinks.dead_letters("elasticsearch")] == []


async def test_what_was_about_a_person_goes_with_them_from_both(client, stage, cluster, sinks, kind):
    nurse, patient = ExternalId("photos", 1), ExternalId("photos", 117)
    audit = AuditLogger(client)
    event_id = await audit.record(kind, user=nurse, subject=patient, metadata={"ward": "seaside"})
    [event] = await found(client, term("type", kind))
    assert event["metadata"] == {"ward": "seaside"} and event["actor"]["id"] == "1"
    await caught_up(sinks)
    assert "seaside" in str(cluster.documents(INDEX, {"term": {"tutela.type": kind}}))
    asked = {"subject": patient.to_wire(), "reason": "they asked for it"}
    erased = stage.operator("POST", "/v1/crypto/subjects/erase", asked)
    assert erased.is_success, erased.text
    with anyio.fail_after(PATIENCE_S):
        while "seaside" in str(cluster.documents(INDEX, {"term": {"tutela.type": kind}})):
            await anyio.sleep(0.2)
    [event] = await found(client, term("type", kind))
    assert "metadata" not in event and event["actor"]["id"] == "1"
    assert set(cluster.documents(INDEX, {"term": {"tutela.type": kind}})) == {event_id}
    await is_equal(sinks)


# After an outage it is tried again within 30 s.
PATIENCE_S = 60.0
