"""The client against the wire."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import anyio
import httpx
import pytest
from fake import ACCOUNT, document

from tutela import (
    Anonymous,
    Conflict,
    Corrupt,
    ExternalId,
    Invalid,
    NewEvent,
    NotFound,
    PermissionDenied,
    RateLimited,
    Resource,
    Tutela,
    TutelaError,
    Unauthenticated,
    Unavailable,
    User,
)


async def test_record_sends_each_field_as_given(client, fake):
    event_id = await client.record(
        "data_access",
        action="read",
        outcome="denied",
        reason="no consent",
        actor=ExternalId("photos", 42),
        resource=Resource("photo", "7"),
        source={"ip": "2001:db8::1", "user_agent": "curl/9"},
        time=datetime(2026, 1, 2, 3, 4, 5, 678, timezone(timedelta(hours=2))),
        metadata={"size": 3, "tags": ["ö"]},
        idempotency_key="key-1",
    )
    assert event_id == "event-0"
    assert fake.events == [
        (
            {
                "type": "data_access",
                "action": "read",
                "outcome": "denied",
                "reason": "no consent",
                "actor": {"namespace": "photos", "value": "42"},
                "resource": {"type": "photo", "id": "7"},
                "source": {"ip": "2001:db8::1", "user_agent": "curl/9"},
                "time": "2026-01-02T01:04:05.000678Z",
                "metadata": {"size": 3, "tags": ["ö"]},
            },
            "key-1",
        )
    ]
    _, _, headers = fake.requests[0]
    assert headers["host"] == "tutela.localhost:8080"
    assert headers["authorization"] == "Bearer tck_fake"


async def test_what_is_not_given_is_not_sent(client, fake):
    await client.record("ping", actor=User(id=ACCOUNT))
    assert fake.events[0][0] == {"type": "ping", "actor": ACCOUNT}


async def test_a_time_without_a_zone_and_a_subject_that_is_none_are_refused(client):
    for wrong in (
        {"time": datetime(2026, 1, 2)},  # noqa: DTZ001
        {"actor": 42},
        {"actor": ""},
        {"actor": Anonymous()},
    ):
        with pytest.raises(ValueError):
            await client.record("ping", **wrong)


async def test_an_invalid_event_names_its_fields(client):
    with pytest.raises(Invalid) as caught:
        await client.record("no name")
    assert caught.value.problem["errors"][0]["field"] == "type"
    assert caught.value.status == 400
    assert caught.value.remote


async def test_a_batch_answers_item_by_item_and_in_order(client, fake):
    answers = await client.record_many([NewEvent("a"), NewEvent("b c"), NewEvent("d")], idempotency_key="k")
    assert [(a.status, a.id) for a in answers] == [(201, "event-0"), (400, None), (201, "event-1")]
    assert isinstance(answers[1].error, Invalid)
    assert {key for _, key in fake.events} == {"k-0"}


async def test_a_large_batch_goes_in_parts(client, fake):
    answers = await client.record_many(NewEvent("many") for _ in range(10_001))
    assert len(answers) == 10_001
    assert sum(path == "/v1/events" for _, path, _ in fake.requests) == 2


async def test_search_follows_pages_and_stops_at_the_limit(client, fake):
    for number in range(7):
        await client.record("even" if number % 2 == 0 else "odd")
    assert [e.position async for e in client.events(page=2)] == ["6", "5", "4", "3", "2", "1", "0"]
    assert [e.position async for e in client.events(page=2, type="odd")] == ["5", "3", "1"]
    assert [e.position async for e in client.events(page=2, limit=3)] == ["6", "5", "4"]
    assert [e.position async for e in client.events(limit=0)] == []


async def test_one_event_the_checkpoint_and_a_proof(client, fake):
    await client.record("ping")
    assert (await client.event("event-0")).event == {"type": "ping"}
    assert await client.proof("event-0") == "proof event-0"
    assert await client.checkpoint() == "checkpoint "
    with pytest.raises(NotFound):
        await client.event("event-9")
    for wrong in ("..", "a/b", "a?b", ""):
        with pytest.raises(ValueError):
            await client.event(wrong)


async def test_the_stream_yields_stored_events(client):
    await client.record("one")
    await client.record("two")
    assert [e.event["type"] async for e in client.tail()] == ["one", "two"]


async def test_permission_questions(client, fake):
    fake.grants.add(("photos:42", "photos:delete", "photo/7"))
    assert await client.check(ExternalId("photos", 42), "photos:delete", "photo/7")
    answer = await client.check(ACCOUNT, "photos:delete")
    assert not answer
    assert answer.reason == "the test says so"


async def test_introspection(client):
    token = await client.introspect("good")
    assert (token.active, token.sub, token.roles) == (True, ACCOUNT, ("admin",))
    assert not (await client.introspect("bad")).active


async def test_a_passing_failure_is_retried_with_the_same_key(client, fake):
    fake.answers = [503]
    await client.record("ping")
    first, second = (headers["idempotency-key"] for _, _, headers in fake.requests)
    assert first == second
    assert len(fake.events) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Invalid),
        (401, Unauthenticated),
        (403, PermissionDenied),
        (404, NotFound),
        (409, Conflict),
        (429, RateLimited),
        (503, Unavailable),
    ],
)
async def test_each_problem_has_its_class(client, fake, status, error):
    fake.answers = [status] * 2
    with pytest.raises(error) as caught:
        await client.check(ACCOUNT, "admin")
    assert caught.value.problem == document(status, "told so by the test")
    assert str(caught.value) == "told so by the test"
    # Only what may pass is asked again.
    assert len(fake.requests) == (2 if status in (429, 503) else 1)


async def test_an_answer_that_is_no_problem_still_has_a_class():
    async def gateway(request):
        return httpx.Response(int(request.url.params["event"]), text="<h1>secret stack trace</h1>")

    client = Tutela(api_key="k", transport=httpx.MockTransport(gateway), retries=0)
    for status, error in ((403, PermissionDenied), (418, Invalid), (502, Unavailable), (503, Unavailable)):
        with pytest.raises(error) as caught:
            await client.proof(str(status))
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("body", ["", "[]", "null", "{}", '{"allowed":"yes"}', '{"allowed":1}', "<html>"])
async def test_an_answer_without_yes_or_no_is_no_permission(body):
    client = Tutela(api_key="k", transport=httpx.MockTransport(lambda _: httpx.Response(200, text=body)))
    with pytest.raises(Corrupt):
        await client.check(ACCOUNT, "admin")


async def test_broken_connections_and_redirects_are_no_answer():
    def broken(request):
        raise httpx.ConnectError("refused")

    client = Tutela(api_key="k", transport=httpx.MockTransport(broken), retries=1)
    with pytest.raises(Unavailable):
        await client.checkpoint()

    calls = []

    def moved(request):
        calls.append(request.url)
        return httpx.Response(307, headers={"location": "http://elsewhere.example/"})

    with pytest.raises(TutelaError):
        await Tutela(api_key="k", transport=httpx.MockTransport(moved)).checkpoint()
    assert len(calls) == 1


async def test_a_server_that_hangs_is_given_up():
    async def hang(request):
        await anyio.sleep_forever()

    client = Tutela(api_key="k", transport=httpx.MockTransport(hang), deadline=0.05)
    with pytest.raises(Unavailable):
        await client.checkpoint()


async def test_names_under_localhost_connect_to_loopback():
    seen = []

    def server(request):
        seen.append((str(request.url), request.headers["host"]))
        return httpx.Response(200, text="x")

    for url in ("http://tutela.localhost:8080", "http://localhost:9", "https://tutela.example.org"):
        await Tutela(url, "k", transport=httpx.MockTransport(server)).checkpoint()
    assert seen == [
        ("http://127.0.0.1:8080/v1/ledger/checkpoint", "tutela.localhost:8080"),
        ("http://127.0.0.1:9/v1/ledger/checkpoint", "localhost:9"),
        ("https://tutela.example.org/v1/ledger/checkpoint", "tutela.example.org"),
    ]


def test_the_environment_names_the_server(monkeypatch):
    monkeypatch.setenv("TUTELA_URL", "https://tutela.example.org/")
    assert Tutela().url == "https://tutela.example.org"
    for wrong in ("tutela.example.org", "ftp://x", "http://", "http://a:b@c", "http://a?b"):
        with pytest.raises(ValueError):
            Tutela(wrong)


async def test_without_a_key_nothing_is_asked(fake):
    client = Tutela(transport=httpx.ASGITransport(app=fake.app))
    with pytest.raises(Unauthenticated):
        await client.checkpoint()
    assert fake.requests == []
    assert (await client.jwks())["keys"]
