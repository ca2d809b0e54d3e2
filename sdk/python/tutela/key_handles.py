"""What an application holds in place of a key."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class KeyHandle:
    """Names a key that stays in the server. `context` is what it was asked for, if it was.

    What is sealed with a handle that has a context is bound to that context.
    """

    id: str
    name: str
    version: int
    # A context is no secret, but often says whom something is about.
    context: str | None = field(default=None, repr=False)


class DerivedKey(bytes):
    """The key of one context: 32 bytes that other libraries take as a key.

    Everything that shows it hides the bytes; `bytes(key)` gives them. It cannot be pickled, since what is
    pickled is kept.
    """

    key_id: str
    key_version: int
    context: str

    def __new__(cls, key: bytes, *, key_id: str, key_version: int, context: str) -> DerivedKey:
        """Raises ValueError where `key` has not 32 bytes."""
        if len(key) != 32:
            raise ValueError("the key of a context has 32 bytes")
        made = super().__new__(cls, key)
        made.key_id, made.key_version, made.context = key_id, key_version, context
        return made

    def __repr__(self) -> str:
        return f"DerivedKey(key_id={self.key_id!r}, key_version={self.key_version})"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a derived key is not pickled: derive it again where it is needed")

    def __reduce_ex__(self, protocol: object) -> str:
        return self.__reduce__()


def is_key_id(text: object) -> bool:
    """Whether a text is written as the id of a key."""
    return isinstance(text, str) and re.fullmatch("tky_[0-9a-f]{32}", text, re.ASCII) is not None


def key_and_context(key: object) -> tuple[str | None, str | None]:
    """Name or id of a key, and the context it brings along. None is the server's default key.

    Raises ValueError for bytes: a key that the application brings is none that the server holds.
    """
    if key is None:
        return None, None
    if isinstance(key, KeyHandle):
        return key.id, key.context
    if isinstance(key, DerivedKey):
        return key.key_id, key.context
    if isinstance(key, str) and key:
        return key, None
    raise ValueError(
        f"a key is a KeyHandle, or a key's name or id, and not {type(key).__name__}: the keys stay in tutela"
    )
