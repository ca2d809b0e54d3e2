"""What comes back from the routes under `/v1/crypto`. Whatever is secret is hidden from `repr`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from .errors import Corrupt, TutelaError, from_problem

T = TypeVar("T")


@dataclass(frozen=True)
class Item(Generic[T]):
    """The answer to one item of a batch: the `answer` it asked for, or the `error` it would raise."""

    status: int
    answer: T | None
    error: TutelaError | None

    def unwrap(self) -> T:
        """The answer. Raises the error where there is none."""
        if self.error is not None:
            raise self.error
        # None may be the answer, where a value was asked for.
        return cast(T, self.answer)


@dataclass(frozen=True)
class Encrypted:
    """What was sealed: the message in the form asked for, and the key it is under."""

    message: Any
    key_id: str
    key_version: int


@dataclass(frozen=True)
class Decrypted:
    """What was opened. A `key_version` below the key's newest says that it should be rewrapped."""

    plaintext: bytes = field(repr=False)
    key_id: str
    key_version: int

    @property
    def text(self) -> str:
        """As text. Raises `Corrupt` where the bytes are no UTF-8."""
        try:
            return self.plaintext.decode()
        except UnicodeDecodeError as error:
            raise Corrupt("what was sealed is no text") from error

    @property
    def value(self) -> Any:
        """As JSON. Raises `Corrupt` where the bytes are no JSON text."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise Corrupt("what was sealed is no JSON value") from error


@dataclass(frozen=True)
class Rewrapped:
    """The message to keep in place of the old one; the same where `changed` is false."""

    message: Any
    changed: bool
    key_id: str
    key_version: int


@dataclass(frozen=True)
class DataKey:
    """A key for the application's own encryption: keep `wrapped`, use `plaintext` and forget it.

    `plaintext` is there where it was asked for; `decrypt` of `wrapped` gives it back at any time.
    """

    wrapped: str
    plaintext: bytes | None = field(repr=False)
    key_id: str
    key_version: int


@dataclass(frozen=True)
class Key:
    """A named key as the server knows it; never its bytes. `versions` are as the API has them."""

    id: str
    name: str
    state: str
    version: int
    algorithm: str
    purposes: tuple[str, ...]
    export: bool
    rotation_schedule: str
    min_decryption_version: int
    versions: tuple[dict[str, Any], ...] = field(repr=False, default=())


# === From the wire: an answer without what was promised is `Corrupt`, never half an object ===


def encrypted(answer: Any) -> Encrypted:
    message = member(answer, "message", (str, dict))
    return Encrypted(message, *key_of(answer))


def decrypted(answer: Any) -> Decrypted:
    return Decrypted(from_base64(member(answer, "plaintext", str)), *key_of(answer))


def rewrapped(answer: Any) -> Rewrapped:
    message = member(answer, "message", (str, dict))
    return Rewrapped(message, member(answer, "changed", bool), *key_of(answer))


def data_key(answer: Any) -> DataKey:
    plain = answer.get("plaintext") if isinstance(answer, dict) else None
    wrapped = member(answer, "wrapped", str)
    return DataKey(wrapped, None if plain is None else from_base64(plain), *key_of(answer))


def record(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = member(answer, "record", dict)
    return found


def tokens(answer: Any) -> tuple[str, ...]:
    found = member(answer, "tokens", list)
    if not all(isinstance(token, str) for token in found):
        raise Corrupt("a token of an index is no text", remote=True)
    return tuple(found)


def key(answer: Any) -> Key:
    return Key(
        id=member(answer, "id", str),
        name=member(answer, "name", str),
        state=member(answer, "state", str),
        version=member(answer, "version", int),
        algorithm=member(answer, "algorithm", str),
        purposes=tuple(str(purpose) for purpose in member(answer, "purposes", list)),
        export=member(answer, "export", bool),
        rotation_schedule=member(answer, "rotation_schedule", str),
        min_decryption_version=member(answer, "min_decryption_version", int),
        versions=tuple(member(answer, "versions", list)),
    )


def item(read: Callable[[Any], T]) -> Callable[[Any], Item[T]]:
    """Reads an item of a batch whose answers `read` reads."""

    def read_item(found: Any) -> Item[T]:
        status = member(found, "status", int)
        if status == 200:
            return Item(status, read(found), None)
        problem = found.get("problem")
        return Item(status, None, from_problem(problem if isinstance(problem, dict) else None, status))

    return read_item


def key_of(answer: Any) -> tuple[str, int]:
    """Which key something is sealed under."""
    return member(answer, "key_id", str), member(answer, "key_version", int)


def member(answer: Any, name: str, kind: type | tuple[type, ...]) -> Any:
    """A member of an answer, of the type that was promised."""
    found = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise Corrupt(f"the server's answer has no `{name}`", remote=True)
    return found


def from_base64(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError) as error:
        raise Corrupt("the server's answer is not base64", remote=True) from error
