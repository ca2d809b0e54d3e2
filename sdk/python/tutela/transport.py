"""How requests leave: names under `.localhost` go to this machine, and failures become our errors.

RFC 6761 §6.3 gives `*.localhost` to the loopback interface, but the C library asks DNS for them and
fails. So the connection goes to 127.0.0.1 while the `Host` header (and the TLS name) stay as written.
"""

from __future__ import annotations

import json
from typing import Any

import httpx

from .errors import TutelaError, Unavailable, from_problem


class LoopbackNames(httpx.AsyncBaseTransport):
    """Wraps a transport and sends `*.localhost` to 127.0.0.1. Holds nothing of its own."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host.rstrip(".")
        if is_loopback_name(host):
            request = httpx.Request(
                request.method,
                request.url.copy_with(host="127.0.0.1"),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class TransportErrors:
    """Turns failures of the network into `Unavailable`, without the text of lower layers."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (httpx.TransportError, httpx.DecodingError)):
            raise Unavailable(f"`{self._url}`: {type(error).__name__}", remote=True) from error


def error_of(answer: httpx.Response) -> TutelaError:
    """The exception for an answer that is not a success; a body that is no problem is not quoted."""
    problem: Any = None
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        try:
            problem = json.loads(answer.content)
        except ValueError:
            problem = None
    seconds = answer.headers.get("retry-after", "")
    return from_problem(
        problem if isinstance(problem, dict) else None,
        answer.status_code,
        retry_after=float(seconds) if seconds.isascii() and seconds.isdigit() else None,
    )


def is_loopback_name(host: str) -> bool:
    """Whether a name is `localhost` or stands under it."""
    return host == "localhost" or host.endswith(".localhost")


def segment(text: str, what: str) -> str:
    """One path segment; ids and names hold no other characters, and a slash would name another route."""
    if not text or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in text) or set(text) == {"."}:
        raise ValueError(f"{what} holds only letters, digits, `-`, `_` and `.`")
    return text
