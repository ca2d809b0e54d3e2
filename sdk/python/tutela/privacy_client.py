"""`Tutela.privacy`: purposes, what people say to them, and whether something may be done.

Needs `consents:check`; recording what people say needs `consents:write`, listing it `consents:read`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from .errors import Corrupt
from .events import Subject, subject_to_wire
from .ledger_answers import parsed, text
from .transport import segment

if TYPE_CHECKING:
    from .client import Tutela

# Seconds that one call waits for an answer; more is many calls.
LONGEST_POLL = 3


@dataclass(frozen=True)
class MissingConsent:
    """A purpose that somebody's data may not be used for.

    `why`: `consent_missing`, `refused`, `objected`, `opted_out` or `restricted`. `notice` is what they would
    say yes to: `version`, `text`, `language`.
    """

    purpose: str
    title: str
    why: str
    notice: Mapping[str, Any]


@dataclass(frozen=True)
class ConsentAnswer:
    """Whether all of it may be done; if not, what is missing. `give_at` is where the person can say yes."""

    allowed: bool
    missing: tuple[MissingConsent, ...]
    give_at: str

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True)
class Consent:
    """What somebody has said last to a purpose: `given`, `refused` or `withdrawn`."""

    purpose: str
    said: str
    notice_version: str
    said_at: str
    receipt: str


@dataclass(frozen=True)
class PrivacySettings:
    """What is switched on in the server's `[privacy]`."""

    consent_required: bool
    data_subject_rights: Mapping[str, bool]


@dataclass(frozen=True)
class SubjectRequest:
    """Something that a person has asked for, and how far it is.

    `status`: `pending`, `waiting` (for approval), `running`, `partial`, `stopped`, `completed`, `refused`.
    `answer_by` is the last day of the law (`yyyy-mm-dd`). `progress` has `steps`, `kept`, `problems`, `notes`
    and `receipt`, as the API documents them.
    """

    id: str
    law: str
    type: str
    status: str
    received_at: str
    answer_by: str
    closed_at: str | None
    progress: Mapping[str, Any]

    @property
    def why(self) -> str:
        """What is in its way, as the end of a sentence."""
        return "".join(f"; {item['place']}: {item['why']}" for item in self.progress["problems"])


