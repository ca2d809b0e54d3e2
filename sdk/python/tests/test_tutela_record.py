"""The second implementation of records and blind indexes."""

from __future__ import annotations

import json

import pytest
from tutela_message import SUITES, Head, Refused
from tutela_record import Rule, index, open_record, seal_record

KEY, ID = bytes(range(32)), bytes(range(16))
RULES = [Rule("a", "equality"), Rule("b", "deterministic"), Rule("c"), Rule("d.e"), Rule("f", optional=True)]
RECORD = {"a": "Ada", "b": "x@y.z", "c": 3, "d": {"e": [1, {"k": None}], "open": True}, "id": 1}


def keys(key_id, version):
    if (key_id, version) != (ID, 1):
        raise Refused("no such key")
    return KEY


def sealed(record=RECORD, record_id="1", rules=RULES, salt=b"s" * 24, suite=1):
    return seal_record(Head(SUITES[suite], ID, 1), KEY, rules, record_id, record, salt)


@pytest.mark.parametrize("suite", [1, 2])
def test_a_record_comes_back_as_it_was_and_shows_only_what_is_not_sensitive(suite):
    found = sealed(suite=suite)
    assert open_record(keys, RULES, "1", found) == RECORD
    assert found["id"] == 1 and found["d"]["open"] is True
    assert set(found) - set(RECORD) == {"a_index", "key_id", "$tutela"}
    for secret in ("Ada", "x@y.z"):
        assert secret not in json.dumps(found)


def test_every_pair_of_sealed_texts_is_refused_when_swapped():
    places = [("a",), ("b",), ("c",), ("d", "e"), ("a_index",), ("$tutela",), ("key_id",)]

    def at(record, place):
        return record if len(place) == 1 else record[place[0]]

    for one in places:
        for two in places:
            if one < two:
                found = sealed()
                first, second = at(found, one), at(found, two)
                first[one[-1]], second[two[-1]] = second[two[-1]], first[one[-1]]
                with pytest.raises(Refused):
                    open_record(keys, RULES, "1", found)


def test_no_field_of_another_write_of_the_same_record_is_taken():
    old, new = sealed(), sealed(RECORD | {"b": "new@y.z", "a": "Eve"}, salt=b"t" * 24)
    assert open_record(keys, RULES, "1", new)["a"] == "Eve"
    for name in ("a", "b", "c", "a_index", "$tutela"):
        with pytest.raises(Refused):
            open_record(keys, RULES, "1", new | {name: old[name]})


def test_a_field_in_the_clear_is_not_passed_as_if_it_had_been_sealed():
    found = sealed()
    for added in ({"f": "555"}, {"c": 4}, {"c": "tutf1.AAAA"}):
        with pytest.raises(Refused):
            open_record(keys, RULES, "1", found | added)
    # A policy that does not know the field has nothing against it.
    assert open_record(keys, RULES[:4], "1", found | {"f": "555"})["f"] == "555"


def test_names_that_the_seal_needs_are_refused():
    for name in ("key_id", "$tutela", "a_index"):
        with pytest.raises(Refused):
            sealed(RECORD | {name: "x"})


def test_a_deterministic_field_can_be_compared_across_records_and_the_others_cannot():
    one, two = sealed(), sealed(record_id="2", salt=b"t" * 24)
    assert one["b"] == two["b"] and one["a_index"] == two["a_index"]
    assert one["a"] != two["a"] and one["c"] != two["c"]


def test_an_index_keeps_its_bits_and_clears_the_rest():
    whole = int(index(KEY, "a", "Ada", 64), 16)
    for bits in range(8, 65):
        text = index(KEY, "a", "Ada", bits)
        assert len(text) == -(-bits // 4)
        assert int(text, 16) >> (len(text) * 4 - bits) == whole >> (64 - bits)
        assert int(text, 16) & ((1 << (len(text) * 4 - bits)) - 1) == 0
    assert index(KEY, "a", "Ada", 32) != index(KEY, "b", "Ada", 32)
