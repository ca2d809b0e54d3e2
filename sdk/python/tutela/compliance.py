"""`ComplianceManager`: handlers that hold to what laws and standards ask for, and say what data is used for.

    compliance = ComplianceManager(
        frameworks=["gdpr", "hipaa", "pci-dss"],
        data_retention={"user_data": 365, "payment_data": 180, "logs": 730},
    )

    @compliance.enforce
    async def handle(request):
        await compliance.log_event(
            "data_processing", user=request.user, data_type="personal", purpose="service_delivery"
        )

The server assesses; what is stated here is compared with it, so that nobody counts on a framework that is
not switched on there, or on another time of keeping.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from .audit_record import Person, subject_of
from .cards import masked
from .client import Tutela
from .comparison import Comparison, Mismatch
from .compliance_client import ComplianceSettings
from .context import CURRENT, RequestContext, guarantee_user, signed_in
from .errors import Invalid
from .handlers import Handler, positional, run
from .identity import User
from .mfa import step_up
from .settings import unknown

FRAMEWORKS = ("gdpr", "hipaa", "pci-dss", "ccpa")


class ComplianceMismatch(Mismatch):
    """The server's `[compliance]` is other than the application counts on; `differences` has sentences."""

    says = "the server's compliance settings are other than this application counts on"


