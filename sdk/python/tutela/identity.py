"""Who is there: the signed identity that the gateway hands to an application.

The gateway sends the header `tutela-identity`, a JWT signed with Ed25519 that lives 60 seconds at most
and names one route. A request without it comes from nobody. What is checked, in this order:

    form (three parts, canonical base64url) -> typ, alg, kid -> key of that kid -> signature
    -> iss, aud -> iat and exp, 5 s of clock skew, life of at most 60 s -> subject and session
    -> the types of what else it says

Whatever fails is `Unauthenticated`, with the reason. If the keys cannot be fetched, it is `Unavailable`.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature

from .errors import Unauthenticated
from .jwks import KeyRing


@dataclass(frozen=True)
class User:
    """A signed-in person. Only a verified identity makes one in production.

    `roles` and `permissions` are as of the token, so up to 60 seconds old; for a decision that must be
    current, ask `SecurityManager.has_permission`.

    `acr`, `amr` and `auth_time` say how surely it is this person. `acr` is `aal1`, `aal2` or `aal3`
    (SP 800-63B-4 §2), `aal1` where the token has none. `amr` are the methods they proved it by (RFC 8176):
    `pwd`, `otp` (an app's code), `sms`, `hwk` or `swk` (a passkey), `user`, `mfa` (two distinct factors),
    and tutela's own `email`, `recovery`, and `remembered` (the device spared the second factor).
    `auth_time` is when they last did, in seconds since 1970; 0 where nobody knows.
    """

    id: str
    name: str = ""
    email: str = ""
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    session_id: str = ""
    acr: str = "aal1"
    amr: tuple[str, ...] = ()
    auth_time: int = 0

    @property
    def identity(self) -> str:
        """The account id, under the name that Nexios and Starlette use."""
        return self.id

    @property
    def display_name(self) -> str:
        """The name to show."""
        return self.name

    @property
    def is_authenticated(self) -> bool:
        """Always true."""
        return True

    def has_permission(self, permission: str) -> bool:
        """Whether the token's permissions cover `permission`; `photos:*` and `*` cover what they say."""
        return any(
            held == permission or held == "*" or (held.endswith(":*") and permission.startswith(held[:-1]))
            for held in self.permissions
        )


@dataclass(frozen=True)
class Anonymous:
    """Nobody: what `request.user` holds on a public route without a sign-in."""

    id: None = None
    name: str = ""
    email: str = ""
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    session_id: None = None
    acr: str = ""
    amr: tuple[str, ...] = ()
    auth_time: int = 0

    @property
    def identity(self) -> str:
        """Empty."""
        return ""

    @property
    def display_name(self) -> str:
        """Empty."""
        return ""

    @property
    def is_authenticated(self) -> bool:
        """Always false."""
        return False

    def has_permission(self, permission: str) -> bool:
        """Always false."""
        return False


class Verifier:
    """Checks identity tokens for one application.

    `issuer` is tutela's public URL, `audience` the name of the gateway's route to this application, and
    `fetch` returns the parsed JWKS. Neither may be empty: a token for another route must not pass.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        fetch: Callable[[], Awaitable[Any]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not issuer or not audience:
            raise ValueError("`issuer` and `audience` must be given: tokens are bound to both")
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._keys = KeyRing(fetch)

    async def verify(self, token: str) -> User:
        """Return the person a header value stands for, or raise `Unauthenticated` or `Unavailable`."""
        if len(token) > LONGEST_TOKEN or not _FORM.fullmatch(token):
            raise _refused("it is not a signed JWT")
        head, body, tail = token.split(".")
        header = _object(head)
        if header.get("typ") != TYPE or header.get("alg") != "EdDSA" or "crit" in header:
            raise _refused("its type or algorithm is not the gateway's")
        kid = header.get("kid")
        if not isinstance(kid, str) or not kid:
            raise _refused("it names no key")
        key = await self._keys.find(kid)
        if key is None:
            raise _refused("its key is unknown")
        try:
            key.verify(_bytes(tail), f"{head}.{body}".encode())
        except InvalidSignature:
            raise _refused("its signature is wrong") from None
        return self._accept(_object(body))

    def _accept(self, claims: dict[str, Any]) -> User:
        if claims.get("iss") != self._issuer:
            raise _refused("another issuer made it")
        if claims.get("aud") != self._audience:
            raise _refused("it is for another application")
        issued, expires, now = _seconds(claims, "iat"), _seconds(claims, "exp"), self._clock()
        if issued > now + SKEW_S:
            raise _refused("it is from the future")
        if expires <= now - SKEW_S:
            raise _refused("it has expired")
        if not 0 < expires - issued <= LONGEST_LIFE_S:
            raise _refused("it lives too long")
        subject, session = claims.get("sub"), claims.get("sid")
        if not isinstance(subject, str) or not subject or not isinstance(session, str) or not session:
            raise _refused("it names no account or session")
        return User(
            id=subject,
            name=_optional(claims, "name"),
            email=_optional(claims, "email"),
            roles=_names(claims, "roles"),
            permissions=_names(claims, "permissions"),
            session_id=session,
            # Gateways of before these claims say nothing of it: then the least is true.
            acr=_optional(claims, "acr") or "aal1",
            amr=_names(claims, "amr"),
            auth_time=_time(claims, "auth_time"),
        )


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(f"the identity of this request is not accepted: {why}")


def _bytes(part: str) -> bytes:
    """Decode unpadded base64url; a second spelling of the same bytes is refused (RFC 4648 §3.5)."""
    try:
        decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise _refused("it is not base64url") from None
    if base64.urlsafe_b64encode(decoded).rstrip(b"=").decode() != part:
        raise _refused("it is not canonical base64url")
    return decoded


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(part), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise _refused("it does not hold JSON") from None
    if not isinstance(found, dict):
        raise _refused("it does not hold a JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name appears twice")
    return found


def _seconds(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _refused(f"it has no `{name}`")
    return value


def _time(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _refused(f"its `{name}` is not a time in whole seconds")
    return value


def _optional(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _refused(f"its `{name}` is not text")
    return value


def _names(claims: dict[str, Any], name: str) -> tuple[str, ...]:
    value = claims.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _refused(f"its `{name}` are not a list of names")
    return tuple(value)


HEADER = "tutela-identity"
TYPE = "tutela-identity+jwt"
SKEW_S = 5
LONGEST_LIFE_S = 60
LONGEST_TOKEN = 16 * 1024
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
