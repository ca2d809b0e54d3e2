"""One call of a function that is audited, and what is written down about how it ends."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .audit_request import Seen, from_call
from .audit_settings import AuditMismatch
from .audit_wait import survive, wait_here
from .errors import PermissionDenied, TutelaError, Unauthenticated, Unavailable
from .events import Resource
from .handlers import Handler, as_response, attribute, nexios_response, positional

if TYPE_CHECKING:
    from .audit import AuditLogger
    from .client import Tutela

LOG = logging.getLogger("tutela.audit")
About = Resource | str | Callable[..., Resource | str | None] | None


class Plan:
    """What is written down about one function."""

    def __init__(
        self,
        audit: AuditLogger,
        handler: Handler,
        event_type: str | None,
        action: str | None,
        resource: About,
        required: bool,
    ) -> None:
        name = getattr(handler, "__name__", type(handler).__name__)
        derived = "app." + re.sub(r"[^a-z0-9._-]", "_", name.lower())
        self.event_type = derived[:LONGEST_NAME] if event_type is None else event_type
        if not re.fullmatch(rf"[a-z0-9._-]{{1,{LONGEST_NAME}}}", self.event_type):
            raise ValueError(
                f"`event_type`: `{event_type}` is not 1 to {LONGEST_NAME} characters of `a-z 0-9 . _ -`"
            )
        self.audit, self.resource, self.required = audit, resource, required
        self.action = (action or name).encode()[:LONGEST_NAME].decode(errors="ignore")
        self._takes = positional(handler)

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        """The arguments that the function takes: Nexios passes a response whether it is wanted or not."""
        if self._takes is None or nexios_response(args) is None:
            return args
        return args[: self._takes(kwargs)]


class Call:
    """One call of it, which ends once."""

    def __init__(self, plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.given = plan.given(args, kwargs)
        self._plan, self._args, self._kwargs = plan, args, kwargs
        about = plan.resource
        self._resource = about(*self.given, **kwargs) if callable(about) else about

    def answer(self, result: Any) -> Any:
        """What the framework gets for what the function returned."""
        return as_response(self._args, result)

    def seen(self) -> Seen:
        """The request. Asked at the end, since a decorator further in may learn who it is."""
        return from_call(self._args, self._kwargs)

    async def ready(self) -> None:
        """Raise before anything is done where the event could not be kept as promised."""
        if self._plan.required:
            await self._plan.audit.comparison.check(self._plan.audit.client)

    def ready_here(self) -> None:
        """`ready`, for a thread that cannot await."""
        comparison = self._plan.audit.comparison
        if self._plan.required and not comparison.done:
            wait_here(comparison.check, self._plan.audit.client)

    async def ended(self, error: BaseException | None, result: Any = None, seen: Seen | None = None) -> None:
        """Record the end. Goes on where the caller is cancelled meanwhile."""
        sent = self._send(self._plan.audit.client, error, result, seen or self.seen())
        self._judge(error, await survive(sent, self._tell))

    def ended_here(self, error: BaseException | None, result: Any = None) -> None:
        """`ended`, for a thread that cannot await."""
        seen = self.seen()
        send = functools.partial(self._send, error=error, result=result, seen=seen)
        try:
            failed = wait_here(send, self._plan.audit.client)
        except Exception as problem:
            failed = problem
        self._judge(error, failed)

    async def _send(
        self, client: Tutela, error: BaseException | None, result: Any, seen: Seen
    ) -> Exception | None:
        """Record, and return what went wrong in place of raising it."""
        plan = self._plan
        outcome, reason = outcome_of(error, result)
        try:
            event = plan.audit.event(
                seen,
                plan.event_type,
                action=plan.action,
                resource=self._resource,
                outcome=outcome,
                reason=reason,
            )
            await plan.audit.send(event, client)
        except Exception as problem:
            return problem
        return None

    def _judge(self, error: BaseException | None, failed: Exception | None) -> None:
        if failed is None:
            return
        if error is not None or not self._plan.required:
            self._tell(failed)
        elif isinstance(failed, TutelaError) and not isinstance(failed, AuditMismatch):
            raise Unavailable("what was done could not be recorded", remote=True) from failed
        else:
            raise failed

    def _tell(self, failed: Exception) -> None:
        """The kind alone: the text of an error may quote what the event was about."""
        LOG.error("an event `%s` was not recorded: %s", self._plan.event_type, type(failed).__name__)


def outcome_of(error: BaseException | None, result: Any) -> tuple[str, str | None]:
    """How a call ended, and why. Never the text of an exception, which may be about a person."""
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return "unknown", "client gone"
    status = attribute(result if error is None else error, "status_code")
    if error is not None:
        # Where the application's own key was refused, nobody was denied anything.
        refused = isinstance(error, (PermissionDenied, Unauthenticated)) and not error.remote
        return "denied" if refused or status in REFUSED else "failure", type(error).__name__
    if isinstance(status, int) and status >= 400:
        return "denied" if status in REFUSED else "failure", f"status {status}"
    return "success", None


REFUSED = (401, 403)
LONGEST_NAME = 128
