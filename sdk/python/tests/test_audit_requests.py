"""`@audit.log`: generators, answers that stream, and who it was that asked."""

from __future__ import annotations

import asyncio
import gc
import inspect
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace

import anyio
import anyio.to_thread
import httpx
import pytest
from fake import ACCOUNT
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from tutela import (
    Guard,
    PermissionDenied,
    User,
)
from tutela.audit import AuditLogger


@pytest.fixture
def audit(client):
    return AuditLogger(client)


def ends(fake):
    return [
        (event["type"], event["action"], event["outcome"], event.get("reason")) for event, _ in fake.events
    ]


# === Generators and streams ===


async def test_generators_end_when_they_have_been_read(audit, fake):
    @audit.log
    async def count():
        for n in range(3):
            yield n

    @audit.log
    def plain():
        yield 1
        return 2

    assert inspect.isasyncgenfunction(count) and inspect.isgeneratorfunction(plain)
    assert [n async for n in count()] == [0, 1, 2]
    assert list(plain()) == [1]
    opened = count()
    assert await anext(opened) == 0
    assert len(fake.events) == 2
    await opened.aclose()
    half = plain()
    next(half)
    half.close()
    assert [end[2:] for end in ends(fake)] == [("success", None)] * 2 + [("unknown", "client gone")] * 2
    count()
    plain()
    gc.collect()
    assert len(fake.events) == 4, "what never ran has no end"


async def test_generators_that_manage_something_still_get_what_is_thrown_in(audit, fake):
    seen = []

    @asynccontextmanager
    @audit.log
    async def managed():
        try:
            yield 1
        except ValueError:
            seen.append("async")

    @contextmanager
    @audit.log
    def plain():
        try:
            yield 1
        except ValueError:
            seen.append("plain")
            raise

    async with managed():
        raise ValueError
    with pytest.raises(ValueError), plain():
        raise ValueError
    assert seen == ["async", "plain"]
    assert [end[2:] for end in ends(fake)] == [("success", None), ("failure", "ValueError")]


async def stream_of(*pieces, error=None):
    for piece in pieces:
        yield piece
    if error is not None:
        raise error


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_an_answer_that_streams_ends_with_its_stream(audit, fake, kind):
    def plain(error):
        return StreamingResponse(stream_of(b"a", b"b", error=error))

    async def handler(error):
        return plain(error)

    audited = audit.log(event_type="report")(handler if kind == "async" else plain)

    async def run(error=None):
        if kind == "async":
            return await audited(error)
        return await anyio.to_thread.run_sync(audited, error)

    answer = await run()
    assert fake.events == []
    assert [piece async for piece in answer.body_iterator] == [b"a", b"b"]
    broken = await run(OSError())
    with pytest.raises(OSError):
        [piece async for piece in broken.body_iterator]
    unread, half, closed = await run(), await run(), await run()
    await anext(half.body_iterator)
    await closed.body_iterator.aclose()
    del unread, half
    gc.collect()
    await asyncio.sleep(0.1)
    gone = ("unknown", "client gone")
    assert [end[2:] for end in ends(fake)] == [("success", None), ("failure", "OSError"), gone, gone, gone]


# === Who it was ===


def app_of(audit, security, fake):
    @audit.log
    @security.authenticate
    async def outside(request):
        return JSONResponse({})

    @security.authenticate
    @audit.log
    async def inside(request):
        return JSONResponse({})

    @security.authenticate
    @audit.log
    def plain(request):
        return JSONResponse({})

    @audit.log
    async def public(request):
        return StreamingResponse(stream_of(b"a"))

    found = {"outside": outside, "inside": inside, "plain": plain, "public": public}
    return [Route(f"/{name}", handler) for name, handler in found.items()]


@pytest.mark.parametrize("guarded", [True, False])
async def test_it_stacks_with_authentication(audit, security, fake, guarded):
    middleware = [Middleware(Guard, security=security)] if guarded else []
    app = Starlette(routes=app_of(audit, security, fake), middleware=middleware)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=("192.0.2.9", 4711))
    headers = {"tutela-identity": fake.token(), "user-agent": "curl/9"}
    async with httpx.AsyncClient(transport=transport, base_url="http://photos.localhost") as http:
        for name in ("outside", "inside", "plain"):
            assert (await http.get(f"/{name}", headers=headers)).status_code == 200
        assert (await http.get("/public")).text == "a"
        await http.get("/outside")
    found = [event for event, _ in fake.events]
    assert [event.get("actor") for event in found] == [ACCOUNT, ACCOUNT, ACCOUNT, None, None]
    assert {event["source"]["ip"] for event in found} == {"192.0.2.9"}
    assert [event["metadata"]["request"]["path"] for event in found[:2]] == ["/outside", "/inside"]
    assert ends(fake)[-1] == ("app.outside", "outside", "denied", "Unauthenticated")


async def test_the_plain_requests_of_a_script_are_read(audit, fake):
    @audit.log
    async def handle(first, request, response=None):
        pass

    headers = {"User-Agent": "kiosk/2"}
    client = SimpleNamespace(host="192.0.2.1")
    request = SimpleNamespace(user=User(id=ACCOUNT), client=client, headers=headers)
    await handle(object(), request)
    await handle(object(), request=request, response=SimpleNamespace(headers={}, status_code=200))
    for event, _ in fake.events:
        assert event["actor"] == ACCOUNT
        assert event["source"] == {"ip": "192.0.2.1", "user_agent": "kiosk/2"}
    # A user of another kind is nobody that the ledger knows.
    await handle(1, SimpleNamespace(user=SimpleNamespace(id=7), client=None, headers={}, method="GET"))
    await handle(1, Request({"type": "http", "method": "GET", "path": "/", "headers": []}))
    assert all("actor" not in event and "source" not in event for event, _ in fake.events[2:])


async def test_nexios_passes_more_than_a_handler_takes(audit, security, fake):
    from nexios import NexiosApp

    app = NexiosApp()
    app.wrap_asgi(Guard, security=security)

    @app.get("/alone")
    @audit.log
    async def alone(request):
        return {"status": "success"}

    @app.get("/both")
    @audit.log
    @security.authenticate
    async def both(request):
        raise PermissionDenied("no")

    @app.get("/stream")
    @audit.log
    async def stream(request, response):
        return response.stream(stream_of(b"a", error=OSError() if "fail" in request.query_params else None))

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://photos.localhost") as http:
        assert (await http.get("/alone")).json() == {"status": "success"}
        assert (await http.get("/both", headers={"tutela-identity": fake.token()})).status_code == 403
        assert (await http.get("/stream")).text == "a"
        await http.get("/stream?fail=1")
    assert [end[2] for end in ends(fake)] == ["success", "denied", "success", "failure"]
    assert fake.events[1][0]["actor"] == ACCOUNT
