"""One exception class for each kind of problem (RFC 9457) that tutela can answer.

The same classes serve both directions. Raised by a handler of the application, `Guard` turns them into
an answer for the person. Raised by the client, they carry what the server said, and `remote` is true:
then the person in front of the application must not be told that *they* were refused, because it was
the application's own key or call that was. `for_visitor` draws that line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class TutelaError(Exception):
    """Base of all errors of this package.

    `detail` is one sentence for the reader of the answer. `problem` is the whole RFC 9457 object.
    `retry_after` is in seconds, or None where the server named no time.
    """

    kind: ClassVar[str] = "internal"
    status: int = 500
    title: ClassVar[str] = "internal error"

    def __init__(
        self,
        detail: str | None = None,
        *,
        problem: Mapping[str, Any] | None = None,
        remote: bool = False,
        retry_after: float | None = None,
    ) -> None:
        self.problem: dict[str, Any] = {
            "type": f"urn:tutela:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
        }
        if detail is not None:
            self.problem["detail"] = detail
        if problem is not None:
            self.problem.update(problem)
        status = self.problem["status"]
        if isinstance(status, int) and 400 <= status <= 599:
            self.status = status
        self.remote = remote
        self.retry_after = retry_after
        super().__init__(self.problem.get("detail") or self.problem["title"])

    @property
    def detail(self) -> str | None:
        """What went wrong this time, or None."""
        found = self.problem.get("detail")
        return found if isinstance(found, str) else None

    def for_visitor(self) -> TutelaError:
        """The error as the person using the application may see it.

        A refusal of the application's own key reads as "unavailable", a call the server found wrong
        as "internal"; neither carries the server's text. Other errors pass unchanged.
        """
        if not self.remote or isinstance(self, (NotFound, Conflict)):
            return self
        if isinstance(self, (Unauthenticated, PermissionDenied, RateLimited, Exhausted, Unavailable)):
            return Unavailable("the security service gave no answer; try again later")
        return Internal()


class Invalid(TutelaError):
    """The request was wrong; `problem["errors"]` may name the fields."""

    kind, status, title = "invalid", 400, "invalid request"


class Unauthenticated(TutelaError):
    """Nobody is signed in, or the identity presented is not good.

    `www_authenticate` is the header that RFC 9110 §15.5.2 asks for beside the status.
    """

    kind, status, title = "unauthenticated", 401, "sign-in required"
    # Signing in is the gateway's business.
    www_authenticate: str = "tutela-identity"


class MFARequired(Unauthenticated):
    """It is known who asks, but they have proved too little of it, or too long ago.

    `challenge`, which `problem` holds too, is where a browser goes to prove more: a path on the host of the
    application that brings the person back. `acr` and `max_age` (seconds) are told to other clients
    (RFC 9470 §3). Where `leads` is false, a browser is told as well, in place of being sent there.
    """

    kind, title = "mfa-required", "more proof is required"

    def __init__(
        self,
        detail: str | None = None,
        *,
        challenge: str,
        acr: str | None = None,
        max_age: int | None = None,
        leads: bool = True,
    ) -> None:
        super().__init__(detail, problem={"challenge": challenge})
        self.challenge = challenge
        self.leads = leads
        wanted = {"error": "insufficient_user_authentication", "acr_values": acr, "max_age": max_age}
        self.www_authenticate = "Bearer " + ", ".join(
            f'{name}="{value}"' for name, value in wanted.items() if value is not None
        )


class PermissionDenied(TutelaError):
    """It is known who asks, and the answer is no."""

    kind, status, title = "forbidden", 403, "permission denied"


class NotFound(TutelaError):
    """There is no such thing, or the caller may not know of it."""

    kind, status, title = "not-found", 404, "not found"


class Conflict(TutelaError):
    """Something else changed first."""

    kind, status, title = "conflict", 409, "conflict"


class RateLimited(TutelaError):
    """Too many requests; see `retry_after`."""

    kind, status, title = "rate-limited", 429, "too many requests"


class Exhausted(TutelaError):
    """A quota or budget is used up."""

    kind, status, title = "exhausted", 429, "a limit is used up"


class Unavailable(TutelaError):
    """The security service cannot be reached or cannot answer now. Never treat this as a yes."""

    kind, status, title = "unavailable", 503, "unavailable"


class Corrupt(TutelaError):
    """Stored data or an answer is not what it must be."""

    kind, status, title = "corrupt", 500, "corrupt data"


class Internal(TutelaError):
    """A fault of the program."""

    kind, status, title = "internal", 500, "internal error"


def from_problem(
    problem: Mapping[str, Any] | None, status: int, *, retry_after: float | None = None
) -> TutelaError:
    """Make the exception for an error answer of the server.

    `problem` is the parsed body, or None where there was none worth reading; then `status` alone decides.
    A type this version does not know becomes the class its status belongs to.
    """
    known = dict(problem) if problem is not None else {}
    name = str(known.get("type", "")).removeprefix(_PREFIX)
    kind = _BY_KIND.get(name) or _by_status(status)
    known["status"] = status
    return kind(problem=known, remote=True, retry_after=retry_after)


def _by_status(status: int) -> type[TutelaError]:
    for kind in _BY_KIND.values():
        if kind.status == status:
            return kind
    if status in (502, 504):
        return Unavailable
    return Invalid if 400 <= status < 500 else Internal


_PREFIX = "urn:tutela:problem:"
# Unavailable stands before Exhausted: a bare 503 says no more than "not now".
_BY_KIND: dict[str, type[TutelaError]] = {
    kind.kind: kind
    for kind in (
        Invalid,
        Unauthenticated,
        PermissionDenied,
        NotFound,
        Conflict,
        RateLimited,
        Unavailable,
        Exhausted,
        Internal,
        Corrupt,
    )
}
