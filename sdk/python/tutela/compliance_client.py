"""`Tutela.compliance`: what frameworks ask of an application, and uses of people's data for the record.

Settings need `consents:check`, recording needs `events:write`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .errors import Corrupt
from .events import Subject, subject_to_wire
from .ledger_answers import parsed, text

if TYPE_CHECKING:
    from .client import Tutela


@dataclass(frozen=True)
class ComplianceSettings:
    """The frameworks that are switched on there, and what they ask of an application.

    `factors` a person has proven; card numbers are shown masked where `mask_card_numbers` says so; sessions
    end after `idle` seconds without use, of which a framework allows at most `max_idle`; `data_retention` is
    in days.
    """

    frameworks: tuple[str, ...]
    data_retention: Mapping[str, int]
    factors: int
    mask_card_numbers: bool
    idle: int
    max_idle: int | None


class ComplianceClient:
    """The calls under `/v1/compliance` that applications make. A `Tutela` makes its own."""

    def __init__(self, client: Tutela) -> None:
        self._client = client

    async def settings(self) -> ComplianceSettings:
        """What an application has to hold to."""
        found = await self._client._get("/v1/compliance/settings")
        try:
            most = found.get("max_idle")
            return ComplianceSettings(
                frameworks=tuple(str(name) for name in found["frameworks"]),
                data_retention={str(name): int(days) for name, days in found["data_retention"].items()},
                factors=int(found["factors"]),
                mask_card_numbers=bool(found["mask_card_numbers"]),
                idle=int(found["idle"]),
                max_idle=None if most is None else int(most),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Corrupt("the server's compliance settings are not what they must be", remote=True) from None

    async def log_event(
        self,
        event_type: str,
        subject: Subject,
        *,
        data_type: str,
        purpose: str,
        resource: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Record a use of somebody's data; the id of the event, which is durable by then.

        `Invalid` names words that are unknown, with the nearest ones.
        """
        body: dict[str, Any] = {
            "event_type": event_type,
            "subject": subject_to_wire(subject),
            "data_type": data_type,
            "purpose": purpose,
        }
        if resource is not None:
            body["resource"] = resource
        if metadata:
            body["metadata"] = dict(metadata)
        return text(parsed((await self._client._send("POST", "/v1/compliance/events", body=body)).text), "id")
