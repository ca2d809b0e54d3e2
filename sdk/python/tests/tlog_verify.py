"""Check that a record is in a ledger, without any code of the program that keeps it.

Written from the texts alone: C2SP tlog-proof, tlog-checkpoint and signed-note, and RFC 6962 §2.1. What
it needs beside the proof: the record's exact bytes, and the ledger's public key from a place you trust.

    python tlog_verify.py proof.txt --body body.json --key VKEY

Exits with 0 where the record is in the ledger, 1 where that is not proven, 2 for wrong usage.

The proof says where the record's leaf stands and which hashes lead from it to the root that the ledger
signed. Many records may share one leaf; then the `extra` line of the proof holds the way from the record
to that leaf, and is believed only as far as the hashes and the signature carry it:

    record -> items.root in the leaf -> leaf -> root in the checkpoint -> signature -> key
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Refused(Exception):
    """The proof does not prove it; the text says why."""


@dataclass(frozen=True)
class Verified:
    """What is proven: the record is leaf `index` of `size`, or item `item` of that leaf."""

    origin: str
    size: int
    index: int
    item: int | None


def verify(proof: bytes, body: bytes, vkey: str) -> Verified:
    """Return where `body` stands in the ledger that `vkey` belongs to, or raise `Refused`."""
    name, key_id, key = parse_vkey(vkey)
    extra, index, path, note = parse_proof(proof)
    text = open_note(note, name, key_id, key)
    origin, size, root = parse_checkpoint(text)
    if origin != name:
        raise Refused("the checkpoint is of another ledger")
    item = None
    if extra is not None:
        item, body = leaf_of_item(extra, body)
    if root_of(leaf_hash(body), index, size, path) != root:
        raise Refused("the record is not in the tree that was signed")
    return Verified(origin, size, index, item)


# === The proof: C2SP tlog-proof ===


def parse_proof(proof: bytes) -> tuple[bytes | None, int, list[bytes], str]:
    """Split a proof into extra data, index, hashes from leaf to root, and the checkpoint's text."""
    if len(proof) > LONGEST_PROOF:
        raise Refused("the proof is too long")
    head, blank, note = decode_utf8(proof).partition("\n\n")
    lines = head.split("\n")
    if not blank or lines.pop(0) != "c2sp.org/tlog-proof@v1":
        raise Refused("it is no tlog-proof")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise Refused("the proof has no index")
    index = decode_number(lines.pop(0).removeprefix("index "))
    return extra, index, [decode_hash(line) for line in lines], note


def leaf_of_item(extra: bytes, body: bytes) -> tuple[int, bytes]:
    """Check that `body` is an item of the leaf given in `extra`; return its number and the leaf's bytes.

    Nothing here is signed yet: the caller must go on and prove the leaf.
    """
    given = decode_object(extra)
    if set(given) != {"item", "count", "hashes", "leaf"}:
        raise Refused("the extra data has other fields than item, count, hashes and leaf")
    item, count = whole(given["item"]), whole(given["count"])
    if not isinstance(given["hashes"], list):
        raise Refused("the hashes of the extra data are no list")
    path = [decode_hash(text) for text in given["hashes"]]
    leaf = decode_base64(given["leaf"])
    items = decode_object(leaf).get("items")
    if not isinstance(items, dict) or "root" not in items or "count" not in items:
        raise Refused("the leaf holds no items")
    if whole(items["count"]) != count:
        raise Refused("the leaf holds another number of items")
    if root_of(leaf_hash(body), item, count, path) != decode_hash(items["root"]):
        raise Refused("the record is not among the items of the leaf")
    return item, leaf


# === The tree: RFC 6962 §2.1 ===


