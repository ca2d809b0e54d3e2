"""`MFA`: handlers that are reached by whoever proved enough, and not too long ago.

    mfa = MFA(providers=["totp", "sms"], required_factors=2, max_age="5m")

    @security.authenticate
    @mfa.require
    async def pay(request):
        ...

People prove who they are on tutela's own pages, so no code passes through the application. The identity
token says by which methods they did (RFC 8176) and when; what is decided here is whether that is enough:

    older than `max_age` ----------------------------> `MFARequired`
    two factors, one of them accepted here ----------> the handler
    a remembered device, where that is accepted -----> the handler
    anything less -----------------------------------> `MFARequired`

`MFARequired` holds the way to the page where more is proved, and back.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from .client import Tutela
from .context import CURRENT, RequestContext, guarantee_user, signed_in
from .errors import MFARequired
from .handlers import Handler, positional, run
from .identity import SKEW_S, User
from .identity_settings import IdentityComparison
from .settings import is_bool, is_seconds, is_span, listed, span_seconds


class MFA:
    """Which proofs the handlers of an application ask for.

    `providers`: any of `totp`, `sms`, `email`, each once: what is accepted as a second factor, beside a
    passkey and a recovery code, which always are; all three where absent. `required_factors`: 1 or 2,
    where absent 2. `remember_device`: whether a device that the person had remembered spares the second
    factor, where absent true. `max_age`: how long ago the last proof may be, in seconds or as `"5m"`, at
    least 30 seconds; any time where absent. `client` defaults to `Tutela()`.

    `providers`, `required_factors` and `remember_device` are compared with the server's `[identity.mfa]`
    where they are given, before the first request is let through. The server must offer each provider, and
    may offer more. Raises ValueError that names what is wrong.
    """

    def __init__(
        self,
        providers: Iterable[str] | None = None,
        required_factors: int | None = None,
        remember_device: bool | None = None,
        client: Tutela | None = None,
        max_age: int | str | None = None,
    ) -> None:
        declared: dict[str, Any] = {}
        if providers is not None:
            declared["providers"] = listed("providers", providers, list(METHODS))
        if required_factors is not None:
            if not is_seconds(required_factors) or required_factors > 2:
                raise ValueError(f"`required_factors` must be 1 or 2, not {required_factors!r}")
            declared["required_factors"] = required_factors
        if remember_device is not None:
            if not is_bool(remember_device):
                raise ValueError(f"`remember_device` must be true or false, not {remember_device!r}")
            declared["remember_device"] = remember_device
        self.providers: tuple[str, ...] = declared.get("providers", tuple(METHODS))
        self.required_factors: int = declared.get("required_factors", 2)
        self.remember_device: bool = declared.get("remember_device", True)
        self.max_age = None if max_age is None else _seconds(max_age)
        self.client = client or Tutela()
        self.comparison = IdentityComparison("mfa", declared)
        self._accepted = {*ALWAYS, *(METHODS[name] for name in self.providers)}
        # A code sent by mail is a second factor, and lifts nobody above AAL1 (SP 800-63B-4 §3.1.3):
        # where it is accepted, the level must not be asked for, or it would not be enough over there.
        self._level = "aal2" if self.required_factors == 2 and "email" not in self.providers else None

    def require(self, handler: Handler) -> Callable[..., Awaitable[Any]]:
        """Let only people reach `handler` who proved enough; the others get `MFARequired` (401).

        Nobody at all gets `Unauthenticated`. Stands inside or outside of `authenticate`, or alone where
        `Guard` is mounted, which leads a browser to prove more and back (303); without either of them
        nobody gets in. Takes the handlers that `authenticate` takes, and what they return is returned.
        `IdentityMismatch` where the server is set up otherwise, `Unavailable` where it does not answer.
        """
        takes = positional(handler)

        @functools.wraps(handler)
        async def proven(*args: Any, **kwargs: Any) -> Any:
            context, user = await signed_in(handler, args, kwargs)
            await self._admit(context, user)
            guarantee_user(args, kwargs, context)
            token = CURRENT.set(context)
            try:
                return await run(handler, takes, args, kwargs)
            finally:
                CURRENT.reset(token)

        return proven

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self.client.aclose()

    def __repr__(self) -> str:
        return f"MFA(providers={list(self.providers)!r}, required_factors={self.required_factors})"

    async def _admit(self, context: RequestContext, user: User) -> None:
        """Raise unless the person of this request proved enough."""
        await self.comparison.check(self.client)
        age = time.time() - user.auth_time
        if self.max_age is not None and age > self.max_age:
            raise self._refusal(context, "prove again who you are: the last time is too long ago")
        if self.required_factors == 1 or (self.remember_device and "remembered" in user.amr):
            return
        if "mfa" not in user.amr:
            raise self._refusal(context, "prove by a second factor who you are")
        if self._accepted.isdisjoint(user.amr):
            raise self._other_way(context, user, age)

    def _other_way(self, context: RequestContext, user: User, age: float) -> MFARequired:
        """The refusal of a second factor that counts elsewhere and not here.

        To the server it is as good as any, and whoever is sent there would come straight back, and be sent
        again. So it is asked for a new proof; who has just given one is told, and sent nowhere.
        """
        ways = ", ".join([*(f"`{name}`" for name in self.providers), "a passkey"])
        detail = f"this needs another second factor; accepted are {ways} and a recovery code"
        if self._level is not None and user.acr == "aal1":
            return self._refusal(context, detail)
        within = JUST_NOW_S if self.max_age is None else min(JUST_NOW_S, self.max_age)
        return self._refusal(context, detail, within=within, leads=age > within + SKEW_S)

    def _refusal(
        self, context: RequestContext, detail: str, *, within: int | None = None, leads: bool = True
    ) -> MFARequired:
        acr = "aal2" if self.required_factors == 2 else None
        asked = {"acr": self._level, "factors": self.required_factors, "max_age": within or self.max_age}
        return step_up(context, detail, asked, acr=acr, max_age=self.max_age, leads=leads)


def step_up(
    context: RequestContext,
    detail: str,
    asked: Mapping[str, Any],
    *,
    acr: str | None,
    max_age: int | None,
    leads: bool = True,
) -> MFARequired:
    """The refusal that leads a browser to prove what is asked for, and back."""
    given = {"return_to": context.return_to, **asked}
    query = urlencode(
        {name: value for name, value in given.items() if value is not None}, safe="/", quote_via=quote
    )
    return MFARequired(detail, challenge=f"{STEP_UP}?{query}", acr=acr, max_age=max_age, leads=leads)


def _seconds(given: int | str) -> int:
    if not is_seconds(given) and not is_span(given):
        raise ValueError(f'`max_age` must be a number of seconds or a length such as "5m", not {given!r}')
    seconds = span_seconds(given) if isinstance(given, str) else given
    # The server asks for nothing fresher; a shorter time would send people back and forth.
    if seconds < SHORTEST_AGE_S:
        raise ValueError(f"`max_age` must be at least {SHORTEST_AGE_S} seconds, not {given!r}")
    return seconds


# How the methods of each provider are called in `amr`.
METHODS = {"totp": "otp", "sms": "sms", "email": "email"}
# Passkeys bound to a device and synced, and the codes for whoever has lost everything else.
ALWAYS = ("hwk", "swk", "recovery")
# On the host of the application, where the gateway answers it.
STEP_UP = "/_tutela/step-up"
SHORTEST_AGE_S = 30
JUST_NOW_S = 60
