"""What can be read off a message without opening it, and its parts as bytes.

    message = 0x01 | suite u8 | key id 16 bytes | key version u32 big-endian | body

The head is bound into every message but those of the plain suites, so what is read here is only to refuse
early: the server decides again when it opens.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any

from .errors import Corrupt, Invalid


@dataclass(frozen=True)
class Head:
    """Which algorithm, and which key."""

    algorithm: str
    key_id: str
    key_version: int


@dataclass(frozen=True)
class EncryptedData:
    """A message in its parts. Kept column by column it is the same as `message` in one text.

    `ciphertext`, `nonce` and `tag` are those of AES-GCM or ChaCha20-Poly1305. `salt` and `commitment`
    are empty in the plain suites.
    """

    ciphertext: bytes
    nonce: bytes
    tag: bytes
    context: str = field(repr=False)
    key_id: str
    key_version: int
    alg: str
    salt: bytes = b""
    commitment: bytes = b""

    @property
    def message(self) -> str:
        """The same as text, `tut1.…`. Raises ValueError where a part cannot be of a message."""
        suite = _NUMBERS.get(self.alg)
        if suite is None:
            raise ValueError(f"`alg`: unknown `{self.alg}`; valid are {', '.join(_NUMBERS)}")
        head = bytes([_VERSION, suite]) + bytes.fromhex(self.key_id.removeprefix("tky_"))
        front = self.salt + self.commitment or self.nonce
        whole = head + self.key_version.to_bytes(4, "big") + front + self.ciphertext + self.tag
        return "tut1." + base64.urlsafe_b64encode(whole).rstrip(b"=").decode()

    def to_wire(self) -> dict[str, Any]:
        """The form by parts of the API."""
        parts = {"ciphertext": self.ciphertext, "nonce": self.nonce, "tag": self.tag}
        optional = {"salt": self.salt, "commitment": self.commitment}
        parts |= {name: value for name, value in optional.items() if value}
        found: dict[str, Any] = {name: base64.b64encode(value).decode() for name, value in parts.items()}
        found |= {"key_id": self.key_id, "key_version": self.key_version, "alg": self.alg}
        return {**found, "context": self.context}

    @classmethod
    def from_wire(cls, parts: Any, context: str) -> EncryptedData:
        """The parts that the server answered. Raises `Corrupt` where they are not whole."""
        try:
            return cls(
                ciphertext=_decode(parts["ciphertext"]),
                nonce=_decode(parts["nonce"]),
                tag=_decode(parts["tag"]),
                context=context,
                key_id=str(parts["key_id"]),
                key_version=int(parts["key_version"]),
                alg=str(parts["alg"]),
                salt=_decode(parts.get("salt", "")),
                commitment=_decode(parts.get("commitment", "")),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Corrupt("the server's message is not whole", remote=True) from error


def read_head(message: object) -> Head:
    """The head of a message in its text form. Raises `Invalid` for anything else.

    The error counts as the server's, who would say the same: a visitor of the application is not told
    that something they never saw is malformed.
    """
    if not isinstance(message, str) or not message.startswith("tut1."):
        raise Invalid("a message is a text that begins with `tut1.`", remote=True)
    # 40 characters hold 30 bytes, which is more than the head.
    try:
        head = base64.b64decode(message[5:45], altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        head = b""
    if len(head) < 22 or head[0] != _VERSION or head[1] not in _NAMES:
        raise Invalid("the message is malformed, or of a later version", remote=True)
    return Head(_NAMES[head[1]], "tky_" + head[2:18].hex(), int.from_bytes(head[18:22], "big"))


def _decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_VERSION = 1
_NUMBERS = {
    "aes-256-gcm": 1,
    "chacha20-poly1305": 2,
    "aes-256-gcm-plain": 4,
    "aes-256-gcm-siv": 5,
    "chacha20-poly1305-plain": 6,
}
_NAMES = {number: name for name, number in _NUMBERS.items()}
