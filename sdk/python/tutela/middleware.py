"""`Guard`: the ASGI middleware that knows who is there.

Mount it inside the framework's own error handler, so that our errors reach it first:

    Starlette, FastAPI   app.add_middleware(Guard, security=security)
    Nexios               app.wrap_asgi(Guard, security=security)

A request without an identity passes as `Anonymous`; a route that needs a person says so with
`@security.authenticate`. A bad identity is refused here with 401, missing keys with 503. Where a person has
to prove more, a browser that opens a page is led to where they do (303), and everybody else is told (401).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from .context import CURRENT, Scope, bind, navigates, read_request
from .errors import MFARequired, TutelaError, Unauthenticated
from .identity import User

if TYPE_CHECKING:
    from .security import SecurityManager

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Guard:
    """Pure ASGI; holds no state between requests.

    Raises ValueError when mounted with a `security` that has no audience.
    """

    def __init__(self, app: Callable[..., Awaitable[None]], *, security: SecurityManager) -> None:
        self.app = app
        self._security = security
        self._verifier = security.verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        answered = False

        async def watch(message: Message) -> None:
            nonlocal answered
            if message["type"] in ("http.response.start", "websocket.accept", "websocket.close"):
                answered = True
            await send(message)

        token = None
        try:
            context = await read_request(scope, self._verifier)
            if isinstance(context.user, User):
                await self._security.ready()
            bind(scope, context)
            token = CURRENT.set(context)
            await self.app(scope, receive, watch)
        except TutelaError as error:
            # Half an answer cannot be taken back; the framework's error handler cuts the connection.
            if answered:
                raise
            shown = error.for_visitor()
            if isinstance(shown, MFARequired) and shown.leads and navigates(scope):
                await lead(send, shown.challenge)
            else:
                await refuse(scope, receive, send, shown)
        finally:
            if token is not None:
                CURRENT.reset(token)


async def lead(send: Send, location: str) -> None:
    """Answer with a redirect that is followed by a GET and kept by nobody (RFC 9110 §15.4.4)."""
    headers = [
        (b"location", location.encode()),
        (b"content-length", b"0"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def refuse(scope: Scope, receive: Receive, send: Send, error: TutelaError) -> None:
    """Answer with the error's problem document; a WebSocket is closed before it opens (RFC 6455 1008)."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": error.problem["title"]})
        return
    body = json.dumps(error.problem).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", error.www_authenticate.encode()))
    if error.retry_after is not None:
        headers.append((b"retry-after", str(int(error.retry_after)).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
