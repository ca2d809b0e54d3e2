"""The part of `data/messages.json` on records and blind indexes; see `message_vectors.py`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from tutela_forms import base64url, key_text, unbase64url
from tutela_message import BY_NAME, Head
from tutela_record import HEADER, Rule, index, seal_record

SALT = bytes(range(0x40, 0x58))
RECORD = {
    "id": 7,
    "name": "Ada Lovelace",
    "email": "ada@example.org",
    "salary": 4200.5,
    "address": {"street": "12 St James's Square", "city": "London"},
    "notes": ["ö", None, True, {"a": 1, "b": -0.5}],
}
RULES = [
    Rule("name", "equality", index_bits=32),
    Rule("email", "deterministic"),
    Rule("salary"),
    Rule("address.street"),
    Rule("notes"),
    Rule("phone", optional=True),
]


def records(data_key: bytes, key_id: bytes) -> Iterator[Any]:
    """Records that open, then one change each that makes them not open."""

    def case(
        name: str, rules: list[Rule], record: dict[str, Any], record_id: str, alg: str = "aes-256-gcm"
    ) -> Any:
        sealed = seal_record(Head(BY_NAME[alg], key_id, 1), data_key, rules, record_id, record, SALT)
        found = {"name": name, "opens": True, "alg": alg, "data_key": data_key.hex()}
        found |= {"key_id": key_text(key_id), "key_version": 1, "salt": SALT.hex(), "record_id": record_id}
        return found | {"fields": [wire(rule) for rule in rules], "record": record, "sealed": sealed}

    good = case("all_modes", RULES, RECORD, "patient/7")
    yield good
    yield case("all_modes_with_chacha", RULES, RECORD, "patient/7", "chacha20-poly1305")
    yield case("one_field", [Rule("salary")], {"salary": 1}, "ü")
    yield case("only_deterministic_fields", [Rule("email", "deterministic")], {"email": "a@b.c"}, "1")
    narrow = [Rule("name", "equality", index_bits=10)]
    yield case("an_index_of_ten_bits", narrow, {"name": "Ada"}, "1")
    yield case("null_and_empty_values", [Rule("a"), Rule("b"), Rule("c")], {"a": None, "b": "", "c": {}}, "1")

    def wrong(name: str, change: Callable[[dict[str, Any]], Any], **more: Any) -> Any:
        sealed = copy.deepcopy(good["sealed"])
        change(sealed)
        kept = ("data_key", "record_id", "fields")
        return {"name": name, "opens": False} | {k: good[k] for k in kept} | more | {"sealed": sealed}

    def swap(a: str, b: str) -> Callable[[dict[str, Any]], None]:
        def change(sealed: dict[str, Any]) -> None:
            sealed[a], sealed[b] = sealed[b], sealed[a]

        return change

    def put(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
        return lambda sealed: sealed.update({name: value})

    def header(at: int, bits: int) -> Callable[[dict[str, Any]], None]:
        def change(sealed: dict[str, Any]) -> None:
            data = bytearray(unbase64url(sealed[HEADER][6:]))
            data[at] ^= bits
            sealed[HEADER] = "tutr1." + base64url(bytes(data))

        return change

    def without_last_path(sealed: dict[str, Any]) -> None:
        data = unbase64url(sealed[HEADER][6:])
        sealed[HEADER] = "tutr1." + base64url(data[: -3 - len("notes")])

    other = case("", RULES, RECORD | {"email": "ben@example.org"}, "patient/7")["sealed"]
    alone = case("", [Rule("salary")], RECORD, "patient/7")["sealed"]
    yield wrong("two_fields_are_swapped", swap("name", "salary"))
    yield wrong("opened_as_another_record", lambda _: None, record_id="patient/8")
    yield wrong("deterministic_field_of_another_write", put("email", other["email"]))
    yield wrong("index_is_changed", put("name_index", "00000000"))
    yield wrong("index_is_missing", lambda sealed: sealed.pop("name_index"))
    yield wrong("sealed_field_is_missing", lambda sealed: sealed.pop("salary"))
    yield wrong("plaintext_stands_in_a_sealed_field", put("salary", 9000))
    yield wrong("optional_field_was_added_in_the_clear", put("phone", "555"))
    yield wrong("field_has_another_character", put("salary", good["sealed"]["salary"][:-2] + "AA"))
    yield wrong("field_was_taken_out_of_the_header", without_last_path)
    yield wrong("header_of_a_smaller_write", put(HEADER, alone[HEADER]))
    yield wrong("header_is_missing", lambda sealed: sealed.pop(HEADER))
    yield wrong("header_names_another_suite", header(1, 1 ^ 2))
    yield wrong("header_names_another_key_version", header(21, 2))
    yield wrong("header_has_another_salt", header(22, 1))
    yield wrong("header_has_another_commitment", header(77, 1))
    yield wrong("mode_of_a_field_is_changed", header(78, 2 ^ 1))
    yield wrong("key_id_is_of_another_key", put("key_id", key_text(bytes(16))))
    yield wrong("key_id_is_missing", lambda sealed: sealed.pop("key_id"))


def indexes(data_key: bytes) -> Iterator[Any]:
    """Blind indexes; equal values have one index however they are written."""
    for name, path, value, bits in (
        ("text", "name", "Ada Lovelace", 32),
        ("text_of_another_path", "nick.name", "Ada Lovelace", 32),
        ("eight_bits", "name", "Ada Lovelace", 8),
        ("ten_bits_leave_two_of_three_digits_unused", "name", "Ada Lovelace", 10),
        ("sixty_four_bits", "name", "Ada Lovelace", 64),
        ("whole_number", "n", 42, 32),
        ("the_same_number_as_a_double", "n", 42.0, 32),
        ("small_double", "n", 1e-7, 32),
        (
            "object_in_the_order_of_utf_16",
            "o",
            {"\ufb33": 1, "😀": 2, "b": [None, True], "a": "\u000f\n"},
            32,
        ),
    ):
        found = {"name": name, "data_key": data_key.hex(), "path": path, "value": value, "index_bits": bits}
        yield found | {"index": index(data_key, path, value, bits)}


def wire(rule: Rule) -> dict[str, Any]:
    """A rule as the API has it."""
    found: dict[str, Any] = {"path": rule.path, "mode": rule.mode}
    if rule.optional:
        found["optional"] = True
    if rule.mode == "equality":
        found["index_bits"] = rule.index_bits
    return found
