"""`AuditLogger`: what it records, and for whom."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from types import SimpleNamespace

import pytest
from fake import ACCOUNT

import tutela
from tutela import (
    Anonymous,
    AuditLog,
    ExternalId,
    Guard,
    NewEvent,
    SecurityManager,
    Unavailable,
    User,
)
from tutela.audit import AuditLogger

SIX = ["timestamp", "user_id", "action", "resource", "ip_address", "user_agent"]


@pytest.fixture
def audit(client):
    return AuditLogger(client=client, namespace="photos")


async def serve(security, fake, work, **scope):
    """Run `work` as a handler behind `Guard`, for a person with an address and a browser."""

    async def app(scope, receive, send):
        await work()

    headers = [
        (b"tutela-identity", fake.token().encode()),
        (b"x-forwarded-for", b"203.0.113.7"),
        (b"user-agent", b"curl/9"),
    ]
    asked = {"type": "http", "method": "GET", "path": "/x", "headers": headers, **scope}
    await Guard(app, security=security)(asked, None, None)


def test_it_has_one_name_in_both_places():
    assert tutela.AuditLogger is AuditLogger
    assert "AuditLogger" in tutela.__all__


async def test_record_sends_each_field_as_given(audit, fake):
    event_id = await audit.record(
        event_type="data_access",
        user=User(id=ACCOUNT),
        action="read",
        resource="sensitive_data",
        ip_address="192.0.2.1",
        user_agent="kiosk/2",
        timestamp=datetime(2026, 11, 1, tzinfo=timezone.utc),
        metadata={"ip": "192.0.2.9", "user_agent": None},
        ticket=7,
    )
    assert event_id == "event-0"
    assert fake.events[0][0] == {
        "type": "data_access",
        "actor": ACCOUNT,
        "action": "read",
        "resource": "sensitive_data",
        "source": {"ip": "192.0.2.1", "user_agent": "kiosk/2"},
        "time": "2026-11-01T00:00:00Z",
        "metadata": {"ip": "192.0.2.9", "user_agent": None, "ticket": 7},
    }


@pytest.mark.parametrize(
    ("user", "actor"),
    [
        (User(id=ACCOUNT), ACCOUNT),
        (ACCOUNT, ACCOUNT),
        (ExternalId("shop", 7), {"namespace": "shop", "value": "7"}),
        (42, {"namespace": "photos", "value": "42"}),
        (0, {"namespace": "photos", "value": "0"}),
        (Anonymous(), None),
        (None, None),
    ],
)
async def test_who_it_was(audit, fake, user, actor):
    await audit.record("a", user=user)
    await audit.log_security_event("b", user, {})
    assert [event.get("actor") for event, _ in fake.events] == [actor, actor]


async def test_whom_it_is_about(audit, client, fake):
    patient = {"namespace": "photos", "value": "117"}
    await audit.record("a", user=42, subject=117, metadata={"ward": 3})
    await audit.record("b", user=42, subject=Anonymous())
    await client.record("c", subject=ExternalId("photos", 117))
    await client.record_event(NewEvent("d", subject=User(id=ACCOUNT)))
    assert [event.get("subject") for event, _ in fake.events] == [patient, None, patient, ACCOUNT]
    assert fake.events[0][0]["metadata"] == {"ward": 3}
    with pytest.raises(ValueError, match="subject.*true or false"):
        await audit.record("a", subject=True)


async def test_a_number_needs_a_namespace(client, fake, monkeypatch):
    monkeypatch.delenv("TUTELA_NAMESPACE", raising=False)
    audit = AuditLogger(client)
    for call in (audit.record("a", user=42), audit.log_security_event("a", 42, {})):
        with pytest.raises(ValueError, match="namespace.*TUTELA_NAMESPACE.*ExternalId"):
            await call
    monkeypatch.setenv("TUTELA_NAMESPACE", "shop")
    await audit.record("a", user=42)
    assert fake.events[0][0]["actor"] == {"namespace": "shop", "value": "42"}
    for wrong in (True, "", 1.5, SimpleNamespace(id=7)):
        with pytest.raises(ValueError):
            await audit.record("a", user=wrong)


async def test_the_current_request_fills_what_a_call_does_not_name(audit, security, fake):
    async def work():
        await audit.record("a")
        await audit.record("b", user=Anonymous(), ip_address="192.0.2.1", metadata={"request": "mine"})
        await audit.log_security_event("c", None, {"attempts": 3})

    await serve(security, fake, work)
    seen = {"ip": "203.0.113.7", "user_agent": "curl/9"}
    [first, second, third] = [event for event, _ in fake.events]
    asked = {"request": {"method": "GET", "path": "/x"}}
    assert first == {"type": "a", "actor": ACCOUNT, "source": seen, "metadata": asked}
    other = {**seen, "ip": "192.0.2.1"}
    assert second == {"type": "b", "source": other, "metadata": {"request": "mine"}}
    # Nobody is known, whoever is signed in.
    time = third.pop("time")
    assert third == {"type": "c", "source": seen, "metadata": {"attempts": 3}}
    assert datetime.fromisoformat(time.replace("Z", "+00:00")).tzinfo is not None


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        (SIX, {"actor", "source.ip", "source.user_agent"}),
        (["action"], set()),
        (["user_id"], {"actor"}),
        (["ip_address"], {"source.ip"}),
        (["user_agent", {"name": "ip_address", "keep": "dropped"}], {"source.user_agent"}),
        ([{"name": "ip_address", "keep": "hashed"}], {"source.ip"}),
        (["metadata"], {"metadata"}),
        (None, {"actor", "source.ip", "source.user_agent", "metadata"}),
    ],
)
async def test_fields_choose_what_is_filled_in(client, security, fake, fields, sent):
    fake.ledger.settings["fields"] = [
        *SIX[:4],
        "user_agent",
        "metadata",
        {"name": "ip_address"},
    ]
    audit = AuditLogger(client=client, fields=fields)

    async def work():
        await audit.record("a")
        await audit.log_security_event("b", None, {})

    await serve(security, fake, work)
    event, second = fake.events[0][0], fake.events[1][0]
    found = {f"source.{name}" for name in event.pop("source", {})} | (set(event) - {"type"})
    assert found == sent
    assert {f"source.{name}" for name in second.get("source", {})} == {n for n in sent if "." in n}


async def test_a_long_user_agent_does_not_keep_an_event_out(audit, security, fake):
    async def work():
        await audit.record("a")

    headers = [(b"user-agent", b"\xfc" * 2000)]
    await serve(security, fake, work, headers=headers)
    agent = fake.events[0][0]["source"]["user_agent"]
    assert agent == "ü" * 256 and len(agent.encode()) == 512


async def test_time_has_two_names_and_one_value(audit, fake):
    await audit.record("a", time="2026-11-01T00:00:00Z")
    assert fake.events[0][0]["time"] == "2026-11-01T00:00:00Z"
    with pytest.raises(ValueError, match="time.*timestamp"):
        await audit.record("a", time="2026-11-01T00:00:00Z", timestamp="2026-11-01T00:00:00Z")
    with pytest.raises(ValueError, match="zone"):
        await audit.record("a", timestamp=datetime(2026, 11, 1))  # noqa: DTZ001


async def test_the_manager_has_the_same_log(security, client, fake):
    assert isinstance(security.audit_log, AuditLogger)
    assert security.audit_log.client is client
    await security.audit_log.record(event_type="a", ip_address="192.0.2.1", timestamp="2026-11-01T00:00:00Z")
    assert fake.events[0][0]["source"] == {"ip": "192.0.2.1"}
    assert await AuditLogger(SecurityManager(client=client)).log_security_event("b", None, {"n": 1}) is None
    assert fake.events[1][0]["metadata"] == {"n": 1}


async def test_a_record_in_the_applications_own_words(client, fake, monkeypatch):
    monkeypatch.setenv("TUTELA_NAMESPACE", "photos")
    record = AuditLog(
        event_type="login_failed",
        user_id=42,
        timestamp=datetime(2026, 11, 1, 12),  # noqa: DTZ001
        details={"attempts": 3},
        ip_address="192.0.2.1",
        user_agent=None,
    )
    assert await client.audit_logs.create(record) == "event-0"
    assert fake.events[0][0] == {
        "type": "login_failed",
        "actor": {"namespace": "photos", "value": "42"},
        "time": "2026-11-01T12:00:00Z",
        "metadata": {"attempts": 3},
        "source": {"ip": "192.0.2.1"},
    }
    assert "192.0.2.1" not in repr(record) and "attempts" not in repr(record)


async def test_what_could_not_be_recorded_raises(audit, fake):
    fake.down = True
    for call in (audit.record("a"), audit.log_security_event("a", None, {})):
        with pytest.raises(Unavailable):
            await asyncio.wait_for(call, 10)
