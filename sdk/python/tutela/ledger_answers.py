"""What comes back from the routes of the ledger. An answer without what was promised is `Corrupt`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .crypto_answers import member
from .errors import Corrupt


@dataclass(frozen=True)
class StoredEvent:
    """An event of the ledger: `position` such as `7` or `7.3`, and the leaf hash in hexadecimal."""

    position: str
    event: dict[str, Any]
    leaf: str

    @property
    def unreadable(self) -> bool:
        """Whether its sealed fields could not be opened: they are left out, and the operator has to look."""
        return self.event.get("unreadable") is True


@dataclass(frozen=True)
class Page:
    """Some events that were found, and the cursor of those after them."""

    items: tuple[StoredEvent, ...]
    next: str | None


@dataclass(frozen=True)
class Recorded:
    """What was recorded. `position` and `leaf` are known where it was waited for them."""

    id: str
    position: str | None = None
    leaf: str | None = None


@dataclass(frozen=True)
class Counts:
    """How many events each key has, in the server's order, and all together."""

    counts: dict[str, int]
    total: int


@dataclass(frozen=True)
class EventType:
    """A declared type of event. `fields`: `{"name", "personal", "example"}` each; `severity` 1 to 5.

    `sentence` is what an auditor reads. `origin` is `tutela`, `configuration` or `api`.
    """

    name: str
    sentence: str
    severity: int = 1
    kind: str = "audit"
    fields: tuple[Mapping[str, Any], ...] = ()
    ocsf: Mapping[str, Any] | None = None
    ecs: Mapping[str, Any] | None = None
    origin: str = "api"

    def to_wire(self) -> dict[str, Any]:
        """The JSON object of the API; `kind` is its `class`. Its origin is the server's to say."""
        found = {
            "name": self.name,
            "sentence": self.sentence,
            "severity": self.severity,
            "class": self.kind,
            "fields": [dict(one) for one in self.fields],
            "ocsf": None if self.ocsf is None else dict(self.ocsf),
            "ecs": None if self.ecs is None else dict(self.ecs),
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Hold:
    """What must not expire: the events that `q` finds, or all of them, until it is released."""

    id: str
    case: str
    reason: str
    q: str
    placed_at: str
    until: str | None
    released_at: str | None


@dataclass(frozen=True)
class RetentionClass:
    """How long events of a class stay, what says so, and before which position all of them are gone."""

    name: str
    days: int
    source: str
    expired_up_to: int


@dataclass(frozen=True)
class Retention:
    """What is kept: the classes, and the first position that is still there.

    `holds` counts the holds that keep events at this moment.
    """

    classes: tuple[RetentionClass, ...]
    first_position: int
    holds: int


@dataclass(frozen=True)
class Sink:
    """How far the ledger's copy in a search cluster is.

    `state` is `following`, `waiting`, `restored` (after a restore, until it is tidied up) or `off`.
    """

    name: str
    cursor: int
    size: int
    behind: int
    dead_letters: int
    state: str
    error: str | None
    since: str | None


@dataclass(frozen=True)
class Report:
    """Whether ledger and cluster hold the same before a position, and the ids where they do not.

    `missing` are not in the cluster, `extra` not in the ledger, and the documents of `changed` are not
    those of the events; the server names up to 100 of each.
    """

    up_to: int
    ledger: int
    cluster: int
    missing: tuple[str, ...] = field(repr=False)
    extra: tuple[str, ...] = field(repr=False)
    changed: tuple[str, ...] = field(repr=False)
    equal: bool


@dataclass(frozen=True)
class Retried:
    """What became of dead letters that were sent again: how many were taken, how many refused."""

    taken: int
    refused: int


# === From the wire ===


def stored(item: Any) -> StoredEvent:
    return StoredEvent(text(item, "position"), member(item, "event", dict), text(item, "leaf"))


def page(answer: Any) -> Page:
    following = optional(answer, "next")
    return Page(tuple(stored(item) for item in member(answer, "items", list)), following)


def recorded(answer: Any) -> Recorded:
    return Recorded(text(answer, "id"), optional(answer, "position"), optional(answer, "leaf"))


def counts(answer: Any) -> Counts:
    found = {text(one, "key"): member(one, "events", int) for one in member(answer, "counts", list)}
    return Counts(found, member(answer, "total", int))


def event_type(answer: Any) -> EventType:
    return EventType(
        name=text(answer, "name"),
        sentence=member(answer, "sentence", str),
        severity=member(answer, "severity", int),
        kind=member(answer, "class", str),
        fields=tuple(member(answer, "fields", list)),
        ocsf=answer.get("ocsf"),
        ecs=answer.get("ecs"),
        origin=member(answer, "origin", str),
    )


def hold(answer: Any) -> Hold:
    return Hold(
        id=text(answer, "id"),
        case=member(answer, "case", str),
        reason=member(answer, "reason", str),
        q=optional(answer, "q") or "",
        placed_at=member(answer, "placed_at", str),
        until=optional(answer, "until"),
        released_at=optional(answer, "released_at"),
    )


def retention(answer: Any) -> Retention:
    return Retention(
        classes=tuple(
            RetentionClass(
                name=text(one, "class"),
                days=member(one, "days", int),
                source=member(one, "source", str),
                expired_up_to=member(one, "expired_up_to", int),
            )
            for one in member(answer, "classes", list)
        ),
        first_position=member(answer, "first_position", int),
        holds=member(answer, "holds", int),
    )


def sink(answer: Any) -> Sink:
    return Sink(
        name=text(answer, "name"),
        cursor=member(answer, "cursor", int),
        size=member(answer, "size", int),
        behind=member(answer, "behind", int),
        dead_letters=member(answer, "dead_letters", int),
        state=member(answer, "state", str),
        error=optional(answer, "error"),
        since=optional(answer, "since"),
    )


def report(answer: Any) -> Report:
    return Report(
        up_to=member(answer, "up_to", int),
        ledger=member(answer, "ledger", int),
        cluster=member(answer, "cluster", int),
        missing=_ids(answer, "missing"),
        extra=_ids(answer, "extra"),
        changed=_ids(answer, "changed"),
        equal=member(answer, "equal", bool),
    )


def retried(answer: Any) -> Retried:
    return Retried(member(answer, "taken", int), member(answer, "refused", int))


def text(answer: Any, name: str) -> str:
    """A text that is not empty."""
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, str) or not found:
        raise Corrupt(f"the server's answer has no `{name}`", remote=True)
    return found


def optional(answer: Any, name: str) -> str | None:
    """A text that may be absent."""
    found = answer.get(name) if isinstance(answer, dict) else None
    return None if found is None else str(found)


def _ids(answer: Any, name: str) -> tuple[str, ...]:
    return tuple(str(found) for found in member(answer, name, list))


def parsed(body: str) -> Any:
    """The JSON that the server wrote."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Corrupt("the server's answer is not JSON", remote=True) from error
