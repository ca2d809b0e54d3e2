"""Seal and open tutela's records, and make blind indexes, without any code of tutela.

A sealed record is the record with each sensitive field replaced, plus `key_id` and the header `$tutela`:

    `tutr1.` base64url( 0x01 | suite 1 or 2 | key id 16 | key version u32 | salt 24 | commitment 32
                        | for each sealed field: mode u8 | length u16 | path )

    mode 0  random         `tutf1.` base64url( AEAD of the value's JSON text )
    mode 1  deterministic  a message of suite 5 for itself, of the value's canonical JSON
    mode 2  equality       as 0, and a blind index beside it in `NAME_index`

All fields of modes 0 and 2 share the one key of the header, each with its own nonce. The list of paths,
the deterministic texts and the indexes are part of what the commitment commits to, so that nothing of the
record can be taken from, added to or swapped with another.
"""

from __future__ import annotations

import copy
import hmac
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canonical_json import canonical
from tutela_forms import base64url, from_text, key_text, to_text, unbase64url
from tutela_message import (
    BY_NAME,
    DETERMINISTIC,
    SUITES,
    VERSION,
    Bound,
    Head,
    Keys,
    Refused,
    chunk_nonce,
    decrypt,
    derive,
    expand,
    open_binary,
    seal,
)

MODES = ("random", "deterministic", "equality")


@dataclass(frozen=True)
class Rule:
    """One field of a policy."""

    path: str
    mode: str = "random"
    optional: bool = False
    index_bits: int = 32


def seal_record(
    head: Head, data_key: bytes, rules: Sequence[Rule], record_id: str, record: Mapping[str, Any], salt: bytes
) -> dict[str, Any]:
    """The sealed record. `salt` must be another for every write: its key must never seal two records."""
    sealed = copy.deepcopy(dict(record))
    if HEADER in sealed or "key_id" in sealed:
        raise Refused("the record uses a name that the seal needs")
    rules = [rule for rule in rules if present(sealed, rule)]
    stored: list[str | None] = []
    for rule in rules:
        parent, name = walk(sealed, rule.path)
        if rule.mode == "deterministic":
            parent[name] = stored_text = deterministic(head, data_key, rule.path, parent[name])
        elif rule.mode == "equality":
            if name + "_index" in parent:
                raise Refused("the record uses a name that an index needs")
            stored_text = parent[name + "_index"] = index(data_key, rule.path, parent[name], rule.index_bits)
        else:
            stored_text = None
        stored.append(stored_text)
    bound = binding(record_id, [rule.path for rule in rules], stored)
    key, nonce, commitment = derive(data_key, head.suite.aead or b"", salt, bound.encode(head))
    cipher, number = head.suite.cipher(key), 0
    for rule in rules:
        if rule.mode != "deterministic":
            parent, name = walk(sealed, rule.path)
            text = cipher.encrypt(chunk_nonce(nonce, number), json_text(parent[name]), None)
            parent[name], number = "tutf1." + base64url(text), number + 1
    listed = b"".join(
        bytes([MODES.index(rule.mode)]) + struct.pack(">H", len(rule.path.encode())) + rule.path.encode()
        for rule in rules
    )
    sealed["key_id"] = key_text(head.key_id)
    sealed[HEADER] = "tutr1." + base64url(head.encode() + salt + commitment + listed)
    return sealed


