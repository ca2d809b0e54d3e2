"""One record of an audit log in the words of applications, and who it is about."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from .context import Visitor
from .events import ExternalId, NewEvent, Subject, subject_to_wire
from .identity import Anonymous

if TYPE_CHECKING:
    from .client import Tutela

Person = Visitor | ExternalId | str | int
"""A `User`, `Anonymous`, an account id as text, an `ExternalId`, or the application's own number."""


@dataclass(frozen=True)
class AuditLog:
    """A record as applications write them; `tutela.audit_logs.create` puts it into the ledger.

    A `timestamp` without zone is UTC, as `datetime.utcnow()` makes it. `user_id` may be None for nobody.
    """

    event_type: str
    user_id: Person | None = None
    timestamp: datetime | str | None = None
    # Personal all of them, so they do not show in a log line by accident.
    details: Mapping[str, Any] | None = field(default=None, repr=False)
    ip_address: str | None = field(default=None, repr=False)
    user_agent: str | None = field(default=None, repr=False)

    def to_event(self, namespace: str | None = None) -> NewEvent:
        """The event that it becomes. `namespace` is as for `subject_of`."""
        time = self.timestamp
        if isinstance(time, datetime) and time.tzinfo is None:
            time = time.replace(tzinfo=timezone.utc)
        return NewEvent(
            self.event_type,
            time=time,
            actor=subject_of(self.user_id, namespace),
            source=source_of(self.ip_address, self.user_agent),
            metadata=self.details,
        )


class AuditLogs:
    """The audit log as a table that only grows. A `Tutela` makes its own."""

    def __init__(self, client: Tutela) -> None:
        self._client = client

    async def create(self, record: AuditLog) -> str:
        """Record it and return the event's id. It is durable when this returns."""
        return await self._client.record_event(record.to_event())


def subject_of(user: Person | None, namespace: str | None, *, name: str = "user") -> Subject | None:
    """The subject of the API, or None for nobody.

    A number is one of the application's own, in `namespace`, by default `TUTELA_NAMESPACE`. It is never
    guessed: the same person under two names could be neither found nor erased as one.
    """
    if user is None or isinstance(user, Anonymous):
        return None
    if isinstance(user, bool):
        raise ValueError(f"`{name}` is true or false, which is nobody's number")
    if isinstance(user, int):
        where = namespace or os.environ.get("TUTELA_NAMESPACE")
        if not where:
            raise ValueError(
                f"`{name}` is a number, and nothing says whose: pass `namespace` to AuditLogger, set "
                'TUTELA_NAMESPACE, or pass ExternalId("photos", number)'
            )
        return ExternalId(where, user)
    subject_to_wire(user)
    return user


def source_of(ip: str | None, user_agent: str | None) -> dict[str, str]:
    """The `source` of an event; what is not known is left out."""
    found = {"ip": ip, "user_agent": user_agent}
    return {name: value for name, value in found.items() if value}
