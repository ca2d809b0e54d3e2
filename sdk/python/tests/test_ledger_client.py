"""`Tutela.ledger` against the wire: asking, following, exporting, and keeping."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import httpx
import pytest
from fake import ACCOUNT

from tutela import Corrupt, ExternalId, Invalid, NewEvent, Resource, Tutela, Unavailable
from tutela import ledger_stream as streams
from tutela.query import phrase, query, quoted, search_terms, term


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr(streams, "FIRST_WAIT_S", 0.0)


async def fill(client, *types):
    for name in types:
        await client.record(name)


# === The language ===


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("auth.login", "auth.login"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("2001:db8::1", "2001:db8::1"),
        ("auth.*", "auth.*"),
        ("two words", '"two words"'),
        ('say "hi"', r'"say \"hi\""'),
        ("back\\slash", r'"back\\slash"'),
        ("a,b", '"a,b"'),
        ("-minus", '"-minus"'),
        ("Grüße", '"Grüße"'),
        ("", '""'),
        ("a type:b", '"a type:b"'),
        ("line\nbreak", '"line\nbreak"'),
    ],
)
def test_values_are_quoted_where_they_must_be(value, written):
    assert quoted(value) == written


def test_terms_make_a_query():
    assert query(term("outcome", "failure", "denied"), None, phrase("a:b")) == 'outcome:failure,denied "a:b"'
    assert query() == ""
    with pytest.raises(ValueError, match="outcome"):
        term("outcome")
    written = search_terms(
        type="data access",
        actor=ExternalId("photos", 'o"hara'),
        resource=Resource("photo", "4 2"),
        outcome="denied",
        since=datetime(2026, 11, 1, tzinfo=timezone.utc),
        until="2026-12-01",
        words="no -consent type:x",
    )
    assert written == (
        r'type:"data access" actor:"photos:o\"hara" resource:"photo/4 2" outcome:denied '
        'after:2026-11-01T00:00:00Z before:2026-12-01 "no" "-consent" "type:x"'
    )


async def test_the_clients_own_filters_become_a_query(client, fake):
    await client.record(
        "data_access", actor=ExternalId("photos", 'a "b", c'), resource=Resource("photo", "7")
    )
    await client.record("data_access", actor=ACCOUNT, metadata={"note": "Grüße"}, time="2026-11-05T00:00:00Z")
    for filters, found in (
        ({"actor": ExternalId("photos", 'a "b", c')}, ["0"]),
        ({"actor": ACCOUNT, "type": "data_access"}, ["1"]),
        ({"resource": "photo/7"}, ["0"]),
        ({"words": "Grüße"}, ["1"]),
        ({"since": datetime(2026, 11, 4, tzinfo=timezone.utc)}, ["1"]),
        ({"until": "2026-11-04"}, ["0"]),
        ({}, ["1", "0"]),
    ):
        assert [e.position async for e in client.events(**filters)] == found, filters


# === Asking ===


async def test_search_follows_pages_and_a_cursor_goes_on(client, fake):
    await fill(client, *"abababa")
    ledger = client.ledger
    assert [e.position async for e in ledger.search("type:a", page=2)] == ["6", "4", "2", "0"]
    assert [e.position async for e in ledger.search("-type:a", limit=2)] == ["5", "3"]
    pages = [page async for page in ledger.pages(limit=3)]
    assert [[e.position for e in page.items] for page in pages] == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
    assert [e.position async for e in ledger.search(limit=2, cursor=pages[0].next)] == ["3", "2"]
    asked = len(fake.requests)
    assert [e async for e in ledger.search(limit=0)] == []
    assert [e async for e in ledger.search(limit=7, page=7)] and len(fake.requests) == asked + 1


async def test_a_wrong_query_says_where(client):
    with pytest.raises(Invalid) as caught:
        [e async for e in client.ledger.search("type:a wrong:b")]
    assert caught.value.status == 422
    assert caught.value.problem["errors"][0]["field"] == "q"
    assert caught.value.problem["errors"][0]["at"] == 6
    for wrong in (client.ledger.pages(via="cloud"), client.ledger.search(via="cloud")):
        with pytest.raises(ValueError, match="via.*ledger.*cluster"):
            await anext(wrong)


async def test_wrong_parameters_are_invalid_as_wrong_queries_are(client):
    with pytest.raises(Invalid) as caught:
        [e async for e in client.ledger.search(cursor="x")]
    assert (caught.value.status, caught.value.problem["errors"][0]["field"]) == (422, "cursor")


async def test_an_event_that_cannot_be_opened_says_so(client, fake):
    await fill(client, "a", "b")
    fake.events[0][0]["unreadable"] = True
    assert [(e.position, e.unreadable) async for e in client.ledger.search()] == [("1", False), ("0", True)]


async def test_counts(client):
    await fill(client, *"aab")
    found = await client.ledger.counts(by="type")
    assert (found.counts, found.total) == ({"a": 2, "b": 1}, 3)
    assert (await client.ledger.counts("type:a", by="outcome")).counts == {"success": 2}
    with pytest.raises(Invalid):
        await client.ledger.counts("words")
    with pytest.raises(ValueError, match="by.*did you mean `hour`"):
        await client.ledger.counts(by="hours")


async def test_a_record_waits_for_its_place_where_asked(client, fake):
    found = await client.ledger.record(NewEvent("a", request={"method": "GET", "status": 200}))
    assert (found.id, found.position, found.leaf) == ("event-0", None, None)
    found = await client.ledger.record(NewEvent("b"), wait="sequenced", idempotency_key="k")
    assert (found.id, found.position, found.leaf) == ("event-1", "1", "00" * 32)
    assert [key for _, key in fake.events][1] == "k"
    with pytest.raises(ValueError, match="wait"):
        await client.ledger.record(NewEvent("c"), wait="forever")


# === Following ===


def scripted(*answers, asked=None):
    """A client whose connections bring these pieces one after the other, and break where one is an error."""
    left = list(answers)

    async def pieces(answer):
        for piece in answer:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def answer(request):
        if asked is not None:
            asked.append(request.headers)
        if not left:
            raise httpx.ConnectError("gone")
        return httpx.Response(200, content=pieces(left.pop(0)))

    return Tutela(api_key="k", transport=httpx.MockTransport(answer))


async def take(events, count):
    found = []
    async for event in events:
        found.append(event.position)
        if len(found) == count:
            break
    await events.aclose()
    return found


async def test_a_stream_that_breaks_goes_on_behind_the_last_event(client, fake):
    await fill(client, *"abcab")
    fake.ledger.breaks = [2, 1, 0, 9]
    assert await take(client.ledger.stream(), 5) == ["0", "1", "2", "3", "4"]
    assert fake.ledger.resumed == [None, "1", "2", "2"]


async def test_a_broken_connection_is_resumed_and_half_a_message_is_none():
    def message(n):
        stored = {"position": str(n), "event": {"type": "a"}, "leaf": "00"}
        return f"id: {n}\ndata: {json.dumps(stored)}\n\n".encode()

    asked = []
    first = [message(0), message(1)[:20], httpx.ReadError("reset")]
    client = scripted(first, [httpx.ReadTimeout("silent")], [message(1), message(2)], asked=asked)
    assert await take(client.ledger.stream(), 3) == ["0", "1", "2"]
    assert [headers.get("last-event-id") for headers in asked] == [None, "0", "0"]


async def test_a_place_that_the_server_names_before_the_first_event_is_kept():
    asked = []
    client = scripted([b"id: 6\n\n"], [b"id: 6\n\n"], asked=asked)
    with pytest.raises(Unavailable):
        await anext(client.ledger.stream())
    assert [headers.get("last-event-id") for headers in asked[:2]] == [None, "6"]


async def test_a_stream_begins_where_it_is_told_and_asks_only_for_what_is_wanted(client, fake):
    await fill(client, *"abcab")
    fake.ledger.breaks = [0]
    assert await take(client.ledger.stream("type:a", start="1"), 1) == ["3"]
    assert fake.ledger.resumed == [None, None]


async def test_a_stream_that_does_not_know_its_place_says_so(client, fake):
    with pytest.raises(Unavailable, match="ended the stream"):
        await take(client.ledger.stream(), 1)
    fake.ledger.breaks = [0]
    with pytest.raises(Unavailable):
        await take(client.ledger.stream(), 1)


async def test_a_server_that_stays_away_ends_the_stream(client, fake):
    await fill(client, "a")
    found = client.ledger.stream()
    assert (await anext(found)).position == "0"
    fake.down = True
    with pytest.raises(Unavailable):
        await anext(found)
    away = [path for _, path, _ in fake.requests].count("/v1/events/stream") - len(fake.ledger.resumed)
    assert away == streams.RECONNECTIONS or away == streams.RECONNECTIONS + 1


async def test_a_key_that_is_taken_away_ends_the_stream_at_once(client, fake):
    await fill(client, "a")
    found = client.ledger.stream()
    await anext(found)
    fake.key = "tck_other"
    with pytest.raises(Exception, match="told so"):
        await anext(found)


# === Exporting ===


async def test_an_export_comes_line_by_line_whatever_stands_in_it(client, fake):
    # JSON may hold these as they are, and only the line feed ends a line.
    odd = "a\u2028b\u0085c\x0bd"
    await client.record("a", metadata={"odd": odd})
    await client.record("b")
    lines = [line async for line in client.ledger.export("type:a")]
    assert [json.loads(line)["event"]["metadata"]["odd"] for line in lines] == [odd]
    proven = [json.loads(line) async for line in client.ledger.export(proofs=True)]
    assert [set(line) >= {"sealed", "proof"} for line in proven] == [True, True, False]
    assert proven[-1] == {"checkpoint": "c", "key": "k"}
    with pytest.raises(ValueError, match="format.*jsonl"):
        client.ledger.export(format="json")
    fake.answers = [403]
    with pytest.raises(Exception, match="told so"):
        [line async for line in client.ledger.export()]


async def test_a_line_without_end_is_not_kept_in_memory(monkeypatch):
    monkeypatch.setattr(streams, "LONGEST_LINE", 100)
    for body, error in ((b"x" * 200, "does not end"), (b"\xff\n", "no text")):
        with pytest.raises(Corrupt, match=error):
            [line async for line in scripted([body]).ledger.export()]
    assert [line async for line in scripted([b"a\r", b"\nb\n", b"", b"\nc"]).ledger.export()] == [
        "a",
        "b",
        "",
        "c",
    ]


async def test_an_export_that_breaks_off_is_none():
    found = []
    with pytest.raises(Unavailable):
        async for line in scripted([b"a\nb", httpx.ReadError("reset")]).ledger.export():
            found.append(line)
    assert found == ["a"]
