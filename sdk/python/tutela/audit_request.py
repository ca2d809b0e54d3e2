"""What is known of the request that an event belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .audit_record import Person
from .context import CURRENT, address_of, agent_of
from .events import ExternalId
from .handlers import attribute
from .identity import Anonymous, User


@dataclass(frozen=True)
class Seen:
    """Who asked, from where, and for what; each None where nobody knows."""

    user: Person | None = None
    ip: str | None = None
    user_agent: str | None = None
    method: str | None = None
    path: str | None = None


def from_context() -> Seen:
    """The request that `Guard` or `authenticate` is serving."""
    context = CURRENT.get()
    if context is None:
        return Seen()
    return Seen(context.user, context.ip, context.user_agent, context.method, context.path)


def from_call(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Seen:
    """The request being served, else the first argument of a call that looks like one.

    Without `Guard` the address is that of the connection: nothing says that a gateway wrote the headers.
    """
    if CURRENT.get() is not None:
        return from_context()
    for value in (*args, *kwargs.values()):
        headers = attribute(value, "headers")
        # A response has headers too; only who asks has an address or a method.
        asks = attribute(value, "client") is not None or attribute(value, "method") is not None
        if asks and callable(getattr(headers, "get", None)):
            return _read(value, headers)
    return Seen()


def _read(request: Any, headers: Any) -> Seen:
    user, agent = attribute(request, "user"), headers.get("user-agent") or headers.get("User-Agent")
    known = isinstance(user, (User, Anonymous, ExternalId, int)) and not isinstance(user, bool)
    method, path = attribute(request, "method"), attribute(attribute(request, "url"), "path")
    return Seen(
        user=user if known else None,
        ip=address_of(attribute(attribute(request, "client"), "host")),
        user_agent=agent_of(agent) if isinstance(agent, str) else None,
        method=method if isinstance(method, str) else None,
        path=path if isinstance(path, str) else None,
    )