def open_record(
    keys: Keys, rules: Sequence[Rule], record_id: str, sealed: Mapping[str, Any]
) -> dict[str, Any]:
    """The record as it was. A field of the policy that the header does not list is refused, not passed."""
    record = copy.deepcopy(dict(sealed))
    head, salt, commitment, listed = parse_header(record.pop(HEADER, None))
    if record.pop("key_id", None) != key_text(head.key_id):
        raise Refused("`key_id` is not the key of the header")
    if any(present(record, rule) and rule.path not in dict(listed) for rule in rules):
        raise Refused("a field of the policy is not sealed")
    data_key = keys(head.key_id, head.version)
    stored: list[str | None] = []
    for path, mode in listed:
        parent, name = walk(record, path)
        texts = {"random": None, "deterministic": parent[name], "equality": parent.get(name + "_index")}
        if mode != "random" and not isinstance(texts[mode], str):
            raise Refused("a stored text is missing")
        stored.append(texts[mode])
    bound = binding(record_id, [path for path, _ in listed], stored)
    key, nonce, expected = derive(data_key, head.suite.aead or b"", salt, bound.encode(head))
    if not hmac.compare_digest(commitment, expected):
        raise Refused("the commitment is of another key, salt, record or list of fields")
    cipher, number = head.suite.cipher(key), 0
    for path, mode in listed:
        parent, name = walk(record, path)
        text = parent[name]
        if mode == "deterministic":
            field_bound = Bound(purpose="field", fields=((path, None),))
            parent[name] = json.loads(open_binary(from_text(text), keys, field_bound))
            continue
        if not isinstance(text, str) or not text.startswith("tutf1."):
            raise Refused("a sealed field is no sealed text")
        opened = decrypt(cipher, chunk_nonce(nonce, number), unbase64url(text[6:]), None)
        parent[name], number = json.loads(opened), number + 1
        if mode == "equality":
            del parent[name + "_index"]
    return record


def deterministic(head: Head, data_key: bytes, path: str, value: Any) -> str:
    """What a deterministic field holds; the same for the same value, under one version of the key."""
    own = Head(SUITES[DETERMINISTIC], head.key_id, head.version)
    bound = Bound(purpose="field", fields=((path, None),))
    return to_text(seal(own, data_key, canonical(value), bound, b""))


def index(data_key: bytes, path: str, value: Any, bits: int) -> str:
    """The blind index: the first bits of a MAC, in whole hexadecimal digits."""
    key = expand(data_key, b"tutela blind index v1" + path.encode(), 32)
    digits = -(-bits // 4)
    first = int.from_bytes(hmac.digest(key, canonical(value), "sha256"), "big") >> (256 - bits)
    return f"{first << (digits * 4 - bits):0{digits}x}"


def parse_header(text: Any) -> tuple[Head, bytes, bytes, list[tuple[str, str]]]:
    """Head, salt, commitment, and the sealed paths with their modes."""
    if not isinstance(text, str) or not text.startswith("tutr1."):
        raise Refused("there is no header")
    data = unbase64url(text[6:])
    suite = SUITES.get(data[1]) if len(data) >= 78 and data[0] == VERSION else None
    if suite not in (BY_NAME["aes-256-gcm"], BY_NAME["chacha20-poly1305"]):
        raise Refused("the header is of no kind that is known")
    head = Head(suite, data[2:18], struct.unpack(">I", data[18:22])[0])
    listed, at = [], 78
    while at < len(data):
        if at + 3 > len(data) or data[at] >= len(MODES):
            raise Refused("the header's list is malformed")
        end = at + 3 + struct.unpack(">H", data[at + 1 : at + 3])[0]
        if end > len(data):
            raise Refused("the header's list is cut short")
        try:
            listed.append((data[at + 3 : end].decode(), MODES[data[at]]))
        except UnicodeDecodeError:
            raise Refused("a path is not UTF-8") from None
        at = end
    if not listed or len(dict(listed)) != len(listed):
        raise Refused("the header lists nothing, or a path twice")
    return head, data[22:46], data[46:78], listed


def binding(record_id: str, paths: Sequence[str], stored: Sequence[str | None]) -> Bound:
    return Bound(purpose="record", record=record_id.encode(), fields=tuple(zip(paths, stored, strict=True)))


def present(record: Mapping[str, Any], rule: Rule) -> bool:
    try:
        walk(record, rule.path)
    except Refused:
        return False
    return True


def walk(record: Any, path: str) -> tuple[dict[str, Any], str]:
    """The object that holds the field, and the field's last name."""
    *parents, name = path.split(".")
    for step in parents:
        record = record.get(step) if isinstance(record, dict) else None
    if not isinstance(record, dict) or name not in record:
        raise Refused(f"there is no field `{path}`")
    return record, name


def json_text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


HEADER = "$tutela"
