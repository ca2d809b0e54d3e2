"""The three equal forms of a message: text, binary, and parts by name. See `tutela_message.py`.

    text     `tut1.` and the binary form in base64url without padding
    binary   the bytes; in JSON they stand in base64
    parts    {ciphertext, nonce, tag, context, key_id, key_version, alg, salt, commitment}

Each has one spelling only: what decodes to the same bytes but is written otherwise is refused, so that
two texts are the same message exactly where they are the same text.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from tutela_message import BY_NAME, TAG, Bound, Head, Keys, Refused, derive, open_binary, parse


def open_any(message: bytes, keys: Keys, bound: Bound) -> bytes:
    """Open whichever form it is; surrounding blank space of the written forms is no part of them."""
    if message[:1] == b"\x01":
        return open_binary(message, keys, bound)
    try:
        text = message.decode("ascii").strip()
    except UnicodeDecodeError:
        raise Refused("it is no message") from None
    if text.startswith("{"):
        return open_parts(parse_json(text), keys, bound)
    return open_binary(from_text(text) if text.startswith("tut1.") else unbase64(text), keys, bound)


def open_parts(parts: Mapping[str, Any], keys: Keys, bound: Bound) -> bytes:
    """Open the form by parts. Its context is compared with the caller's, never taken for it."""
    if "context" in parts and parts["context"] != bound.context:
        raise Refused("the parts name another context")
    message = from_parts(parts)
    opened = open_binary(message, keys, bound)
    # The binary form has no room for a derived nonce, so only this comparison keeps the forms equal.
    if to_parts(message, keys, bound)["nonce"] != parts["nonce"]:
        raise Refused("the nonce is not the one that is derived")
    return opened


def to_text(message: bytes) -> str:
    return "tut1." + base64url(message)


def from_text(text: str) -> bytes:
    if not text.startswith("tut1."):
        raise Refused("the text does not begin with `tut1.`")
    return unbase64url(text.removeprefix("tut1."))


def to_parts(message: bytes, keys: Keys, bound: Bound) -> dict[str, Any]:
    """The parts by name. The key is needed because the nonce of suites 1, 2 and 5 is derived."""
    head, body = parse(message)
    parts: dict[str, Any] = {"key_id": key_text(head.key_id), "key_version": head.version}
    parts["alg"] = head.suite.name
    if bound.context is not None:
        parts["context"] = bound.context
    if head.suite.aead is None:
        nonce, chunks = body[:12], body[12:]
    else:
        salt, chunks = body[:24], body[56:]
        data_key = keys(head.key_id, head.version)
        nonce = derive(data_key, head.suite.aead, salt, bound.encode(head))[1]
        parts |= {"salt": base64_text(salt), "commitment": base64_text(body[24:56])}
    parts |= {"nonce": base64_text(nonce), "tag": base64_text(chunks[-TAG:])}
    parts["ciphertext"] = base64_text(chunks[:-TAG])
    return parts


def from_parts(parts: Mapping[str, Any]) -> bytes:
    """The binary form; a part that is missing, too many or of another length is refused."""
    suite = BY_NAME.get(str(parts.get("alg")))
    if suite is None:
        raise Refused("no such algorithm")
    fixed = {"nonce": 12, "tag": TAG} | ({} if suite.aead is None else {"salt": 24, "commitment": 32})
    wanted = {"ciphertext", "key_id", "key_version", "alg", *fixed}
    if set(parts) - {"context"} != wanted:
        raise Refused("the parts are not those of this algorithm")
    part = {name: unbase64(parts[name]) for name in ("ciphertext", *fixed)}
    if any(len(part[name]) != length for name, length in fixed.items()):
        raise Refused("a part has another length")
    version = parts["key_version"]
    if isinstance(version, bool) or not isinstance(version, int) or not 0 <= version < 2**32:
        raise Refused("the key version is no number of 32 bits")
    head = Head(suite, key_bytes(parts["key_id"]), version).encode()
    front = part["nonce"] if suite.aead is None else part["salt"] + part["commitment"]
    return head + front + part["ciphertext"] + part["tag"]


# === Ids and encodings, each with one spelling ===


def key_text(key_id: bytes) -> str:
    return "tky_" + key_id.hex()


def key_bytes(text: Any) -> bytes:
    if not isinstance(text, str) or not re.fullmatch("tky_[0-9a-f]{32}", text, re.ASCII):
        raise Refused("the key id is not `tky_` and 32 hexadecimal digits")
    return bytes.fromhex(text[4:])


def base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unbase64(text: Any) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        raise Refused("it is not base64") from None
    if base64_text(data) != text:
        raise Refused("the base64 is not canonical")
    return data


def unbase64url(text: Any) -> bytes:
    if not isinstance(text, str) or not re.fullmatch("[A-Za-z0-9_-]*", text, re.ASCII):
        raise Refused("it is not base64url without padding")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise Refused("it is not base64url") from None
    if base64url(data) != text:
        raise Refused("the base64url is not canonical")
    return data


def parse_json(text: str) -> dict[str, Any]:
    """A JSON object in which no name stands twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise Refused("a name stands twice")
        return dict(pairs)

    try:
        found = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise Refused("it is not JSON") from None
    if not isinstance(found, dict):
        raise Refused("it is not a JSON object")
    return found
