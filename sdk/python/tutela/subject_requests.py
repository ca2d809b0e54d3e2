"""What people ask for about their data: `DataProtectionService` (GDPR) and `CCPAComplianceService`.

    service = DataProtectionService()
    export = await service.handle_data_request(42, "export")
    export["profile"]                        # records, as the server's maps name the sections
    done = await service.handle_data_request(42, "delete")
    done["status"], done["timestamp"]        # "completed", when; "partial" or "pending" say what is left

The server does the work, over the stores of `[privacy.stores]`; it goes on when nobody waits any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal

from .audit_record import Person, subject_of
from .client import Tutela
from .errors import Conflict
from .events import Subject
from .privacy_client import SubjectRequest


class RequestPending(Conflict):
    """A request is not done within the time that was waited. `request` says how far it is; it goes on."""

    def __init__(self, request: SubjectRequest) -> None:
        self.request = request
        super().__init__(f"the request {request.id} is {request.status}{request.why}")


class UserDataExport(Mapping[str, Any]):
    """All data of a person, by section: `export["profile"]` is a list of records.

    `request` is the request that it came of, `made_at` when it was made, `raw` the whole export as its
    schema (`GET /v1/privacy/export-schema`) describes it.
    """

    def __init__(self, request: SubjectRequest, raw: Mapping[str, Any]) -> None:
        self.request, self.raw, self.made_at = request, raw, raw["made_at"]
        sections = raw["sections"].items()
        self._sections = {name: [record["data"] for record in records] for name, records in sections}

    def __getitem__(self, section: str) -> Any:
        return self._sections[section]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sections)

    def __len__(self) -> int:
        return len(self._sections)


class RequestAnswer(Mapping[str, Any]):
    """How far a request is: `status`, `timestamp`, `request`, `steps`, `kept`, `problems`, `proof`.

    `status` is `completed`, or says honestly what it is: `pending`, `waiting`, `running`, `partial`,
    `stopped`, `refused`. `timestamp` is when it was answered (RFC 3339), None before. `proof` is the signed
    confirmation, which `tutela privacy receipt verify` checks offline.
    """

    def __init__(self, request: SubjectRequest, data: Mapping[str, Any] | None = None) -> None:
        self.request = request
        self._answer: dict[str, Any] = {
            "status": request.status,
            "timestamp": request.closed_at,
            "request": request.id,
            "answer_by": request.answer_by,
            "steps": request.progress["steps"],
            "kept": request.progress["kept"],
            "problems": request.progress["problems"],
            "proof": request.progress.get("receipt"),
        }
        if data is not None:
            self._answer["data"] = data

    def __getitem__(self, name: str) -> Any:
        return self._answer[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answer)

    def __len__(self) -> int:
        return len(self._answer)


DeletionConfirmation = DataRequestResponse = PrivacyResponse = RequestAnswer


class RequestService:
    """Hands requests of people to the server and waits for the answer, for at most `wait` seconds (0 to 60).

    `namespace` is whose numbers integer users are (`TUTELA_NAMESPACE`). `client` defaults to `Tutela()`; its
    key needs `subject-requests:write` and `:read`, and `subject-requests:export` where data is handed over.
    """

    law: ClassVar[str]

    def __init__(
        self, *, namespace: str | None = None, wait: float = 30, client: Tutela | None = None
    ) -> None:
        if not 0 <= wait <= 60:
            raise ValueError(f"`wait` is 0 to 60 seconds, not {wait!r}")
        self.client = client or Tutela()
        self.namespace, self.wait = namespace, wait

    def _subject(self, user_id: Person) -> Subject:
        subject = subject_of(user_id, self.namespace, name="user_id")
        if subject is None:
            raise ValueError("`user_id` is nobody")
        return subject

    async def _ask(self, user_id: Person, type: str, **more: Any) -> SubjectRequest:
        return await self.client.privacy.ask(
            self._subject(user_id), type, law=self.law, wait=self.wait, **more
        )

    async def _exported(self, request: SubjectRequest) -> UserDataExport:
        if request.status != "completed":
            raise RequestPending(request)
        return UserDataExport(request, await self.client.privacy.export(request.id))


class DataProtectionService(RequestService):
    """Requests under the GDPR: everything in a form to take along, or everything gone."""

    law = "gdpr"

    async def handle_data_request(
        self, user_id: Person, request_type: Literal["export", "delete"]
    ) -> UserDataExport | RequestAnswer:
        """The export, or the confirmation of the deletion.

        An export that is not made within `wait` raises `RequestPending`; a deletion says `pending` or
        `partial`, and where to look. Raises ValueError for another `request_type`, PermissionDenied where
        the right is switched off.
        """
        if request_type == "export":
            return await self._export_user_data(user_id)
        if request_type == "delete":
            return await self._delete_user_data(user_id)
        raise ValueError(f"Invalid request type: {request_type}; there are export, delete")

    async def _export_user_data(self, user_id: Person) -> UserDataExport:
        return await self._exported(await self._ask(user_id, "portability"))

    async def _delete_user_data(self, user_id: Person) -> RequestAnswer:
        return RequestAnswer(await self._ask(user_id, "erasure"))


class CCPAComplianceService(RequestService):
    """Requests under the CCPA: `do_not_sell`, `access`, `delete`, and `correct`."""

    law = "ccpa"

    async def handle_privacy_request(self, user_id: Person, request_type: str, **more: Any) -> RequestAnswer:
        """The answer; with `data`, the export, where the type is `access`.

        `correct` takes `corrections`: values by category (`user.contact.email`) or by place. Raises
        ValueError for an unknown type.
        """
        handlers: dict[str, Callable[..., Awaitable[RequestAnswer]]] = {
            "do_not_sell": self._handle_do_not_sell,
            "access": self._handle_access_request,
            "delete": self._handle_deletion_request,
            "correct": self._handle_correction_request,
        }
        handler = handlers.get(request_type)
        if handler is None:
            raise ValueError(f"Invalid request type: {request_type}; there are {', '.join(handlers)}")
        return await handler(user_id, **more)

    async def _handle_do_not_sell(self, user_id: Person) -> RequestAnswer:
        return RequestAnswer(await self._ask(user_id, "do_not_sell"))

    async def _handle_access_request(self, user_id: Person) -> RequestAnswer:
        request = await self._ask(user_id, "access")
        return RequestAnswer(request, await self._exported(request))

    async def _handle_deletion_request(self, user_id: Person) -> RequestAnswer:
        return RequestAnswer(await self._ask(user_id, "delete"))

    async def _handle_correction_request(
        self, user_id: Person, corrections: Mapping[str, Any]
    ) -> RequestAnswer:
        return RequestAnswer(await self._ask(user_id, "correct", corrections=corrections))