class ComplianceManager:
    """Holds handlers to the frameworks that are switched on, and records uses of people's data.

    `frameworks` (`gdpr`, `hipaa`, `pci-dss`, `ccpa`) and `data_retention` (days by kind of data; `logs` is
    the ledger) state what the application counts on; both are compared with the server before the first
    answer, and `ComplianceMismatch` names what differs. `namespace` is whose numbers integer users are
    (`TUTELA_NAMESPACE`). Under PCI DSS card numbers are masked in what handlers return, but for whoever holds
    the permission that `card_numbers` names. `client` defaults to `Tutela()`. Raises ValueError that names
    what is wrong.
    """

    def __init__(
        self,
        frameworks: Iterable[str] = (),
        data_retention: Mapping[str, int] | None = None,
        *,
        namespace: str | None = None,
        card_numbers: str | None = None,
        client: Tutela | None = None,
    ) -> None:
        if isinstance(frameworks, str):
            raise ValueError(f"`frameworks` is a list of names, not the text {frameworks!r}")
        names = tuple(frameworks)
        for name in names:
            if name not in FRAMEWORKS:
                raise ValueError(unknown("frameworks", name, FRAMEWORKS))
        kept = dict(data_retention or {})
        for name, days in kept.items():
            if isinstance(days, bool) or not isinstance(days, int) or days < 1:
                raise ValueError(
                    f"`data_retention[{name!r}]` must be a number of days from 1 up, not {days!r}"
                )
        self.frameworks = names
        self.data_retention = kept
        self.client = client or Tutela()
        self.namespace = namespace
        self.card_numbers = card_numbers
        self.comparison = ComplianceComparison(names, kept)
        self._settings: ComplianceSettings | None = None

    def enforce(self, handler: Handler) -> Callable[..., Awaitable[Any]]:
        """Let a handler run only as the frameworks ask for, and put each call on record.

        Somebody has to be signed in (`Unauthenticated`). Under PCI DSS they have proven two factors
        (`MFARequired`; a browser under `Guard` is led to prove it, and back), and sessions end there after 15
        minutes without use, under HIPAA after an hour (`ComplianceMismatch` where they do not). The call is
        recorded as `data_access` before the handler runs; without a record nothing runs: `Unavailable`.
        Under PCI DSS card numbers are masked in what the handler returns; `Unmaskable` where they cannot be
        looked for, as in a stream.
        Stands inside of `authenticate`, or alone where `Guard` is mounted.
        """
        takes = positional(handler)
        name = getattr(handler, "__qualname__", type(handler).__qualname__).replace("<locals>.", "")

        @functools.wraps(handler)
        async def enforced(*args: Any, **kwargs: Any) -> Any:
            context, user = await signed_in(handler, args, kwargs)
            asked = await self._asked()
            self._admit(asked, context, user)
            await self._record(name, context, user)
            guarantee_user(args, kwargs, context)
            token = CURRENT.set(context)
            try:
                answer = await run(handler, takes, args, kwargs)
                return masked(answer) if self._masks(asked, user) else answer
            finally:
                CURRENT.reset(token)

        return enforced

    async def log_event(
        self,
        event_type: str,
        user: Person | None = None,
        data_type: str = "personal",
        purpose: str = "service_delivery",
        *,
        resource: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Record a use of a person's data; the id of the event, which is durable by then.

        `event_type` is `data_processing`, `data_access`, `secure_access` or a type that was declared.
        `data_type` and `purpose` are names of Fideslang's taxonomies, purposes that are registered, or short
        words for them (`personal`, `health`, `payment`; `service_delivery`, `advertising`). `user` is the
        person of the request where absent. `Invalid` names an unknown word, with the nearest ones.
        """
        await self.comparison.check(self.client)
        context = CURRENT.get()
        person: Person | None = user
        if person is None and context is not None and isinstance(context.user, User):
            person = context.user
        subject = subject_of(person, self.namespace)
        if subject is None:
            raise Invalid("`user` is nobody: name whose data is used")
        return await self.client.compliance.log_event(
            event_type, subject, data_type=data_type, purpose=purpose, resource=resource, metadata=metadata
        )

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self.client.aclose()

    def __repr__(self) -> str:
        return f"ComplianceManager(frameworks={list(self.frameworks)!r})"

    async def _asked(self) -> ComplianceSettings:
        """What the server asks for; once it is known."""
        await self.comparison.check(self.client)
        if self._settings is None:
            self._settings = await self.client.compliance.settings()
        return self._settings

    def _admit(self, asked: ComplianceSettings, context: RequestContext, user: User) -> None:
        if asked.max_idle is not None and asked.idle > asked.max_idle:
            differs = f"a session may be idle for {asked.idle} s there, and {asked.max_idle} s are the most"
            raise ComplianceMismatch([differs])
        if asked.factors == 2 and user.acr == "aal1":
            wanted = {"acr": "aal2", "factors": 2}
            why = "prove by a second factor who you are"
            raise step_up(context, why, wanted, acr="aal2", max_age=None)

    def _masks(self, asked: ComplianceSettings, user: User) -> bool:
        sees = self.card_numbers is not None and user.has_permission(self.card_numbers)
        return asked.mask_card_numbers and not sees

    async def _record(self, name: str, context: RequestContext, user: User) -> None:
        subject = subject_of(user, self.namespace)
        if subject is None:
            raise Invalid("the person of the request has no name to be recorded by")
        source = {"ip": context.ip, "user_agent": context.user_agent}
        await self.client.record(
            "data_access",
            actor=subject,
            action="call",
            resource=name,
            source={name: value for name, value in source.items() if value is not None} or None,
            metadata={"frameworks": list(self.frameworks)} if self.frameworks else None,
        )


class ComplianceComparison(Comparison):
    """Compares what is stated of `[compliance]` once with the server."""

    what = "compliance"
    log = logging.getLogger("tutela.compliance")
    mismatch = ComplianceMismatch

    def __init__(self, frameworks: tuple[str, ...], data_retention: Mapping[str, int]) -> None:
        self._frameworks = frameworks
        self._kept = data_retention
        super().__init__(bool(frameworks) or bool(data_retention))

    async def ask(self, client: Tutela) -> ComplianceSettings:
        return await client.compliance.settings()

    def differences(self, server: ComplianceSettings) -> list[str]:
        found = [
            f"`[compliance] frameworks` has no `{name}` there"
            for name in self._frameworks
            if name not in server.frameworks
        ]
        for name, days in self._kept.items():
            there = server.data_retention.get(name)
            if there is None:
                found.append(f"`[compliance.data_retention] {name}` is not set there")
            elif there != days:
                found.append(f"`[compliance.data_retention] {name}` is {there} there")
        return found
