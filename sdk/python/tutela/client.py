"""The client of tutela's HTTP API.

One `Tutela` keeps one pool of connections; make it once and share it. It retries what may be sent
twice: GETs, POSTs that carry an `Idempotency-Key`, and the calls of `crypto`, which change nothing. A
retry follows a broken connection or the statuses 429, 502, 503 and 504, at most `retries` times within
`deadline` seconds. What still fails is raised as one of `tutela.errors`; a caller never gets a made-up
answer.
"""

from __future__ import annotations

import json
import os
import random
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx

from .audit_record import AuditLogs
from .compliance_client import ComplianceClient
from .crypto_client import CryptoClient
from .detection_client import DetectionClient
from .errors import Corrupt, TutelaError, Unauthenticated, Unavailable, from_problem
from .events import NewEvent, Resource, Subject, subject_to_wire
from .identity_answers import IdentitySettings, identity_settings
from .ledger_answers import StoredEvent, parsed, stored, text
from .ledger_client import LedgerClient
from .privacy_client import PrivacyClient
from .query import search_terms
from .transport import LoopbackNames, TransportErrors, error_of, segment


@dataclass(frozen=True)
class Batch:
    """The answer to one item of a batch: `id` where it was stored, else the `error` it would raise."""

    status: int
    id: str | None
    error: TutelaError | None


@dataclass(frozen=True)
class Permission:
    """Whether something is allowed, and which role granted it or why nothing did."""

    allowed: bool
    reason: str

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True)
class Token:
    """What an identity token means. Where `active` is false, the rest is empty."""

    active: bool
    sub: str | None = None
    name: str | None = None
    email: str | None = None
    roles: tuple[str, ...] = ()
    sid: str | None = None


