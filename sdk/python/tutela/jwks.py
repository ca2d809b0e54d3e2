"""The public keys of the gateway (RFC 7517, RFC 8037), kept for a while.

Keys are fetched at first use, again after five minutes, and when an unknown key id turns up, at most
every ten seconds. So a new key works at once, a withdrawn key stops within five minutes, and a flood of
invented key ids costs the server six requests a minute. A failed fetch is remembered for one second.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .errors import TutelaError, Unavailable


class KeyRing:
    """Ed25519 keys by key id. `fetch` returns a parsed JWKS or raises."""

    def __init__(
        self, fetch: Callable[[], Awaitable[Any]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched: float | None = None
        self._failed: float | None = None
        self._lock = asyncio.Lock()

    async def find(self, kid: str) -> Ed25519PublicKey | None:
        """The key of that id, or None where the server has none. Raises `Unavailable`."""
        if self._answers(kid):
            return self._keys.get(kid)
        async with self._lock:
            # Somebody else may have fetched while we waited.
            if not self._answers(kid):
                await self._refresh()
        return self._keys.get(kid)

    def _answers(self, kid: str) -> bool:
        if self._fetched is None:
            return False
        age = self._clock() - self._fetched
        return age < (LONGEST_AGE_S if kid in self._keys else SHORTEST_AGE_S)

    async def _refresh(self) -> None:
        now = self._clock()
        if self._failed is not None and now - self._failed < FAILURE_AGE_S:
            raise Unavailable("the gateway's keys cannot be fetched")
        try:
            self._keys = _parse(await self._fetch())
        except (TutelaError, ValueError) as error:
            self._failed = self._clock()
            raise Unavailable("the gateway's keys cannot be fetched") from error
        self._fetched, self._failed = self._clock(), None


def _parse(document: Any) -> dict[str, Ed25519PublicKey]:
    """Read the signing keys we can use; keys of other kinds are for other readers and passed over."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise ValueError("not a JWKS")
    keys: dict[str, Ed25519PublicKey] = {}
    for key in listed:
        if not isinstance(key, dict) or key.get("kty") != "OKP" or key.get("crv") != "Ed25519":
            continue
        if key.get("use", "sig") != "sig" or key.get("alg", "EdDSA") != "EdDSA":
            continue
        kid, x = key.get("kid"), key.get("x")
        if not isinstance(kid, str) or not kid or not isinstance(x, str):
            raise ValueError("a key without `kid` or `x`")
        if kid in keys:
            raise ValueError("two keys of one id")
        keys[kid] = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))
    return keys


LONGEST_AGE_S = 300
SHORTEST_AGE_S = 10
FAILURE_AGE_S = 1
MOST_KEYS = 100
