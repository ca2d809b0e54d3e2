"""What is sent to be sealed, opened, sealed again or looked for.

Field names and shapes are those of the routes under `/v1/crypto`. Absent fields are left out. Values are
sent as their JSON text and not as JSON: then the server seals exactly these bytes, whatever numbers its
own JSON can hold.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .events import Subject, subject_to_wire

Context = str | Mapping[str, str]
"""What a message is bound to: a text, or names and texts. It is not secret, and needed again to open."""

Message = str | Mapping[str, Any]
"""A message in any of its forms: `tut1.…`, the binary form in base64, or the parts by name."""


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = _Absent()
"""In place of a value that is not given; None is a value of its own."""


@dataclass(frozen=True)
class EncryptItem:
    """One thing to seal: exactly one of `plaintext` (bytes), `text` and `value` (any JSON value).

    `key` is a key's name or id, `default` where absent; or `subject`, a person, under whose own key it is
    sealed, so that erasing the person erases it. `algorithm` is the key's own where absent. `form` is
    `text`, `binary` or `json`.
    """

    plaintext: bytes | None = None
    text: str | None = None
    value: Any = ABSENT
    key: str | None = None
    subject: Subject | None = None
    context: Context | None = None
    algorithm: str | None = None
    form: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """The JSON object of the API. Raises ValueError where nothing or too much is given."""
        given = [self.plaintext is not None, self.text is not None, self.value is not ABSENT]
        if sum(given) != 1:
            raise ValueError("give exactly one of `plaintext`, `text` and `value`")
        if self.key is not None and self.subject is not None:
            raise ValueError("give `key` or `subject`, not both")
        return without_none(
            {
                "key": self.key,
                "subject": None if self.subject is None else subject_to_wire(self.subject),
                "context": context_to_wire(self.context),
                "algorithm": self.algorithm,
                "plaintext": None if self.plaintext is None else to_base64(self.plaintext),
                "text": json_text(self.value) if self.value is not ABSENT else self.text,
                "form": self.form,
            }
        )


@dataclass(frozen=True)
class DecryptItem:
    """One message to open, with the context it was sealed with."""

    message: Message
    context: Context | None = None

    def to_wire(self) -> dict[str, Any]:
        return without_none({"message": self.message, "context": context_to_wire(self.context)})


@dataclass(frozen=True)
class RewrapItem:
    """One message to seal again under its key's newest version, or under `to_key`."""

    message: Message
    context: Context | None = None
    to_key: str | None = None
    form: str | None = None

    def to_wire(self) -> dict[str, Any]:
        return without_none(
            {
                "message": self.message,
                "context": context_to_wire(self.context),
                "to_key": self.to_key,
                "form": self.form,
            }
        )


@dataclass(frozen=True)
class FieldRule:
    """How one field of a record is sealed. `path` goes down with dots: `address.street`.

    `mode` is `random`; `equality`, which adds a blind index of `index_bits` bits; or `deterministic`,
    which shows where values are equal. An `optional` field may be missing.
    """

    path: str
    mode: str = "random"
    optional: bool = False
    index_bits: int | None = None

    def to_wire(self) -> dict[str, Any]:
        found = {"path": self.path, "mode": self.mode, "optional": self.optional or None}
        return without_none({**found, "index_bits": self.index_bits})


@dataclass(frozen=True)
class FieldPolicy:
    """Which fields of a record are sensitive. `key` is a key's name or id, `default` where absent."""

    fields: Sequence[FieldRule]
    key: str | None = None

    def to_wire(self) -> dict[str, Any]:
        return without_none({"key": self.key, "fields": [rule.to_wire() for rule in self.fields]})


Policy = str | FieldPolicy
"""A policy that the server keeps, by its name, or a policy sent along."""


@dataclass(frozen=True)
class RecordItem:
    """A record to seal or to open. What is sealed opens only in the record with this `record_id`."""

    policy: Policy
    record_id: str
    record: Mapping[str, Any]

    def to_wire(self) -> dict[str, Any]:
        return {
            "policy": self.policy if isinstance(self.policy, str) else self.policy.to_wire(),
            "record_id": self.record_id,
            "record": exact(self.record),
        }


@dataclass(frozen=True)
class IndexItem:
    """A value to look for in an `equality` or `deterministic` field."""

    policy: Policy
    path: str
    value: Any

    def to_wire(self) -> dict[str, Any]:
        policy = self.policy if isinstance(self.policy, str) else self.policy.to_wire()
        return {"policy": policy, "path": self.path, "value": exact(self.value)}


def context_to_wire(context: Context | None) -> str | dict[str, str] | None:
    """A context as the API has it. Raises ValueError for one that it could not tell from another."""
    if context is None:
        return None
    if isinstance(context, str):
        if context.startswith("tky_"):
            raise ValueError("a context may not begin with `tky_`, as the ids of keys do")
        return context
    if not isinstance(context, Mapping) or not context:
        raise ValueError("a context is a text, or a mapping of at least one name to a text")
    if not all(isinstance(part, str) for pair in context.items() for part in pair):
        raise ValueError("the names and values of a context are texts")
    return dict(context)


def json_text(value: Any) -> str:
    """The JSON text of a value that came from `pack`, or of any JSON value. NaN is none."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def exact(value: Any) -> Any:
    """The value, where the server's JSON holds every number in it. Raises ValueError for a larger one.

    What is sent as JSON is read there with whole numbers of 64 bits; beyond them it would come back
    rounded, and nobody would notice.
    """
    if isinstance(value, Mapping):
        return {name: exact(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [exact(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise ValueError("a whole number in a record has at most 64 bits; seal a larger one as text")
    return value


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
