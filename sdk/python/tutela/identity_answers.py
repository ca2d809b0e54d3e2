"""How people sign in at the server. An answer without what was promised is `Corrupt`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .crypto_answers import member
from .errors import Corrupt
from .settings import is_span


@dataclass(frozen=True)
class SessionSettings:
    """`[identity.session]`. `timeout` is in seconds; `access_token` a length of time such as `15m`."""

    timeout: int
    refresh_enabled: bool
    secure: bool
    http_only: bool
    access_token: str


@dataclass(frozen=True)
class MFASettings:
    """`[identity.mfa]`: the second factors beside `passkeys`, and how many factors a sign-in takes."""

    providers: tuple[str, ...]
    required_factors: int
    remember_device: bool
    passkeys: bool


@dataclass(frozen=True)
class IdentitySettings:
    """What an application may know of the server's `[identity]` and `[limits]`.

    `profile` is whose rules hold: `nist`, `pci`, `hipaa` or `legacy`. `providers` are the outside ways to
    sign in. `limits` has for `login` how many `attempts` within a `window`, and how long the `lockout` is.
    """

    profile: str
    public_url: str
    providers: tuple[Any, ...]
    session: SessionSettings
    mfa: MFASettings
    limits: Mapping[str, Mapping[str, Any]]


# === From the wire ===


def identity_settings(answer: Any) -> IdentitySettings:
    return IdentitySettings(
        profile=member(answer, "profile", str),
        public_url=member(answer, "public_url", str),
        providers=tuple(member(answer, "providers", list)),
        session=_session(member(answer, "session", dict)),
        mfa=_mfa(member(answer, "mfa", dict)),
        limits=member(answer, "limits", dict),
    )


def _session(answer: Any) -> SessionSettings:
    access_token = member(answer, "access_token", str)
    if not is_span(access_token):
        raise Corrupt("the server's `access_token` is no length of time", remote=True)
    return SessionSettings(
        timeout=member(answer, "timeout", int),
        refresh_enabled=member(answer, "refresh_enabled", bool),
        secure=member(answer, "secure", bool),
        http_only=member(answer, "http_only", bool),
        access_token=access_token,
    )


def _mfa(answer: Any) -> MFASettings:
    return MFASettings(
        providers=tuple(str(name) for name in member(answer, "providers", list)),
        required_factors=member(answer, "required_factors", int),
        remember_device=member(answer, "remember_device", bool),
        passkeys=member(answer, "passkeys", bool),
    )
