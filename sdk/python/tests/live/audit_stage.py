"""What the tests of the audit log share: an instance's settings, and the code of the documents.

Both kinds of instance, the one with a search cluster and the one whose cluster is never there, run the
same code and give the same answers.
"""

from __future__ import annotations

import json
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Optional

from documents import described

from tutela import AuditLog, AuditLogger, Tutela, User

INDEX = "tutela-audit"
SIX = ["timestamp", "user_id", "action", "resource", "ip_address", "user_agent"]
KEPT = [*SIX, "reason", "outcome", "session", "metadata"]
SCOPES = ("events:write", "ledger:read", "ledger:export")


def settings(cluster: str) -> str:
    """The `[audit]` section of an instance that copies its ledger to a cluster at this address."""
    return (
        f'[audit]\nstorage = "elasticsearch"\nretention_days = 365\nfields = {json.dumps(KEPT)}\n'
        f'[audit.cluster]\nurl = "{cluster}"\nindex = "{INDEX}"\n'
    )


def environment_of(stage: Any, monkeypatch: Any) -> None:
    """Let code that makes its own client find the same server."""
    monkeypatch.setenv("TUTELA_URL", stage.own)
    monkeypatch.setenv("TUTELA_API_KEY", stage.api_key)
    monkeypatch.setenv("TUTELA_NAMESPACE", "photos")


async def found(client: Tutela, q: str, **more: Any) -> list[dict[str, Any]]:
    """The events that a query finds, newest first."""
    return [stored.event async for stored in client.ledger.search(q, **more)]


async def sensitive_operation(client: Tutela, person: str, address: str) -> list[dict[str, Any]]:
    """Run the audited operation of the documents; what is on record of it."""
    about = described("AuditLogger(", "storage=", known={}, without=("SecurityMonitor",))
    headers = {"User-Agent": "kiosk/3"}
    request = SimpleNamespace(user=User(id=person), client=SimpleNamespace(host=address), headers=headers)
    await about["sensitive_operation"](request)
    await about["audit"].client.aclose()
    events = await found(client, f"ip:{address}")
    own, around = sorted(events, key=lambda event: event["type"] != "data_access")
    assert own["type"] == "data_access"
    assert (own["action"], own["resource"]) == ("read", {"id": "sensitive_data"})
    assert (around["type"], around["action"]) == ("app.sensitive_operation", "sensitive_operation")
    for event in (own, around):
        assert event["source"] == {"ip": address, "user_agent": "kiosk/3"}
        assert event["actor"]["id"] == person
        assert event["outcome"] == "success"
    return [own, around]


async def security_events(client: Tutela, kind: str) -> list[dict[str, Any]]:
    """Run the logger of the documents that writes to a database, in a request from 198.51.100.7."""
    known = {"Optional": Optional, "datetime": datetime, "AuditLog": AuditLog}
    own = described("class AuditLogger", "log_security_event", known=known)["AuditLogger"]

    class Logger(own, AuditLogger):  # type: ignore[misc]
        """The documents leave open where address and user agent come from."""

        def __init__(self, db: Tutela) -> None:
            own.__init__(self, db)
            AuditLogger.__init__(self, db)

    await Logger(client).log_security_event(event_type=kind, user_id=7, details={"n": 1})
    await Logger(client).log_security_event(kind, None, {})
    nobody, seven = await found(client, f"type:{kind}")
    assert seven["actor"]["namespace"] == "photos" and seven["actor"]["id"] == "7"
    assert nobody["actor"]["type"] == "client"
    assert seven["source"] == nobody["source"] == {"ip": "198.51.100.7", "user_agent": "kiosk/2"}
    return [seven, nobody]
