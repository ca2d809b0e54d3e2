"""Seal and open tutela's messages, without any code of tutela.

    message = 0x01 | suite | key id 16 | key version u32 | body
    body    = salt 24 | commitment 32 | chunks      suites 1, 2, 5
            = nonce 12 | ciphertext | tag 16        suites 4, 6

Chunks, salt and commitment are those of https://c2sp.org/chunked-encryption with SHA-512, which makes the
body of suite 1 a Cobblestone-256 ciphertext: any library for it opens the body under the data key, with the
canonical bytes of `Bound.encode` as its context. Every other derivation is with SHA-256. Suites 4 and 6 are a
plain AEAD under the key of the context, so that other programs can make and open them too: nothing in them
commits to a key, and their header is bound to nothing but the key it names.

    python tutela_message.py open --key HEX --context TEXT < message

Takes all three forms. Exits with 0 where the message opens, 1 where it does not, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import hmac
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESGCMSIV, ChaCha20Poly1305


class Refused(Exception):
    """It does not open; the text says why, which no server would tell."""


@dataclass(frozen=True)
class Suite:
    """A number of the second byte. `aead` is its name at IANA; None where the suite is plain."""

    number: int
    name: str
    aead: bytes | None
    cipher: Callable[[bytes], Any]


@dataclass(frozen=True)
class Head:
    """The first 22 bytes."""

    suite: Suite
    key_id: bytes
    version: int

    def encode(self) -> bytes:
        return bytes([VERSION, self.suite.number]) + self.key_id + struct.pack(">I", self.version)


@dataclass(frozen=True)
class Bound:
    """What a message is bound to beside its head. `fields` are paths with their stored texts or None.

    Of a wrapped key `record` is the id; the head names the key that wraps it.
    """

    context: str | Mapping[str, str] | None = None
    purpose: str = "message"
    record: bytes | None = None
    fields: tuple[tuple[str, str | None], ...] = ()
    wrapped_version: int | None = None

    def encode(self, head: Head) -> bytes:
        """The context of the derivation: every part with its length, so that none runs into the next."""
        parts = [b"tutela message v1\x00", head.encode()[1:], field(1, self.purpose)]
        if self.record is not None:
            parts.append(field(3, self.record))
        for path, stored in self.fields:
            parts.append(field(4, path))
            if stored is not None:
                parts.append(field(8, stored))
        if self.wrapped_version is not None:
            parts.append(field(4, struct.pack(">I", self.wrapped_version)))
        return b"".join(parts) + self.caller()[2]

    def caller(self) -> tuple[int, bytes, bytes]:
        """The caller's own context: its kind, its bytes for the plain suites, its fields for the others."""
        if self.context is None:
            return 0, b"", b""
        if isinstance(self.context, str):
            return 1, self.context.encode(), field(5, self.context)
        if not self.context:
            raise Refused("a context of pairs has none")
        pairs = sorted((name.encode(), value.encode()) for name, value in self.context.items())
        fields = b"".join(field(6, name) + field(7, value) for name, value in pairs)
        return 2, fields, fields


Keys = Callable[[bytes, int], bytes]
"""Finds the 32 bytes of a data key by its id and version, or raises `Refused`."""


def seal(head: Head, data_key: bytes, plaintext: bytes, bound: Bound, fresh: bytes) -> bytes:
    """The binary form. `fresh` is what a random source would give; suite 5 takes none of it.

    12 bytes are the nonce of a plain suite, 24 a salt, 32 the random part of a hedged salt.
    """
    if head.suite.aead is None:
        key, aad = context_key(data_key, bound), bound.caller()[1]
        return head.encode() + fresh + head.suite.cipher(key).encrypt(fresh, plaintext, aad)
    context = bound.encode(head)
    if head.suite.number == DETERMINISTIC:
        salt = keyed_salt(data_key, b"tutela deterministic salt v1", b"", context, plaintext)
    elif len(fresh) == 32:
        salt = keyed_salt(data_key, b"tutela hedged salt v1", fresh, context, plaintext)
    else:
        salt = fresh
    key, nonce, commitment = derive(data_key, head.suite.aead, salt, context)
    cipher, pieces = head.suite.cipher(key), len(plaintext) // CHUNK + 1
    sealed = (
        cipher.encrypt(chunk_nonce(nonce, n), plaintext[n * CHUNK : (n + 1) * CHUNK], None)
        for n in range(pieces)
    )
    return head.encode() + salt + commitment + b"".join(sealed)


