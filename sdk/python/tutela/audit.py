"""The audit log of an application: what it did, for whom, kept in tutela's ledger.

    audit = AuditLogger(retention_days=365, fields=["user_id", "action", "resource", "ip_address"])

    @audit.log(resource="reports")
    async def download(request):
        await audit.record(event_type="data_access", user=request.user, action="read", resource="report/7")

`record` is for what the application knows best; `log` writes down every end of a function, good or bad.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, TypeVar, cast, overload

from .audit_call import About
from .audit_exit import audited
from .audit_record import AuditLog, AuditLogs, Person, source_of, subject_of
from .audit_request import Seen, from_context
from .audit_settings import AuditComparison, AuditMismatch, AuditSettings
from .client import Tutela
from .events import NewEvent, Resource

__all__ = ["AuditLog", "AuditLogger", "AuditLogs", "AuditMismatch"]

F = TypeVar("F", bound=Callable[..., Any])


class AuditLogger:
    """Records events with what is known of the current request.

    `db`, or `client`, is a `Tutela` or a `SecurityManager`; by default `Tutela()`, from the environment.
    `storage`, `retention_days` and `fields` state what the application counts on. The server's file
    decides; where it keeps less, the first use raises `AuditMismatch`. `fields` are names, or mappings
    `{"name", "keep"}`; what a request tells is filled in only for these, and for all where there are none.
    `namespace` is whose numbers users given as numbers are, by default `TUTELA_NAMESPACE`.
    """

    def __init__(
        self,
        db: object = None,
        *,
        storage: str | None = None,
        retention_days: int | None = None,
        fields: Iterable[str | Mapping[str, Any]] | None = None,
        client: object = None,
        namespace: str | None = None,
    ) -> None:
        self.settings = AuditSettings.checked(storage, retention_days, fields)
        if db is not None and client is not None:
            raise ValueError("pass the client once: as the first argument, or as `client`")
        self.client = _client(client if db is None else db)
        self.namespace = namespace
        self.comparison = AuditComparison(self.settings)

    async def record(
        self,
        event_type: str,
        *,
        user: Person | None = None,
        action: str | None = None,
        resource: Resource | str | None = None,
        outcome: str | None = None,
        reason: str | None = None,
        ip_address: str | None = None,
        user_agent: str | None = None,
        timestamp: datetime | str | None = None,
        time: datetime | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        subject: Person | None = None,
        **more: Any,
    ) -> str:
        """Record one event and return its id; it is durable when this returns.

        What is not given comes from the current request: the person, their address, their user agent.
        Nobody means that the application itself acted. `ip` and `user_agent` in `metadata` are found as
        the event's source where there is no better. `subject` is whom `metadata` is about where that is not
        `user`, for example the patient whose record a nurse read: it is sealed with this person's key, and
        goes when this person is erased. Further keywords join `metadata`, next to
        `request: {method, path}`. `time` is another name for `timestamp`.
        Raises `Unavailable` where it could not be recorded: then what it tells of should not happen.
        """
        if time is not None and timestamp is not None:
            raise ValueError("`time` and `timestamp` are the same: pass one")
        event = self.event(
            from_context(),
            event_type,
            user=user,
            action=action,
            resource=resource,
            outcome=outcome,
            reason=reason,
            ip_address=ip_address,
            user_agent=user_agent,
            timestamp=time if timestamp is None else timestamp,
            metadata={**(metadata or {}), **more},
            subject=subject,
        )
        return await self.send(event)

    async def log_security_event(
        self, event_type: str, user_id: Person | None, details: Mapping[str, Any]
    ) -> None:
        """Record an event about security. `user_id` is None where nobody is known, whoever is signed in.

        Address and user agent come from the current request.
        """
        seen = (self._get_ip_address(), self._get_user_agent())
        record = AuditLog(event_type, user_id, datetime.now(timezone.utc), details, *seen)
        await self.send(record.to_event(self.namespace))

    @overload
    def log(self, handler: F, /) -> F: ...

    @overload
    def log(
        self,
        handler: None = None,
        /,
        *,
        event_type: str | None = None,
        action: str | None = None,
        resource: About = None,
        required: bool = True,
    ) -> Callable[[F], F]: ...

    def log(
        self,
        handler: Any = None,
        /,
        *,
        event_type: str | None = None,
        action: str | None = None,
        resource: About = None,
        required: bool = True,
    ) -> Any:
        """Write down how each call of a function ends: `@audit.log`, or `@audit.log(action="read")`.

            returns, or is read to its end     success
            PermissionDenied, Unauthenticated  denied, as are answers with status 401 and 403
            any other exception                failure; its type is the reason, its text stays here
            cancelled, or no longer read       unknown, `client gone`

        Takes async and plain functions, methods, and generators of both kinds; answers that stream end
        with their stream. The type is `app.NAME` and the action `NAME` of the function, unless given.
        `resource` may be a function of the same arguments.
        A success that cannot be recorded raises `Unavailable`, so that nothing counts as done that nobody
        can see; with `required=False` that is only logged.
        """

        def decorate(function: F) -> F:
            return audited(self, function, event_type, action, resource, required)

        return decorate if handler is None else decorate(handler)

    def event(
        self,
        seen: Seen,
        event_type: str,
        *,
        user: Person | None = None,
        action: str | None = None,
        resource: Resource | str | None = None,
        outcome: str | None = None,
        reason: str | None = None,
        ip_address: str | None = None,
        user_agent: str | None = None,
        timestamp: datetime | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        subject: Person | None = None,
    ) -> NewEvent:
        """The event that `record` sends, about a request that was seen. What a call names goes as named."""
        fills, details = self.settings.fills, dict(metadata or {})
        if seen.method is not None and seen.path is not None and fills("metadata"):
            details.setdefault("request", {"method": seen.method, "path": seen.path})
        if user is None and fills("user_id"):
            user = seen.user
        if ip_address is None and fills("ip_address"):
            ip_address = seen.ip
        if user_agent is None and fills("user_agent"):
            user_agent = seen.user_agent
        return NewEvent(
            type=event_type,
            time=timestamp,
            action=action,
            outcome=outcome,
            reason=reason,
            actor=subject_of(user, self.namespace),
            resource=resource,
            source=source_of(ip_address, user_agent),
            metadata=details,
            subject=subject_of(subject, self.namespace, name="subject"),
        )

    async def send(self, event: NewEvent, client: Tutela | None = None) -> str:
        """Record an event that is already built, once the server is known to keep what is counted on."""
        through = client or self.client
        await self.comparison.check(through)
        return await through.record_event(event)

    def _get_ip_address(self) -> str | None:
        return from_context().ip if self.settings.fills("ip_address") else None

    def _get_user_agent(self) -> str | None:
        return from_context().user_agent if self.settings.fills("user_agent") else None


def _client(given: Any) -> Tutela:
    if given is None:
        return Tutela()
    for found in (given, getattr(given, "client", None)):
        if callable(getattr(found, "record_event", None)):
            return cast(Tutela, found)
    raise ValueError(
        f"AuditLogger takes a `Tutela` client or a `SecurityManager`, not {type(given).__name__}: "
        "the records go to tutela's ledger, so pass `Tutela()` in place of the database"
    )
