"""How requests leave: names under `.localhost` go to this machine.

RFC 6761 §6.3 gives `*.localhost` to the loopback interface, but the C library asks DNS for them and
fails. So the connection goes to 127.0.0.1 while the `Host` header (and the TLS name) stay as written.
"""

from __future__ import annotations

import httpx


class LoopbackNames(httpx.AsyncBaseTransport):
    """Wraps a transport and sends `*.localhost` to 127.0.0.1. Holds nothing of its own."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host.rstrip(".")
        if host == "localhost" or host.endswith(".localhost"):
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
