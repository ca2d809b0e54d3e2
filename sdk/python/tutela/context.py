"""The request being served, for whoever needs to know it: who, from where, doing what.

`Guard` sets it before the handler runs; tasks and threads started by the handler inherit it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from .errors import Unauthenticated
from .handlers import READS, scopes
from .identity import HEADER, Anonymous, User, Verifier

Visitor = User | Anonymous
Scope = MutableMapping[str, Any]


@dataclass(frozen=True)
class RequestContext:
    """What is known of one request. `ip` is a valid address or None.

    `return_to` is where a person comes back to who is sent elsewhere first: a path on this host.
    """

    user: Visitor
    ip: str | None
    user_agent: str | None
    method: str | None
    path: str | None
    return_to: str = "/"


def current_user() -> Visitor:
    """The user of the request being served; `Anonymous` outside of one."""
    context = CURRENT.get()
    return Anonymous() if context is None else context.user


async def signed_in(
    handler: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[RequestContext, User]:
    """The request that a decorated handler is to serve, and its person; `Unauthenticated` for nobody.

    Where the request was not read yet, the handler knows how: `authenticate` left it there.
    """
    context = CURRENT.get()
    if context is None:
        read = getattr(handler, READS, None)
        if read is None:
            raise Unauthenticated("sign in first")
        context = await read(args, kwargs)
    if not isinstance(context.user, User):
        raise Unauthenticated("sign in first")
    return context, context.user


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
        return_to=_return_to(scope),
    )


def navigates(scope: Scope) -> bool:
    """Whether a browser asks for a page, so that a redirect leads a person somewhere."""
    if scope.get("method") not in READING:  # A WebSocket has none.
        return False
    return any("text/html" in accepted for accepted in _values(scope, "accept"))


def bind(scope: Scope, context: RequestContext) -> None:
    """Put the user where frameworks look: `request.user` and `request.state.user`."""
    scope["user"] = context.user
    scope.setdefault("state", {})["user"] = context.user


def guarantee_user(args: tuple[Any, ...], kwargs: Mapping[str, Any], context: RequestContext) -> None:
    """Make `request.user` the verified person, whatever another middleware put there."""
    for scope in scopes(args, kwargs):
        if scope.get("user") is not context.user:
            bind(scope, context)


def _address(scope: Scope) -> str | None:
    """The address of the visitor: what the gateway appended last, else the peer of the connection.

    Earlier entries of `x-forwarded-for` come from the visitor and may say anything.
    """
    hops = ",".join(_values(scope, "x-forwarded-for")).split(",")
    client = scope.get("client") or ("",)
    return address_of(hops[-1].strip()) or address_of(client[0])


def _return_to(scope: Scope) -> str:
    """The page itself, as it was asked for, or the one whose form was sent: no redirect repeats a POST.

    That one is the `Referer` where it is of this host (RFC 9110 §10.1.3); else it is the first page.
    """
    if scope.get("method") in READING:
        raw = scope.get("raw_path")
        path = raw.decode("latin-1") if raw else quote(scope.get("path", ""), safe=PATH_SIGNS)
        query = scope.get("query_string", b"").decode("latin-1")
        return local_path(path, query)
    referers, hosts = _values(scope, "referer"), _values(scope, "host")
    try:
        [page], [host] = map(urlsplit, referers), hosts
    except ValueError:
        return "/"
    return local_path(page.path, page.query) if page.netloc.lower() == host.lower() else "/"


def local_path(path: str, query: str = "") -> str:
    """Path and query, or `/` for what a browser could read as another host, and for what is too long."""
    whole = f"{path}?{query}" if query else path
    return whole if len(whole) <= LONGEST_PATH and _LOCAL.fullmatch(whole) else "/"


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
# In bytes: the server's bounds.
LONGEST_AGENT = 512
LONGEST_PATH = 4096
READING = ("GET", "HEAD")
# What stands in a path as it is (RFC 3986 §3.3).
PATH_SIGNS = "/:@!$&'()*+,;="
# Printable ASCII without the backslash, which browsers take for a slash.
_LOCAL = re.compile(r"/(?!/)[!-\[\]-~]*")
