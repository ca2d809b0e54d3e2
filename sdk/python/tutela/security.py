"""`SecurityManager`: the one object an application makes.

    security = SecurityManager(audience="photos")
    app.add_middleware(Guard, security=security)

    @security.authenticate
    async def delete(request):
        if not await security.has_permission(request.user, "photos:delete"):
            raise PermissionDenied()
        await security.audit_log.record("photo.deleted", user=request.user, action="delete")

Signing in, sessions and cookies belong to tutela, which stands in front of the application. So
`auth_providers` and `session_config` state what the application counts on, in the words of the server's
`[identity]` configuration. They are checked for typos, and it is the server's file that decides; what
they name is compared with it before anybody who is signed in is let through.
`Encryption`, which seals what the application stores, and `SecurityMonitor` can be imported from here too.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from .audit import AuditLogger
from .auth import AuthProvider
from .client import Tutela
from .context import CURRENT, RequestContext, Visitor, guarantee_user, read_request
from .encryption import Encryption
from .errors import PermissionDenied, Unauthenticated
from .events import ExternalId
from .handlers import READS, Handler, as_response, positional, run, scopes
from .identity import Anonymous, Verifier
from .identity_settings import IdentityComparison
from .monitor import SecurityMonitor
from .settings import is_bool, is_seconds, is_span, listed, members

__all__ = ["Encryption", "SecurityManager", "SecurityMonitor"]


class SecurityManager:
    """Authentication, permissions and the audit log of one application.

    `auth_providers`: any of `oauth2`, `openid`, `saml`, each once: the ways to sign in with an account
    elsewhere that the server has to have switched on. `session_config`: `timeout` (seconds),
    `refresh_enabled`, `secure`, `http_only` (booleans), `access_token` (`"15m"`). Where the server has
    another value, `IdentityMismatch` names both; what is not named is not compared.
    `client` defaults to `Tutela()`. `audience` is the name of the gateway's route to this
    application, by default `TUTELA_AUDIENCE`. `issuer` is tutela's public URL, by default
    `TUTELA_ISSUER`, else the client's URL. Raises ValueError that names what is wrong.
    """

    def __init__(
        self,
        auth_providers: Iterable[str | AuthProvider] = (),
        session_config: Mapping[str, Any] | None = None,
        client: Tutela | None = None,
        audience: str | None = None,
        *,
        issuer: str | None = None,
    ) -> None:
        self.auth_providers = _providers(auth_providers)
        self.session_config = members("session_config", session_config or {}, _SESSION)
        protocols = [provider.value for provider in self.auth_providers]
        self.comparison = IdentityComparison("session", self.session_config, protocols)
        self.client = client or Tutela()
        self.audit_log = AuditLogger(self.client)
        self._audience = audience or os.environ.get("TUTELA_AUDIENCE") or ""
        self._issuer = issuer or os.environ.get("TUTELA_ISSUER") or self.client.url

    @functools.cached_property
    def verifier(self) -> Verifier:
        """What checks identity tokens. Raises ValueError where no audience was given."""
        if not self._audience:
            raise ValueError(
                "`audience` is missing: pass the name of the gateway's route to this application, "
                "or set TUTELA_AUDIENCE"
            )
        return Verifier(issuer=self._issuer, audience=self._audience, fetch=self.client.jwks)

    def authenticate(self, handler: Handler) -> Callable[..., Awaitable[Any]]:
        """Let only signed-in people reach `handler`; the others get `Unauthenticated` (401).

        Takes async and plain functions (those run in a thread). A handler gets as many positional
        arguments as it takes, so `(request)` serves Nexios too, which passes `(request, response)`;
        there a returned dict or list is sent as JSON. Elsewhere what it returns is returned.

        Under `Guard` the errors become answers. Without it the identity is still verified, but the
        errors are left to the framework's exception handlers.
        """
        takes = positional(handler)

        @functools.wraps(handler)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            context = CURRENT.get() or await self._read(args, kwargs)
            if isinstance(context.user, Anonymous):
                raise Unauthenticated("sign in first")
            await self.ready()
            guarantee_user(args, kwargs, context)
            token = CURRENT.set(context)
            try:
                result = await run(handler, takes, args, kwargs)
            finally:
                CURRENT.reset(token)
            return as_response(args, result)

        setattr(guarded, READS, self._read)
        return guarded

    async def has_permission(
        self, user: Visitor | ExternalId | str | None, permission: str, resource: str | None = None
    ) -> bool:
        """Ask the server whether `user` may do something, on `resource` if given.

        `permission` is a permission such as `photos:delete`, or the name of a role such as `admin`.
        `user` is a `User`, an account id, or an `ExternalId`; nobody may do nothing. Raises
        `Unavailable` when there is no answer, so a handler that forgets to think of it still refuses.
        """
        if not permission:
            raise ValueError("`permission` is empty")
        if user is None or isinstance(user, Anonymous):
            return False
        return (await self.client.check(user, permission, resource)).allowed

    def require(self, permission: str, resource: str | None = None) -> Callable[[Handler], Handler]:
        """Like `authenticate`, for people who hold `permission`; the others get `PermissionDenied` (403)."""

        def decorate(handler: Handler) -> Handler:
            takes = positional(handler)

            @functools.wraps(handler)
            async def permitted(*args: Any, **kwargs: Any) -> Any:
                context = CURRENT.get()
                user = None if context is None else context.user
                if not await self.has_permission(user, permission, resource):
                    raise PermissionDenied(f"this needs `{permission}`")
                return await run(handler, takes, args, kwargs)

            return self.authenticate(permitted)

        return decorate

    async def ready(self) -> None:
        """Raise where the server is not set up as `auth_providers` and `session_config` say; asks only until that is known.

        `IdentityMismatch` where it differs, `Unavailable` where the server gives no answer. `Guard` and
        `authenticate` call it before they let somebody through who is signed in.
        """
        await self.comparison.check(self.client)

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self.client.aclose()

    async def _read(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> RequestContext:
        for scope in scopes(args, kwargs):
            return await read_request(scope, self.verifier)
        raise Unauthenticated("sign in first")


def _providers(given: Iterable[str | AuthProvider]) -> tuple[AuthProvider, ...]:
    valid = [provider.value for provider in AuthProvider]
    names = listed("auth_providers", given, valid)
    return tuple(AuthProvider(name) for name in names)


_SESSION: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "access_token": ('a length of time such as "15m"', is_span),
    "http_only": ("true or false", is_bool),
    "refresh_enabled": ("true or false", is_bool),
    "secure": ("true or false", is_bool),
    "timeout": ("a whole number of seconds above 0", is_seconds),
}