class PrivacyClient:
    """The calls under `/v1/consents`, `/v1/subject-requests` and `/v1/privacy`. A `Tutela` makes its own."""

    def __init__(self, client: Tutela) -> None:
        self._client = client

    async def settings(self) -> PrivacySettings:
        """What is switched on. Raises `PermissionDenied` without `consents:check`."""
        found = await self._client._get("/v1/privacy/settings")
        required, rights = found.get("consent_required"), found.get("data_subject_rights")
        if not isinstance(required, bool) or not isinstance(rights, dict):
            raise Corrupt("the server's privacy settings are not what they must be", remote=True)
        return PrivacySettings(required, {str(name): bool(value) for name, value in rights.items()})

    async def check(
        self, subject: Subject, purposes: Iterable[str] = (), *, gpc: bool = False
    ) -> ConsentAnswer:
        """Whether somebody's data may be used for purposes, all required ones where none is named.

        `gpc` is whether their browser sent `Sec-GPC: 1`. `Invalid` names the nearest purposes of one that
        nobody has registered.
        """
        body = {"subject": subject_to_wire(subject), "purposes": list(purposes), "gpc": gpc}
        found = parsed((await self._client._send("POST", "/v1/consents/check", body=body)).text)
        if not isinstance(found, dict) or not isinstance(found.get("allowed"), bool):
            raise Corrupt("an answer about consent is not what it must be", remote=True)
        missing = tuple(
            MissingConsent(
                text(item, "purpose"), text(item, "title"), text(item, "why"), item.get("notice") or {}
            )
            for item in found.get("missing") or ()
        )
        return ConsentAnswer(found["allowed"], missing, text(found, "give_at"))

    async def project(
        self, collection: str, records: Iterable[Mapping[str, Any]], purposes: Iterable[str]
    ) -> list[dict[str, Any]]:
        """Records of a mapped collection (`shop.customer`) with only what `purposes` need.

        What the map says nothing about is left out. `Invalid` names a collection or purpose that is unknown.
        """
        body = {
            "purposes": list(purposes),
            "collection": collection,
            "records": [dict(record) for record in records],
        }
        found = parsed((await self._client._send("POST", "/v1/privacy/projections", body=body)).text)
        kept = found.get("records") if isinstance(found, dict) else None
        if not isinstance(kept, list):
            raise Corrupt("a projection is not what it must be", remote=True)
        return [dict(record) for record in kept]

    async def record(
        self, subject: Subject, said: str, purposes: Iterable[str] = (), *, method: str | None = None
    ) -> tuple[Consent, ...]:
        """Record what somebody has said: `given`, `refused` or `withdrawn`."""
        body = {"subject": subject_to_wire(subject), "purposes": list(purposes), "said": said}
        if method is not None:
            body["method"] = method
        return _consents(parsed((await self._client._send("POST", "/v1/consents", body=body)).text))

    async def list(self, subject: Subject) -> tuple[Consent, ...]:
        """What somebody has said to each purpose."""
        wire = subject_to_wire(subject)
        params = {"account": wire} if isinstance(wire, str) else dict(wire)
        return _consents(await self._client._get("/v1/consents", params=params))

    async def receipt(self, id: str) -> dict[str, Any]:
        """A receipt and the note that signs it, as `tutela privacy receipt verify` reads them."""
        found = await self._client._get(f"/v1/consents/receipts/{segment(id, 'the id of a receipt')}")
        return dict(found)

    async def ask(
        self,
        subject: Subject,
        type: str,
        *,
        law: str = "gdpr",
        corrections: Mapping[str, Any] | None = None,
        purposes: Iterable[str] = (),
        contact: str | None = None,
        wait: float = 30,
    ) -> SubjectRequest:
        """Hand in what somebody asks for, and wait for the answer for at most `wait` seconds (0 to 60).

        `Invalid` names the types that there are; `PermissionDenied` a right that is switched off. What takes
        longer than a moment is asked for again, which needs `subject-requests:read`.
        """
        body: dict[str, Any] = {"subject": subject_to_wire(subject), "type": type, "law": law}
        if corrections:
            body["corrections"] = dict(corrections)
        if purposes:
            body["purposes"] = list(purposes)
        if contact is not None:
            body["contact"] = contact
        ends = anyio.current_time() + wait
        path = f"/v1/subject-requests?wait={int(min(wait, LONGEST_POLL))}"
        found = _request(parsed((await self._client._send("POST", path, body=body)).text))
        while found.status in ("pending", "running") and anyio.current_time() < ends:
            await anyio.sleep(0.2)
            found = await self.request(found.id)
        return found

    async def request(self, id: str) -> SubjectRequest:
        """A request, and how far it is. Needs `subject-requests:read`."""
        return _request(await self._client._get(f"/v1/subject-requests/{segment(id, 'the id of a request')}"))

    async def export(self, id: str) -> dict[str, Any]:
        """The data of a request, in the form that `GET /v1/privacy/export-schema` describes."""
        found = await self._client._get(f"/v1/subject-requests/{segment(id, 'the id of a request')}/export")
        if not isinstance(found, dict) or not isinstance(found.get("sections"), dict):
            raise Corrupt("an export is not what it must be", remote=True)
        return dict(found)

    async def package(self, id: str) -> bytes:
        """The package of a request: one ZIP with JSON, CSV, a page to read, and what belongs to it."""
        path = f"/v1/subject-requests/{segment(id, 'the id of a request')}/package"
        return (await self._client._send("GET", path, accept="application/zip")).content


def _request(found: Any) -> SubjectRequest:
    if not isinstance(found, dict) or not all(
        isinstance(found.get(name), list) for name in ("steps", "kept", "problems")
    ):
        raise Corrupt("a request is not what it must be", remote=True)
    names = ("id", "law", "type", "status", "received_at", "answer_by", "closed_at")
    return SubjectRequest(
        id=text(found, "id"),
        law=text(found, "law"),
        type=text(found, "type"),
        status=text(found, "status"),
        received_at=text(found, "received_at"),
        answer_by=text(found, "answer_by"),
        closed_at=found.get("closed_at"),
        progress={name: value for name, value in found.items() if name not in names},
    )


def _consents(found: Any) -> tuple[Consent, ...]:
    if not isinstance(found, list):
        raise Corrupt("a list of consents is not what it must be", remote=True)
    names = ("purpose", "said", "notice_version", "said_at", "receipt")
    return tuple(Consent(*(text(item, name) for name in names)) for item in found)
