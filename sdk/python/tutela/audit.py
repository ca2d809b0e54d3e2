"""The audit log of an application: what it did, for whom, kept in tutela's ledger."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .context import CURRENT, Visitor
from .events import ExternalId, NewEvent, Resource
from .identity import Anonymous

if TYPE_CHECKING:
    from .client import Tutela


class AuditLog:
    """Records events with what is known of the current request.

    `fields` of the visitor (address, user agent) come from the request that `Guard` is serving, so a
    handler names only what it did. Outside of a request they are absent.
    """

    def __init__(self, client: Tutela) -> None:
        self._client = client

    async def record(
        self,
        event_type: str,
        *,
        user: Visitor | ExternalId | str | None = None,
        action: str | None = None,
        resource: Resource | str | None = None,
        outcome: str | None = None,
        reason: str | None = None,
        time: datetime | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """Record one event and return its id; it is durable when this returns.

        `user` defaults to the person of the current request; nobody means that the application itself
        acted. Further keywords join `metadata`, next to `request: {method, path}`.
        Raises `Unavailable` where it could not be recorded: then what it tells of should not happen.
        """
        context = CURRENT.get()
        if user is None and context is not None:
            user = context.user
        details = {**(metadata or {}), **more}
        source: dict[str, str] = {}
        if context is not None:
            if context.ip is not None:
                source["ip"] = context.ip
            if context.user_agent is not None:
                source["user_agent"] = context.user_agent
            if context.method is not None and context.path is not None:
                details.setdefault("request", {"method": context.method, "path": context.path})
        event = NewEvent(
            type=event_type,
            time=time,
            action=action,
            outcome=outcome,
            reason=reason,
            actor=None if isinstance(user, Anonymous) else user,
            resource=resource,
            source=source,
            metadata=details,
        )
        return await self._client.record_event(event)
