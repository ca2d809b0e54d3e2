"""Writes `data/messages.json`: messages, records and indexes that every implementation must agree on.

    python message_vectors.py > data/messages.json

Everything random is fixed here, so that each run writes the same bytes. `data/README.md` says what the
members mean. A case that must fail has a name that says what is wrong with it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from typing import Any

from record_vectors import indexes, records
from tutela_forms import key_text, to_parts, to_text
from tutela_message import BY_NAME, Bound, Head, context_key, seal
from two_keys import two_key_ciphertext

DATA_KEY, OTHER_KEY = bytes(range(32)), bytes(range(32, 64))
KEY_ID = bytes.fromhex("0198a0b1c2d3e4f5061728394a5b6c7d")
WRAPPED_ID = bytes.fromhex("0198a0b1c2d3e4f5061728394a5b6c7e")
SALT = bytes(range(0x80, 0x98))
NONCE = bytes(range(0xC0, 0xCC))
FRESH = bytes(range(0xE0, 0x100))
CONTEXT = "patient/7: Grüße"
# In the order of their bytes the emoji comes last; as UTF-16 code units it would stand before U+FFFD.
PAIRS = {"\ufffd": "3", "table": "patients", "😀": "4", "Table": "2", "column": ""}
TEXT = "Ünïcödé, 42 €".encode()


def document() -> dict[str, Any]:
    """The whole file."""
    return {
        "version": 1,
        "messages": [*good(), *long(), *bound_otherwise(), *wrong(), *wrong_chunks(), *wrong_forms()],
        "context_keys": list(context_keys()),
        "records": list(records(DATA_KEY, KEY_ID)),
        "indexes": list(indexes(DATA_KEY)),
    }


def pattern(size: int) -> bytes:
    """Bytes that differ between chunks."""
    return bytes((7 * i + 13 * (i // 256) + 101 * (i // 16384)) % 256 for i in range(size))


def case(name: str, alg: str, plaintext: bytes, context: Any = None, version: int = 1, **more: Any) -> Any:
    """One message that opens, in all its forms. `fresh` names what was random: salt, nonce or random."""
    head = Head(BY_NAME[alg], KEY_ID, version)
    fresh: dict[str, bytes] = more.pop("fresh", {} if alg == "aes-256-gcm-siv" else {"salt": SALT})
    bound = Bound(
        context,
        more.get("purpose", "message"),
        more.pop("record", None),
        more.pop("fields", ()),
        more.get("wrapped_version"),
    )
    message = seal(head, DATA_KEY, plaintext, bound, *fresh.values() or (b"",))
    found: dict[str, Any] = {"name": name, "opens": True, "alg": alg, "data_key": DATA_KEY.hex()}
    found |= {"key_id": key_text(KEY_ID), "key_version": version, "context": context}
    found |= {name: value.hex() for name, value in fresh.items()} | more
    if bound.record is not None:
        found["record"] = bound.record.hex()
    if bound.fields:
        found["fields"] = [list(field) for field in bound.fields]
    if len(plaintext) > 4096:
        digest = hashlib.sha256(message).hexdigest()
        return found | {"pattern": len(plaintext), "bytes": len(message), "sha256": digest}
    found["plaintext"] = plaintext.hex()
    found["text"] = to_text(message)
    found["json"] = to_parts(message, lambda *_: DATA_KEY, bound)
    return found


def good() -> Iterator[Any]:
    gcm, chacha, siv = "aes-256-gcm", "chacha20-poly1305", "aes-256-gcm-siv"
    yield case("gcm_without_context", gcm, TEXT)
    yield case("gcm_with_text_context", gcm, TEXT, CONTEXT)
    yield case("gcm_with_empty_text_context", gcm, TEXT, "")
    yield case("gcm_with_pairs_in_the_order_of_bytes", gcm, TEXT, PAIRS)
    yield case("gcm_of_nothing", gcm, b"", CONTEXT)
    yield case("gcm_with_hedged_salt", gcm, TEXT, CONTEXT, fresh={"random": FRESH})
    yield case("gcm_with_the_largest_key_version", gcm, TEXT, CONTEXT, 2**32 - 1)
    yield case("chacha_without_context", chacha, TEXT)
    yield case("chacha_with_text_context", chacha, TEXT, CONTEXT)
    yield case("chacha_with_hedged_salt_and_pairs", chacha, TEXT, PAIRS, fresh={"random": FRESH})
    yield case("siv_without_context", siv, TEXT)
    yield case("siv_with_text_context", siv, TEXT, CONTEXT)
    yield case("siv_of_nothing", siv, b"", CONTEXT)
    for alg in ("aes-256-gcm-plain", "chacha20-poly1305-plain"):
        yield case(f"{alg}_without_context", alg, TEXT, fresh={"nonce": NONCE})
        yield case(f"{alg}_with_text_context", alg, TEXT, CONTEXT, fresh={"nonce": NONCE})
        yield case(f"{alg}_with_pairs", alg, TEXT, PAIRS, fresh={"nonce": NONCE})
    yield case("of_a_wrapped_key", gcm, OTHER_KEY, purpose="wrap", record=WRAPPED_ID, wrapped_version=258)
    yield case("of_an_events_fields", gcm, TEXT, purpose="event", record=KEY_ID, fields=(("actor.id", None),))
    yield case("of_a_deterministic_field", siv, b'"a@b.c"', purpose="field", fields=(("email", None),))


def long() -> Iterator[Any]:
    for alg in ("aes-256-gcm", "chacha20-poly1305", "aes-256-gcm-siv"):
        yield case(f"{alg}_of_three_chunks", alg, pattern(40_000), CONTEXT)
    yield case("gcm_of_one_byte_less_than_a_chunk", "aes-256-gcm", pattern(16_383))
    yield case("gcm_of_one_chunk_and_an_empty_one", "aes-256-gcm", pattern(16_384))
    yield case("gcm_of_257_chunks", "aes-256-gcm", pattern(256 * 16_384 + 5), CONTEXT)


def refused(name: str, text: str, context: Any = None, **more: Any) -> Any:
    found = {"name": name, "opens": False, "data_key": DATA_KEY.hex(), "context": context}
    return found | {"text": text} | more


def wrapped(**more: Any) -> dict[str, Any]:
    """What the key of `of_a_wrapped_key` is bound to, but for what is named."""
    return {"purpose": "wrap", "record": WRAPPED_ID.hex(), "wrapped_version": 258} | more


def bound_otherwise() -> Iterator[Any]:
    def message(context: Any) -> str:
        return case("", "aes-256-gcm", TEXT, context)["text"]

    yield refused("opened_without_its_context", message(CONTEXT))
    yield refused("opened_with_an_empty_context_in_place_of_none", message(None), "")
    yield refused("opened_with_none_in_place_of_an_empty_context", message(""), None)
    yield refused("opened_with_a_normalised_context", message("Gru\u0308ße"), "Grüße")
    yield refused("opened_with_pairs_cut_elsewhere", message({"a": "bc"}), {"ab": "c"})
    yield refused("opened_with_a_pair_less", message(PAIRS), {"table": "patients"})
    yield refused("opened_with_another_data_key", message(None), data_key=OTHER_KEY.hex())
    yield refused("opened_as_a_wrapped_key", message(None), **wrapped())
    key = case("", "aes-256-gcm", OTHER_KEY, purpose="wrap", record=WRAPPED_ID, wrapped_version=258)["text"]
    yield refused("wrapped_key_opened_as_another_key", key, **wrapped(record=KEY_ID.hex()))
    yield refused("wrapped_key_opened_as_another_version", key, **wrapped(wrapped_version=2))
    yield refused("wrapped_key_opened_without_a_version", key, purpose="wrap", record=WRAPPED_ID.hex())
    yield refused("wrapped_key_opened_as_a_message", key)
    plain = case("", "aes-256-gcm-plain", TEXT, CONTEXT, fresh={"nonce": NONCE})["text"]
    yield refused("plain_opened_with_another_context", plain, CONTEXT + " ")
    pairs = case("", "aes-256-gcm-plain", TEXT, "", fresh={"nonce": NONCE})["text"]
    yield refused("plain_opened_with_none_in_place_of_an_empty_context", pairs)


def wrong() -> Iterator[Any]:
    """One bit of each part; the offsets are those of the binary form."""
    good = bytearray(seal(Head(BY_NAME["aes-256-gcm"], KEY_ID, 1), DATA_KEY, TEXT, Bound(CONTEXT), SALT))

    def flipped(name: str, at: int, bits: int) -> Any:
        changed = bytearray(good)
        changed[at] ^= bits
        return refused(name, to_text(bytes(changed)), CONTEXT)

    yield flipped("format_byte_is_two", 0, 3)
    yield flipped("suite_is_reserved", 1, 1 ^ 3)
    yield flipped("suite_is_that_of_chacha", 1, 1 ^ 2)
    yield flipped("suite_is_deterministic", 1, 1 ^ 5)
    yield flipped("suite_is_plain", 1, 1 ^ 4)
    yield flipped("suite_is_zero", 1, 1)
    yield flipped("key_id_has_another_bit", 2, 0x80)
    yield flipped("key_version_has_another_bit", 21, 2)
    yield flipped("salt_has_another_bit", 22, 1)
    yield flipped("commitment_has_another_bit", 77, 1)
    yield flipped("ciphertext_has_another_bit", 78, 1)
    yield flipped("tag_has_another_bit", len(good) - 1, 0x80)
    for name, end in (("ends_in_its_head", 21), ("ends_after_its_commitment", 78), ("ends_in_its_tag", -1)):
        yield refused(name, to_text(bytes(good[:end])), CONTEXT)
    # One ciphertext, one tag, two keys: plain AES-GCM opens it with both, the commitment fits only one.
    attack = two_key_ciphertext(DATA_KEY, OTHER_KEY, KEY_ID, SALT, NONCE)
    for key, opened in ((DATA_KEY, attack.plain_texts[0]), (OTHER_KEY, attack.plain_texts[1])):
        found = refused("", attack.plain, data_key=key.hex()) | {"opens": True, "plaintext": opened.hex()}
        found |= {"alg": "aes-256-gcm-plain", "key_id": key_text(KEY_ID), "key_version": 1}
        yield found | {"name": f"plain_two_key_ciphertext_under_key_{'one' if key == DATA_KEY else 'two'}"}
    yield refused(
        "two_key_ciphertext_with_the_commitment_of_the_other_key", attack.committed, data_key=OTHER_KEY.hex()
    )


def wrong_chunks() -> Iterator[Any]:
    """Made of slices of a message above: each `[from, to]` of its binary form, one after another."""
    head, full, of = 78, 16_384 + 16, "aes-256-gcm_of_three_chunks"
    second, third, end = head + full, head + 2 * full, head + 40_000 + 3 * 16
    changes = {
        "last_chunk_is_missing": [[0, third]],
        "first_chunk_is_missing": [[0, head], [second, end]],
        "middle_chunk_is_missing": [[0, second], [third, end]],
        "chunks_are_swapped": [[0, head], [second, third], [head, second], [third, end]],
        "chunk_is_there_twice": [[0, second], [head, end]],
        "last_chunk_is_there_twice": [[0, end], [third, end]],
        "last_chunk_is_cut_by_a_byte": [[0, end - 1]],
        "last_chunk_is_shorter_than_a_tag": [[0, third + 15]],
        "a_byte_follows": [[0, end], [0, 1]],
    }
    for name, slices in changes.items():
        found = {"name": name, "opens": False, "data_key": DATA_KEY.hex(), "context": CONTEXT}
        yield found | {"of": of, "slices": slices}
    found = {"name": "empty_last_chunk_is_missing", "opens": False, "data_key": DATA_KEY.hex()}
    yield found | {"context": None, "of": "gcm_of_one_chunk_and_an_empty_one", "slices": [[0, second]]}


def wrong_forms() -> Iterator[Any]:
    good = case("", "aes-256-gcm", TEXT, CONTEXT)
    text, parts = good["text"], good["json"]
    plain = case("", "aes-256-gcm-plain", TEXT, CONTEXT, fresh={"nonce": NONCE})["json"]
    # 107 bytes leave two bits of the last character unused.
    odd = case("", "aes-256-gcm", b"0123456789abc", CONTEXT)["text"]
    loose = odd[:-1] + chr(ord(odd[-1]) + 1)
    yield refused("text_with_padding", odd + "=", CONTEXT)
    yield refused("text_with_unused_bits_set", loose, CONTEXT)
    yield refused("text_in_the_other_alphabet", text.replace("-", "+").replace("_", "/"), CONTEXT)
    yield refused("text_with_another_prefix", "tut2." + text[5:], CONTEXT)
    yield refused("text_with_a_newline", text[:40] + "\n" + text[40:], CONTEXT)

    def by_parts(name: str, of: Any, context: Any = CONTEXT) -> Any:
        return {"name": name, "opens": False, "data_key": DATA_KEY.hex(), "context": context, "json": of}

    yield by_parts("parts_with_another_nonce", parts | {"nonce": plain["nonce"]})
    yield by_parts("parts_with_another_context_than_the_callers", parts | {"context": "other"})
    yield by_parts("parts_whose_caller_names_no_context", parts, None)
    yield by_parts("parts_whose_context_was_changed_with_the_callers", parts | {"context": "other"}, "other")
    yield by_parts("parts_without_commitment", {k: v for k, v in parts.items() if k != "commitment"})
    yield by_parts("parts_with_a_member_more", parts | {"more": "AA=="})
    yield by_parts("parts_with_another_algorithm", parts | {"alg": "chacha20-poly1305"})
    yield by_parts("parts_with_an_upper_case_key_id", parts | {"key_id": parts["key_id"].replace("a", "A")})
    yield by_parts("parts_of_a_plain_suite_with_a_salt", plain | {"salt": parts["salt"]})


def context_keys() -> Iterator[Any]:
    for name, context in (("none", None), ("empty_text", ""), ("text", CONTEXT), ("pairs", PAIRS)):
        key = context_key(DATA_KEY, Bound(context))
        yield {"name": name, "data_key": DATA_KEY.hex(), "context": context, "key": key.hex()}


def written() -> str:
    """The text of the file."""
    return json.dumps(document(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(written().encode())