class Tutela:
    """Async client; `crypto` holds the calls that seal and open, `ledger` those about what was recorded,
    `detection` those about rules, incidents and blocks, `privacy` those about consent.

    `url` defaults to `TUTELA_URL`, else `http://tutela.localhost:8080`. `api_key` defaults to
    `TUTELA_API_KEY`; without one only the public keys can be read. `timeout` bounds each wait for
    the network, `deadline` the whole call with its retries, both in seconds.
    Raises ValueError where `url` is not an http or https origin.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 5.0,
        deadline: float = 15.0,
        retries: int = 2,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = _origin(url or os.environ.get("TUTELA_URL") or DEFAULT_URL)
        self._key = api_key or os.environ.get("TUTELA_API_KEY") or None
        self.compliance = ComplianceClient(self)
        self.crypto = CryptoClient(self)
        self.detection = DetectionClient(self)
        self.ledger = LedgerClient(self)
        self.privacy = PrivacyClient(self)
        self.audit_logs = AuditLogs(self)
        self._timeout = timeout
        self._deadline = deadline
        self._retries = retries
        self._given_transport = transport
        self._shared = False
        self._http = httpx.AsyncClient(
            base_url=self.url,
            # A redirect could carry the key elsewhere: none is followed.
            follow_redirects=False,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 2.0)),
            transport=LoopbackNames(transport or httpx.AsyncHTTPTransport()),
            headers={"user-agent": "tutela-python"},
        )

    async def record(
        self,
        type: str,
        *,
        action: str | None = None,
        outcome: str | None = None,
        reason: str | None = None,
        actor: Subject | None = None,
        resource: Resource | str | None = None,
        source: Mapping[str, str] | None = None,
        time: datetime | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        subject: Subject | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Record one event and return its id. When this returns, the event is durable.

        Fields are those of `NewEvent`. Raises `Invalid` where the server refuses a field.
        """
        event = NewEvent(
            type, time, action, outcome, reason, actor, resource, source, metadata, subject=subject
        )
        return await self.record_event(event, idempotency_key=idempotency_key)

    async def record_event(self, event: NewEvent, *, idempotency_key: str | None = None) -> str:
        """Like `record`, for an event that is already built."""
        answer = await self._post("/v1/events", event.to_wire(), idempotency_key)
        return text(answer, "id")

    async def record_many(
        self, events: Iterable[NewEvent], *, idempotency_key: str | None = None
    ) -> list[Batch]:
        """Record many events; one `Batch` for each, in the order given.

        Sent in requests of 10,000. If a later request fails as a whole it raises, and the earlier
        ones stay recorded; calling again with the same `idempotency_key` stores nothing twice.
        """
        wire = [event.to_wire() for event in events]
        key = idempotency_key or str(uuid.uuid4())
        answers: list[Batch] = []
        for start in range(0, len(wire), BATCH):
            part = wire[start : start + BATCH]
            answer = await self._post("/v1/events", part, f"{key}-{start // BATCH}")
            results = answer.get("results") if isinstance(answer, dict) else None
            if not isinstance(results, list) or len(results) != len(part):
                raise Corrupt("the server did not answer each item of the batch", remote=True)
            answers.extend(_batch(item) for item in results)
        return answers

    async def events(
        self,
        *,
        actor: Subject | None = None,
        type: str | None = None,
        resource: str | None = None,
        outcome: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        words: str | None = None,
        limit: int | None = None,
        page: int = 100,
    ) -> AsyncIterator[StoredEvent]:
        """Search the ledger, newest first, page by page as you iterate.

        All that is given must hold; `ledger.search` takes any other question. `limit` ends the iteration
        after so many events; `page` is how many one request asks for.
        """
        q = search_terms(
            actor=actor,
            type=type,
            resource=resource,
            outcome=outcome,
            since=since,
            until=until,
            words=words,
        )
        async for found in self.ledger.search(q, limit=limit, page=page):
            yield found

    async def event(self, event_id: str) -> StoredEvent:
        """One event by its id. Raises `NotFound`."""
        return stored(await self._get(f"/v1/events/{segment(event_id, 'an event id')}"))

    async def tail(self) -> AsyncIterator[StoredEvent]:
        """Events as they are recorded, from now on, until the server ends it.

        Raises `Unavailable` when the connection breaks; what was missed meanwhile is found by `events`.
        `ledger.stream` goes on by itself.
        """
        async for found in self.ledger.once():
            yield found

    async def check(self, subject: Subject, permission: str, resource: str | None = None) -> Permission:
        """Ask whether `subject` may do something. `permission` is a permission or the name of a role."""
        question: dict[str, Any] = {"subject": subject_to_wire(subject), "permission": permission}
        if resource is not None:
            question["resource"] = resource
        answer = await self._post("/v1/permissions/check", question)
        allowed = answer.get("allowed") if isinstance(answer, dict) else None
        if not isinstance(allowed, bool):
            raise Corrupt("the answer to a permission question is neither yes nor no", remote=True)
        return Permission(allowed, str(answer.get("reason", "")))

    async def introspect(self, token: str) -> Token:
        """Ask what a value of the `tutela-identity` header means, and whether its session still lives."""
        answer = await self._post("/v1/tokens/introspect", {"token": token})
        if not isinstance(answer, dict) or answer.get("active") is not True:
            return Token(active=False)
        return Token(
            active=True,
            sub=text(answer, "sub"),
            name=answer.get("name"),
            email=answer.get("email"),
            roles=tuple(str(role) for role in answer.get("roles") or ()),
            sid=answer.get("sid"),
        )

    async def identity_settings(self) -> IdentitySettings:
        """How people sign in there, as the server's `[identity]` says it. Needs `permissions:check`."""
        return identity_settings(await self._get("/v1/identity/settings"))

    async def checkpoint(self) -> str:
        """The newest signed checkpoint of the ledger (C2SP tlog-checkpoint), as text."""
        return (await self._send("GET", "/v1/ledger/checkpoint", accept="text/plain")).text

    async def proof(self, event_id: str) -> str:
        """The proof that an event is in the ledger (C2SP tlog-proof), as text. Raises `NotFound`."""
        params = {"event": event_id}
        return (await self._send("GET", "/v1/ledger/proof", params=params, accept="text/plain")).text

    async def jwks(self) -> Any:
        """The public keys that identity tokens are signed with (RFC 7517), as parsed JSON. Needs no key."""
        answer = await self._send("GET", "/.well-known/jwks.json", public=True)
        return parsed(answer.text)

    def twin(self) -> Tutela:
        """A client with the same settings and connections of its own, for another event loop.

        A `transport` that was passed is used by both, and stays open when the twin is closed.
        """
        made = Tutela(
            self.url,
            self._key,
            timeout=self._timeout,
            deadline=self._deadline,
            retries=self._retries,
            transport=self._given_transport,
        )
        made._shared = self._given_transport is not None
        return made

    async def aclose(self) -> None:
        """Close the connections."""
        if not self._shared:
            await self._http.aclose()

    async def __aenter__(self) -> Tutela:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"Tutela({self.url!r})"

    async def _get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        return parsed((await self._send("GET", path, params=params)).text)

    async def _post(self, path: str, body: Any, key: str | None = None) -> Any:
        answer = await self._send("POST", path, body=body, key=key or str(uuid.uuid4()))
        return parsed(answer.text)

    async def _call(self, path: str, body: Any) -> Any:
        """A POST whose answer the server must not keep; see `crypto_client`."""
        return parsed((await self._send("POST", path, body=body)).text)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        key: str | None = None,
        accept: str = "application/json",
        public: bool = False,
    ) -> httpx.Response:
        headers = {"accept": f"{accept}, application/problem+json"}
        if not public:
            headers.update(self._authorization())
        content: bytes | None = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        if key is not None:
            headers["idempotency-key"] = key
        try:
            with anyio.fail_after(self._deadline):
                for attempt in range(self._retries + 1):
                    try:
                        with TransportErrors(self.url):
                            answer = await self._http.request(
                                method, path, params=params, content=content, headers=headers
                            )
                        if answer.is_success:
                            return answer
                        failure = error_of(answer)
                        again = answer.status_code in RETRIED
                    except Unavailable as error:
                        failure, again = error, True
                    wait = failure.retry_after or 0.1 * 4**attempt * random.uniform(0.5, 1.0)
                    if not again or attempt == self._retries or wait > LONGEST_WAIT_S:
                        raise failure
                    await anyio.sleep(wait)
        except TimeoutError:
            pass
        raise Unavailable(f"`{self.url}` did not answer within {self._deadline:g} s", remote=True)

    def _authorization(self) -> dict[str, str]:
        if self._key is None:
            raise Unauthenticated("no API key: pass `api_key` or set TUTELA_API_KEY", remote=True)
        return {"authorization": f"Bearer {self._key}"}


def _batch(item: Any) -> Batch:
    status = item.get("status") if isinstance(item, dict) else None
    if not isinstance(status, int):
        raise Corrupt("an item of a batch has no status", remote=True)
    if status == 201:
        return Batch(status, text(item, "id"), None)
    return Batch(status, None, from_problem(item.get("problem"), status))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise ValueError("`url` must look like `https://tutela.example.org`")
    return url.rstrip("/")


DEFAULT_URL = "http://tutela.localhost:8080"
# How many events one request may hold: the server's bound.
BATCH = 10_000
# The statuses after which the same request may succeed.
RETRIED = frozenset({429, 502, 503, 504})
# A `Retry-After` longer than this is the caller's to wait for.
LONGEST_WAIT_S = 2.0
