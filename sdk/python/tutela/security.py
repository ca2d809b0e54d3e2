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
`[identity]` configuration; they are checked for typos, and it is the server's file that decides.
`Encryption`, which seals what the application stores, can be imported from here too.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import anyio.to_thread

from .audit import AuditLogger
from .auth import AuthProvider
from .client import Tutela
from .context import CURRENT, RequestContext, Visitor, bind, read_request
from .encryption import Encryption
from .errors import PermissionDenied, Unauthenticated
from .events import ExternalId
from .handlers import Handler, as_response, positional, scopes
from .identity import Anonymous, Verifier
from .settings import is_bool, is_seconds, is_span, members, unknown

__all__ = ["Encryption", "SecurityManager"]


class SecurityManager:
    """Authentication, permissions and the audit log of one application.

    `auth_providers`: any of `oauth2`, `openid`, `saml`, each once. `session_config`: `timeout`
    (seconds), `refresh_enabled`, `secure`, `http_only` (booleans), `access_token` (`"15m"`).
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
            _guarantee_user(args, kwargs, context)
            token = CURRENT.set(context)
            try:
                given = args if takes is None else args[: takes(kwargs)]
                if inspect.iscoroutinefunction(handler):
                    result = await handler(*given, **kwargs)
                else:
                    result = await anyio.to_thread.run_sync(functools.partial(handler, *given, **kwargs))
                    if inspect.isawaitable(result):
                        result = await result
            finally:
                CURRENT.reset(token)
            return as_response(args, result)

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
                given = args if takes is None else args[: takes(kwargs)]
                if inspect.iscoroutinefunction(handler):
                    return await handler(*given, **kwargs)
                return await anyio.to_thread.run_sync(functools.partial(handler, *given, **kwargs))

            return self.authenticate(permitted)

        return decorate

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self.client.aclose()

    async def _read(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> RequestContext:
        for scope in scopes(args, kwargs):
            return await read_request(scope, self.verifier)
        raise Unauthenticated("sign in first")


def _guarantee_user(args: tuple[Any, ...], kwargs: Mapping[str, Any], context: RequestContext) -> None:
    """Make `request.user` the verified person, whatever another middleware put there."""
    for scope in scopes(args, kwargs):
        if scope.get("user") is not context.user:
            bind(scope, context)


def _providers(given: Iterable[str | AuthProvider]) -> tuple[AuthProvider, ...]:
    if isinstance(given, str):
        raise ValueError('`auth_providers` is a list, for example ["oauth2"]')
    valid = [provider.value for provider in AuthProvider]
    found: list[AuthProvider] = []
    for name in given:
        value = name.value if isinstance(name, AuthProvider) else name
        if value not in valid:
            raise ValueError(unknown("auth_providers", value, valid))
        if AuthProvider(value) in found:
            raise ValueError(f"`auth_providers`: `{value}` stands there twice")
        found.append(AuthProvider(value))
    return tuple(found)


_SESSION: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "access_token": ('a length of time such as "15m"', is_span),
    "http_only": ("true or false", is_bool),
    "refresh_enabled": ("true or false", is_bool),
    "secure": ("true or false", is_bool),
    "timeout": ("a whole number of seconds above 0", is_seconds),
}
