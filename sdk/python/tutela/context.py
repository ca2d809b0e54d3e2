"""The request being served, for whoever needs to know it: who, from where, doing what.

`Guard` sets it before the handler runs; tasks and threads started by the handler inherit it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from .errors import Unauthenticated
from .identity import HEADER, Anonymous, User, Verifier

Visitor = User | Anonymous
Scope = MutableMapping[str, Any]


@dataclass(frozen=True)
class RequestContext:
    """What is known of one request. `ip` is a valid address or None."""

    user: Visitor
    ip: str | None
    user_agent: str | None
    method: str | None
    path: str | None


def current_user() -> Visitor:
    """The user of the request being served; `Anonymous` outside of one."""
    context = CURRENT.get()
    return Anonymous() if context is None else context.user


async def read_request(scope: Scope, verifier: Verifier) -> RequestContext:
    """Verify the identity of an ASGI request and collect the rest.

    Raises `Unauthenticated` for a bad or doubled identity header, `Unavailable` without keys.
    """
    identity = _values(scope, HEADER)
    if len(identity) > 1:
        raise Unauthenticated("the identity of this request is not accepted: there are two")
    user: Visitor = await verifier.verify(identity[0]) if identity else Anonymous()
    agents = _values(scope, "user-agent")
    return RequestContext(
        user=user,
        ip=_address(scope),
        user_agent=agent_of(agents[0]) if agents else None,
        method=scope.get("method"),
        path=scope.get("path"),
    )


def bind(scope: Scope, context: RequestContext) -> None:
    """Put the user where frameworks look: `request.user` and `request.state.user`."""
    scope["user"] = context.user
    scope.setdefault("state", {})["user"] = context.user


def _address(scope: Scope) -> str | None:
    """The address of the visitor: what the gateway appended last, else the peer of the connection.

    Earlier entries of `x-forwarded-for` come from the visitor and may say anything.
    """
    hops = ",".join(_values(scope, "x-forwarded-for")).split(",")
    client = scope.get("client") or ("",)
    return address_of(hops[-1].strip()) or address_of(client[0])


def agent_of(text: str) -> str | None:
    """A user agent as long as the server takes it. What a visitor sends must not keep an event out."""
    return text.encode(errors="replace")[:LONGEST_AGENT].decode(errors="ignore") or None


def address_of(text: object) -> str | None:
    """An address in its shortest spelling, without a zone (RFC 4007 §11), or None for anything else."""
    try:
        return str(ipaddress.ip_address(str(text).partition("%")[0]))
    except ValueError:
        return None


def _values(scope: Scope, name: str) -> list[str]:
    wanted = name.encode()
    return [value.decode("latin-1") for key, value in scope.get("headers", ()) if key.lower() == wanted]


CURRENT: ContextVar[RequestContext | None] = ContextVar("tutela_request", default=None)
# In bytes: the server's bound.
LONGEST_AGENT = 512
