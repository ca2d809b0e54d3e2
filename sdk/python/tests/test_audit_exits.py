"""`@audit.log`: every way that a call can end."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading

import anyio
import anyio.to_thread
import pytest
from served import serving
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from tutela import (
    AuditMismatch,
    PermissionDenied,
    Resource,
    Tutela,
    Unauthenticated,
    Unavailable,
)
from tutela.audit import AuditLogger


@pytest.fixture
def audit(client):
    return AuditLogger(client)


def ends(fake):
    return [
        (event["type"], event["action"], event["outcome"], event.get("reason")) for event, _ in fake.events
    ]


ERRORS = [
    (PermissionDenied("secret"), "denied", "PermissionDenied"),
    (Unauthenticated("secret"), "denied", "Unauthenticated"),
    (HTTPException(403, "secret"), "denied", "HTTPException"),
    (HTTPException(404, "secret"), "failure", "HTTPException"),
    (PermissionDenied("secret", remote=True), "failure", "PermissionDenied"),
    (ValueError("secret"), "failure", "ValueError"),
    (SystemExit(3), "failure", "SystemExit"),
]


# === Functions ===


async def test_a_function_that_returns(audit, fake):
    @audit.log
    async def read(a, *, b=2):
        """What it does."""
        return a + b

    assert await read(1, b=3) == 4
    assert ends(fake) == [("app.read", "read", "success", None)]
    assert (read.__name__, read.__doc__) == ("read", "What it does.")
    assert str(inspect.signature(read)) == "(a, *, b=2)"
    assert inspect.iscoroutinefunction(read)


@pytest.mark.parametrize(("error", "outcome", "reason"), ERRORS)
async def test_a_function_that_raises_is_recorded_without_the_text(audit, fake, error, outcome, reason):
    @audit.log(event_type="data_access", action="read", resource="sensitive_data")
    async def fail():
        raise error

    @audit.log(event_type="data_access", action="read", resource="sensitive_data")
    def plain():
        raise error

    for function in (fail, plain):
        with pytest.raises(type(error)) as caught:
            result = function()
            await result
        assert caught.value is error
    assert ends(fake) == [("data_access", "read", outcome, reason)] * 2
    assert all(event["resource"] == "sensitive_data" for event, _ in fake.events)
    assert "secret" not in str(fake.events)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "success"), (302, "success"), (401, "denied"), (403, "denied"), (404, "failure")],
)
async def test_an_answer_tells_by_its_status(audit, fake, status, outcome):
    @audit.log
    async def page():
        return JSONResponse({}, status)

    assert (await page()).status_code == status
    assert ends(fake) == [("app.page", "page", outcome, None if status < 400 else f"status {status}")]


async def test_names_and_resources(audit, fake):
    @audit.log(resource=lambda self, number: Resource("photo", str(number)))
    async def Größe(self, number):
        return number

    class Photos:
        size = Größe

        @staticmethod
        @audit.log
        def plain():
            return 1

        @audit.log(resource="all")
        async def list(self):
            return []

    photos = Photos()
    assert (await photos.size(7), photos.plain(), await photos.list()) == (7, 1, [])
    assert [event["type"] for event, _ in fake.events] == ["app.gr__e", "app.plain", "app.list"]
    assert [event.get("resource") for event, _ in fake.events] == [{"type": "photo", "id": "7"}, None, "all"]
    await audit.log(lambda: asyncio.sleep(0))()
    assert ends(fake)[-1] == ("app._lambda_", "<lambda>", "success", None)
    for wrong in ("", "Data Access", "a" * 129):
        with pytest.raises(ValueError, match="event_type"):
            audit.log(event_type=wrong)(photos.plain)


async def test_a_plain_function_stays_plain_wherever_it_runs(audit, fake):
    @audit.log
    def double(n):
        return 2 * n

    assert not inspect.iscoroutinefunction(double)
    assert double(1) == 2  # holds this loop up, and still gets through
    assert await anyio.to_thread.run_sync(double, 2) == 4  # as plain handlers run
    assert await asyncio.to_thread(double, 3) == 6
    thread = threading.Thread(target=double, args=(4,))
    thread.start()
    await asyncio.to_thread(thread.join)
    assert ends(fake) == [("app.double", "double", "success", None)] * 4


async def test_a_plain_function_has_connections_of_its_own(fake):
    def double(n):
        return 2 * n

    with serving(fake) as port:
        async with Tutela(f"http://127.0.0.1:{port}", fake.key) as client:
            audited = AuditLogger(client).log(double)
            await client.record("a")
            assert audited(1) == 2
            assert await anyio.to_thread.run_sync(audited, 2) == 4
            assert await asyncio.to_thread(audited, 3) == 6
            await client.record("a")
    assert len(fake.events) == 5


def test_a_plain_function_without_any_loop(audit, fake):
    assert audit.log(lambda n: n + 1)(1) == 2
    assert len(fake.events) == 1


async def test_a_plain_function_that_returns_something_to_await(audit, fake):
    async def inner(n):
        return n

    outer = audit.log(lambda n: inner(n))
    pending = outer(5)
    assert fake.events == []
    assert await pending == 5
    assert len(fake.events) == 1


# === Whoever asks is gone ===


async def test_a_cancelled_call_is_recorded_before_it_ends(audit, fake):
    started = asyncio.Event()

    @audit.log
    async def slow():
        started.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(slow())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ends(fake) == [("app.slow", "slow", "unknown", "client gone")]


async def test_a_cancelled_scope_is_recorded_too(audit, fake):
    @audit.log
    async def slow():
        await anyio.sleep(60)

    with anyio.move_on_after(0.01):
        await slow()
    assert ends(fake) == [("app.slow", "slow", "unknown", "client gone")]


@pytest.mark.parametrize("works", [True, False])
async def test_a_record_under_way_survives_cancellation(audit, fake, monkeypatch, caplog, works):
    entered, go, send = asyncio.Event(), asyncio.Event(), audit.send

    async def slowly(event, client=None):
        entered.set()
        await go.wait()
        if not works:
            raise Unavailable("about Ada")
        return await send(event, client)

    monkeypatch.setattr(audit, "send", slowly)

    @audit.log
    async def quick():
        return 1

    task = asyncio.create_task(quick())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fake.events == []
    with caplog.at_level(logging.ERROR, "tutela.audit"):
        go.set()
        await anyio.wait_all_tasks_blocked()
        await asyncio.sleep(0.05)
    assert len(fake.events) == (1 if works else 0)
    told = [] if works else ["an event `app.quick` was not recorded: Unavailable"]
    assert [record.message for record in caplog.records] == told


# === Recording fails ===


async def test_a_success_that_cannot_be_recorded_is_none(audit, fake):
    @audit.log
    async def quick():
        return 1

    plain = audit.log(lambda: 1)
    fake.down = True
    with pytest.raises(Unavailable) as caught:
        await quick()
    assert caught.value.remote
    with pytest.raises(Unavailable):
        plain()
    # Whatever the server has against the event: it is not recorded.
    fake.down, fake.answers = False, [403]
    with pytest.raises(Unavailable):
        await quick()


async def test_what_is_not_required_is_only_logged(audit, fake, caplog):
    @audit.log(required=False)
    async def quick():
        return "of Ada"

    fake.down = True
    with caplog.at_level(logging.ERROR, "tutela.audit"):
        assert await quick() == "of Ada"
        assert audit.log(required=False)(lambda: "of Ada")() == "of Ada"
    assert [record.message for record in caplog.records] == [
        "an event `app.quick` was not recorded: Unavailable",
        "an event `app._lambda_` was not recorded: Unavailable",
    ]


async def test_the_handlers_own_error_wins(audit, fake, caplog):
    @audit.log
    async def fail():
        raise KeyError("Ada")

    @audit.log
    def plain():
        raise KeyError("Ada")

    fake.down = True
    with caplog.at_level(logging.ERROR, "tutela.audit"):
        with pytest.raises(KeyError):
            await fail()
        with pytest.raises(KeyError):
            plain()
    assert len(caplog.records) == 2
    assert "Ada" not in caplog.text


async def test_nothing_is_done_where_the_server_keeps_less(client, fake):
    done = []
    audit = AuditLogger(client=client, retention_days=9999)

    @audit.log
    async def work():
        done.append(1)

    @audit.log(required=False)
    async def optional():
        done.append(2)

    with pytest.raises(AuditMismatch):
        await work()
    with pytest.raises(AuditMismatch):
        audit.log(lambda: done.append(3))()
    await optional()
    assert (done, fake.events) == ([2], [])