def open_binary(message: bytes, keys: Keys, bound: Bound) -> bytes:
    """The plaintext of the binary form. Nothing is opened before the commitment is compared."""
    head, body = parse(message)
    data_key = keys(head.key_id, head.version)
    if head.suite.aead is None:
        nonce, sealed = body[:12], body[12:]
        return decrypt(head.suite.cipher(context_key(data_key, bound)), nonce, sealed, bound.caller()[1])
    salt, commitment, chunks = body[:24], body[24:56], body[56:]
    key, nonce, expected = derive(data_key, head.suite.aead, salt, bound.encode(head))
    if not hmac.compare_digest(commitment, expected):
        raise Refused("the commitment is of another key, salt or context")
    cipher, plain = head.suite.cipher(key), []
    for n in range(len(chunks) // (CHUNK + TAG) + 1):
        chunk = chunks[n * (CHUNK + TAG) : (n + 1) * (CHUNK + TAG)]
        plain.append(decrypt(cipher, chunk_nonce(nonce, n), chunk, None))
    return b"".join(plain)


def parse(message: bytes) -> tuple[Head, bytes]:
    """Head and body; a body of a length that no plaintext leads to is refused."""
    if len(message) < HEAD or message[0] != VERSION:
        raise Refused("it is no message of this version")
    suite = SUITES.get(message[1])
    if suite is None:
        raise Refused("no such suite")
    head, body = Head(suite, message[2:18], struct.unpack(">I", message[18:22])[0]), message[HEAD:]
    if len(body) < (12 if suite.aead is None else 56) + TAG:
        raise Refused("the message is cut short")
    if suite.aead is not None and (len(body) - 56) % (CHUNK + TAG) < TAG:
        # The last chunk is always shorter than the others; a full one at the end means that it is missing.
        raise Refused("the last chunk is missing")
    return head, body


# === Keys: everything comes out of the data key by HKDF-Expand (RFC 5869 §2.3) ===


def derive(data_key: bytes, aead: bytes, salt: bytes, context: bytes) -> tuple[bytes, bytes, bytes]:
    """Key, base nonce and commitment of one message: the one derivation with SHA-512."""
    info = b"c2sp.org/chunked-encryption@v1+" + aead + b"\x00" + salt + context
    out = expand(data_key, info, 76, "sha512")
    return out[:32], out[32:44], out[44:]


def context_key(data_key: bytes, bound: Bound) -> bytes:
    """The key of a context: that of the plain suites, and what `derive` of the API gives away."""
    kind, text, _ = bound.caller()
    return expand(data_key, b"tutela context key v1" + bytes([kind]) + text, 32)


def keyed_salt(data_key: bytes, label: bytes, fresh: bytes, context: bytes, plaintext: bytes) -> bytes:
    """A salt that differs wherever context or plaintext do, even when `fresh` repeats."""
    text = fresh + struct.pack(">I", len(context)) + context + plaintext
    return hmac.digest(expand(data_key, label, 32), text, "sha256")[:24]


def expand(prk: bytes, info: bytes, length: int, hash: str = "sha256") -> bytes:
    out, block, counter = b"", b"", 0
    while len(out) < length:
        counter += 1
        block = hmac.digest(prk, block + info + bytes([counter]), hash)
        out += block
    return out[:length]


def chunk_nonce(base: bytes, number: int) -> bytes:
    return (int.from_bytes(base, "big") ^ number).to_bytes(12, "big")


def decrypt(cipher: Any, nonce: bytes, sealed: bytes, aad: bytes | None) -> bytes:
    try:
        return cipher.decrypt(nonce, sealed, aad)
    except InvalidTag:
        raise Refused("a tag is wrong") from None


def field(tag: int, value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return bytes([tag]) + struct.pack(">I", len(data)) + data


SUITES = {
    suite.number: suite
    for suite in (
        Suite(1, "aes-256-gcm", b"AEAD_AES_256_GCM", AESGCM),
        Suite(2, "chacha20-poly1305", b"AEAD_CHACHA20_POLY1305", ChaCha20Poly1305),
        Suite(4, "aes-256-gcm-plain", None, AESGCM),
        Suite(5, "aes-256-gcm-siv", b"AEAD_AES_256_GCM_SIV", AESGCMSIV),
        Suite(6, "chacha20-poly1305-plain", None, ChaCha20Poly1305),
    )
}
BY_NAME = {suite.name: suite for suite in SUITES.values()}
DETERMINISTIC = 5
VERSION = 1
HEAD = 22
CHUNK = 16 * 1024
TAG = 16


def main(arguments: list[str] | None = None) -> int:
    # The forms build upon this file; only the command needs them here.
    import tutela_forms

    parser = argparse.ArgumentParser(description="open a message of tutela")
    parser.add_argument("what", choices=["open"])
    parser.add_argument(
        "--key", required=True, type=bytes.fromhex, help="the data key: 64 hexadecimal digits"
    )
    parser.add_argument("--context", help="the text the message is bound to")
    parser.add_argument("--pair", action="append", metavar="NAME=VALUE", help="a context of names and values")
    given = parser.parse_args(arguments)
    split = [pair.partition("=") for pair in given.pair or ()]
    pairs = {name: value for name, _, value in split}
    if len(given.key) != 32:
        parser.error("a key has 64 hexadecimal digits")
    if len(pairs) != len(split) or (pairs and given.context is not None):
        parser.error("a context is one text, or pairs of which each name stands once")
    bound = Bound(pairs or given.context)
    try:
        opened = tutela_forms.open_any(sys.stdin.buffer.read(), lambda *_: given.key, bound)
    except Refused as error:
        print(f"NOT OPENED: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(opened)
    return 0


if __name__ == "__main__":
    # The module runs under two names then; `Refused` must be one class.
    sys.modules["tutela_message"] = sys.modules["__main__"]
    sys.exit(main())
