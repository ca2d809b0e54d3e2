"""One ciphertext with one tag that AES-GCM opens under two keys, to two texts that both make sense.

GCM's tag is a polynomial in a point that depends on the key. With two keys and one free block there is one
linear equation left in that block, so it can always be solved: nothing in GCM commits to a key. What an
attacker may choose is taken as given here: both keys, the nonce and the salt.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from tutela_forms import to_text
from tutela_message import BY_NAME, Bound, Head, context_key, derive

FIRST, SECOND = b"INVOICE  100 EUR", b"INVOICE 9000 EUR"


@dataclass(frozen=True)
class TwoKeys:
    """Texts of a plain message, its two plaintexts, and of a message with the first key's commitment.

    `committed` is the twin of the plain one in the suite that commits: its chunk opens under both derived
    keys, its commitment is that of the first key, so it must not open under the second.
    `chunk` is that chunk.
    """

    plain: str
    plain_texts: tuple[bytes, bytes]
    committed: str
    chunk: bytes


def two_key_ciphertext(one: bytes, two: bytes, key_id: bytes, salt: bytes, nonce: bytes) -> TwoKeys:
    """Both messages. `committed` carries the commitment of `one`, and is meant for `two`."""
    plain, committing = (Head(BY_NAME[name], key_id, 1) for name in ("aes-256-gcm-plain", "aes-256-gcm"))
    keys = [context_key(data_key, Bound()) for data_key in (one, two)]
    sealed = collide([(key, nonce) for key in keys])
    texts = [bytes(a ^ b for a, b in zip(sealed, stream(key, nonce, 48), strict=False)) for key in keys]
    aead = committing.suite.aead or b""
    derived = [derive(data_key, aead, salt, Bound().encode(committing)) for data_key in (one, two)]
    chunk = collide([(key, base) for key, base, _ in derived])
    return TwoKeys(
        to_text(plain.encode() + nonce + sealed),
        (texts[0], texts[1]),
        to_text(committing.encode() + salt + derived[0][2] + chunk),
        chunk,
    )


def collide(keys: list[tuple[bytes, bytes]]) -> bytes:
    """Ciphertext and tag for two pairs of key and nonce: block 0 reads FIRST under the one, block 1
    reads SECOND under the other, and block 2 is what makes the tags equal."""
    (key, nonce), (other, other_nonce) = keys
    blocks = [
        integer(FIRST) ^ integer(stream(key, nonce, 16)),
        integer(SECOND) ^ integer(stream(other, other_nonce, 32)[16:]),
        0,
    ]
    points = [integer(ecb(k, bytes(16))) for k, _ in keys]
    masks = [integer(ecb(k, n + b"\x00\x00\x00\x01")) for k, n in keys]
    tags = [tag(blocks, point, mask) for point, mask in zip(points, masks, strict=True)]
    squares = [multiply(point, point) for point in points]
    # The last block enters each tag as block * point²; the tags' difference must be cancelled.
    blocks[2] = multiply(tags[0] ^ tags[1], inverse(squares[0] ^ squares[1]))
    final = tag(blocks, points[0], masks[0])
    assert final == tag(blocks, points[1], masks[1])
    return b"".join(block.to_bytes(16, "big") for block in (*blocks, final))


def tag(blocks: list[int], point: int, mask: int) -> int:
    """GHASH over whole blocks without additional data, and the mask (SP 800-38D §6.4, §7.1)."""
    total = 0
    for block in (*blocks, len(blocks) * 128):
        total = multiply(total ^ block, point)
    return total ^ mask


def multiply(a: int, b: int) -> int:
    """In GCM's field: bit 0 is the most significant one (SP 800-38D §6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (0xE1 << 120 if b & 1 else 0)
    return product


def inverse(a: int) -> int:
    """a to the power of 2^128 - 2, as there are 2^128 - 1 elements beside zero."""
    found, square = 1 << 127, a
    for _ in range(127):
        square = multiply(square, square)
        found = multiply(found, square)
    return found


def stream(key: bytes, nonce: bytes, length: int) -> bytes:
    """What plaintext is XORed with: counting begins at 2, as 1 masks the tag."""
    counter = modes.CTR(nonce + b"\x00\x00\x00\x02")
    return Cipher(algorithms.AES(key), counter).encryptor().update(bytes(length))


def ecb(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)  # noqa: S305


def integer(data: bytes) -> int:
    return int.from_bytes(data, "big")