def root_of(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root of a tree of `size` leaves in which the leaf at `index` has this audit path.

    RFC 6962 §2.1.1 defines the path from the root down; this undoes it in the same steps. The length
    of the path is not free: one hash too many or too few is refused.
    """
    if not 0 <= index < size:
        raise Refused("the index is outside of the tree")
    if size == 1:
        if path:
            raise Refused("the path is too long")
        return leaf
    if not path:
        raise Refused("the path is too short")
    left = 1 << ((size - 1).bit_length() - 1)  # the largest power of two below `size`
    if index < left:
        return node_hash(root_of(leaf, index, left, path[:-1]), path[-1])
    return node_hash(path[-1], root_of(leaf, index - left, size - left, path[:-1]))


def leaf_hash(body: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


# === The checkpoint: C2SP tlog-checkpoint and signed-note ===


def parse_vkey(vkey: str) -> tuple[str, bytes, Ed25519PublicKey]:
    """Read `name+hash+base64(0x01 || key)`: the key's name, its four-byte id, and the key."""
    name, _, rest = vkey.strip().partition("+")
    identity, _, encoded = rest.partition("+")
    key = decode_base64(encoded)
    if not name or any(c.isspace() for c in name) or not re.fullmatch("[0-9a-f]{8}", identity):
        raise Refused("the key is not written as name+hash+key")
    if len(key) != 33 or key[0] != ED25519:
        raise Refused("the key is not an Ed25519 key")
    key_id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if key_id.hex() != identity:
        raise Refused("the key does not fit its own hash")
    return name, key_id, Ed25519PublicKey.from_public_bytes(key[1:])


def open_note(note: str, name: str, key_id: bytes, key: Ed25519PublicKey) -> str:
    """The text of a note, once the key's signature on it is verified. Other signatures are ignored."""
    if any(c < " " and c != "\n" for c in note):
        raise Refused("the note holds control characters")
    text, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise Refused("the note has no signatures")
    text += "\n"
    lines = signatures.removesuffix("\n").split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise Refused("the note has too many signatures")
    signed = False
    for line in lines:
        found = re.fullmatch(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})", line)
        if found is None:
            raise Refused("a signature line is malformed")
        signature = decode_base64(found[2])
        if len(signature) < 5:
            raise Refused("a signature is too short")
        if found[1] != name or signature[:4] != key_id:
            continue
        try:
            key.verify(signature[4:], text.encode())
        except InvalidSignature:
            raise Refused("the ledger's signature is wrong") from None
        signed = True
    if not signed:
        raise Refused("the ledger has not signed the checkpoint")
    return text


def parse_checkpoint(text: str) -> tuple[str, int, bytes]:
    """The origin, the number of leaves and the root of a checkpoint whose signature is verified."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3 or not all(lines):
        raise Refused("the note is no checkpoint")
    return lines[0], decode_number(lines[1]), decode_hash(lines[2])


# === Plain values, each with one spelling only ===


def decode_base64(text: Any) -> bytes:
    if not isinstance(text, str):
        raise Refused("a value is not base64 text")
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused("a value is not base64") from None
    if base64.b64encode(found).decode() != text:
        raise Refused("a base64 value is not canonical")
    return found


def decode_hash(text: Any) -> bytes:
    found = decode_base64(text)
    if len(found) != 32:
        raise Refused("a hash has not 32 bytes")
    return found


def decode_number(text: str) -> int:
    if not re.fullmatch("0|[1-9][0-9]{0,18}", text, re.ASCII):
        raise Refused("a number is not plain decimal")
    return whole(int(text))


def whole(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**63:
        raise Refused("a number is not whole, or too large")
    return number


def decode_object(data: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a name appears twice")
        return dict(pairs)

    try:
        found = json.loads(decode_utf8(data), object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise Refused("a value is not JSON") from None
    if not isinstance(found, dict):
        raise Refused("a value is not a JSON object")
    return found


def decode_utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("it is not UTF-8") from None


ED25519 = 0x01
MOST_SIGNATURES = 64
LONGEST_PROOF = 16 * 1024 * 1024


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="check that a record is in a ledger")
    parser.add_argument("proof", help="the proof (c2sp.org/tlog-proof@v1)")
    parser.add_argument("--body", required=True, help="the record's exact bytes")
    parser.add_argument("--key", required=True, help="the ledger's public key: name+hash+base64")
    given = parser.parse_args(arguments)
    try:
        with open(given.proof, "rb") as proof, open(given.body, "rb") as body:
            found = verify(proof.read(), body.read(), given.key)
    except OSError as error:
        parser.error(str(error))
    except Refused as error:
        print(f"NOT PROVEN: {error}", file=sys.stderr)
        return 1
    item = "" if found.item is None else f", item {found.item}"
    print(f"proven: leaf {found.index}{item} of {found.size} in {found.origin}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
