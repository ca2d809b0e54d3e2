"""What an application counts on in its audit log: typing errors, and the comparison with the server."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from tutela import (
    AuditMismatch,
    Corrupt,
    Unavailable,
)
from tutela.audit import AuditLogger

SIX = ["timestamp", "user_id", "action", "resource", "ip_address", "user_agent"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"storage": "elasticserch"}, "storage.*elasticserch.*did you mean `elasticsearch`.*opensearch"),
        ({"retention_days": 0}, "retention_days.*whole number above 0"),
        ({"retention_days": True}, "retention_days.*whole number"),
        ({"retention_days": "365"}, "retention_days.*whole number"),
        ({"retention_days": 1.5}, "retention_days.*whole number"),
        ({"fields": "action"}, "fields.*list"),
        ({"fields": {"name": "action"}}, "fields.*list"),
        ({"fields": ["ip"]}, "fields.*`ip`.*valid are.*`ip_address`"),
        ({"fields": ["ip_adress"]}, "fields.*did you mean `ip_address`"),
        ({"fields": ["action", "action"]}, "fields.*action.*twice"),
        ({"fields": [{"name": "ip_address", "keep": "hash"}]}, "fields.keep.*hashed"),
        ({"fields": [{"name": "ip_address", "kept": "clear"}]}, "kept.*did you mean `keep`"),
        ({"fields": [{"keep": "clear"}]}, "fields.*unknown `None`"),
        ({"fields": [7]}, "fields.*unknown `7`"),
    ],
)
def test_wrong_settings_are_named(client, settings, words):
    with pytest.raises(ValueError, match=words):
        AuditLogger(client=client, **settings)


def test_a_database_is_none_to_record_into(client, security):
    for wrong in (SimpleNamespace(audit_logs=[]), object(), "sqlite://"):
        with pytest.raises(ValueError, match="`Tutela` client or a `SecurityManager`.*pass `Tutela"):
            AuditLogger(wrong)
    with pytest.raises(ValueError, match="once"):
        AuditLogger(client, client=client)
    assert AuditLogger(client).client is client
    assert AuditLogger(security).client is AuditLogger(client=security).client is client


def test_the_client_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("TUTELA_URL", "https://tutela.example.org")
    assert AuditLogger(storage="elasticsearch", retention_days=365, fields=SIX).client.url == (
        "https://tutela.example.org"
    )


async def test_what_is_stated_is_compared_once(client, fake):
    audit = AuditLogger(client=client, storage="elasticsearch", retention_days=365, fields=SIX)
    for _ in range(3):
        await audit.record("a")
    assert [path for _, path, _ in fake.requests].count("/v1/audit/settings") == 1
    assert len(fake.events) == 3


async def test_who_states_nothing_asks_nothing(client, fake):
    await AuditLogger(client).record("a")
    assert [path for _, path, _ in fake.requests] == ["/v1/events"]


@pytest.mark.parametrize(
    ("server", "stated", "words"),
    [
        ({"storage": "ledger"}, {"storage": "elasticsearch"}, "`storage` is `ledger` there"),
        ({"storage": "opensearch"}, {"storage": "elasticsearch"}, "`storage` is `opensearch` there"),
        ({"retention_days": 30}, {"retention_days": 365}, "`retention_days` is 30 there and 365 here"),
        ({"fields": ["action"]}, {"fields": SIX}, "`timestamp` is not kept.*`user_agent` is not kept"),
        (
            {"fields": [{"name": "ip_address", "keep": "clear"}]},
            {"fields": [{"name": "ip_address", "keep": "hashed"}]},
            "`ip_address` is kept `clear` there and `hashed` here",
        ),
        (
            {"fields": [{"name": "action", "keep": "dropped"}]},
            {"fields": ["action"]},
            "`action` is not kept",
        ),
    ],
)
async def test_where_the_server_keeps_less_nothing_is_recorded_and_that_is_said(
    client, fake, server, stated, words
):
    fake.ledger.settings |= server
    audit = AuditLogger(client=client, **stated)
    for _ in range(2):
        with pytest.raises(AuditMismatch, match=words) as caught:
            await audit.record("a")
    assert caught.value.status == 409
    assert fake.events == []
    assert len(fake.requests) == 1, "an answer is remembered for a while"
    # How the instance is set up is not the visitor's business.
    told = caught.value.for_visitor()
    assert (told.status, told.detail) == (500, None)


@pytest.mark.parametrize(
    ("server", "stated"),
    [
        ({"storage": "elasticsearch"}, {"storage": "ledger"}),
        ({"retention_days": 730}, {"retention_days": 365}),
        ({"fields": SIX}, {"fields": ["action"]}),
        ({"fields": []}, {"fields": [{"name": "ip_address", "keep": "dropped"}]}),
        ({"fields": ["action", "a_name_of_later"]}, {"fields": ["action"]}),
        ({"fields": [{"name": "action", "keep": "clear"}]}, {"fields": [{"name": "action"}]}),
    ],
)
async def test_a_server_that_keeps_as_much_or_more_is_fine(client, fake, server, stated):
    fake.ledger.settings |= server
    assert await AuditLogger(client=client, **stated).record("a") == "event-0"


async def test_a_server_that_is_put_right_is_noticed(client, fake):
    fake.ledger.settings["retention_days"] = 30
    audit = AuditLogger(client=client, retention_days=365)
    with pytest.raises(AuditMismatch):
        await audit.record("a")
    fake.ledger.settings["retention_days"] = 365
    now = audit.comparison._clock()
    audit.comparison._clock = lambda: now + 61
    assert await audit.record("a") == "event-0"


async def test_settings_that_cannot_be_read(client, fake, caplog):
    audit = AuditLogger(client=client, retention_days=365)
    fake.down = True
    with pytest.raises(Unavailable):
        await audit.record("a")
    fake.down = False
    # A key that may only record still does, and the log says what was not checked.
    fake.answers = [403]
    with caplog.at_level(logging.WARNING, "tutela.audit"):
        await audit.record("a")
        await audit.record("b")
    assert [record.message for record in caplog.records] == [
        "the audit settings were not compared with the server: PermissionDenied"
    ]
    fake.ledger.settings = {"storage": "ledger", "retention_days": 1}
    with pytest.raises(Corrupt):
        await AuditLogger(client=client, retention_days=365).record("a")
