"""`data/messages.json` against the implementation that wrote it, case by case."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import message_vectors
import pytest
from tutela_forms import open_any, open_parts, to_parts, to_text
from tutela_message import BY_NAME, Bound, Head, Refused, context_key, open_binary, seal
from tutela_record import Rule, index, open_record, seal_record

PATH = Path(__file__).parent / "data/messages.json"
VECTORS = json.loads(PATH.read_text(encoding="utf-8"))


def test_the_file_is_what_the_generator_writes():
    assert PATH.read_text(encoding="utf-8") == message_vectors.written()


def test_no_name_stands_twice():
    for part in ("messages", "records", "indexes", "context_keys"):
        names = [case["name"] for case in VECTORS[part]]
        assert len(names) == len(set(names)) and all(names)


def bound_of(case):
    record = case.get("record")
    fields = tuple((path, stored) for path, stored in case.get("fields", ()))
    return Bound(
        case["context"],
        case.get("purpose", "message"),
        bytes.fromhex(record) if record else None,
        fields,
        case.get("wrapped_version"),
    )


def plaintext_of(case):
    return message_vectors.pattern(case["pattern"]) if "pattern" in case else bytes.fromhex(case["plaintext"])


def sealed_again(case):
    head = Head(BY_NAME[case["alg"]], bytes.fromhex(case["key_id"][4:]), case["key_version"])
    fresh = bytes.fromhex(case.get("salt") or case.get("random") or case.get("nonce") or "")
    return seal(head, bytes.fromhex(case["data_key"]), plaintext_of(case), bound_of(case), fresh)


@pytest.mark.parametrize("case", VECTORS["messages"], ids=lambda case: case["name"])
def test_messages(case):
    def find(*_):
        return bytes.fromhex(case["data_key"])

    bound = bound_of(case)
    if not case["opens"]:
        with pytest.raises(Refused):
            if "of" in case:
                [base] = [other for other in VECTORS["messages"] if other["name"] == case["of"]]
                binary = sealed_again(base)
                open_binary(b"".join(binary[start:end] for start, end in case["slices"]), find, bound)
            elif "json" in case:
                open_parts(case["json"], find, bound)
            else:
                open_any(case["text"].encode(), find, bound)
        return
    if "text" in case:
        assert open_any(case["text"].encode(), find, bound) == plaintext_of(case)
    if "json" in case:
        assert open_parts(case["json"], find, bound) == plaintext_of(case)
        assert to_text(sealed_again(case)) == case["text"]
        assert to_parts(sealed_again(case), find, bound) == case["json"]
    if "sha256" in case:
        message = sealed_again(case)
        assert (len(message), hashlib.sha256(message).hexdigest()) == (case["bytes"], case["sha256"])


@pytest.mark.parametrize("case", VECTORS["records"], ids=lambda case: case["name"])
def test_records(case):
    rules = [Rule(**rule) for rule in case["fields"]]

    def find(*_):
        return bytes.fromhex(case["data_key"])

    if case["opens"]:
        assert open_record(find, rules, case["record_id"], case["sealed"]) == case["record"]
        head = Head(BY_NAME[case["alg"]], bytes.fromhex(case["key_id"][4:]), case["key_version"])
        salt = bytes.fromhex(case["salt"])
        again = seal_record(head, find(), rules, case["record_id"], case["record"], salt)
        assert again == case["sealed"]
    else:
        with pytest.raises(Refused):
            open_record(find, rules, case["record_id"], case["sealed"])


def test_indexes_and_context_keys():
    for case in VECTORS["indexes"]:
        key = bytes.fromhex(case["data_key"])
        assert index(key, case["path"], case["value"], case["index_bits"]) == case["index"]
    for case in VECTORS["context_keys"]:
        assert context_key(bytes.fromhex(case["data_key"]), Bound(case["context"])).hex() == case["key"]
