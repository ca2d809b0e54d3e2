"""`PrivacyManager`: whether something may be done with a person's data.

    privacy = PrivacyManager(
        consent_required=True,
        data_subject_rights={"access": True, "rectification": True, "erasure": True, "portability": True},
    )
    if not await privacy.has_consent(request.user):
        raise ConsentRequired()

The server keeps what people have said; what is stated here is compared with it, so that nobody counts on a
switch that is set otherwise there. No answer is no consent.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from .audit_record import Person, subject_of
from .client import Tutela
from .comparison import Comparison, Mismatch
from .context import signed_in
from .errors import PermissionDenied
from .handlers import Handler, positional, run, scopes
from .privacy_client import ConsentAnswer, MissingConsent, PrivacySettings
from .settings import is_bool, unknown

RIGHTS = ("access", "rectification", "erasure", "portability")


class PrivacyMismatch(Mismatch):
    """The server's `[privacy]` is other than the application counts on; `differences` has sentences."""

    says = "the server's privacy settings are other than this application counts on"


class ConsentRequired(PermissionDenied):
    """The person has not said yes. A 403 problem with the purposes, their notices and where yes can be said.

    `missing` and `give_at` are those of the `ConsentAnswer`; without one it says that consent is needed.
    """

    kind, status, title = "consent-required", 403, "consent is required"
    says: ClassVar[str] = "this is done only with your consent"

    def __init__(self, answer: ConsentAnswer | None = None, *, detail: str | None = None) -> None:
        self.missing: tuple[MissingConsent, ...] = answer.missing if answer is not None else ()
        self.give_at = answer.give_at if answer is not None else None
        problem: dict[str, Any] = {}
        if answer is not None:
            problem["give_at"] = answer.give_at
            problem["missing"] = [
                {"purpose": item.purpose, "title": item.title, "why": item.why, "notice": dict(item.notice)}
                for item in answer.missing
            ]
        super().__init__(detail or self.says, problem=problem)


class PrivacyManager:
    """Asks the server whether a person's data may be used.

    `consent_required` and `data_subject_rights` (`access`, `rectification`, `erasure`, `portability`) state
    what the application counts on; both are compared with the server before the first answer, and
    `PrivacyMismatch` names what differs. `namespace` is whose numbers integer users are (`TUTELA_NAMESPACE`).
    `client` defaults to `Tutela()`. Raises ValueError that names what is wrong.
    """

    def __init__(
        self,
        consent_required: bool | None = None,
        data_subject_rights: Mapping[str, bool] | None = None,
        *,
        namespace: str | None = None,
        client: Tutela | None = None,
    ) -> None:
        if consent_required is not None and not is_bool(consent_required):
            raise ValueError(f"`consent_required` must be true or false, not {consent_required!r}")
        rights = dict(data_subject_rights or {})
        for name, value in rights.items():
            if name not in RIGHTS:
                raise ValueError(unknown("data_subject_rights", name, RIGHTS))
            if not is_bool(value):
                raise ValueError(f"`data_subject_rights[{name!r}]` must be true or false, not {value!r}")
        self.client = client or Tutela()
        self.namespace = namespace
        self.comparison = PrivacyComparison(consent_required, rights)

    async def has_consent(
        self, user: Person | None, purpose: str | None = None, *, gpc: bool = False
    ) -> bool:
        """Whether `user` has said yes: to `purpose`, or to all required ones. Nobody has said nothing: False.

        `gpc` is whether their browser sent `Sec-GPC: 1`.
        """
        answer = await self.check(user, purpose, gpc=gpc)
        return answer is not None and answer.allowed

    async def require_consent(
        self, user: Person | None, purpose: str | None = None, *, gpc: bool = False
    ) -> None:
        """Raise `ConsentRequired`, with what is missing and where yes can be said, without consent."""
        answer = await self.check(user, purpose, gpc=gpc)
        if answer is None or not answer.allowed:
            raise ConsentRequired(answer)

    def enforce(self, *purposes: str) -> Callable[[Handler], Callable[..., Awaitable[Any]]]:
        """Let a handler run only where the data of the person of the request may be used for `purposes`.

        All required ones where none is named. Others get `ConsentRequired` (403), nobody at all
        `Unauthenticated`; `Sec-GPC` is heard. Stands inside of `authenticate`, or alone where `Guard` is
        mounted. Without an answer of the server nothing runs: `Unavailable`.

            @privacy.enforce("personalize")
            async def suggestions(request): ...
        """

        def decorate(handler: Handler) -> Callable[..., Awaitable[Any]]:
            takes = positional(handler)

            @functools.wraps(handler)
            async def enforced(*args: Any, **kwargs: Any) -> Any:
                _, user = await signed_in(handler, args, kwargs)
                await self.comparison.check(self.client)
                gpc = any(_asks_not_to_be_sold(scope) for scope in scopes(args, kwargs))
                subject = subject_of(user, self.namespace)
                answer = (
                    None if subject is None else await self.client.privacy.check(subject, purposes, gpc=gpc)
                )
                if answer is None or not answer.allowed:
                    raise ConsentRequired(answer)
                return await run(handler, takes, args, kwargs)

            return enforced

        return decorate

    async def project(self, collection: str, record: Mapping[str, Any], *purposes: str) -> dict[str, Any]:
        """What `purposes` need of a record of a mapped collection (`shop.customer`), and nothing else."""
        await self.comparison.check(self.client)
        [kept] = await self.client.privacy.project(collection, [record], purposes)
        return kept

    async def check(
        self, user: Person | None, purpose: str | None = None, *, gpc: bool = False
    ) -> ConsentAnswer | None:
        """The whole answer; None for nobody."""
        await self.comparison.check(self.client)
        subject = subject_of(user, self.namespace)
        if subject is None:
            return None
        return await self.client.privacy.check(subject, () if purpose is None else (purpose,), gpc=gpc)


class PrivacyComparison(Comparison):
    """Compares what is stated of `[privacy]` once with the server."""

    what = "privacy"
    log = logging.getLogger("tutela.privacy")
    mismatch = PrivacyMismatch

    def __init__(self, consent_required: bool | None, rights: Mapping[str, bool]) -> None:
        self._consent_required = consent_required
        self._rights = rights
        super().__init__(consent_required is not None or bool(rights))

    async def ask(self, client: Tutela) -> PrivacySettings:
        return await client.privacy.settings()

    def differences(self, server: PrivacySettings) -> list[str]:
        found = []
        if self._consent_required not in (None, server.consent_required):
            found.append(f"`[privacy] consent_required` is {_word(server.consent_required)} there")
        for name, here in self._rights.items():
            there = server.data_subject_rights.get(name, False)
            if here != there:
                found.append(f"`[privacy.data_subject_rights] {name}` is {_word(there)} there")
        return found


def _asks_not_to_be_sold(scope: Mapping[str, Any]) -> bool:
    """Whether a request carries Global Privacy Control: a header of exactly `1`."""
    return any(name == b"sec-gpc" and value.strip() == b"1" for name, value in scope["headers"])


def _word(value: bool) -> str:
    return "true" if value else "false"
