"""What an application reports: an event, who did it, and what it was done to.

Field names and shapes are those of `POST /v1/events`. Absent fields are left out, never sent as null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .identity import Anonymous, User


@dataclass(frozen=True)
class ExternalId:
    """A person by the application's own identifier, for example `ExternalId("photos", 42)`."""

    namespace: str
    value: str | int

    def to_wire(self) -> dict[str, str]:
        """`{"namespace", "value"}`, with the value as text."""
        return {"namespace": self.namespace, "value": str(self.value)}

    def __str__(self) -> str:
        return f"{self.namespace}:{self.value}"


@dataclass(frozen=True)
class Resource:
    """A thing with a type, for example `Resource("photo", "42")`."""

    type: str
    id: str

    def to_wire(self) -> dict[str, str]:
        """`{"type", "id"}`."""
        return {"type": self.type, "id": self.id}


Subject = User | ExternalId | str
"""A person: a `User`, an account id of tutela as text, or an `ExternalId`."""


@dataclass(frozen=True)
class NewEvent:
    """One event to record.

    `type` is 1 to 128 characters of `a-z 0-9 . _ -`. `outcome` is `success` (the server's default),
    `failure`, `denied` or `unknown`. `time` is an aware datetime or RFC 3339 text; without it the
    server takes the time of the request. `source` is `{"ip", "user_agent"}` and `request` is
    `{"method", "route", "status"}`, all of them optional. `metadata` must be a JSON object; the
    ledger seals it as a whole. `subject` is whom personal fields and metadata are about, where that is
    not `actor`: they are sealed with this person's key, and go when this person is erased.
    """

    type: str
    time: datetime | str | None = None
    action: str | None = None
    outcome: str | None = None
    reason: str | None = None
    actor: Subject | None = None
    resource: Resource | str | None = None
    source: Mapping[str, str] | None = None
    metadata: Mapping[str, Any] | None = None
    request: Mapping[str, Any] | None = None
    subject: Subject | None = None

    def to_wire(self) -> dict[str, Any]:
        """The JSON object of the API. Raises ValueError for a time without a zone or a wrong subject."""
        fields: dict[str, Any] = {
            "type": self.type,
            "time": _time(self.time),
            "action": self.action,
            "outcome": self.outcome,
            "reason": self.reason,
            "actor": None if self.actor is None else subject_to_wire(self.actor),
            "resource": self.resource.to_wire() if isinstance(self.resource, Resource) else self.resource,
            "source": dict(self.source) if self.source else None,
            "metadata": dict(self.metadata) if self.metadata else None,
            "request": dict(self.request) if self.request else None,
            "subject": None if self.subject is None else subject_to_wire(self.subject),
        }
        return {name: value for name, value in fields.items() if value is not None}


def subject_to_wire(subject: Subject) -> str | dict[str, str]:
    """An account id, or `{"namespace", "value"}`. Raises ValueError for anything that names nobody."""
    if isinstance(subject, ExternalId):
        return subject.to_wire()
    if isinstance(subject, User):
        return subject.id
    if isinstance(subject, str) and subject:
        return subject
    if isinstance(subject, Anonymous):
        raise ValueError("an anonymous visitor is no subject")
    raise ValueError(
        "a subject is a User, the text of an account id, or ExternalId(namespace, value); "
        f"got {type(subject).__name__}"
    )


def _time(time: datetime | str | None) -> str | None:
    if not isinstance(time, datetime):
        return time
    if time.tzinfo is None:
        raise ValueError("`time` needs a zone: use datetime.now(timezone.utc)")
    return time.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
